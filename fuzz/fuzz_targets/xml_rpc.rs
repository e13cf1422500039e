//! A response that came through an overlay of strangers.
#![no_main]

use libfuzzer_sys::fuzz_target;
use p2ppool_overlay::brunet::xml_rpc::{Response, Value, response};

fuzz_target!(|bytes: &[u8]| {
    match response(bytes) {
        Ok(Response::Value(value)) => assert!(depth(&value) < 20),
        Ok(Response::Fault { .. }) => {}
        Err(error) => assert!(error.to_string().len() < 1_000, "an error that is shown is short"),
    }
});

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Struct(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}
