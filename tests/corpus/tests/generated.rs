//! The committed files are what the generator writes, and the generator writes the same every time.

use anyhow::Result;
use dayfly_corpus::{certificates::generate, committed, write};

#[test]
fn the_committed_certificates_are_what_the_generator_writes() -> Result<()> {
    let entries = generate()?;
    if std::env::var_os("DAYFLY_WRITE_CORPUS").is_some() {
        write(&entries)?;
    }
    let committed = committed()?;
    for (entry, committed) in entries.iter().zip(&committed) {
        assert_eq!(entry, committed, "write it anew: DAYFLY_WRITE_CORPUS=1 cargo test -p dayfly-corpus");
    }
    assert_eq!(entries.len(), committed.len());
    Ok(())
}
