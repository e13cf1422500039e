//! What a .NET assembly refers to, from its metadata (ECMA-335, partition II, 24 and 25).
//!
//! The bytes come from an upload: every offset is looked up, never trusted; `None` when they are no
//! assembly. Only the table AssemblyRef is read; the tables before it are skipped by their row sizes.

/// Most references that are told; the largest known assembly has about 40.
const REFERENCES_MAX: usize = 512;
/// Longest name that is believed, bytes.
const NAME_BYTES_MAX: usize = 512;
/// Data directory of the CLI header.
const CLI_DIRECTORY: usize = 14;
/// Number of the table AssemblyRef.
const ASSEMBLY_REF: usize = 0x23;

/// Simple names of the assemblies that this one refers to, such as `Brunet.Security`.
pub(super) fn references(bytes: &[u8]) -> Option<Vec<String>> {
    let file = Image::open(bytes)?;
    let metadata = file.metadata()?;
    let tables = Tables::open(metadata.stream(b"#~")?)?;
    let strings = metadata.stream(b"#Strings")?;
    tables.references(strings)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<usize> {
    let word = bytes.get(at..at.checked_add(2)?)?;
    Some(usize::from(u16::from_le_bytes(word.try_into().ok()?)))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    let word = bytes.get(at..at.checked_add(4)?)?;
    usize::try_from(u32::from_le_bytes(word.try_into().ok()?)).ok()
}

fn part(bytes: &[u8], at: usize, length: usize) -> Option<&[u8]> {
    bytes.get(at..at.checked_add(length)?)
}

/// A portable executable.
struct Image<'a> {
    bytes: &'a [u8],
    /// Where the optional header begins.
    optional: usize,
    sections: usize,
    sections_at: usize,
}

impl<'a> Image<'a> {
    fn open(bytes: &'a [u8]) -> Option<Self> {
        let header = u32_at(bytes, 0x3c).filter(|_| bytes.starts_with(b"MZ"))?;
        if part(bytes, header, 4)? != b"PE\0\0" {
            return None;
        }
        let optional = header.checked_add(24)?;
        let sections = u16_at(bytes, header + 6)?;
        let sections_at = optional.checked_add(u16_at(bytes, header + 20)?)?;
        Some(Self { bytes, optional, sections, sections_at })
    }

    /// The bytes at a relative virtual address.
    fn at(&self, address: usize, length: usize) -> Option<&'a [u8]> {
        (0..self.sections).find_map(|index| {
            let section = part(self.bytes, self.sections_at.checked_add(index * 40)?, 40)?;
            let (start, size, raw) = (u32_at(section, 12)?, u32_at(section, 16)?, u32_at(section, 20)?);
            let within = address.checked_sub(start).filter(|offset| *offset < size)?;
            part(self.bytes, raw.checked_add(within)?, length)
        })
    }

    fn metadata(&self) -> Option<Metadata<'a>> {
        // the directories come after 96 bytes, or 112 where addresses have 64 bits
        let directories = match u16_at(self.bytes, self.optional)? {
            0x10b => 96,
            0x20b => 112,
            _ => return None,
        };
        let entry = self.optional.checked_add(directories + CLI_DIRECTORY * 8)?;
        let cli = self.at(u32_at(self.bytes, entry)?, 16)?;
        let root = self.at(u32_at(cli, 8)?, u32_at(cli, 12)?)?;
        root.starts_with(b"BSJB").then_some(Metadata { root })
    }
}

struct Metadata<'a> {
    root: &'a [u8],
}

impl<'a> Metadata<'a> {
    /// One of its few streams, by name.
    fn stream(&self, wanted: &[u8]) -> Option<&'a [u8]> {
        let mut at = 16_usize.checked_add(u32_at(self.root, 12)?)?;
        let count = u16_at(self.root, at.checked_add(2)?)?.min(16);
        at += 4;
        for _ in 0..count {
            let (offset, size) = (u32_at(self.root, at)?, u32_at(self.root, at + 4)?);
            let name = self.root.get(at + 8..)?;
            let length = name.iter().take(32).position(|byte| *byte == 0)?;
            if &name[..length] == wanted {
                return part(self.root, offset, size);
            }
            at += 8 + (length / 4 + 1) * 4;
        }
        None
    }
}

/// The stream of tables.
struct Tables<'a> {
    rows: Vec<usize>,
    wide_heaps: usize,
    data: &'a [u8],
}

impl<'a> Tables<'a> {
    fn open(stream: &'a [u8]) -> Option<Self> {
        let present = u64::from_le_bytes(part(stream, 8, 8)?.try_into().ok()?);
        let mut at = 24;
        let mut rows = vec![0; 64];
        for (table, count) in rows.iter_mut().enumerate() {
            if present & (1 << table) != 0 {
                *count = u32_at(stream, at)?;
                at += 4;
            }
        }
        Some(Self { rows, wide_heaps: usize::from(*stream.get(6)?), data: stream.get(at..)? })
    }

    fn references(&self, strings: &[u8]) -> Option<Vec<String>> {
        let mut at = 0_usize;
        for table in 0..ASSEMBLY_REF {
            if self.rows[table] > 0 {
                at = at.checked_add(self.rows[table].checked_mul(self.row_size(COLUMNS.get(table)?)?)?)?;
            }
        }
        let size = self.row_size(COLUMNS[ASSEMBLY_REF])?;
        let name_at = 12 + self.width('b')?;
        let rows = self.rows[ASSEMBLY_REF].min(REFERENCES_MAX);
        (0..rows)
            .map(|row| {
                let row = part(self.data, at.checked_add(row.checked_mul(size)?)?, size)?;
                let name = if self.width('s')? == 4 { u32_at(row, name_at)? } else { u16_at(row, name_at)? };
                let name = strings.get(name..)?;
                let end = name.iter().take(NAME_BYTES_MAX).position(|byte| *byte == 0)?;
                std::str::from_utf8(&name[..end]).ok().map(str::to_owned)
            })
            .collect()
    }

