//! One of the targets under libFuzzer: which, says `DAYFLY_FUZZ_TARGET`. Run by `scripts/fuzz`.

#![no_main]

use dayfly_fuzz::{TARGETS, Target};
use std::sync::LazyLock;

static TARGET: LazyLock<Option<Target>> = LazyLock::new(|| {
    let wanted = std::env::var("DAYFLY_FUZZ_TARGET").unwrap_or_default();
    TARGETS.iter().find(|(name, _)| *name == wanted).map(|(_, target)| *target)
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some(target) = *TARGET else {
        eprintln!("DAYFLY_FUZZ_TARGET names none of {:?}", TARGETS.map(|(name, _)| name));
        std::process::exit(2);
    };
    target(data);
});
