//! A token (JWT, RFC 7519) of an issuer: who signed it, for whom, when, and what it says. Nothing of it is believed before all of that fits.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use openidconnect::{
    ClaimsVerificationError, ClientId, IssuerUrl, JsonWebKeySet, Nonce, SignatureVerificationError,
    core::{CoreIdToken, CoreIdTokenVerifier, CoreJsonWebKey, CoreJwsSigningAlgorithm},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{
    str::FromStr,
    time::{Duration, UNIX_EPOCH},
};

/// How far clocks may differ, in seconds.
pub const SKEW: u64 = 30;

/// The longest token that is read, in bytes.
const LONGEST_TOKEN: usize = 32 * 1024;

/// The shortest RSA modulus, in bits.
const LEAST_RSA_BITS: usize = 2048;

/// How a token may be signed. What is not here cannot be allowed: `none`, and everything with a shared secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    /// ECDSA with P-256 and SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl Algorithm {
    /// All of them, which is what is allowed if nothing is said.
    pub const ALL: [Self; 3] = [Self::Es256, Self::Rs256, Self::EdDsa];

    fn core(self) -> CoreJwsSigningAlgorithm {
        match self {
            Self::Es256 => CoreJwsSigningAlgorithm::EcdsaP256Sha256,
            Self::Rs256 => CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
            Self::EdDsa => CoreJwsSigningAlgorithm::EdDsa,
        }
    }
}

/// The keys of an issuer.
#[derive(Debug, Clone)]
pub struct IssuerKeys(JsonWebKeySet<CoreJsonWebKey>);

impl IssuerKeys {
    /// Reads a JWK set (RFC 7517). Keys of kinds that are not known, and RSA keys that are too short, are left out.
    pub fn read(set: &Value) -> Result<Self, String> {
        let keys = set.get("keys").and_then(Value::as_array).ok_or("there is no array `keys`")?;
        let strong: Vec<&Value> = keys.iter().filter(|key| is_strong(key)).collect();
        let set = JsonWebKeySet::deserialize(serde_json::json!({ "keys": strong })).map_err(|error| error.to_string())?;
        Ok(Self(set))
    }
}

fn is_strong(key: &Value) -> bool {
    let text = |name: &str| key.get(name).and_then(Value::as_str);
    match text("kty") {
        Some("RSA") => text("n").and_then(|n| URL_SAFE_NO_PAD.decode(n).ok()).is_some_and(|n| {
            let leading = n.iter().take_while(|byte| **byte == 0).count();
            n.len().saturating_sub(leading) * 8 >= LEAST_RSA_BITS
        }),
        Some("EC" | "OKP") => true,
        // A shared secret is nobody's public key.
        _ => false,
    }
}

/// What a token has to be.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// Whose.
    pub issuer: &'a str,
    /// Made for whom.
    pub audience: &'a str,
    /// The nonce that it must repeat, where one was given.
    pub nonce: Option<&'a str>,
    /// How it may be signed.
    pub algorithms: &'a [Algorithm],
    /// The time, in Unix seconds.
    pub now: u64,
}

/// A token that is what it should be.
#[derive(Debug, Clone)]
pub struct VerifiedToken {
    /// `iss`.
    pub issuer: String,
    /// `sub`.
    pub subject: String,
    /// `iat`, in Unix seconds.
    pub issued_at: u64,
    /// `exp`, in Unix seconds.
    pub expires_at: u64,
    /// Everything that it says.
    pub claims: Map<String, Value>,
}

/// A token that is not what it should be. No part of it is in the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It cannot be read.
    #[error("it cannot be read")]
    Malformed,
    /// No key that is known fits.
    #[error("no key of the issuer fits its signature")]
    UnknownKey,
    /// It does not fit, for this reason.
    #[error("{0}")]
    Unfit(String),
}

