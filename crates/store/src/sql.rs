//! Statements whose text depends on what is asked for, written once for both databases.
//!
//! A [`Sql`] is put together from texts of the program ([`Sql::push`] takes nothing else) and values,
//! which are always bound. So it is safe to run, whatever people filter for.

use crate::page::{Order, Page};
use crate::text::containing;

/// A statement, or the end of one, with its values.
#[derive(Clone, Debug)]
pub(crate) struct Sql {
    pub(crate) text: String,
    pub(crate) values: Vec<Value>,
}

/// A bound value.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Int(i64),
    Bool(bool),
    Text(String),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(crate::text::clean(value))
    }
}

impl Sql {
    /// A statement that begins like this.
    pub(crate) fn new(text: &'static str) -> Self {
        Self { text: text.to_owned(), values: Vec::new() }
    }

    /// `text` and then a bound value.
    pub(crate) fn with(mut self, text: &'static str, value: impl Into<Value>) -> Self {
        self.push(text);
        self.values.push(value.into());
        self.text.push_str(&format!("${}", self.values.len()));
        self
    }

    /// [`Sql::with`], when there is a value.
    pub(crate) fn with_some<T: Into<Value>>(self, text: &'static str, value: Option<T>) -> Self {
        match value {
            Some(value) => self.with(text, value),
            None => self,
        }
    }

    /// `)`, after a subquery that was opened by [`Sql::with`].
    pub(crate) fn closed(mut self) -> Self {
        self.push(")");
        self
    }

    /// `AND` one of the columns contains `part`, upper and lower case alike. Nothing for an empty part.
    pub(crate) fn containing(mut self, columns: &[&'static str], part: &str) -> Self {
        if part.is_empty() {
            return self;
        }
        self.values.push(Value::Text(containing(part)));
        for (i, column) in columns.iter().enumerate() {
            let before = if i == 0 { " AND (" } else { " OR " };
            self.text.push_str(&format!("{before}lower({column}) LIKE ${} ESCAPE '!'", self.values.len()));
        }
        self.push(")");
        self
    }

    /// Sorted by these columns, what is unknown last, equal ones by `id`; only this page.
    pub(crate) fn paged(mut self, columns: &[&'static str], order: Order, id: &'static str, page: Page) -> Self {
        self.push(" ORDER BY ");
        for column in columns {
            self.text.push_str(&format!("({column} IS NULL), {column} {}, ", order.sql()));
        }
        self.push(id);
        self.with(" LIMIT ", page.limit()).with(" OFFSET ", page.offset())
    }

    /// The statement that begins with `head` and ends with this.
    pub(crate) fn after(&self, head: &'static str) -> Self {
        Self { text: format!("{head}{}", self.text), values: self.values.clone() }
    }

    /// A text of the program.
    pub(crate) fn push(&mut self, text: &'static str) {
        self.text.push_str(text);
    }
}

/// All rows of a [`Sql`], as `$row`.
macro_rules! fetch_all {
    ($side:expr, $row:ty, $sql:expr) => {{
        let sql: $crate::sql::Sql = $sql;
        $crate::db::on!($side, conn => {
            let mut query = sqlx::query_as::<_, $row>(sqlx::AssertSqlSafe(sql.text)).persistent(false);
            for value in sql.values {
                query = match value {
                    $crate::sql::Value::Int(value) => query.bind(value),
                    $crate::sql::Value::Bool(value) => query.bind(value),
                    $crate::sql::Value::Text(value) => query.bind(value),
                };
            }
            query.fetch_all(conn).await
        })
    }};
}
pub(crate) use fetch_all;

/// The number that a `SELECT COUNT(*)` answers.
macro_rules! count {
    ($side:expr, $sql:expr) => {
        $crate::sql::fetch_all!($side, (i64,), $sql)
            .map(|rows| rows.first().map_or(0, |(count,)| $crate::text::uint(*count)))
    };
}
pub(crate) use count;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_numbered_and_texts_only_bound() {
        let sql = Sql::new(" WHERE a = ")
            .with("", 7)
            .with_some(" AND b = ", None::<bool>)
            .with_some(" AND c = ", Some("x"))
            .containing(&["d", "e"], "'; DROP")
            .paged(&["f"], Order::Descending, "id", Page { limit: 5, offset: 2 })
            .after("SELECT * FROM t");
        assert_eq!(
            sql.text,
            "SELECT * FROM t WHERE a = $1 AND c = $2 AND (lower(d) LIKE $3 ESCAPE '!' OR lower(e) LIKE $3 ESCAPE '!') \
             ORDER BY (f IS NULL), f DESC, id LIMIT $4 OFFSET $5"
        );
        assert_eq!(sql.values.len(), 5);
    }
}
