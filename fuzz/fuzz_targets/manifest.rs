//! Manifests, indexes, configs and lists of referrers.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pullproof::properties::manifest::check(data));
