//! What a build left.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pullproof::properties::metadata::check(data));
