//! `Content-Range` and `Retry-After`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pullproof::properties::headers::check(data));
