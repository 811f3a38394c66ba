//! What is deployed.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pullproof::properties::in_use::check(data));
