//! Writes small mmdb files (<https://maxmind.github.io/MaxMind-DB/>): a search tree of 32-bit records over 128 bits of
//! address, and one data record per network.

use std::net::IpAddr;

use serde_json::{Value, json};

/// When every file says that it was built, seconds since 1970.
const BUILT: u64 = 1_780_000_000;

/// Which networks have which record; a whole number in a record is a `uint32`, any other number a `double`.
pub(crate) fn mmdb(kind: &str, networks: &[(&str, Value)]) -> Vec<u8> {
    let mut data = Vec::new();
    let mut tree = vec![[None; 2]];
    for (network, record) in networks {
        let offset = data.len();
        encode(record, &mut data);
        let (bits, length) = bits(network);
        insert(&mut tree, bits, length, offset);
    }
    let nodes = u32::try_from(tree.len()).unwrap();
    let mut file = Vec::new();
    for child in tree.iter().flatten() {
        let record = match child {
            None => nodes,
            Some(Child::Node(index)) => u32::try_from(*index).unwrap(),
            Some(Child::Data(offset)) => nodes + 16 + u32::try_from(*offset).unwrap(),
        };
        file.extend(record.to_be_bytes());
    }
    file.extend([0; 16]);
    file.extend(data);
    file.extend(b"\xab\xcd\xefMaxMind.com");
    control(7, 9, &mut file);
    for (key, number) in
        [("binary_format_major_version", 2), ("binary_format_minor_version", 0), ("ip_version", 6), ("record_size", 32)]
    {
        text(key, &mut file);
        control(5, 2, &mut file);
        file.extend(u16::to_be_bytes(number));
    }
    text("node_count", &mut file);
    control(6, 4, &mut file);
    file.extend(nodes.to_be_bytes());
    text("build_epoch", &mut file);
    control(9, 8, &mut file);
    file.extend(u64::to_be_bytes(BUILT));
    for (key, value) in [("database_type", json!(kind)), ("description", json!({})), ("languages", json!([]))] {
        text(key, &mut file);
        encode(&value, &mut file);
    }
    file
}

#[derive(Clone, Copy)]
enum Child {
    Node(usize),
    Data(usize),
}

fn bits(network: &str) -> (u128, u32) {
    let (address, length) = network.split_once('/').unwrap();
    let length: u32 = length.parse().unwrap();
    match address.parse().unwrap() {
        // IPv4 lies at ::/96
        IpAddr::V4(address) => (u128::from(u32::from(address)), length + 96),
        IpAddr::V6(address) => (u128::from(address), length),
    }
}

fn insert(tree: &mut Vec<[Option<Child>; 2]>, bits: u128, length: u32, offset: usize) {
    let mut at = 0;
    for depth in 0..length {
        let side = usize::try_from(bits >> (127 - depth) & 1).unwrap();
        if depth + 1 == length {
            tree[at][side] = Some(Child::Data(offset));
        } else if let Some(Child::Node(next)) = tree[at][side] {
            at = next;
        } else {
            tree.push([None; 2]);
            tree[at][side] = Some(Child::Node(tree.len() - 1));
            at = tree.len() - 1;
        }
    }
}

fn control(kind: u8, size: usize, out: &mut Vec<u8>) {
    // from 29 on, the size is 29 plus the byte after
    let (short, more) = if size < 29 { (size, None) } else { (29, Some(size - 29)) };
    let byte = |size: usize| u8::try_from(size).unwrap();
    if kind > 7 {
        out.extend([byte(short), kind - 7])
    } else {
        out.push(kind << 5 | byte(short))
    }
    out.extend(more.map(byte));
}

fn text(text: &str, out: &mut Vec<u8>) {
    control(2, text.len(), out);
    out.extend(text.as_bytes());
}

fn encode(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::String(value) => text(value, out),
        Value::Number(number) => match number.as_u64() {
            Some(whole) => {
                control(6, 4, out);
                out.extend(u32::try_from(whole).unwrap().to_be_bytes());
            }
            None => {
                control(3, 8, out);
                out.extend(number.as_f64().unwrap().to_be_bytes());
            }
        },
        Value::Object(map) => {
            control(7, map.len(), out);
            for (key, value) in map {
                text(key, out);
                encode(value, out);
            }
        }
        Value::Array(items) => {
            control(11, items.len(), out);
            items.iter().for_each(|item| encode(item, out));
        }
        Value::Null | Value::Bool(_) => unreachable!("not needed"),
    }
}
