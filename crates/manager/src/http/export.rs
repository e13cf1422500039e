//! Tables as CSV (RFC 4180) or JSON, streamed with flat memory; CSV is safe to open in a spreadsheet.

use std::borrow::Cow;
use std::convert::Infallible;
use std::io::Write as _;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};

use crate::service::Error;

/// Rows that are sent together, when they are there: parts of some tens of kilobytes.
const ROWS_TOGETHER: usize = 256;

/// How a table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// A line of names, then a line per row.
    Csv,
    /// An array with an object per row.
    Json,
}

impl Format {
    /// The one that a file name asks for by its end.
    fn of(name: &str) -> Self {
        if name.ends_with(".json") { Self::Json } else { Self::Csv }
    }

    fn media_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Json => "application/json",
        })
    }
}

/// One cell.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell<'a> {
    /// Not known: empty in CSV, null in JSON.
    Unknown,
    /// A text that somebody outside may have chosen.
    Text(Cow<'a, str>),
    /// A word or time that we wrote: never a formula.
    Own(Cow<'a, str>),
    /// An integer.
    Int(i64),
    /// Another number.
    Float(f64),
    /// A claim.
    Bool(bool),
}

impl<'a> Cell<'a> {
    /// A text; unknown when there is none.
    pub(crate) fn text(text: Option<impl Into<Cow<'a, str>>>) -> Self {
        text.map_or(Self::Unknown, |text| Self::Text(text.into()))
    }

    /// A word or time of ours.
    pub(crate) fn own(value: Option<impl ToString>) -> Self {
        value.map_or(Self::Unknown, |value| Self::Own(Cow::Owned(value.to_string())))
    }

    /// A word of ours that lies ready.
    pub(crate) fn word(word: &'a str) -> Self {
        Self::Own(Cow::Borrowed(word))
    }

    /// An integer; as large as it can be said when it is larger.
    pub(crate) fn int(value: Option<impl TryInto<i64>>) -> Self {
        value.map_or(Self::Unknown, |value| Self::Int(value.try_into().unwrap_or(i64::MAX)))
    }

    /// Another number.
    pub(crate) fn float(value: Option<f64>) -> Self {
        value.filter(|value| value.is_finite()).map_or(Self::Unknown, Self::Float)
    }

    /// A claim.
    pub(crate) fn claim(value: Option<bool>) -> Self {
        value.map_or(Self::Unknown, Self::Bool)
    }

    fn write_csv(&self, to: &mut Vec<u8>) {
        match self {
            Self::Unknown => {}
            Self::Text(text) => {
                // Spreadsheets run cells that begin like a formula; a `'` in front makes them text.
                let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
                quoted(to, if is_formula { "'" } else { "" }, text);
            }
            Self::Own(text) => quoted(to, "", text),
            _ => self.write_plain(to),
        }
    }

    fn write_json(&self, to: &mut Vec<u8>) {
        // Writing into memory can't fail, and a text always is JSON.
        let _ = match self {
            Self::Unknown => to.write_all(b"null").map_err(serde_json::Error::io),
            Self::Text(text) | Self::Own(text) => serde_json::to_writer(to, text),
            _ => {
                self.write_plain(to);
                Ok(())
            }
        };
    }

    fn write_plain(&self, to: &mut Vec<u8>) {
        let _ = match self {
            Self::Int(number) => write!(to, "{number}"),
            Self::Float(number) => write!(to, "{number}"),
            Self::Bool(claim) => write!(to, "{claim}"),
            _ => Ok(()),
        };
    }
}

/// A field, in quotes where RFC 4180 wants them.
fn quoted(to: &mut Vec<u8>, before: &str, text: &str) {
    if !text.bytes().any(|byte| matches!(byte, b'"' | b',' | b'\r' | b'\n')) {
        to.extend_from_slice(before.as_bytes());
        to.extend_from_slice(text.as_bytes());
        return;
    }
    to.push(b'"');
    to.extend_from_slice(before.as_bytes());
    for (i, part) in text.split('"').enumerate() {
        if i > 0 {
            to.extend_from_slice(b"\"\"");
        }
        to.extend_from_slice(part.as_bytes());
    }
    to.push(b'"');
}

/// A column: its name, and its cell of a row.
pub(crate) type Column<R> = (&'static str, for<'a> fn(&'a R) -> Cell<'a>);

/// The columns that were asked for, in that order; all when nothing was asked for.
pub(crate) fn chosen<R>(all: &[Column<R>], wanted: Option<&str>) -> Result<Vec<Column<R>>, Error> {
    let wanted = wanted.unwrap_or_default();
    if wanted.is_empty() {
        return Ok(all.to_vec());
    }
    let find = |name: &str| {
        all.iter().copied().find(|(known, _)| *known == name).ok_or_else(|| {
            let known: Vec<_> = all.iter().map(|(name, _)| *name).collect();
            let shown: String = name.chars().take(80).collect();
            Error::field("columns", format!("`{shown}` is not a column (known: {})", known.join(", ")))
        })
    };
    wanted.split(',').map(str::trim).map(find).collect()
}

/// A table as an attachment of this name, which ends with `.csv` or `.json`.
pub(crate) fn answer<R, E>(
    name: &str,
    columns: Vec<Column<R>>,
    rows: impl Stream<Item = Result<R, E>> + Send + 'static,
) -> Response
where
    R: Send + 'static,
    E: std::error::Error + Send + Sync + 'static,
{
    let format = Format::of(name);
    let (head, tail) = match format {
        Format::Csv => (csv_head(&columns), Vec::new()),
        Format::Json => (b"[".to_vec(), b"\n]\n".to_vec()),
    };
    let mut is_first = true;
    let parts = rows.ready_chunks(ROWS_TOGETHER).map(move |rows| {
        let mut part = Vec::with_capacity(64 * ROWS_TOGETHER);
        for row in rows {
            let row = row?;
            match format {
                Format::Csv => csv_row(&columns, &row, &mut part),
                Format::Json => json_row(&columns, &row, std::mem::take(&mut is_first), &mut part),
            }
        }
        Ok::<_, E>(Bytes::from(part))
    });
    let fixed = |bytes: Vec<u8>| stream::once(async move { Ok::<_, Infallible>(Bytes::from(bytes)) });
    let fixed = |bytes| fixed(bytes).map(|part| Ok(part.unwrap_or_else(|never| match never {})));
    // An error in the middle breaks the connection off, so that no half table looks whole.
    let body = Body::from_stream(fixed(head).chain(parts).chain(fixed(tail)));
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, format.media_type());
    headers.insert(header::CONTENT_DISPOSITION, attachment(name));
    (headers, body).into_response()
}

fn csv_head<R>(columns: &[Column<R>]) -> Vec<u8> {
    let names: Vec<_> = columns.iter().map(|(name, _)| *name).collect();
    format!("{}\r\n", names.join(",")).into_bytes()
}

fn csv_row<R>(columns: &[Column<R>], row: &R, to: &mut Vec<u8>) {
    for (i, (_, cell)) in columns.iter().enumerate() {
        if i > 0 {
            to.push(b',');
        }
        let begin = to.len();
        cell(row).write_csv(to);
        if columns.len() == 1 && to.len() == begin {
            // a line of nothing would be no row at all
            to.extend_from_slice(b"\"\"");
        }
    }
    to.extend_from_slice(b"\r\n");
}

fn json_row<R>(columns: &[Column<R>], row: &R, is_first: bool, to: &mut Vec<u8>) {
    to.extend_from_slice(if is_first { b"\n{" } else { b",\n{" });
    for (i, (name, cell)) in columns.iter().enumerate() {
        let _ = write!(to, "{}\"{name}\":", if i > 0 { "," } else { "" });
        cell(row).write_json(to);
    }
    to.push(b'}');
}

/// `Content-Disposition` for a file of this name.
pub(crate) fn attachment(name: &str) -> HeaderValue {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '_' }).collect();
    let exact: String = name
        .bytes()
        .map(|b| {
            if b.is_ascii_alphanumeric() || b".-_".contains(&b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect();
    HeaderValue::from_str(&format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{exact}"))
        .unwrap_or_else(|_| HeaderValue::from_static("attachment"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(cell: &Cell<'_>) -> String {
        let mut bytes = Vec::new();
        cell.write_csv(&mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn cells_are_quoted_and_never_formulas() {
        for (text, want) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            ("=1+2", "'=1+2"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@x", "'@x"),
            ("\t=x", "'\t=x"),
            ("\r=x", "\"'\r=x\""),
        ] {
            assert_eq!(written(&Cell::text(Some(text))), want);
        }
        assert_eq!(written(&Cell::float(Some(-1.5))), "-1.5");
        assert_eq!(written(&Cell::float(Some(f64::NAN))), "");
        assert_eq!(written(&Cell::int(Some(u64::MAX))), i64::MAX.to_string());
        assert_eq!(written(&Cell::int(None::<u8>)), "");
    }

    const COLUMNS: &[Column<(String, Option<i64>)>] =
        &[("text", |row| Cell::text(Some(&row.0))), ("number", |row| Cell::int(row.1))];

    proptest! {
        #[test]
        fn readers_of_csv_and_json_find_what_was_written(
            rows in prop::collection::vec(("[a-z\", \r\n'é]{0,6}", any::<Option<i64>>()), 1..5)
        ) {
            let (mut csv, mut json) = (csv_head(COLUMNS), b"[".to_vec());
            for (i, row) in rows.iter().enumerate() {
                csv_row(COLUMNS, row, &mut csv);
                json_row(COLUMNS, row, i == 0, &mut json);
            }
            json.push(b']');
            let text = |row: &(String, Option<i64>)| if row.0.starts_with('\r') { format!("'{}", row.0) } else { row.0.clone() };
            let number = |row: &(String, Option<i64>)| row.1.map_or_else(String::new, |n| n.to_string());
            let read: Vec<Vec<String>> = csv::Reader::from_reader(&*csv).into_records()
                .map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
            let want: Vec<Vec<String>> = rows.iter().map(|row| vec![text(row), number(row)]).collect();
            prop_assert_eq!(read, want);
            let read: serde_json::Value = serde_json::from_slice(&json).unwrap();
            let want: serde_json::Value =
                rows.iter().map(|row| serde_json::json!({ "text": row.0, "number": row.1 })).collect();
            prop_assert_eq!(read, want);
        }
    }

    #[test]
    fn names_of_attachments_are_safe() {
        let value = attachment("a\"b\r\nü.db");
        assert_eq!(
            value.to_str().unwrap(),
            "attachment; filename=\"a_b___.db\"; filename*=UTF-8''a%22b%0D%0A%C3%BC.db"
        );
    }
}
