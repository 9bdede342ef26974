//! Whatever is shown as a token: it never panics, nothing is taken that nobody has signed, and an opaque token has one text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quire_app::fuzzing::{access_token, opaque};

fuzz_target!(|text: &str| {
    if let Some((_, bearer)) = access_token(text) {
        assert_eq!(bearer, None);
    }
    for prefix in ["qrt_", "qat_", ""] {
        for read in [opaque::<32>(prefix, text), opaque::<64>(prefix, text)].into_iter().flatten() {
            assert_eq!(read, text);
        }
    }
});
