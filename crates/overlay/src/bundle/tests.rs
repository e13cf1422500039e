//! Archives as they come: right, careless and hostile.

use std::io::{Cursor, Write as _};

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;

const SMALL: Limits = Limits {
    archive_bytes_max: 1 << 20,
    unpacked_bytes_max: 4 << 20,
    file_bytes_max: 2 << 20,
    entries_max: 20,
    ratio_max: 200,
    ratio_free_bytes: 64 << 10,
    path_bytes_max: 100,
    path_depth_max: 5,
};

fn zip_of(files: &[(&str, &[u8], u32)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, bytes, mode) in files {
        writer.start_file(*path, SimpleFileOptions::default().unix_permissions(*mode)).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// Writes names as they are, which `tar::Builder` would refuse.
fn tar_header(path: &str, kind: tar::EntryType, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_cksum();
    header
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn tar_of(entries: &[(&str, tar::EntryType, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, kind, bytes) in entries {
        builder.append(&tar_header(path, *kind, bytes.len() as u64), *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

fn tar_gz_of(entries: &[(&str, tar::EntryType, &[u8])]) -> Vec<u8> {
    gzip(&tar_of(entries))
}

fn read_small(bytes: &[u8]) -> Result<Unpacked, BundleError> {
    read_from(Cursor::new(bytes), &SMALL)
}

fn refusal(bytes: &[u8]) -> String {
    read_small(bytes).unwrap_err().to_string()
}

const FILE: tar::EntryType = tar::EntryType::Regular;

#[test]
fn a_zip_and_a_tar_gz_give_the_same_files_without_their_top_folder() {
    let script = b"#!/bin/sh\nexec true\n".as_slice();
    let zip =
        zip_of(&[("p2p/bin/node", b"\x7fELF...", 0o755), ("p2p/run", script, 0o644), ("p2p/readme", b"hi", 0o644)]);
    let tar = tar_gz_of(&[
        ("./p2p/", tar::EntryType::Directory, b""),
        ("./p2p/bin/node", FILE, b"\x7fELF..."),
        ("./p2p/readme", FILE, b"hi"),
        ("./p2p/run", FILE, script),
    ]);
    let from_zip = read_small(&zip).unwrap();
    let seen: Vec<_> = from_zip.files.iter().map(|f| (f.path.as_str(), f.mode, f.bytes.len())).collect();
    assert_eq!(seen, [("bin/node", 0o755, 7), ("readme", 0o644, 2), ("run", 0o755, 20)]);
    assert_eq!(from_zip.bytes, 29);
    assert_eq!(read_small(&tar).unwrap(), from_zip);
}

#[test]
fn a_folder_that_not_all_files_are_in_stays() {
    let paths =
        |bytes: &[u8]| -> Vec<String> { read_small(bytes).unwrap().files.into_iter().map(|f| f.path).collect() };
    assert_eq!(paths(&zip_of(&[("a/x", b"", 0o644), ("b", b"", 0o644)])), ["a/x", "b"]);
    assert_eq!(paths(&zip_of(&[("only", b"", 0o644)])), ["only"]);
    assert_eq!(paths(&zip_of(&[("a/x", b"", 0o644), ("__MACOSX/a/._x", b"", 0o644)])), ["x"]);
}

#[test]
fn what_is_no_archive_is_called_by_its_name() {
    for (bytes, words) in [
        (b"".as_slice(), "it is empty"),
        (b"hello world, this is text", "it begins with `hello world, thi`"),
        (b"\x7fELF\x02\x01", "an ELF program"),
        (b"\xfd7zXZ\0", "an xz file"),
        (&tar_of(&[("a", FILE, b"x")]), "a tar archive that is not compressed"),
    ] {
        let told = refusal(bytes);
        assert!(told.starts_with("it is neither a zip nor a tar.gz") && told.contains(words), "{told}");
    }
    assert_eq!(refusal(&zip_of(&[])), "the archive holds no file");
    assert_eq!(refusal(&tar_gz_of(&[])), "the archive holds no file");
}

#[test]
fn paths_that_lead_outside_are_refused() {
    for (path, reason) in [
        ("/etc/passwd", "is absolute"),
        ("../x", "contains `..`"),
        ("a/../../x", "contains `..`"),
        ("C:/x", "begins with a drive letter"),
        ("a\\..\\x", "contains `\\`"),
        ("a/b/c/d/e/f", "is nested too deeply"),
        ("a\nb", "contains control characters"),
    ] {
        for archive in [zip_of(&[(path, b"x", 0o644)]), tar_gz_of(&[(path, FILE, b"x")])] {
            let told = refusal(&archive);
            assert!(told.contains(reason), "{path}: {told}");
        }
    }
    assert!(refusal(&zip_of(&[(&"x".repeat(101), b"", 0o644)])).contains("is too long"));
}

#[test]
fn links_devices_and_pipes_are_refused() {
    for (kind, what) in [
        (tar::EntryType::Symlink, "a symbolic link"),
        (tar::EntryType::Link, "a hard link"),
        (tar::EntryType::Char, "a device"),
        (tar::EntryType::Block, "a device"),
        (tar::EntryType::Fifo, "a named pipe"),
    ] {
        let told = refusal(&tar_gz_of(&[("ok", FILE, b"x"), ("bad", kind, b"")]));
        assert_eq!(told, format!("`bad` is {what}; only files and folders are accepted"));
    }
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.add_symlink("bad", "/etc/passwd", SimpleFileOptions::default()).unwrap();
    let zip = writer.finish().unwrap().into_inner();
    assert_eq!(refusal(&zip), "`bad` is a symbolic link; only files and folders are accepted");
}

#[test]
fn bombs_are_noticed_while_they_unpack() {
    let zeros = vec![0; 3 << 20];
    for archive in [zip_of(&[("a", &zeros[..1 << 20], 0o644)]), tar_gz_of(&[("a", FILE, &zeros)])] {
        assert_eq!(refusal(&archive), "it unpacks to more than 200 times its size, which no program does");
    }
    let bounded = Limits { ratio_max: u64::MAX, ..SMALL };
    let told = |bytes: &[u8]| read_from(Cursor::new(bytes), &bounded).unwrap_err().to_string();
    assert_eq!(told(&zip_of(&[("a", &zeros, 0o644)])), "the file `a` is more than the allowed 2 MiB");
    let parts = ["a", "b", "c"].map(|path| (path, FILE, &zeros[..2 << 20]));
    assert_eq!(told(&tar_gz_of(&parts)), "what it unpacks to is more than the allowed 4 MiB");
    let many: Vec<String> = (0..21).map(|i| i.to_string()).collect();
    let many: Vec<_> = many.iter().map(|path| (path.as_str(), b"".as_slice(), 0o644)).collect();
    assert_eq!(told(&zip_of(&many)), "the number of entries is more than the allowed 20");
    assert_eq!(told(&vec![b'P'; (1 << 20) + 1]), "the archive is more than the allowed 1 MiB");
}

#[test]
fn a_size_that_a_zip_lies_about_is_not_believed() {
    let mut zip = zip_of(&[("a", &vec![0; 3 << 20], 0o644)]);
    let honest = (3_u32 << 20).to_le_bytes();
    let places: Vec<usize> = (0..zip.len() - 4).filter(|at| zip[*at..*at + 4] == honest).collect();
    assert!(!places.is_empty());
    for at in places {
        zip[at..at + 4].copy_from_slice(&7_u32.to_le_bytes());
    }
    let told = refusal(&zip);
    assert!(told.contains("200 times") || told.contains("damaged"), "{told}");
}

#[test]
fn an_endless_directory_is_refused_before_it_is_read() {
    let mut bytes = zip_of(&[("a", b"x", 0o644)]);
    bytes.extend_from_slice(&b"PK\x01\x02".repeat(81));
    assert_eq!(refusal(&bytes), "the number of entries is more than the allowed 20");
}

#[test]
fn the_same_path_twice_is_refused() {
    assert_eq!(refusal(&tar_gz_of(&[("a", FILE, b"1"), ("./a", FILE, b"2")])), "`a` is in the archive twice");
    let told = refusal(&tar_gz_of(&[("a", FILE, b"1"), ("a/b", FILE, b"2")]));
    assert_eq!(told, "the path `a` is a file and a folder at once");
}

#[test]
fn an_encrypted_zip_is_refused() {
    let mut zip = zip_of(&[("secret", b"x", 0o644)]);
    // The flags of the local header (at 6) and of the directory's entry (at 8): bit 0 is "encrypted".
    zip[6] |= 1;
    let directory = zip.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
    zip[directory + 8] |= 1;
    assert_eq!(refusal(&zip), "`secret` is encrypted; upload the archive without a password");
}

#[test]
fn a_cut_off_archive_is_damaged() {
    for archive in [zip_of(&[("a", b"some text", 0o644)]), tar_gz_of(&[("a", FILE, b"some text")])] {
        for length in [archive.len() / 2, archive.len() - 3] {
            let told = refusal(&archive[..length]);
            assert!(told.contains("is damaged"), "{told}");
        }
    }
}

#[test]
fn a_missing_file_is_an_error_of_reading() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(read(&folder.path().join("none.zip"), &SMALL), Err(BundleError::Read(_))));
    std::fs::write(folder.path().join("a.zip"), zip_of(&[("a", b"x", 0o644)])).unwrap();
    assert_eq!(read(&folder.path().join("a.zip"), &SMALL).unwrap().bytes, 1);
}

/// Whatever was accepted can be written under a folder and stays in it.
fn is_safe(unpacked: &Unpacked) -> bool {
    let safe = |path: &str| {
        !path.is_empty()
            && path.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
            && !path.contains(['\\', '\0'])
    };
    unpacked.files.iter().all(|file| safe(&file.path) && matches!(file.mode, 0o644 | 0o755))
}

proptest! {
    #[test]
    fn no_bytes_panic(head in 0usize..3, bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let magic: [&[u8]; 3] = [b"PK\x03\x04", b"\x1f\x8b\x08", b""];
        let _ = read_small(&[magic[head], &bytes].concat());
    }

    #[test]
    fn no_names_lead_outside(
        names in proptest::collection::vec("[a.~/\\\\: -]{1,12}|[^\\x00]{1,10}", 1..4)
    ) {
        let entries: Vec<_> = names.iter().map(|name| (name.as_str(), FILE, b"x".as_slice())).collect();
        if let Ok(unpacked) = read_small(&tar_gz_of(&entries)) {
            prop_assert!(is_safe(&unpacked), "{:?}", unpacked);
        }
        if let Ok(unpacked) = read_small(&zip_of(&[(&names[0], b"x", 0o644)])) {
            prop_assert!(is_safe(&unpacked), "{:?}", unpacked);
        }
    }

    #[test]
    fn no_damage_panics_or_escapes(
        at in any::<prop::sample::Index>(), to in any::<u8>(), cut in any::<prop::sample::Index>(), zipped: bool
    ) {
        let content = b"some text, and again some text".as_slice();
        let mut bytes = if zipped {
            zip_of(&[("a/b", content, 0o755), ("a/c", b"", 0o644)])
        } else {
            tar_gz_of(&[("a/b", FILE, content), ("a/c", FILE, b"")])
        };
        let at = at.index(bytes.len());
        bytes[at] = to;
        if let Ok(unpacked) = read_small(&bytes) {
            prop_assert!(is_safe(&unpacked));
        }
        bytes.truncate(cut.index(bytes.len()));
        let _ = read_small(&bytes);
    }

    #[test]
    fn no_damaged_tar_panics_or_escapes(at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let mut tar = tar_of(&[("a/b", FILE, b"text"), ("a/c", tar::EntryType::Symlink, b"")]);
        let at = at.index(tar.len());
        tar[at] = to;
        if let Ok(unpacked) = read_small(&gzip(&tar)) {
            prop_assert!(is_safe(&unpacked));
        }
    }
}
