//! OpenSSH security keys: the ssh-agent has them sign, and somebody touch them.

use super::Asker;
use crate::{
    error::{Failure, Kind},
    identity::Identity,
};
use dayfly_api::factor::{FactorAdded, FactorProven, FactorState};
use dayfly_core::{name::FactorName, signature::fingerprint};
use std::path::Path;

/// Adds the key in a file.
pub(super) async fn add(asker: &Asker<'_>, file: &Path, name: Option<FactorName>) -> Result<FactorAdded, Failure> {
    let key = Identity::from_file(file)?.signer;
    ask(asker)?;
    Ok(asker.client.enroll_touch(asker.subject, name, key.as_ref()).await?)
}

/// Proves whichever of `held` is there.
pub(super) async fn prove(asker: &Asker<'_>, held: &[FactorState]) -> Result<FactorProven, Failure> {
    let key = at_hand(held).ok_or_else(|| {
        Failure::new(Kind::Failed, "the ssh-agent holds none of the security keys that are your second factors")
            .remedy("plug it in and add it: ssh-add FILE; to have one at all: dayfly factor add --touch --key FILE")
    })?;
    ask(asker)?;
    Ok(asker.client.prove_touch(asker.subject, key.signer.as_ref()).await?)
}

/// Whether one of `held` is there.
pub(super) fn is_at_hand(held: &[FactorState]) -> bool {
    at_hand(held).is_some()
}

fn at_hand(held: &[FactorState]) -> Option<Identity> {
    let is_held = |identity: &Identity| {
        let key = fingerprint(identity.signer.public_key());
        held.iter().any(|factor| factor.key.as_ref() == Some(&key))
    };
    Identity::candidates().unwrap_or_default().into_iter().find(is_held)
}

fn ask(asker: &Asker<'_>) -> Result<(), Failure> {
    Ok(asker.output.notice("Touch your security key when it blinks.")?)
}
