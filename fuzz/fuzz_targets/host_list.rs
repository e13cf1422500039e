//! A host list that somebody pasted: whatever was understood can be written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use p2ppool_model::host_list;

fuzz_target!(|text: &str| {
    let list = host_list::parse(text);
    let again = host_list::parse(&host_list::render(&list.hosts));
    assert!(again.errors.is_empty(), "{:?}", again.errors);
    assert_eq!(again.hosts, list.hosts);
});
