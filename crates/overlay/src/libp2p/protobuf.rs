//! The little of Protocol Buffers that two messages need: fields of the wire types varint and bytes.
//!
//! Format: <https://protobuf.dev/programming-guides/encoding/>.

/// Bytes that are not the message that was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not the message that was expected: {0}")]
pub struct ProtobufError(pub(super) &'static str);

/// A field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 2: bytes, a string or a message.
    Bytes(&'a [u8]),
    /// Wire types 1 and 5; nothing here uses them, but they are skipped.
    Fixed,
}

/// Reads the fields of a message, in their order.
#[derive(Debug, Clone)]
pub struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// The fields of `message`.
    pub fn of(message: &'a [u8]) -> Self {
        Self(message)
    }

    fn field(&mut self) -> Result<(u64, Value<'a>), ProtobufError> {
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            1 => self.take(8).map(|_| Value::Fixed)?,
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| ProtobufError("a length is too big"))?;
                Value::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Value::Fixed)?,
            _ => return Err(ProtobufError("a wire type is unknown")),
        };
        Ok((tag >> 3, value))
    }

    fn varint(&mut self) -> Result<u64, ProtobufError> {
        let (value, length) = varint(self.0).ok_or(ProtobufError("a number does not end"))?;
        self.0 = &self.0[length..];
        Ok(value)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], ProtobufError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(ProtobufError("a field is cut off"))?;
        self.0 = rest;
        Ok(taken)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>), ProtobufError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

/// The number at the beginning of `bytes` and how many bytes it took; `None` when it does not end
/// within them or within the ten bytes that 64 bits need.
pub fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0_u64;
    for (i, byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f).checked_shl(7 * i as u32)?;
        if byte & 0x80 == 0 {
            return Some((value, i + 1));
        }
    }
    None
}

/// Appends a number.
pub fn put_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Appends a number field.
pub fn put_number(bytes: &mut Vec<u8>, field: u64, value: u64) {
    put_varint(bytes, field << 3);
    put_varint(bytes, value);
}

/// Appends a field of bytes.
pub fn put_bytes(bytes: &mut Vec<u8>, field: u64, value: &[u8]) {
    put_varint(bytes, field << 3 | 2);
    put_varint(bytes, value.len() as u64);
    bytes.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_survive(value in any::<u64>()) {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, value);
            prop_assert_eq!(varint(&bytes), Some((value, bytes.len())));
        }

        #[test]
        fn fields_survive(number in any::<u64>(), text in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut bytes = Vec::new();
            put_number(&mut bytes, 1, number);
            put_bytes(&mut bytes, 200, &text);
            let fields: Vec<_> = Fields::of(&bytes).collect();
            prop_assert_eq!(fields, [Ok((1, Value::Varint(number))), Ok((200, Value::Bytes(&text)))]);
        }

        #[test]
        fn no_bytes_panic_or_loop(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Fields::of(&bytes).count() <= bytes.len());
        }
    }
}
