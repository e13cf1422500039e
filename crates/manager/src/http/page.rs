//! Parts of lists: bounded, and the same query names everywhere.

use p2ppool_store::Page;
use serde::Serialize;
use utoipa::ToSchema;

use crate::service::Error;

/// Rows when nobody says how many.
pub(crate) const LIMIT_DEFAULT: u32 = 100;
/// Most rows of one answer.
pub(crate) const LIMIT_MAX: u32 = 10_000;

/// A part of a list, and how long the whole list is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Listed<T> {
    /// Rows that match, on all pages.
    pub(crate) total: u64,
    /// Rows of this page.
    pub(crate) items: Vec<T>,
}

impl<T> From<p2ppool_store::Listed<T>> for Listed<T> {
    fn from(listed: p2ppool_store::Listed<T>) -> Self {
        Self { total: listed.total, items: listed.items }
    }
}

/// The page that was asked for, when it is not too large.
pub(crate) fn page(limit: Option<u32>, offset: Option<u64>) -> Result<Page, Error> {
    let limit = limit.unwrap_or(LIMIT_DEFAULT);
    if limit > LIMIT_MAX {
        return Err(Error::field("limit", format!("{limit} is more than {LIMIT_MAX}; take several pages")));
    }
    Ok(Page { limit, offset: offset.unwrap_or(0) })
}

/// A value of the query that is one of a few words.
pub(crate) fn word<T: std::str::FromStr>(field: &'static str, text: Option<&str>) -> Result<Option<T>, Error>
where
    T::Err: std::fmt::Display,
{
    let text = text.filter(|text| !text.is_empty());
    text.map(|text| text.parse().map_err(|error: T::Err| Error::field(field, error.to_string()))).transpose()
}
