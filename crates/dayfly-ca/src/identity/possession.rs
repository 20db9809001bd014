//! Proof of possession: whoever wants a key certified shows that it is held, now, for this CA, purpose and caller.

use dayfly_core::{
    reason::{Reason, Refusal},
    signature::{FidoFlags, strength, verify_sshsig_and_tell},
    signed_request::{Certifies, POSSESSION_NAMESPACE, possession_message},
};
use ssh_key::{PublicKey, SshSig};

/// The longest armored signature or key that is read, in bytes.
pub(crate) const LONGEST_TEXT: usize = 16 * 1024;

/// What a proof is bound to.
#[derive(Debug, Clone, Copy)]
pub struct Bond<'a> {
    /// The CA's origin.
    pub origin: &'a str,
    /// What the key is to be certified for.
    pub certifies: Certifies,
    /// Who asks: a person's or machine's subject, or a bastion's name.
    pub caller: &'a str,
    /// The challenge of the request that carries the proof.
    pub challenge: &'a str,
}

/// A key that somebody proved to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldKey {
    /// The key.
    pub public_key: PublicKey,
    /// What it said of the proof, if it is a FIDO key.
    pub fido: Option<FidoFlags>,
}

/// Reads a key, one OpenSSH line, and checks that it is strong and that `possession`, an armored SSHSIG, is its own for `bond`, touched if it is a
/// FIDO key.
pub fn held_key(bond: Bond<'_>, public_key: &str, possession: &str) -> Result<PublicKey, Refusal> {
    let held = proven_key(bond, public_key, possession)?;
    if held.fido.is_none_or(|fido| fido.touched) { Ok(held.public_key) } else { Err(unproven("nobody touched the security key")) }
}

/// As [`held_key`], but leaves what a FIDO key says to the caller.
pub fn proven_key(bond: Bond<'_>, public_key: &str, possession: &str) -> Result<HeldKey, Refusal> {
    let key = read_key(public_key)?;
    if possession.len() > LONGEST_TEXT {
        return Err(unproven("it is too long"));
    }
    let sshsig = SshSig::from_pem(possession).map_err(|error| unproven(&error.to_string()))?;
    let message = possession_message(bond.origin, bond.certifies, bond.caller, bond.challenge);
    let (signer, fido) = verify_sshsig_and_tell(&sshsig, POSSESSION_NAMESPACE, &message).map_err(|error| unproven(&error.to_string()))?;
    if signer != key.key_data() {
        return Err(unproven("another key made it"));
    }
    Ok(HeldKey { public_key: key, fido })
}

pub(crate) fn read_key(line: &str) -> Result<PublicKey, Refusal> {
    let unreadable = |cause: &str| {
        let message = format!("the public key cannot be read: {cause}");
        Refusal::new(Reason::BadRequest, message, "send one line as in a .pub file")
    };
    if line.len() > LONGEST_TEXT {
        return Err(unreadable("it is too long"));
    }
    let mut key = PublicKey::from_openssh(line).map_err(|error| unreadable(&error.to_string()))?;
    strength(key.key_data())?;
    // The comment is the asker's and certifies nothing.
    key.set_comment("");
    Ok(key)
}

fn unproven(cause: &str) -> Refusal {
    Refusal::new(
        Reason::NoPossession,
        format!("the proof that the key to be certified is held does not fit: {cause}"),
        format!("sign the possession message of this request's challenge with that key, namespace {POSSESSION_NAMESPACE}"),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use dayfly_core::{
        signature::sign_sshsig,
        signer::{
            SeedSigner, Signer,
            fido::{FidoSigner, TOUCHED, VERIFIED},
        },
    };
    use ssh_key::LineEnding;

    const BOND: Bond<'_> = Bond { origin: "https://ca.example", certifies: Certifies::User, caller: "alice", challenge: "c1" };

    fn proof(key: &SeedSigner, namespace: &str, bond: Bond<'_>) -> String {
        let message = possession_message(bond.origin, bond.certifies, bond.caller, bond.challenge);
        sign_sshsig(key, namespace, &message).unwrap().to_pem(LineEnding::LF).unwrap()
    }

    #[test]
    fn row_21_a_proof_fits_one_server_purpose_caller_challenge_and_key() {
        let (key, other) = (SeedSigner::new(1), SeedSigner::new(2));
        let line = PublicKey::from(key.public_key().clone()).to_openssh().unwrap();
        let held = |possession: &str| held_key(BOND, &line, possession);
        assert_eq!(held(&proof(&key, POSSESSION_NAMESPACE, BOND)).unwrap().key_data(), key.public_key());
        for unfit in [
            proof(&key, POSSESSION_NAMESPACE, Bond { origin: "https://other.example", ..BOND }),
            proof(&key, POSSESSION_NAMESPACE, Bond { certifies: Certifies::Session, ..BOND }),
            proof(&key, POSSESSION_NAMESPACE, Bond { caller: "bob", ..BOND }),
            proof(&key, POSSESSION_NAMESPACE, Bond { challenge: "c2", ..BOND }),
            proof(&key, "request@dayfly", BOND),
            proof(&other, POSSESSION_NAMESPACE, BOND),
            String::new(),
            "x".repeat(LONGEST_TEXT + 1),
        ] {
            assert_eq!(held(&unfit).unwrap_err().reason, Reason::NoPossession);
        }
    }

    #[test]
    fn a_security_key_tells_of_touch_and_pin() {
        for (flags, touched, verified) in [(0, false, false), (TOUCHED, true, false), (TOUCHED | VERIFIED, true, true)] {
            for key in [FidoSigner::ed25519(1, flags), FidoSigner::p256(flags)] {
                let line = PublicKey::from(key.public_key().clone()).to_openssh().unwrap();
                let message = possession_message(BOND.origin, BOND.certifies, BOND.caller, BOND.challenge);
                let possession = sign_sshsig(&key, POSSESSION_NAMESPACE, &message).unwrap().to_pem(LineEnding::LF).unwrap();
                let held = proven_key(BOND, &line, &possession).unwrap();
                assert_eq!((held.public_key.key_data(), held.fido), (key.public_key(), Some(FidoFlags { touched, verified })));
                assert_eq!(held_key(BOND, &line, &possession).is_ok(), touched);
            }
        }
    }

    #[test]
    fn a_comment_does_not_get_into_a_certificate() {
        let key = SeedSigner::new(1);
        let line = format!("{} mallory@elsewhere", PublicKey::from(key.public_key().clone()).to_openssh().unwrap());
        assert_eq!(held_key(BOND, &line, &proof(&key, POSSESSION_NAMESPACE, BOND)).unwrap().comment().as_str_lossy(), "");
    }
}
