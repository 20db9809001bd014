//! One-time secrets: random, kept as hashes, compared in constant time.

use aws_lc_rs::{constant_time::verify_slices_are_equal, hmac, rand::SystemRandom};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

/// The letters of codes that people type: no vowels, so that no word comes about, and none that looks like another.
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

/// The letters of such a code. Of 20^8 there are some hundreds at a time, good for minutes, and each address may try ten and then one a second.
const CODE_LETTERS: usize = 8;

/// A secret's SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hashed([u8; 32]);

impl Hashed {
    /// Of this secret.
    pub fn of(secret: &str) -> Self {
        Self(Sha256::digest(secret.as_bytes()).into())
    }

    /// Whether it is of this one. Takes as long whatever the answer.
    pub fn fits(&self, secret: &str) -> bool {
        verify_slices_are_equal(&self.0, &Self::of(secret).0).is_ok()
    }
}

/// 256 random bits.
pub fn token() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

/// 128 random bits: which one it is, and nothing that opens it.
pub fn id() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>())
}

/// A code that a person types, as it is shown: `BCDF-GHJK`.
pub fn user_code() -> String {
    let letter = || LETTERS.get(rand::random_range(0..LETTERS.len())).map_or('B', |letter| char::from(*letter));
    (0..CODE_LETTERS).map(|place| if place == CODE_LETTERS / 2 { format!("-{}", letter()) } else { letter().to_string() }).collect()
}

/// What somebody typed, as it is compared: whatever the case, and whatever stands between the letters.
pub fn typed(code: &str) -> String {
    code.chars().take(64).filter(char::is_ascii_alphabetic).map(|letter| letter.to_ascii_uppercase()).collect()
}

/// Ties what a page sends back to the browser that it was made for.
pub struct FormKey(hmac::Key);

impl FormKey {
    /// A new one, as long as the process lives.
    pub fn new() -> Result<Self, aws_lc_rs::error::Unspecified> {
        Ok(Self(hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())?))
    }

    /// What a form for this browser holds.
    pub fn token(&self, browser: &str) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.0, browser.as_bytes()))
    }

    /// Whether a form was made for this browser.
    pub fn fits(&self, browser: &str, token: &str) -> bool {
        URL_SAFE_NO_PAD.decode(token).is_ok_and(|tag| hmac::verify(&self.0, browser.as_bytes(), &tag).is_ok())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn row_17_a_code_is_typed_however_people_type_and_guessed_by_nobody() {
        let code = user_code();
        assert_eq!((code.len(), code.find('-')), (9, Some(4)));
        let bare = code.replace('-', "");
        for written in [code.clone(), code.to_lowercase(), bare.clone(), format!(" {} ", code.replace('-', " - "))] {
            assert_eq!(typed(&written), bare);
        }
        assert!(bare.bytes().all(|letter| LETTERS.contains(&letter)));
        assert_ne!(user_code(), user_code());
        let hashed = Hashed::of(&bare);
        assert!(hashed.fits(&bare) && !hashed.fits(&typed("BBBBBBBB")) && !hashed.fits(""));
    }

    #[test]
    fn row_17_a_form_is_of_one_browser() {
        let (key, other) = (FormKey::new().unwrap(), FormKey::new().unwrap());
        let form = key.token("browser");
        assert!(key.fits("browser", &form));
        assert!(!key.fits("another", &form) && !other.fits("browser", &form) && !key.fits("browser", "") && !key.fits("browser", "é"));
    }
}
