//! Issuers of tokens as they are written, and how their tokens may be signed.

use crate::identity::{token::Algorithm, web};
use serde::Deserialize;

/// An issuer's URL, kept as it is written: it is compared byte by byte.
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Issuer(pub(super) String);

impl TryFrom<String> for Issuer {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let url = url::Url::parse(&text).ok().filter(|url| url.query().is_none() && url.fragment().is_none());
        match url {
            Some(url) if web::is_safe(&url) => Ok(Self(text)),
            Some(url) if url.scheme() == "http" => {
                Err(format!("{text:?} would be asked without encryption: write https://; http:// is for loopback addresses only"))
            }
            _ => Err(format!("{text:?} is not the URL of an issuer: write https:// and what the issuer calls itself")),
        }
    }
}

/// The algorithms that are allowed: some of those that can be checked.
#[derive(Deserialize)]
#[serde(try_from = "Vec<Algorithm>")]
pub(super) struct Algorithms(pub(super) Vec<Algorithm>);

impl Default for Algorithms {
    fn default() -> Self {
        Self(Algorithm::ALL.to_vec())
    }
}

impl TryFrom<Vec<Algorithm>> for Algorithms {
    type Error = String;
    fn try_from(algorithms: Vec<Algorithm>) -> Result<Self, String> {
        if algorithms.is_empty() {
            Err("no algorithm is allowed: write one of ES256, RS256, EdDSA".to_owned())
        } else {
            Ok(Self(algorithms))
        }
    }
}
