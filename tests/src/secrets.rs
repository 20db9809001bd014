//! Private key material, and where it turns up: the files that hold keys, and everything else that was written.

use crate::command::run;
use anyhow::{Context, Result, ensure};
use std::{
    collections::HashMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

/// What begins every private key file that a part writes or reads.
const BEGIN: &[u8] = b"-----BEGIN ";
const PRIVATE: &[u8] = b"PRIVATE KEY-----";

/// The name of the only kind of SSH key that the parts make.
const ED25519: &[u8] = b"ssh-ed25519";

/// What precedes the secret in a PKCS#8 file with an elliptic curve's key: OCTET STRING, 32 bytes.
const OCTETS: &[u8] = &[0x04, 0x20];

const SECRET_LENGTH: usize = 32;

/// A private key file, and every form of what it keeps secret that is worth looking for.
#[derive(Debug)]
pub struct SecretKey {
    /// The file.
    pub path: PathBuf,
    /// Whether its owner alone may read it.
    pub is_private: bool,
    forms: Vec<Vec<u8>>,
}

impl SecretKey {
    /// The key in this file; none if it holds no private key.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        if !text.starts_with(BEGIN) || last(&text, PRIVATE).is_none() {
            return Ok(None);
        }
        let text = String::from_utf8(text)?;
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("-----")).collect();
        let body = decoded(&lines.concat())?;
        let secret = secret_of(&body).with_context(|| format!("{} holds a key of another kind", path.display()))?;
        let mut forms = forms_of(secret)?;
        forms.push(body.clone());
        // The file's own lines, but for those that hold nothing secret: the first names the format, the second the public key.
        forms.extend(lines.iter().skip(2).map(|line| line.as_bytes().to_vec()).filter(|line| line.len() >= 16));
        let mode = fs::metadata(path)?.permissions().mode();
        Ok(Some(Self { path: path.to_owned(), is_private: mode & 0o077 == 0, forms }))
    }
}

/// Looks for many keys at once.
#[derive(Debug)]
pub struct Search<'a>(HashMap<&'a [u8], Vec<(&'a SecretKey, &'a [u8])>>);

/// How much of a form is looked up; the rest is compared.
const BEGINNING: usize = 8;

impl<'a> Search<'a> {
    /// For these.
    pub fn new(keys: &'a [SecretKey]) -> Self {
        let mut forms: HashMap<&[u8], Vec<_>> = HashMap::new();
        for key in keys {
            for form in &key.forms {
                forms.entry(form.get(..BEGINNING).unwrap_or(form)).or_default().push((key, form.as_slice()));
            }
        }
        Self(forms)
    }

    /// The keys of which `bytes` hold any form.
    pub fn found_in(&self, bytes: &[u8]) -> Vec<&'a SecretKey> {
        let likely = bytes.windows(BEGINNING).enumerate().filter_map(|(at, beginning)| Some((bytes.get(at..)?, self.0.get(beginning)?)));
        likely.flat_map(|(left, forms)| forms.iter().filter(move |(_, form)| left.starts_with(form)).map(|(key, _)| *key)).collect()
    }
}

/// All files below `directory`, links not followed.
pub fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).with_context(|| format!("cannot list {}", directory.display()))? {
        let entry = entry?;
        match entry.file_type()? {
            kind if kind.is_dir() => found.extend(files(&entry.path())?),
            kind if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
    found.sort();
    Ok(found)
}

/// The 32 secret bytes: of an unencrypted OpenSSH file (PROTOCOL.key) with an Ed25519 key, or of a PKCS#8 file with an elliptic curve's.
fn secret_of(body: &[u8]) -> Option<&[u8]> {
    let at = if body.starts_with(b"openssh-key-v1\0") {
        // In the private part: the name again, the public key, and the secret with the public key behind it.
        last(body, ED25519)? + ED25519.len() + 4 + SECRET_LENGTH + 4
    } else {
        body.windows(OCTETS.len()).position(|window| window == OCTETS)? + OCTETS.len()
    };
    body.get(at..at + SECRET_LENGTH)
}

/// As bytes, in hexadecimal digits, as a list of numbers, and in base64 wherever in a longer text it begins.
fn forms_of(secret: &[u8]) -> Result<Vec<Vec<u8>>> {
    let digits = |write: fn(&u8) -> String, between: &str| secret.iter().map(write).collect::<Vec<_>>().join(between).into_bytes();
    let mut forms = vec![
        secret.to_vec(),
        digits(|byte| format!("{byte:02x}"), ""),
        digits(|byte| format!("{byte:02X}"), ""),
        digits(|byte| byte.to_string(), ", "),
        digits(|byte| byte.to_string(), ","),
    ];
    for before in 0..3 {
        let text = run(Command::new("base64").arg("-w0"), &[&vec![0; before], secret].concat())?.success()?;
        // Four digits in, and six from the end, nothing depends on what stands around it.
        let inner = text.get(4..text.len() - 6).context("so long it is")?;
        forms.push(inner.as_bytes().to_vec());
        forms.push(inner.replace('+', "-").replace('/', "_").into_bytes());
    }
    ensure!(forms.iter().all(|form| form.len() >= SECRET_LENGTH), "a form that is too short would be found by chance");
    Ok(forms)
}

fn decoded(text: &str) -> Result<Vec<u8>> {
    let ended = run(Command::new("base64").arg("-d"), text.as_bytes())?;
    ensure!(ended.status.success(), "this is not base64: {}", ended.stderr);
    Ok(ended.stdout)
}

fn last(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).rposition(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn a_key_is_found_in_every_form_and_its_public_half_is_not_it() -> Result<()> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("key");
        run(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&path), b"")?.success()?;
        let key = SecretKey::read(&path)?.context("it is a private key")?;
        assert!(key.is_private && SecretKey::read(&path.with_extension("pub"))?.is_none());
        let keys = [key];
        let search = Search::new(&keys);
        for form in &keys[0].forms {
            assert!(!search.found_in(&[b"before ", form.as_slice(), b" behind"].concat()).is_empty());
        }
        let text = fs::read_to_string(&path)?;
        let body = text.lines().filter(|line| !line.starts_with('-')).collect::<String>();
        assert!(!search.found_in(format!("{{\"key\":\"{body}\"}}").as_bytes()).is_empty(), "the file's body on one line");
        assert!(search.found_in(&fs::read(path.with_extension("pub"))?).is_empty());
        Ok(())
    }
}
