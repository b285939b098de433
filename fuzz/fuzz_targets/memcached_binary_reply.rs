#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| charioteer_fuzz::memcached::binary_reply(data));