/// Checks a token against the keys of its issuer (RFC 7519, OpenID Connect Core § 3.1.3.7).
pub fn verify(token: &str, keys: &IssuerKeys, expected: Expected<'_>) -> Result<VerifiedToken, TokenError> {
    if token.len() > LONGEST_TOKEN {
        return Err(TokenError::Malformed);
    }
    let read = CoreIdToken::from_str(token).map_err(|_| TokenError::Malformed)?;
    let issuer = IssuerUrl::new(expected.issuer.to_owned()).map_err(|_| TokenError::Malformed)?;
    let (now, nonce) = (expected.now, expected.nonce);
    // As a public client: a secret that is shared is never what a signature is checked with.
    let verifier = CoreIdTokenVerifier::new_public_client(ClientId::new(expected.audience.to_owned()), issuer, keys.0.clone())
        .set_allowed_algs(expected.algorithms.iter().map(|algorithm| algorithm.core()))
        .set_time_fn(move || (UNIX_EPOCH + Duration::from_secs(now.saturating_sub(SKEW))).into())
        .set_issue_time_verifier_fn(move |issued_at| {
            if seconds(issued_at.timestamp()) > now.saturating_add(SKEW) { Err("it is of a time to come".to_owned()) } else { Ok(()) }
        });
    let claims = read.claims(&verifier, move |found: Option<&Nonce>| fits(nonce, found.map(|found| found.secret().as_str())));
    let claims = claims.map_err(|error| unfit(&error))?;
    let all = payload(token).ok_or(TokenError::Malformed)?;
    check_rest(&all, &expected)?;
    Ok(VerifiedToken {
        issuer: claims.issuer().as_str().to_owned(),
        subject: claims.subject().as_str().to_owned(),
        issued_at: seconds(claims.issue_time().timestamp()),
        expires_at: seconds(claims.expiration().timestamp()),
        claims: all,
    })
}

/// Who a token says that it is from. Nothing that is decided stands on this alone.
pub fn claimed_issuer(token: &str) -> Option<String> {
    if token.len() > LONGEST_TOKEN {
        return None;
    }
    payload(token)?.get("iss")?.as_str().map(str::to_owned)
}

/// What a token's signature is over.
pub fn signed_part(token: &str) -> &str {
    token.rsplit_once('.').map_or(token, |(signed, _)| signed)
}

/// What the library leaves to its caller: `nbf`, and for whom the provider made the token (`azp`, § 3.1.3.7 no. 5).
fn check_rest(claims: &Map<String, Value>, expected: &Expected<'_>) -> Result<(), TokenError> {
    if claims.get("sub").and_then(Value::as_str).is_none_or(|subject| subject.is_empty() || subject.len() > 255) {
        return Err(TokenError::Unfit("it names nobody".to_owned()));
    }
    let not_before = claims.get("nbf").map(|value| value.as_f64().unwrap_or(f64::INFINITY));
    if not_before.is_some_and(|not_before| not_before > expected.now.saturating_add(SKEW) as f64) {
        return Err(TokenError::Unfit("its time has not come".to_owned()));
    }
    // A workload's token has no authorized party that the CA would know of.
    let is_sign_in = expected.nonce.is_some();
    match claims.get("azp") {
        Some(party) if is_sign_in && party.as_str() != Some(expected.audience) => {
            Err(TokenError::Unfit("it was made for another party (azp)".to_owned()))
        }
        _ => Ok(()),
    }
}

fn fits(expected: Option<&str>, found: Option<&str>) -> Result<(), String> {
    let Some(expected) = expected else { return Ok(()) };
    let same = found.is_some_and(|found| aws_lc_rs::constant_time::verify_slices_are_equal(expected.as_bytes(), found.as_bytes()).is_ok());
    if same { Ok(()) } else { Err("its nonce is another".to_owned()) }
}

fn unfit(error: &ClaimsVerificationError) -> TokenError {
    use SignatureVerificationError as Signature;
    let cause = match error {
        ClaimsVerificationError::SignatureVerification(Signature::NoMatchingKey | Signature::CryptoError(_)) => {
            return TokenError::UnknownKey;
        }
        ClaimsVerificationError::SignatureVerification(Signature::DisallowedAlg(_) | Signature::UnsupportedAlg(_)) => {
            "it is signed by an algorithm that is not allowed"
        }
        ClaimsVerificationError::SignatureVerification(Signature::NoSignature) => "it is not signed",
        ClaimsVerificationError::SignatureVerification(_) => "its signature cannot be checked",
        ClaimsVerificationError::Expired(_) => "it has expired, or is of a time to come",
        ClaimsVerificationError::InvalidAudience(_) => "it was made for somebody else (aud)",
        ClaimsVerificationError::InvalidIssuer(_) => "it is of another issuer (iss)",
        ClaimsVerificationError::InvalidNonce(_) => "its nonce is another",
        _ => "it is not what it should be",
    };
    TokenError::Unfit(cause.to_owned())
}

fn payload(token: &str) -> Option<Map<String, Value>> {
    let bytes = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn seconds(timestamp: i64) -> u64 {
    u64::try_from(timestamp).unwrap_or(0)
}
