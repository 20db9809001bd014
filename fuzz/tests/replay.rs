//! Everything that is kept in `corpora/`, and every certificate of the corpus of bad ones, once more: what was found once stays mended.

use anyhow::{Context, Result};
use base64::{Engine, engine::general_purpose::STANDARD};
use dayfly_fuzz::{TARGETS, certificate, signed_certificate};
use std::{fs, path::PathBuf};

fn corpora() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/corpora"))
}

#[test]
fn what_was_kept_is_replayed() -> Result<()> {
    for (name, target) in TARGETS {
        let mut replayed = 0;
        for file in fs::read_dir(corpora().join(name)).with_context(|| format!("{name} has no corpus"))? {
            let path = file?.path();
            // Shown if the test fails: the input that it failed at.
            eprintln!("{}", path.display());
            target(&fs::read(&path)?);
            replayed += 1;
        }
        assert!(replayed > 0, "the corpus of {name} is empty");
    }
    Ok(())
}

#[test]
fn every_corpus_belongs_to_a_target() -> Result<()> {
    for folder in fs::read_dir(corpora())? {
        let name = folder?.file_name();
        assert!(TARGETS.iter().any(|(target, _)| name == **target), "{name:?}");
    }
    Ok(())
}

#[test]
fn bad_certificates_are_replayed() -> Result<()> {
    let mut replayed = 0;
    for entry in dayfly_corpus::committed()? {
        let encoded = entry.line.split_ascii_whitespace().nth(1).unwrap_or_default();
        if let Ok(bytes) = STANDARD.decode(encoded) {
            eprintln!("{}", entry.name);
            certificate(&bytes);
            signed_certificate(&bytes);
            replayed += 1;
        }
    }
    assert!(replayed > 100);
    Ok(())
}
