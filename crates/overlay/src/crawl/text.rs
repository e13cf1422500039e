//! Texts that strangers wrote, made fit to keep and to show.

/// The first `chars_max` characters, with what could garble a terminal or a page replaced by U+FFFD:
/// control characters, line breaks and characters that change the direction of text.
pub fn printable(text: &str, chars_max: usize) -> String {
    text.chars().take(chars_max).map(|c| if is_harmless(c) { c } else { char::REPLACEMENT_CHARACTER }).collect()
}

fn is_harmless(c: char) -> bool {
    let bidi = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    let breaks = matches!(c, '\u{2028}' | '\u{2029}');
    !(c.is_control() || bidi || breaks)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_and_direction_marks_do_not_get_through() {
        assert_eq!(printable("a\u{1b}[31mb\nc\u{202e}d\0", 99), "a\u{fffd}[31mb\u{fffd}c\u{fffd}d\u{fffd}");
    }

    proptest! {
        #[test]
        fn any_text_becomes_short_and_harmless(text in any::<String>(), max in 0usize..64) {
            let shown = printable(&text, max);
            prop_assert!(shown.chars().count() <= max);
            prop_assert!(shown.chars().all(is_harmless));
        }
    }
}
