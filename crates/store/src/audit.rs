//! The audit log: who did what, when, from where, and how it ended. Lines are only ever added: there is no function
//! that changes or deletes one, and the database refuses to.

use p2ppool_model::audit::AuditResult;
use p2ppool_model::{Time, UserId};
use serde::{Deserialize, Serialize};

use crate::Store;
use crate::db::write_one;
use crate::error::{Result, Tried as _};
use crate::page::{Listed, Order, Page};
use crate::sql::{Sql, count, fetch_all};
use crate::text::{clean, clean_opt, from_json, parse_opt, to_json};

/// One thing that somebody did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// When.
    pub at: Time,
    /// Whose account it was, if it was one.
    pub user: Option<UserId>,
    /// Name of the person, or `schedule`, `cli`.
    pub actor: String,
    /// What was done: `pool.create`, `login.failed`.
    pub action: String,
    /// Name of the pool, if it was about one.
    pub pool: Option<String>,
    /// On what: name of a pool, a user, a host.
    pub subject: String,
    /// The rest; never a secret.
    pub details: serde_json::Value,
    /// IP address that it came from.
    pub address: Option<String>,
    /// How it ended; `None` in lines from before this was kept.
    pub result: Option<AuditResult>,
}

/// An entry with its place in the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditLine {
    /// Rises with each entry.
    pub id: i64,
    /// The entry.
    #[serde(flatten)]
    pub entry: AuditEntry,
}

/// Which entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Part of actor, action, pool, subject, details or address; empty: all.
    pub text: String,
    /// Only by this account.
    pub user: Option<UserId>,
    /// Only by one of this name; upper and lower case are the same.
    pub actor: Option<String>,
    /// Only what ended so.
    pub result: Option<AuditResult>,
    /// Only lines older than this one: for readers that go on while new lines come.
    pub before: Option<i64>,
    /// Only about this pool.
    pub pool: Option<String>,
    /// Only this action.
    pub action: Option<String>,
    /// Not before.
    pub from: Option<Time>,
    /// Before.
    pub until: Option<Time>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    at: i64,
    user_id: Option<i64>,
    actor: String,
    action: String,
    pool: Option<String>,
    subject: String,
    details: String,
    address: Option<String>,
    result: Option<String>,
}

impl Row {
    fn line(self) -> Result<AuditLine> {
        let details = from_json(&format!("details of audit entry {}", self.id), &self.details)?;
        let entry = AuditEntry {
            at: Time(self.at),
            user: self.user_id.map(UserId),
            actor: self.actor,
            action: self.action,
            pool: self.pool,
            subject: self.subject,
            details,
            address: self.address,
            result: parse_opt(&format!("result of audit entry {}", self.id), self.result.as_deref())?,
        };
        Ok(AuditLine { id: self.id, entry })
    }
}

impl Store {
    /// Appends an entry.
    pub async fn append_audit(&self, entry: &AuditEntry) -> Result<()> {
        let details = to_json("details of an audit entry", &entry.details)?;
        write_one!(
            self.db,
            "append to the audit log",
            "INSERT INTO audit (at, user_id, actor, action, pool, subject, details, address, result)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            entry.at.0,
            entry.user.map(|id| id.0),
            clean(&entry.actor),
            clean(&entry.action),
            clean_opt(entry.pool.as_deref()),
            clean(&entry.subject),
            &details,
            clean_opt(entry.address.as_deref()),
            entry.result.map(AuditResult::as_str),
        );
        Ok(())
    }

    /// A page of the log, newest first.
    pub async fn audit(&self, filter: &AuditFilter, page: Page) -> Result<Listed<AuditLine>> {
        let wanted = Sql::new("WHERE 1 = 1")
            .with_some(" AND user_id = ", filter.user.map(|id| id.0))
            .with_some(" AND lower(actor) = ", filter.actor.as_deref().map(str::to_lowercase).as_deref())
            .with_some(" AND result = ", filter.result.map(AuditResult::as_str))
            .with_some(" AND id < ", filter.before)
            .with_some(" AND pool = ", filter.pool.as_deref())
            .with_some(" AND action = ", filter.action.as_deref())
            .with_some(" AND at >= ", filter.from.map(|time| time.0))
            .with_some(" AND at < ", filter.until.map(|time| time.0))
            .containing(&["actor", "action", "pool", "subject", "details", "address"], &filter.text);
        let mut tx = self.db.begin_read().await?;
        let total = count!(tx.conn(), wanted.after("SELECT COUNT(*) FROM audit ")).tried("count audit entries")?;
        let newest = wanted
            .after("SELECT id, at, user_id, actor, action, pool, subject, details, address, result FROM audit ")
            .paged(&["at"], Order::Descending, "id DESC", page);
        let rows = fetch_all!(tx.conn(), Row, newest).tried("read the audit log")?;
        let items = rows.into_iter().map(Row::line).collect::<Result<_>>()?;
        Ok(Listed { total, items })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::execute;

    #[tokio::test]
    async fn no_line_can_be_changed_or_deleted_even_by_sql() {
        for fresh in [crate::testing::sqlite().await, crate::testing::postgres().await] {
            let entry = AuditEntry {
                at: Time(1),
                user: None,
                actor: "anna".into(),
                action: "POST /pools".into(),
                pool: None,
                subject: "pools".into(),
                details: serde_json::json!({}),
                address: None,
                result: Some(AuditResult::Ok),
            };
            fresh.store.append_audit(&entry).await.unwrap();
            for sql in ["UPDATE audit SET actor = 'eve'", "DELETE FROM audit"] {
                let mut tx = fresh.store.db.begin().await.unwrap();
                let error = execute!(tx.conn(), sql).unwrap_err();
                assert!(error.to_string().contains("append-only"), "{error}");
            }
            let kept = fresh.store.audit(&AuditFilter::default(), Page::default()).await.unwrap();
            assert_eq!((kept.total, &kept.items[0].entry), (1, &entry));
        }
    }
}
