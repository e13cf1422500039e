//! What can be told of a program without running it.

/// What comes before and after p2pnode's version in the program.
const VERSION_MARK: &[u8] = b"\0p2pnode/";
/// Longest version that is believed.
const VERSION_BYTES_MAX: usize = 32;

/// The architecture of an ELF program, as `uname -m` names it.
///
/// Fields are those of the ELF header: magic, class (byte 4), data (byte 5), type (16), machine (18).
pub(super) fn arch(program: &[u8]) -> Result<&'static str, String> {
    let Some(header) = program.get(..20).filter(|header| header.starts_with(b"\x7fELF")) else {
        return Err("it does not begin like an ELF file".to_owned());
    };
    let number = |at: usize| match header[5] {
        2 => u16::from_be_bytes([header[at], header[at + 1]]),
        _ => u16::from_le_bytes([header[at], header[at + 1]]),
    };
    if !matches!(number(16), 2 | 3) {
        return Err("it is an ELF file, but no executable".to_owned());
    }
    let is_64_bit = header[4] == 2;
    match (number(18), is_64_bit, header[5]) {
        (0x3e, true, 1) => Ok("x86_64"),
        (0xb7, true, 1) => Ok("aarch64"),
        (0xf3, true, 1) => Ok("riscv64"),
        (0x15, true, 1) => Ok("ppc64le"),
        (0x16, true, 2) => Ok("s390x"),
        (0x28, false, 1) => Ok("armv7l"),
        (0x03, false, 1) => Ok("i686"),
        (machine, ..) => Err(format!("its machine type {machine:#x} is unknown")),
    }
}

/// The version that p2pnode carries between two zero bytes.
pub(super) fn version(program: &[u8]) -> Option<String> {
    let start = program.windows(VERSION_MARK.len()).position(|window| window == VERSION_MARK)? + VERSION_MARK.len();
    let rest = &program[start..program.len().min(start + VERSION_BYTES_MAX)];
    let version = std::str::from_utf8(&rest[..rest.iter().position(|byte| *byte == 0)?]).ok()?;
    let right = |c: char| c.is_ascii_alphanumeric() || ".-+".contains(c);
    (!version.is_empty() && version.chars().all(right)).then(|| version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(class: u8, data: u8, kind: u16, machine: u16) -> Vec<u8> {
        let mut bytes = vec![0x7f, b'E', b'L', b'F', class, data];
        bytes.resize(16, 0);
        let number = |n: u16| if data == 2 { n.to_be_bytes() } else { n.to_le_bytes() };
        bytes.extend([number(kind), number(machine)].concat());
        bytes
    }

    #[test]
    fn the_header_tells_the_architecture() {
        assert_eq!(arch(&header(2, 1, 3, 0x3e)), Ok("x86_64"));
        assert_eq!(arch(&header(2, 1, 2, 0xb7)), Ok("aarch64"));
        assert_eq!(arch(&header(2, 2, 2, 0x16)), Ok("s390x"));
        assert!(arch(&header(2, 1, 1, 0x3e)).unwrap_err().contains("no executable"));
        assert!(arch(&header(2, 1, 2, 0x99)).unwrap_err().contains("0x99"));
        for junk in [b"".as_slice(), b"\x7fELF", b"#!/bin/sh\nexit 0 # long enough"] {
            assert!(arch(junk).unwrap_err().contains("does not begin"), "{junk:?}");
        }
    }

    #[test]
    fn this_very_test_is_a_program_of_this_machine() {
        let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(arch(&program), Ok(std::env::consts::ARCH));
    }

    #[test]
    fn a_version_stands_between_zeroes() {
        assert_eq!(version(b"..\0p2pnode/0.1.0\0..").as_deref(), Some("0.1.0"));
        for wrong in ["p2pnode/0.1.0\0", "\0p2pnode/0.1.0", "\0p2pnode/\0", "\0p2pnode/a b\0"] {
            assert_eq!(version(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
