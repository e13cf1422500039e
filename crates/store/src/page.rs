//! A part of a list.

use std::str::FromStr;

/// Rows that one page holds at most, whatever was asked for: what a browser can show and a manager hold.
pub const PAGE_MAX: u32 = 10_000;

/// Which part of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Rows at most; cut to [`PAGE_MAX`].
    pub limit: u32,
    /// Rows to leave out at the beginning.
    pub offset: u64,
}

impl Default for Page {
    fn default() -> Self {
        Self { limit: 100, offset: 0 }
    }
}

impl Page {
    /// The first rows.
    pub fn first(limit: u32) -> Self {
        Self { limit, offset: 0 }
    }

    pub(crate) fn limit(self) -> i64 {
        i64::from(self.limit.min(PAGE_MAX))
    }

    pub(crate) fn offset(self) -> i64 {
        crate::text::int(self.offset)
    }
}

/// A part of a list, and how long the whole list is.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed<T> {
    /// Rows that match, on all pages.
    pub total: u64,
    /// Rows of this page.
    pub items: Vec<T>,
}

/// Up or down. Whatever the direction, what is unknown comes last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Smallest first.
    #[default]
    Ascending,
    /// Largest first.
    Descending,
}

impl Order {
    pub(crate) fn sql(self) -> &'static str {
        match self {
            Self::Ascending => "ASC",
            Self::Descending => "DESC",
        }
    }
}

impl FromStr for Order {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "asc" => Ok(Self::Ascending),
            "desc" => Ok(Self::Descending),
            _ => Err(format!("`{text}` is not an order (asc, desc)")),
        }
    }
}
