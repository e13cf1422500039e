//! Texts in the order in which people count: `node2` before `node10`, 10.0.0.9 before 10.0.0.10.

use std::cmp::Ordering;

/// A text that is compared by its numbers and without regard to upper and lower case (ASCII); equal ones byte by byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Natural<'a>(pub &'a str);

impl Ord for Natural<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        by_numbers(self.0.as_bytes(), other.0.as_bytes()).then_with(|| self.0.cmp(other.0))
    }
}

impl PartialOrd for Natural<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn by_numbers(mut a: &[u8], mut b: &[u8]) -> Ordering {
    loop {
        let (Some(first), Some(second)) = (a.first(), b.first()) else { return a.len().cmp(&b.len()) };
        let order = if first.is_ascii_digit() && second.is_ascii_digit() {
            let (one, other) = (number(&mut a), number(&mut b));
            one.len().cmp(&other.len()).then_with(|| one.cmp(other))
        } else {
            let order = first.to_ascii_lowercase().cmp(&second.to_ascii_lowercase());
            (a, b) = (&a[1..], &b[1..]);
            order
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// Takes the digits at the beginning, and gives them without leading zeros.
fn number<'a>(text: &mut &'a [u8]) -> &'a [u8] {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    *text = rest;
    let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
    &digits[zeros..]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::host_rows::natural_order;

    #[test]
    fn numbers_count_as_numbers() {
        let mut texts = ["n10", "10.0.0.10", "N2", "10.0.0.2", "n", "p2pnode/0.10", "p2pnode/0.9", "n2", "n02", ""];
        texts.sort_by_key(|text| Natural(text));
        assert_eq!(texts, ["", "10.0.0.2", "10.0.0.10", "n", "N2", "n02", "n2", "n10", "p2pnode/0.9", "p2pnode/0.10"]);
    }

    proptest! {
        /// What is sorted in memory and what the database sorts by its stored key agree.
        #[test]
        fn the_order_is_that_of_the_stored_key(a in "[a-cA-C0-9.:/é-]{0,12}", b in "[a-cA-C0-9.:/é-]{0,12}") {
            let (key_a, key_b) = (natural_order(&a), natural_order(&b));
            prop_assert_eq!(by_numbers(a.as_bytes(), b.as_bytes()), key_a.cmp(&key_b));
            prop_assert_eq!(Natural(&a).cmp(&Natural(&b)), key_a.cmp(&key_b).then_with(|| a.cmp(&b)));
        }
    }
}