    fn row_size(&self, columns: &str) -> Option<usize> {
        columns.chars().map(|column| self.width(column)).sum()
    }

    /// Bytes of a column: 1, 2 and 4 are numbers, `s` `g` `b` places in a heap, other letters see [`TARGETS`].
    fn width(&self, column: char) -> Option<usize> {
        let heap = |bit: usize| Some(if self.wide_heaps & bit != 0 { 4 } else { 2 });
        match column {
            '2' => Some(2),
            '4' => Some(4),
            's' => heap(1),
            'g' => heap(2),
            'b' => heap(4),
            _ => {
                let (_, tag_bits, tables) = TARGETS.iter().find(|(name, ..)| *name == column)?;
                let most = tables.iter().map(|table| self.rows[usize::from(*table)]).max()?;
                Some(if most >= 1 << (16 - tag_bits) { 4 } else { 2 })
            }
        }
    }
}

/// Columns that point into other tables: letter, bits that tell which table, tables.
const TARGETS: [(char, u32, &[u8]); 18] = [
    ('F', 0, &[0x04]),
    ('M', 0, &[0x06]),
    ('P', 0, &[0x08]),
    ('T', 0, &[0x02]),
    ('E', 0, &[0x14]),
    ('R', 0, &[0x17]),
    ('U', 0, &[0x1a]),
    ('t', 2, &[0x02, 0x01, 0x1b]), // TypeDefOrRef
    ('c', 2, &[0x04, 0x08, 0x17]), // HasConstant
    (
        'a',
        5,
        &[
            0x06, 0x04, 0x01, 0x02, 0x08, 0x09, 0x0a, 0x00, 0x0e, 0x17, 0x14, 0x11, 0x1a, 0x1b, 0x20, 0x23, 0x26, 0x27,
            0x28, 0x2a, 0x2c, 0x2b,
        ],
    ), // HasCustomAttribute
    ('m', 1, &[0x04, 0x08]),       // HasFieldMarshal
    ('d', 2, &[0x02, 0x06, 0x20]), // HasDeclSecurity
    ('p', 3, &[0x02, 0x01, 0x1a, 0x06, 0x1b]), // MemberRefParent
    ('h', 1, &[0x14, 0x17]),       // HasSemantics
    ('o', 1, &[0x06, 0x0a]),       // MethodDefOrRef
    ('f', 1, &[0x04, 0x06]),       // MemberForwarded
    ('A', 3, &[0x06, 0x0a]),       // CustomAttributeType
    ('r', 2, &[0x00, 0x1a, 0x23, 0x01]), // ResolutionScope
];

/// The columns of each table up to AssemblyRef (II.22).
const COLUMNS: [&str; 0x24] = [
    "2sggg",     // 00 Module
    "rss",       // 01 TypeRef
    "4sstFM",    // 02 TypeDef
    "F",         // 03 FieldPtr
    "2sb",       // 04 Field
    "M",         // 05 MethodPtr
    "422sbP",    // 06 MethodDef
    "P",         // 07 ParamPtr
    "22s",       // 08 Param
    "Tt",        // 09 InterfaceImpl
    "psb",       // 0a MemberRef
    "2cb",       // 0b Constant
    "aAb",       // 0c CustomAttribute
    "mb",        // 0d FieldMarshal
    "2db",       // 0e DeclSecurity
    "24T",       // 0f ClassLayout
    "4F",        // 10 FieldLayout
    "b",         // 11 StandAloneSig
    "TE",        // 12 EventMap
    "E",         // 13 EventPtr
    "2st",       // 14 Event
    "TR",        // 15 PropertyMap
    "R",         // 16 PropertyPtr
    "2sb",       // 17 Property
    "2Mh",       // 18 MethodSemantics
    "Too",       // 19 MethodImpl
    "s",         // 1a ModuleRef
    "b",         // 1b TypeSpec
    "2fsU",      // 1c ImplMap
    "4F",        // 1d FieldRVA
    "44",        // 1e EncLog
    "4",         // 1f EncMap
    "422224bss", // 20 Assembly
    "4",         // 21 AssemblyProcessor
    "444",       // 22 AssemblyOS
    "22224bssb", // 23 AssemblyRef
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::brunet::testing::{Assembly, assembly};

    #[test]
    fn references_of_a_small_assembly_are_told() {
        let bytes = assembly(&Assembly { references: &["mscorlib", "Brunet", "Brunet.Security"] });
        assert_eq!(references(&bytes).unwrap(), ["mscorlib", "Brunet", "Brunet.Security"]);
    }

    #[test]
    fn what_is_no_assembly_has_none() {
        assert_eq!(references(b""), None);
        assert_eq!(references(b"MZ"), None);
        assert_eq!(references(&[0; 4096]), None);
        let bytes = assembly(&Assembly { references: &["mscorlib"] });
        for length in 0..bytes.len() {
            let _ = references(&bytes[..length]);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20)) {
            let mut bytes = assembly(&Assembly { references: &["mscorlib", "Brunet"] });
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            let _ = references(&bytes);
        }
    }
}
