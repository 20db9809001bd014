//! The algorithms that are spoken, on either side: no SHA-1, no CBC, no compression, post-quantum key exchange first.

use russh::{Preferred, cipher, compression, kex, keys::EcdsaCurve, mac};
use ssh_key::{Algorithm, HashAlg};
use std::borrow::Cow;

const P256: Algorithm = Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 };
const P384: Algorithm = Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 };
const P521: Algorithm = Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 };
const RSA_512: Algorithm = Algorithm::Rsa { hash: Some(HashAlg::Sha512) };
const RSA_256: Algorithm = Algorithm::Rsa { hash: Some(HashAlg::Sha256) };

/// Signature algorithms for host keys and people's keys. The FIDO ones are people's only; they stand here because the server announces this list as
/// `server-sig-algs` (RFC 8308 section 3.1), without which some clients do not offer such keys.
const SIGNATURES: &[Algorithm] =
    &[Algorithm::Ed25519, P256, P384, P521, RSA_512, RSA_256, Algorithm::SkEd25519, Algorithm::SkEcdsaSha2NistP256];

/// Host keys that a target may show, plain or certified.
const HOST_KEYS: &[Algorithm] = &[Algorithm::Ed25519, P256, P384, P521, RSA_512, RSA_256];

/// Strict key exchange is on with every peer that knows it (CVE-2023-48795). The library cannot demand it of those that do not.
const KEY_EXCHANGES: &[kex::Name] = &[
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::EXTENSION_SUPPORT_AS_CLIENT,
    kex::EXTENSION_SUPPORT_AS_SERVER,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_SERVER,
];

/// Authenticated ciphers. AES-128-GCM is the cheapest, ChaCha20-Poly1305 what clients ask for first. AES-256-CTR with an encrypt-then-MAC comes last: paramiko
/// before 3.5, which Debian 12 has, knows none of the others.
const CIPHERS: &[cipher::Name] = &[cipher::CHACHA20_POLY1305, cipher::AES_256_GCM, cipher::AES_128_GCM, cipher::AES_256_CTR];

/// Towards targets our order wins: the cheapest first.
const CIPHERS_UPSTREAM: &[cipher::Name] = &[cipher::AES_128_GCM, cipher::AES_256_GCM, cipher::CHACHA20_POLY1305];

/// Encrypt-then-MAC with SHA-2 only; unused with ciphers that authenticate by themselves.
const MACS: &[mac::Name] = &[mac::HMAC_SHA512_ETM, mac::HMAC_SHA256_ETM];

const NO_COMPRESSION: &[compression::Name] = &[compression::NONE];

/// What the bastion speaks with clients.
pub fn towards_clients() -> Preferred {
    Preferred {
        kex: Cow::Borrowed(KEY_EXCHANGES),
        key: Cow::Borrowed(SIGNATURES),
        host_key_certificates: Cow::Borrowed(&[]),
        cipher: Cow::Borrowed(CIPHERS),
        mac: Cow::Borrowed(MACS),
        compression: Cow::Borrowed(NO_COMPRESSION),
    }
}

/// What the bastion speaks with a target whose host key is certified, pinned, or either.
pub fn towards_target(certified: bool, pinned: impl IntoIterator<Item = Algorithm>) -> Preferred {
    let pinned: Vec<Algorithm> = pinned.into_iter().flat_map(signatures_of).collect();
    Preferred {
        kex: Cow::Borrowed(KEY_EXCHANGES),
        key: Cow::Owned(pinned),
        host_key_certificates: Cow::Borrowed(if certified { HOST_KEYS } else { &[] }),
        cipher: Cow::Borrowed(CIPHERS_UPSTREAM),
        mac: Cow::Borrowed(MACS),
        compression: Cow::Borrowed(NO_COMPRESSION),
    }
}

/// An RSA key signs with either SHA-2 hash, never with SHA-1 (RFC 8332).
fn signatures_of(key: Algorithm) -> Vec<Algorithm> {
    match key {
        Algorithm::Rsa { .. } => vec![RSA_512, RSA_256],
        other => vec![other],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_06_sha1_is_spoken_nowhere() {
        let sha1 = Algorithm::Rsa { hash: None };
        for preferred in [towards_clients(), towards_target(true, [sha1.clone(), Algorithm::Ed25519])] {
            assert!(!preferred.key.contains(&sha1) && !preferred.host_key_certificates.contains(&sha1));
            assert!(preferred.mac.iter().all(|mac| !mac.as_ref().contains("sha1")));
            assert!(preferred.kex.iter().all(|kex| !kex.as_ref().contains("sha1")));
            assert_eq!(*preferred.compression, [compression::NONE]);
        }
    }

    #[test]
    fn row_09_strict_key_exchange_is_offered_both_ways() {
        assert!(towards_clients().kex.contains(&kex::EXTENSION_OPENSSH_STRICT_KEX_AS_SERVER));
        assert!(towards_target(true, []).kex.contains(&kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT));
    }
}
