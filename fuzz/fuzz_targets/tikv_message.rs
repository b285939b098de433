#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| charioteer_fuzz::tikv::message(data));
