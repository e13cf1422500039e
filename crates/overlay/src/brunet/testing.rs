//! Assemblies to test with, small and made of nothing.

/// What an assembly is like.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Assembly<'a> {
    /// Simple names that it refers to.
    pub(crate) references: &'a [&'a str],
}

/// A portable executable with the metadata that says so, and with nothing else.
pub(crate) fn assembly(of: &Assembly<'_>) -> Vec<u8> {
    const SECTION: usize = 0x200;
    let metadata = metadata(of);
    let mut file = vec![0; SECTION];
    file[..2].copy_from_slice(b"MZ");
    put32(&mut file, 0x3c, 0x80);
    file[0x80..0x84].copy_from_slice(b"PE\0\0");
    put16(&mut file, 0x86, 1);
    put16(&mut file, 0x94, 0xe0);
    let optional = 0x98;
    put16(&mut file, optional, 0x10b);
    put32(&mut file, optional + 96 + 14 * 8, 0x2000);
    let section = optional + 0xe0;
    put32(&mut file, section + 12, 0x2000);
    put32(&mut file, section + 16, 72 + metadata.len());
    put32(&mut file, section + 20, SECTION);
    let mut cli = vec![0; 72];
    put32(&mut cli, 8, 0x2000 + 72);
    put32(&mut cli, 12, metadata.len());
    file.extend(cli);
    file.extend(metadata);
    file
}

fn metadata(of: &Assembly<'_>) -> Vec<u8> {
    let mut strings = vec![0];
    let mut rows = Vec::new();
    for name in of.references {
        let mut row = vec![0; 20];
        put16(&mut row, 14, strings.len());
        rows.extend(row);
        strings.extend(name.as_bytes());
        strings.push(0);
    }
    let mut tables = vec![0; 24];
    // Module and AssemblyRef
    tables[8..16].copy_from_slice(&(1_u64 | 1 << 0x23).to_le_bytes());
    tables.extend(1_u32.to_le_bytes());
    tables.extend(u32::try_from(of.references.len()).unwrap_or(u32::MAX).to_le_bytes());
    tables.extend([0; 10]);
    tables.extend(rows);
    let head = 16 + 12 + 4 + 12 + 20;
    let mut root = b"BSJB".to_vec();
    root.extend([0; 8]);
    root.extend(12_u32.to_le_bytes());
    root.extend(b"v4.0.30319\0\0");
    root.extend([0, 0, 2, 0]);
    for (name, offset, size) in
        [(&b"#~\0\0"[..], head, tables.len()), (&b"#Strings\0\0\0\0"[..], head + tables.len(), strings.len())]
    {
        let mut entry = vec![0; 8];
        put32(&mut entry, 0, offset);
        put32(&mut entry, 4, size);
        root.extend(entry);
        root.extend(name);
    }
    root.extend(tables);
    root.extend(strings);
    root
}

fn put16(bytes: &mut [u8], at: usize, value: usize) {
    bytes[at..at + 2].copy_from_slice(&(value as u16).to_le_bytes());
}

fn put32(bytes: &mut [u8], at: usize, value: usize) {
    bytes[at..at + 4].copy_from_slice(&(value as u32).to_le_bytes());
}
