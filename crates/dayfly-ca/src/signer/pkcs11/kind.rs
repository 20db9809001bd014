//! What kind of key a token holds: its public half, what the token is given to sign, and what comes back, in SSH's terms.

use crate::signer::two_integers;
use cryptoki::{
    mechanism::{
        Mechanism,
        eddsa::{EddsaParams, EddsaSignatureScheme},
    },
    object::{Attribute, AttributeType, KeyType},
};
use sha2::{Digest, Sha256, Sha384};
use ssh_key::{
    Algorithm, EcdsaCurve, HashAlg, Mpint, Signature,
    public::{EcdsaPublicKey, Ed25519PublicKey, KeyData, RsaPublicKey},
};

/// A kind of key that a CA may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Ed25519,
    P256,
    P384,
    Rsa,
}

/// The tag of an octet string in DER.
const OCTET_STRING: u8 = 0x04;

/// The object identifiers of P-256 and P-384, in DER (RFC 5480 § 2.1.1.1).
const P256: [u8; 10] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384: [u8; 7] = [0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];

/// Reads a public key, attribute by attribute.
pub(super) fn read(attributes: impl Fn(&[AttributeType]) -> Result<Vec<Attribute>, String>) -> Result<(Kind, KeyData), String> {
    let kind = attributes(&[AttributeType::KeyType])?;
    match kind.as_slice() {
        [Attribute::KeyType(KeyType::EC_EDWARDS)] => edwards(&attributes(&[AttributeType::EcPoint])?),
        [Attribute::KeyType(KeyType::EC)] => curve(&attributes(&[AttributeType::EcParams, AttributeType::EcPoint])?),
        [Attribute::KeyType(KeyType::RSA)] => rsa(&attributes(&[AttributeType::Modulus, AttributeType::PublicExponent])?),
        [Attribute::KeyType(other)] => Err(format!("holds a key of type {other}, which cannot sign certificates here")),
        _ => Err("does not tell the key's type".to_owned()),
    }
}

fn edwards(attributes: &[Attribute]) -> Result<(Kind, KeyData), String> {
    let [Attribute::EcPoint(point)] = attributes else { return Err("does not tell the key's public half".to_owned()) };
    let key = Ed25519PublicKey::try_from(unwrapped(point, Ed25519PublicKey::BYTE_SIZE));
    Ok((Kind::Ed25519, KeyData::Ed25519(key.map_err(|_| "holds an Edwards key that is not of Ed25519".to_owned())?)))
}

fn curve(attributes: &[Attribute]) -> Result<(Kind, KeyData), String> {
    let [Attribute::EcParams(parameters), Attribute::EcPoint(point)] = attributes else {
        return Err("does not tell the key's public half".to_owned());
    };
    let (kind, length) = match parameters.as_slice() {
        parameters if parameters == P256 => (Kind::P256, 65),
        parameters if parameters == P384 => (Kind::P384, 97),
        _ => return Err("holds a key on a curve that is neither P-256 nor P-384".to_owned()),
    };
    let key = EcdsaPublicKey::from_sec1_bytes(unwrapped(point, length));
    Ok((kind, KeyData::Ecdsa(key.map_err(|error| format!("holds a key whose point cannot be read: {error}"))?)))
}

fn rsa(attributes: &[Attribute]) -> Result<(Kind, KeyData), String> {
    let [Attribute::Modulus(modulus), Attribute::PublicExponent(exponent)] = attributes else {
        return Err("does not tell the key's public half".to_owned());
    };
    let key = RsaPublicKey::new(Mpint::from_positive_bytes(exponent), Mpint::from_positive_bytes(modulus));
    Ok((Kind::Rsa, KeyData::Rsa(key.map_err(|error| format!("holds an RSA key that cannot be read: {error}"))?)))
}

/// The standard wraps a point into an octet string; some tokens give it bare.
fn unwrapped(point: &[u8], length: usize) -> &[u8] {
    match point {
        [OCTET_STRING, inner_length, inner @ ..] if usize::from(*inner_length) == length && inner.len() == length => inner,
        bare => bare,
    }
}

impl Kind {
    pub(super) fn mechanism(self) -> Mechanism<'static> {
        match self {
            Self::Ed25519 => Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Ed25519)),
            Self::P256 | Self::P384 => Mechanism::Ecdsa,
            Self::Rsa => Mechanism::Sha512RsaPkcs,
        }
    }

    /// What the mechanism takes: not every token hashes for ECDSA.
    pub(super) fn input(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Ed25519 | Self::Rsa => message.to_vec(),
            Self::P256 => Sha256::digest(message).to_vec(),
            Self::P384 => Sha384::digest(message).to_vec(),
        }
    }

    /// What came back, as SSH writes it; none if it is no signature.
    pub(super) fn signature(self, data: &[u8]) -> Option<Signature> {
        let ecdsa = |curve, size: usize| {
            let data = if data.len() == size { two_integers(data).ok()? } else { return None };
            Signature::new(Algorithm::Ecdsa { curve }, data).ok()
        };
        match self {
            Self::Ed25519 => Signature::new(Algorithm::Ed25519, data.to_vec()).ok(),
            Self::P256 => ecdsa(EcdsaCurve::NistP256, 64),
            Self::P384 => ecdsa(EcdsaCurve::NistP384, 96),
            Self::Rsa => Signature::new(Algorithm::Rsa { hash: Some(HashAlg::Sha512) }, data.to_vec()).ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_read_wrapped_and_bare() {
        let bare = [7; 32];
        let wrapped: Vec<u8> = [&[OCTET_STRING, 32][..], &bare].concat();
        assert_eq!(unwrapped(&wrapped, 32), bare);
        assert_eq!(unwrapped(&bare, 32), bare);
        // A bare point may begin like a wrapped one.
        let uncompressed: Vec<u8> = [&[OCTET_STRING, 65][..], &[1; 63]].concat();
        assert_eq!(unwrapped(&uncompressed, 65), uncompressed);
    }

    #[test]
    fn what_is_too_short_is_no_signature() {
        for kind in [Kind::Ed25519, Kind::P256, Kind::P384] {
            assert!(kind.signature(&[1; 63]).is_none(), "{kind:?}");
        }
    }
}
