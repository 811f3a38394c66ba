//! References.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pullproof::properties::reference::check(data));
