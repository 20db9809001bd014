//! One-time tokens by which hosts enrol: 256 random bits that are printed once and of which only a hash is kept.

use crate::store::host::{Host, HostKey};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use dayfly_api::host::HostEnrollment;
use dayfly_core::{
    reason::{Reason, Refusal},
    signature::{fingerprint, strength},
};
use sha2::{Digest, Sha256};
use ssh_key::{PublicKey, public::KeyData};
use zeroize::Zeroizing;

/// What every token begins with, so that one is recognised where it does not belong.
const PREFIX: &str = "dayfly-host-";

/// What to do about a token that is of no use.
const REMEDY: &str = "ask whoever administers the CA for a new token: dayfly-ca host token NAME";

/// A new token. What is handed out is the text; what is stored is its [`digest`].
pub fn generate() -> Zeroizing<String> {
    let bits = Zeroizing::new(rand::random::<[u8; 32]>());
    Zeroizing::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(*bits)))
}

/// SHA-256 of a token. Looking one up by it tells nobody how much of a guess was right.
pub fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// The digest of the token in the body of an enrolment.
pub(super) fn digest_in(body: &[u8]) -> Result<[u8; 32], Refusal> {
    let enrollment: HostEnrollment = serde_json::from_slice(body).map_err(|_| unknown())?;
    let token = Zeroizing::new(enrollment.token);
    Ok(digest(&token))
}

/// The key to enrol. It signed the request, so it is held.
pub(super) fn host_key(key: &KeyData) -> Result<HostKey, Refusal> {
    strength(key)?;
    let line = PublicKey::from(key.clone()).to_openssh();
    let line =
        line.map_err(|error| Refusal::new(Reason::BadRequest, format!("the key cannot be written: {error}"), "use another host key"))?;
    Ok(HostKey { fingerprint: fingerprint(key), line })
}

/// Whether the newest token of `host` can be used. `now` in Unix seconds.
pub(super) fn check(host: &Host, now: u64) -> Result<(), Refusal> {
    if host.disabled {
        return Err(Refusal::new(Reason::Revoked, format!("host {} was disabled", host.name), REMEDY));
    }
    if host.token.is_used {
        return Err(Refusal::new(Reason::UnknownToken, format!("the token of host {} was used before", host.name), REMEDY));
    }
    if now >= host.token.expires_at {
        let ago = now.saturating_sub(host.token.expires_at);
        return Err(Refusal::new(Reason::Expired, format!("the token of host {} expired {ago} s ago", host.name), REMEDY));
    }
    Ok(())
}

pub(super) fn unknown() -> Refusal {
    Refusal::new(Reason::UnknownToken, "the enrolment token is not one of this CA, or a newer one has replaced it", REMEDY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_long_and_never_the_same() {
        let (one, other) = (generate(), generate());
        assert!(one.starts_with(PREFIX) && one.len() == PREFIX.len() + 43);
        assert_ne!(digest(&one), digest(&other));
    }
}
