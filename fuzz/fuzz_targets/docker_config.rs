//! Docker's credential file.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pullproof::properties::docker_config::check(data));
