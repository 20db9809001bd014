//! `dayfly inspect`.

use super::Context;
use crate::{
    certificate::{
        description::{Description, Trusted},
        now,
    },
    error::{Failure, Kind},
    login,
    state::private_file,
};
use dayfly_core::certificate;
use ssh_key::{PrivateKey, PublicKey};
use std::{
    io::Read,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// The largest file that is read, in bytes.
const LARGEST_FILE: u64 = 1024 * 1024;

/// What begins a key's line: the names of algorithms.
const ALGORITHMS: [&str; 4] = ["ssh-", "ecdsa-", "sk-ssh-", "sk-ecdsa-"];

/// Arguments of `dayfly inspect`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Certificates, public keys, known_hosts or authorized_keys files; - reads the standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, context: &Context<'_>) -> Result<(), Failure> {
    // Whoever is not logged in can still read what a certificate says.
    let login = login::current(&context.home).ok();
    let trusted = login.as_ref().map(|(_, login, trust)| Trusted { url: &login.url, trust });
    let mut first = true;
    for path in &arguments.files {
        for description in describe(path, &read(path)?, trusted.as_ref())? {
            if !std::mem::take(&mut first) {
                context.output.separator()?;
            }
            context.output.report(&description)?;
        }
    }
    Ok(())
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

/// Every key and certificate of a file, whatever stands around them.
fn describe(path: &Path, bytes: &[u8], trusted: Option<&Trusted<'_>>) -> Result<Vec<Description>, Failure> {
    if let Ok(key) = PrivateKey::from_openssh(bytes) {
        // Only its public half is shown.
        return Ok(vec![Description::of_key(key.public_key())]);
    }
    let text = String::from_utf8_lossy(bytes);
    let mut found = Vec::new();
    let mut unreadable = None;
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with('#')) {
        let Some(line) = key_part(line) else { continue };
        match describe_line(line, trusted) {
            Ok(description) => found.push(description),
            Err(cause) => unreadable = unreadable.or(Some(format!("line {}: {cause}", number.saturating_add(1)))),
        }
    }
    match (found.is_empty(), unreadable) {
        (_, Some(cause)) => Err(Failure::new(Kind::Failed, format!("{} holds a key that cannot be read", path.display())).because(cause)),
        (true, None) => Err(Failure::new(Kind::Failed, format!("{} holds no certificate and no public key", path.display()))
            .remedy("name a file such as ~/.ssh/id_ed25519-cert.pub")),
        (false, None) => Ok(found),
    }
}

/// The line from the name of an algorithm on: what stands before it in known_hosts and authorized_keys is not the key's.
fn key_part(line: &str) -> Option<&str> {
    let starts = std::iter::once(0).chain(line.match_indices([' ', '\t']).map(|(index, _)| index.saturating_add(1)));
    let mut parts = starts.filter_map(|start| line.get(start..));
    parts.find(|part| ALGORITHMS.iter().any(|name| part.starts_with(name)))
}

fn describe_line(line: &str, trusted: Option<&Trusted<'_>>) -> Result<Description, String> {
    let algorithm = line.split([' ', '\t']).next().unwrap_or_default();
    if algorithm.contains("-cert-v") {
        let certificate = certificate::parse(line).map_err(|refusal| refusal.message)?;
        return Ok(Description::of_certificate(&certificate, trusted, now()));
    }
    PublicKey::from_openssh(line.trim_end()).map(|key| Description::of_key(&key)).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
