//! `WWW-Authenticate`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pullproof::properties::challenge::check(data));
