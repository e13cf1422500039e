//! Tables for people, JSON for programs.

use std::io::Write;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use p2ppool_model::Time;
use serde::Serialize;

use super::error::CliError;

/// How to print.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output {
    /// JSON instead of tables.
    pub(super) json: bool,
}

impl Output {
    /// Prints `value` as JSON, or `text` for a person.
    pub(super) fn show(self, value: &impl Serialize, text: impl FnOnce() -> String) -> Result<(), CliError> {
        if self.json {
            return self.value(value);
        }
        self.line(&text())
    }

    /// Prints JSON.
    pub(super) fn value(self, value: &impl Serialize) -> Result<(), CliError> {
        let json = serde_json::to_string_pretty(value).map_err(std::io::Error::from)?;
        self.line(&json)
    }

    /// Prints a text and a line end. A closed pipe (`| head`) is not an error.
    pub(super) fn line(self, text: &str) -> Result<(), CliError> {
        match writeln!(std::io::stdout(), "{}", text.trim_end()) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            result => Ok(result?),
        }
    }
}

/// A table with a head; columns whose name is in `numbers` are aligned right.
pub(super) fn table(head: &[&str], numbers: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(head.to_vec());
    for row in rows {
        table.add_row(row.into_iter().map(|cell| printable(&cell)).collect::<Vec<_>>());
    }
    for (index, name) in head.iter().enumerate() {
        if let Some(column) = table.column_mut(index)
            && numbers.contains(name)
        {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

/// What nodes and hosts say may hold terminal codes; they are shown, not obeyed.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// `-` for what is not known.
pub(super) fn known<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// A share as a percentage with one decimal.
pub(super) fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.1} %", share * 100.0))
}

/// Bytes in binary units.
pub(super) fn bytes(count: Option<u64>) -> String {
    let Some(count) = count else { return "-".to_owned() };
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{count} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

/// A duration in its two largest units.
pub(super) fn duration(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h {}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// How long ago.
pub(super) fn ago(at: Option<Time>, now: Time) -> String {
    at.map_or_else(|| "-".to_owned(), |at| format!("{} ago", duration(now.since(at).as_secs())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units() {
        assert_eq!(duration(59), "59s");
        assert_eq!(duration(61), "1m 1s");
        assert_eq!(duration(100_000), "1d 3h");
    }

    #[test]
    fn sizes_are_short() {
        assert_eq!(bytes(Some(1023)), "1023 B");
        assert_eq!(bytes(Some(15_728_640)), "15.0 MiB");
        assert_eq!(bytes(None), "-");
    }

    #[test]
    fn terminal_codes_from_nodes_are_not_obeyed() {
        let shown = table(&["a"], &[], [vec!["\u{1b}[2Jx".to_owned()]]);
        assert!(!shown.contains('\u{1b}'), "{shown}");
    }
}
