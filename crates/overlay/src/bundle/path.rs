//! Paths inside archives.

use super::{BundleError, Limits};

/// Longest text shown of something in an archive, in characters.
const SHOWN_CHARS_MAX: usize = 120;

/// The path with `/` between its parts and without `.` and empty ones; `None` for the top folder itself.
///
/// # Errors
/// When unpacking it could write outside of the folder, or not everywhere.
pub(super) fn checked(raw: &[u8], limits: &Limits) -> Result<Option<String>, BundleError> {
    let refuse = |reason| Err(BundleError::Path { path: printable(&String::from_utf8_lossy(raw)), reason });
    if raw.len() > limits.path_bytes_max {
        return refuse("is too long");
    }
    let Ok(path) = std::str::from_utf8(raw) else {
        return refuse("is not UTF-8");
    };
    if path.chars().any(char::is_control) {
        return refuse("contains control characters");
    }
    if path.contains('\\') {
        return refuse("contains `\\`; folders must be separated by `/`");
    }
    if path.starts_with('/') {
        return refuse("is absolute");
    }
    if path.as_bytes().get(1) == Some(&b':') && path.as_bytes()[0].is_ascii_alphabetic() {
        return refuse("begins with a drive letter");
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.contains(&"..") {
        return refuse("contains `..`");
    }
    if parts.len() > limits.path_depth_max {
        return refuse("is nested too deeply");
    }
    Ok((!parts.is_empty()).then(|| parts.join("/")))
}

/// A text of an archive as it may be shown.
pub(super) fn printable(text: &str) -> String {
    crate::crawl::printable(text, SHOWN_CHARS_MAX)
}
