//! Tables as CSV (RFC 4180), streamed row by row, safe to open in a spreadsheet.

use std::convert::Infallible;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};

use crate::service::Error;

/// Rows that are sent together, when they are there.
const ROWS_TOGETHER: usize = 256;

/// One cell.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    /// Not known: an empty cell.
    Unknown,
    /// A text that somebody outside may have chosen.
    Text(String),
    /// A number, time or claim that we wrote: never a formula.
    Own(String),
}

impl Cell {
    /// A text; an empty one when there is none.
    pub(crate) fn text(text: Option<impl Into<String>>) -> Self {
        text.map_or(Self::Unknown, |text| Self::Text(text.into()))
    }

    /// A number, time or claim; an empty cell when it is not known.
    pub(crate) fn own(value: Option<impl ToString>) -> Self {
        value.map_or(Self::Unknown, |value| Self::Own(value.to_string()))
    }

    /// Spreadsheets run cells that begin like a formula; a `'` in front makes them text.
    fn written(self) -> String {
        match self {
            Self::Unknown => String::new(),
            Self::Own(text) => text,
            Self::Text(text) if text.starts_with(['=', '+', '-', '@', '\t', '\r']) => format!("'{text}"),
            Self::Text(text) => text,
        }
    }
}

/// A column: its name, and its cell of a row.
pub(crate) type Column<R> = (&'static str, fn(&R) -> Cell);

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

/// A table as an attachment of this name.
pub(crate) fn answer<R, E>(
    name: &str,
    columns: Vec<Column<R>>,
    rows: impl Stream<Item = Result<R, E>> + Send + 'static,
) -> Response
where
    R: Send + 'static,
    E: std::error::Error + Send + Sync + 'static,
{
    let head = line(columns.iter().map(|(name, _)| (*name).to_owned()));
    let lines = rows.map(move |row| row.map(|row| line(columns.iter().map(|(_, cell)| cell(&row).written()))));
    let parts = lines.ready_chunks(ROWS_TOGETHER).map(|lines| {
        let mut part = Vec::new();
        for line in lines {
            part.extend(line?);
        }
        Ok::<_, E>(Bytes::from(part))
    });
    let head = stream::once(async move { Ok::<_, Infallible>(Bytes::from(head)) });
    // An error in the middle breaks the connection off, so that no half table looks whole.
    let body = Body::from_stream(head.map(|part| Ok(part.unwrap_or_else(|never| match never {}))).chain(parts));
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    headers.insert(header::CONTENT_DISPOSITION, attachment(name));
    (headers, body).into_response()
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

fn line(cells: impl Iterator<Item = String>) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    // Writing into memory can't fail.
    let _ = writer.write_record(cells);
    writer.into_inner().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_never_formulas() {
        for (text, written) in [
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
            let bytes = line([Cell::Text(text.to_owned()).written()].into_iter());
            assert_eq!(String::from_utf8(bytes).unwrap(), format!("{written}\r\n"));
        }
        assert_eq!(Cell::own(Some(-1.5)).written(), "-1.5");
        assert_eq!(Cell::own(None::<u8>).written(), "");
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
