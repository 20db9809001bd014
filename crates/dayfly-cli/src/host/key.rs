//! The host key, which signs the calls of this host.

use crate::{
    error::{Failure, Kind},
    state::private_file::{self, PRIVATE},
};
use dayfly_client::KeySigner;
use ssh_key::PrivateKey;
use std::{io::Read, path::Path};
use zeroize::Zeroizing;

/// The largest key file that is read, in bytes.
const LARGEST_KEY_FILE: u64 = 64 * 1024;

/// Reads a host key, which is never encrypted: `sshd` has nobody to ask for a passphrase.
pub fn read(path: &Path) -> Result<KeySigner, Failure> {
    let unusable = |cause: &dyn std::fmt::Display| {
        Failure::new(Kind::Failed, format!("the host key {} cannot be used", path.display()))
            .because(cause)
            .remedy("run as root; name another with --host-key FILE, or make the usual ones: ssh-keygen -A")
    };
    let (file, found) = private_file::open_named(path).map_err(|error| unusable(&error))?;
    private_file::check_private(&found, path, PRIVATE).map_err(|error| unusable(&error))?;
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(LARGEST_KEY_FILE).read_to_end(&mut bytes).map_err(|error| unusable(&error))?;
    let key = PrivateKey::from_openssh(&*bytes).map_err(|error| unusable(&error))?;
    if key.is_encrypted() {
        return Err(unusable(&"it is encrypted"));
    }
    Ok(KeySigner::new(key))
}
