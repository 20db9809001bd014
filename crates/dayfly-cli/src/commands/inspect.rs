//! `dayfly inspect`.

use super::Context;
use crate::{
    connection::Connection,
    error::{Failure, Kind},
    inspection::{Findings, Revocations, Trusted, findings},
    login,
    state::private_file,
};
use dayfly_core::certificate::krl::{Krl, LARGEST_KRL};
use std::{
    io::Read,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// The largest file that is read, in bytes: that of the largest revocation list.
const LARGEST_FILE: u64 = LARGEST_KRL as u64;

/// How many of the lines that cannot be read are told of, so that a file of nothing else does not fill a screen.
const MOST_CAUSES: usize = 10;

/// What the name of every certificate's algorithm ends in.
const CERTIFICATE: &[u8] = b"-cert-v01@openssh.com";

/// Arguments of `dayfly inspect`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Certificates, public or private keys, revocation lists, known_hosts or authorized_keys files; - reads the standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Judge whether certificates are revoked by this key revocation list, not by the one that the CA gives
    #[arg(long, value_name = "FILE")]
    krl: Option<PathBuf>,
}

pub(super) async fn run(arguments: &Arguments, context: &Context<'_>) -> Result<(), Failure> {
    // Whoever is not logged in can still read what a certificate says.
    let login = login::current(&context.home).ok();
    let files: Vec<_> = arguments.files.iter().map(|path| Ok((path, read(path)?))).collect::<Result<_, Failure>>()?;
    let revocations = revocations(arguments, context, files.iter().any(|(_, bytes)| may_hold_certificate(bytes))).await?;
    let trusted = login.as_ref().map(|(_, login, trust)| Trusted { url: &login.url, trust });
    let mut first = true;
    let mut failure = None;
    for (path, bytes) in &files {
        let Findings { found, list, unreadable } = findings(path, bytes, trusted.as_ref(), &revocations);
        for description in &found {
            if !std::mem::take(&mut first) {
                context.output.separator()?;
            }
            context.output.report(description)?;
        }
        if let Some(list) = &list {
            if !std::mem::take(&mut first) {
                context.output.separator()?;
            }
            context.output.report(list)?;
        }
        failure = failure.or(judged(path, found.is_empty() && list.is_none(), &unreadable));
    }
    failure.map_or(Ok(()), Err)
}

/// What to judge certificates by: the list that was named, or the CA's own. That there is none is said with each certificate.
async fn revocations(arguments: &Arguments, context: &Context<'_>, is_needed: bool) -> Result<Revocations, Failure> {
    if let Some(path) = &arguments.krl {
        let list = Krl::parse(&read(path)?);
        let unusable = |error| Failure::new(Kind::Failed, format!("{} cannot be used", path.display())).because(error);
        return list.map(Revocations::Named).map_err(unusable);
    }
    if !is_needed {
        return Ok(Revocations::Unknown("nothing was asked".to_owned()));
    }
    let connection = match Connection::open(&context.home) {
        Ok(connection) => connection,
        Err(failure) => return Ok(Revocations::Unknown(failure.message)),
    };
    Ok(match connection.client.krl().await {
        Ok(bytes) => match Krl::parse(&bytes) {
            Ok(list) => Revocations::OfTheCa(list),
            Err(error) => Revocations::Unknown(format!("the CA's list cannot be used: {error}")),
        },
        Err(error) => Revocations::Unknown(format!("the CA cannot be asked for its list: {error}")),
    })
}

/// Whether there is anything in it that could be revoked.
fn may_hold_certificate(bytes: &[u8]) -> bool {
    bytes.windows(CERTIFICATE.len()).any(|window| window == CERTIFICATE)
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
        (_, causes) => {
            let more = causes.len().saturating_sub(MOST_CAUSES);
            let more = (more > 0).then(|| format!("and {more} more"));
            let causes: Vec<&str> = causes.iter().take(MOST_CAUSES).map(String::as_str).chain(more.as_deref()).collect();
            Some(Failure::new(Kind::Failed, format!("{shown} holds something that cannot be read")).because(causes.join("; ")))
        }
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
