//! A workflow that somebody typed: errors name lines of the text, and what is right stays so.
#![no_main]

use libfuzzer_sys::fuzz_target;
use p2ppool_model::workflow;

fuzz_target!(|text: &str| {
    match workflow::parse(text) {
        Ok(workflow) => assert_eq!(workflow::parse(text).as_ref(), Ok(&workflow)),
        Err(errors) => assert!(!errors.is_empty()),
    }
});
