//! An authenticator and its browser in software (W3C WebAuthn § 6 and § 5.8.1), for tests. It does as it is told, also what none should.

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_cbor_2::Value as Cbor;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const PRESENT: u8 = 0x01;
const VERIFIED: u8 = 0x04;
const ATTESTED: u8 = 0x40;

/// A security key with one credential, plugged into a browser.
pub(super) struct Authenticator {
    key: EcdsaKeyPair,
    pub(super) id: Vec<u8>,
    /// The site that the browser believes to be at.
    pub(super) origin: String,
    /// The site that the credential is made for.
    pub(super) relying_party: String,
    pub(super) is_touched: bool,
    pub(super) is_verified: bool,
    /// Its next count; 0 for one that does not count.
    pub(super) counter: u32,
    /// Another challenge than the one that it was asked.
    pub(super) challenge: Option<String>,
}

impl Authenticator {
    /// One that does everything right at `https://ca.example`.
    pub(super) fn new(id: &str) -> Self {
        Self {
            key: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap(),
            id: id.as_bytes().to_vec(),
            origin: "https://ca.example".to_owned(),
            relying_party: "ca.example".to_owned(),
            is_touched: true,
            is_verified: true,
            counter: 1,
            challenge: None,
        }
    }

    /// What it answers to `navigator.credentials.create` with these options.
    pub(super) fn create(&mut self, options: &Value) -> String {
        let point = self.key.public_key().as_ref();
        let (x, y) = (point[1..33].to_vec(), point[33..].to_vec());
        // COSE_Key: EC2, ES256, P-256 (RFC 9053 § 7.1).
        let key = [(1, Cbor::Integer(2)), (3, Cbor::Integer(-7)), (-1, Cbor::Integer(1)), (-2, Cbor::Bytes(x)), (-3, Cbor::Bytes(y))];
        let key = Cbor::Map(key.into_iter().map(|(label, value)| (Cbor::Integer(label), value)).collect());
        let mut data = self.data(ATTESTED);
        data.extend([0; 16]);
        data.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
        data.extend(&self.id);
        data.extend(serde_cbor_2::to_vec(&key).unwrap());
        let text = |text: &str| Cbor::Text(text.to_owned());
        let attestation = [(text("fmt"), text("none")), (text("attStmt"), Cbor::Map([].into())), (text("authData"), Cbor::Bytes(data))];
        let object = serde_cbor_2::to_vec(&Cbor::Map(attestation.into_iter().collect())).unwrap();
        let client = self.client("webauthn.create", options);
        self.answer(&json!({"clientDataJSON": encode(&client), "attestationObject": encode(&object)}))
    }

    /// What it answers to `navigator.credentials.get` with these options.
    pub(super) fn get(&mut self, options: &Value) -> String {
        let (data, client) = (self.data(0), self.client("webauthn.get", options));
        let signed = [data.as_slice(), &Sha256::digest(&client)].concat();
        let signature = self.key.sign(&SystemRandom::new(), &signed).unwrap();
        let response =
            json!({"clientDataJSON": encode(&client), "authenticatorData": encode(&data), "signature": encode(signature.as_ref())});
        self.answer(&response)
    }

    fn data(&mut self, more: u8) -> Vec<u8> {
        let touched = if self.is_touched { PRESENT } else { 0 };
        let verified = if self.is_verified { VERIFIED } else { 0 };
        let mut data = Sha256::digest(self.relying_party.as_bytes()).to_vec();
        data.push(touched | verified | more);
        data.extend(self.counter.to_be_bytes());
        self.counter += u32::from(self.counter > 0);
        data
    }

    fn client(&self, kind: &str, options: &Value) -> Vec<u8> {
        let challenge = self.challenge.clone().unwrap_or_else(|| options["challenge"].as_str().unwrap().to_owned());
        json!({"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": false}).to_string().into_bytes()
    }

    fn answer(&self, response: &Value) -> String {
        json!({"id": encode(&self.id), "rawId": encode(&self.id), "type": "public-key", "response": response}).to_string()
    }
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
