//! `dayfly-ca pin`: the pin of the TLS certificate's key.

use crate::{config, tls_certificate};
use std::{io::Write, path::Path};

pub(super) fn run(config: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    let examined = config::examine(config);
    let Some(settings) = examined.settings else { return Err(examined.mistakes.into()) };
    Ok(writeln!(out, "{}", tls_certificate::pin(&settings.tls.certificate)?)?)
}
