//! The old key's word for the new one: who trusts the first may take over the second, whatever happened to the way that it came.

use super::Purpose;
use crate::{
    signature::{sign_sshsig, verify_sshsig},
    signed_request::hex,
    signer::{Signer, SignerError},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use ssh_key::{LineEnding, PublicKey, SshSig, encoding::Encode, public::KeyData};

/// The SSHSIG namespace of endorsements.
pub const ROTATION_NAMESPACE: &str = "rotation@dayfly";

/// The old key's word that another one has the same purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endorsement {
    /// Which authority's.
    pub purpose: Purpose,
    /// The new key, one OpenSSH line.
    pub key: String,
    /// An armored SSHSIG (OpenSSH PROTOCOL.sshsig) by the old key, namespace [`ROTATION_NAMESPACE`].
    pub signature: String,
}

impl Endorsement {
    /// Has `old` vouch for `new`.
    pub fn make(old: &dyn Signer, purpose: Purpose, new: &KeyData) -> Result<Self, SignerError> {
        let unwritable = |error: ssh_key::Error| SignerError { key: crate::signature::fingerprint(new), cause: error.to_string() };
        let key = PublicKey::from(new.clone()).to_openssh().map_err(unwritable)?;
        let signature = sign_sshsig(old, ROTATION_NAMESPACE, &message(purpose, &key))?;
        Ok(Self { purpose, signature: signature.to_pem(LineEnding::LF).map_err(unwritable)?, key })
    }

    /// Who vouches, and for whom; none if the signature does not say so.
    pub fn verified(&self) -> Option<(KeyData, KeyData)> {
        let new = PublicKey::from_openssh(&self.key).ok()?;
        let line = PublicKey::from(new.key_data().clone()).to_openssh().ok()?;
        let sshsig = SshSig::from_pem(&self.signature).ok()?;
        let old = verify_sshsig(&sshsig, ROTATION_NAMESPACE, &message(self.purpose, &line)).ok()?;
        Some((old.clone(), new.key_data().clone()))
    }
}

/// What is signed: three lines.
fn message(purpose: Purpose, key: &str) -> Vec<u8> {
    format!("dayfly rotation\n{purpose}\n{key}\n").into_bytes()
}

/// Whether each of the keys `offered` for a purpose is `known`, or vouched for by one that is, over as many rotations as there were.
pub fn are_vouched_for(purpose: Purpose, known: &[KeyData], offered: &[KeyData], endorsements: &[Endorsement]) -> bool {
    let mut vouched_for = known.to_vec();
    let mut pairs: Vec<_> = endorsements.iter().filter(|one| one.purpose == purpose).filter_map(Endorsement::verified).collect();
    while let Some(next) = pairs.iter().position(|(old, _)| vouched_for.contains(old)) {
        vouched_for.push(pairs.swap_remove(next).1);
    }
    offered.iter().all(|key| vouched_for.contains(key))
}

/// SHA-256, in lower-case hexadecimal, of the authorities' keys: for each of [`Purpose::ALL`] its number of keys (a byte), and each key's length (eight bytes,
/// big-endian) and bytes as on the wire (RFC 4253 § 6.6). Whoever holds it knows whether what it trusts is what the CA serves.
pub fn keys_digest(authorities: [&[KeyData]; 4]) -> String {
    let mut hash = Sha256::new();
    for keys in authorities {
        hash.update([u8::try_from(keys.len()).unwrap_or(u8::MAX)]);
        for key in keys {
            // Keys that are held can be written: nothing is lost where that fails but a question to the CA.
            let bytes = key.encode_vec().unwrap_or_default();
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        }
    }
    hex(&hash.finalize())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::signer::SeedSigner;

    fn key(seed: u8) -> KeyData {
        SeedSigner::new(seed).public_key().clone()
    }

    fn endorsed(old: u8, new: u8) -> Endorsement {
        Endorsement::make(&SeedSigner::new(old), Purpose::User, &key(new)).unwrap()
    }

    #[test]
    fn a_key_is_taken_over_by_the_word_of_one_that_is_known() {
        let accepts = |known: &[u8], offered: &[u8], endorsements: &[Endorsement]| {
            let keys = |seeds: &[u8]| seeds.iter().map(|seed| key(*seed)).collect::<Vec<_>>();
            are_vouched_for(Purpose::User, &keys(known), &keys(offered), endorsements)
        };
        let chain = [endorsed(2, 3), endorsed(1, 2)];
        assert!(accepts(&[1], &[1], &[]));
        assert!(accepts(&[1], &[1, 2], &chain));
        assert!(accepts(&[1], &[3], &chain), "two rotations while nobody looked");
        assert!(!accepts(&[3], &[1], &chain), "the new key does not vouch for the old one");
        assert!(!accepts(&[1], &[2, 9], &chain));
        assert!(!accepts(&[1], &[3], &chain[..1]), "a link is missing");
    }

    #[test]
    fn a_word_for_another_purpose_or_another_key_is_none() {
        let good = endorsed(1, 2);
        let other_purpose = Endorsement { purpose: Purpose::Session, ..good.clone() };
        assert!(other_purpose.verified().is_none());
        assert!(!are_vouched_for(Purpose::Session, &[key(1)], &[key(2)], std::slice::from_ref(&other_purpose)));
        let other_key = Endorsement { key: endorsed(1, 3).key, ..good.clone() };
        assert!(other_key.verified().is_none());
        let commented = Endorsement { key: format!("{} a comment", good.key), ..good.clone() };
        assert_eq!(commented.verified(), good.verified());
        let torn = Endorsement { signature: good.signature[..40].to_owned(), ..good };
        assert!(torn.verified().is_none());
    }
}
