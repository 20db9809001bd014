//! `dayfly inspect`.

use super::Context;
use crate::{
    error::{Failure, Kind},
    inspection::{Findings, Trusted, findings},
    login,
    state::private_file,
};
use std::{
    io::Read,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// The largest file that is read, in bytes.
const LARGEST_FILE: u64 = 1024 * 1024;

/// Arguments of `dayfly inspect`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Certificates, public or private keys, known_hosts or authorized_keys files; - reads the standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, context: &Context<'_>) -> Result<(), Failure> {
    // Whoever is not logged in can still read what a certificate says.
    let login = login::current(&context.home).ok();
    let trusted = login.as_ref().map(|(_, login, trust)| Trusted { url: &login.url, trust });
    let mut first = true;
    let mut failure = None;
    for path in &arguments.files {
        let Findings { found, unreadable } = findings(path, &read(path)?, trusted.as_ref());
        for description in &found {
            if !std::mem::take(&mut first) {
                context.output.separator()?;
            }
            context.output.report(description)?;
        }
        failure = failure.or(judged(path, found.is_empty(), &unreadable));
    }
    failure.map_or(Ok(()), Err)
}

/// What could be read was shown; what could not makes the command fail.
fn judged(path: &Path, is_empty: bool, unreadable: &[String]) -> Option<Failure> {
    let shown = path.display();
    match (is_empty, unreadable) {
        (false, []) => None,
        (true, []) => Some(
            Failure::new(Kind::Failed, format!("{shown} holds no certificate and no public key"))
                .remedy("name a file such as ~/.ssh/id_ed25519-cert.pub"),
        ),
        (_, causes) => Some(Failure::new(Kind::Failed, format!("{shown} holds something that cannot be read")).because(causes.join("; "))),
    }
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut bytes = Zeroizing::new(Vec::new());
    let limit = LARGEST_FILE.saturating_add(1);
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes)
    } else {
        let opened = private_file::open_named(path);
        let (file, _) = opened.map_err(|error| Failure::new(Kind::Failed, "the file cannot be read").because(error))?;
        file.take(limit).read_to_end(&mut bytes)
    };
    read.map_err(|error| Failure::new(Kind::Failed, format!("{} cannot be read", path.display())).because(error))?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(Failure::new(Kind::Failed, format!("{} is larger than {LARGEST_FILE} bytes", path.display())));
    }
    Ok(bytes)
}
