//! Lengths of time as people write them.

/// Seconds of `90`, `30s`, `10m`, `2h` or `1d`.
pub fn duration(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let wrong = || format!("`{text}` is no length of time such as `30s`, `10m`, `2h` or `1d`");
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let seconds = match unit.trim() {
        "" | "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        "d" => 24 * 3600,
        _ => return Err(wrong()),
    };
    number.checked_mul(seconds).ok_or_else(wrong)
}

/// The shortest text of so many seconds.
pub fn duration_text(seconds: u64) -> String {
    let units = [(24 * 3600, 'd'), (3600, 'h'), (60, 'm')];
    match units.into_iter().find(|(unit, _)| seconds > 0 && seconds.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{}{name}", seconds / unit),
        None => format!("{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read() {
        for (text, seconds) in [("90", 90), ("30s", 30), ("10m", 600), ("10 min", 600), ("2h", 7200), ("1d", 86400)] {
            assert_eq!(duration(text), Ok(seconds), "{text}");
        }
        for wrong in ["", "m", "-1s", "1w", "1.5h", "99999999999999999999s", "18446744073709551615d"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        for seconds in [0, 1, 59, 60, 61, 3600, 86400, 90_000] {
            assert_eq!(duration(&duration_text(seconds)), Ok(seconds));
        }
    }
}
