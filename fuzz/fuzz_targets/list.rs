//! Lists, maps, hosts and pins of settings.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pullproof::properties::list::check(data));
