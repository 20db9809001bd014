//! A certificate's fields as they stand on the wire (OpenSSH PROTOCOL.certkeys), each of them as right or wrong as one likes.

use crate::keys::{self, Authority};
use anyhow::Result;
use base64::{Engine, engine::general_purpose::STANDARD};

/// The name of a certificate for an Ed25519 key.
pub const ED25519: &str = "ssh-ed25519-cert-v01@openssh.com";

/// 2020-01-01, in Unix seconds.
pub const AFTER: u64 = 1_577_836_800;

/// 2100-01-01, in Unix seconds.
pub const BEFORE: u64 = 4_102_444_800;

/// What a grant's id looks like.
pub const GRANT: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

/// The fields, in their order. Those that hold others are kept encoded.
#[derive(Debug, Clone)]
pub struct Fields {
    /// What the line and the certificate begin with.
    pub name: Vec<u8>,
    /// Random bytes.
    pub nonce: Vec<u8>,
    /// The holder's key without its name, encoded.
    pub holder: Vec<u8>,
    /// The serial.
    pub serial: u64,
    /// 1: a person's, 2: a host's.
    pub kind: u32,
    /// The key id.
    pub key_id: Vec<u8>,
    /// The principals, encoded, without the length before them.
    pub principals: Vec<u8>,
    /// The first second of the window.
    pub after: u64,
    /// The first second after it.
    pub before: u64,
    /// The critical options, likewise.
    pub critical: Vec<u8>,
    /// The extensions, likewise.
    pub extensions: Vec<u8>,
    /// A field for later.
    pub reserved: Vec<u8>,
    /// The signing key.
    pub authority: Vec<u8>,
}

impl Fields {
    /// A certificate that nothing is wrong with: alice's, for one principal.
    pub fn good() -> Result<Self> {
        let public = keys::ed25519(keys::HOLDER).public_key().to_bytes()?;
        Ok(Self {
            name: ED25519.into(),
            nonce: vec![7; 32],
            holder: without_name(&public),
            serial: 5,
            kind: 1,
            key_id: format!("alice role=db-admin grant={GRANT}").into_bytes(),
            principals: string(crate::PRINCIPAL.as_bytes()),
            after: AFTER,
            before: BEFORE,
            critical: Vec::new(),
            extensions: [option("grant@dayfly", format!("db-admin {GRANT}").as_bytes()), option("permit-pty", b"")].concat(),
            reserved: Vec::new(),
            authority: Authority::Ed25519.blob()?,
        })
    }

    /// What is signed: everything up to the signing key.
    pub fn signed_part(&self) -> Vec<u8> {
        [
            string(&self.name),
            string(&self.nonce),
            self.holder.clone(),
            self.serial.to_be_bytes().to_vec(),
            self.kind.to_be_bytes().to_vec(),
            string(&self.key_id),
            string(&self.principals),
            self.after.to_be_bytes().to_vec(),
            self.before.to_be_bytes().to_vec(),
            string(&self.critical),
            string(&self.extensions),
            string(&self.reserved),
            string(&self.authority),
        ]
        .concat()
    }

    /// The whole certificate, with this signature.
    pub fn with_signature(&self, signature: &[u8]) -> Vec<u8> {
        [self.signed_part(), string(signature)].concat()
    }

    /// The whole certificate, named and signed by `authority`.
    pub fn signed_by(mut self, authority: Authority) -> Result<Vec<u8>> {
        self.authority = authority.blob()?;
        let signature = authority.sign(&self.signed_part())?;
        Ok(self.with_signature(&signature))
    }
}

/// A certificate's line. `name` is what stands before it.
pub fn line(name: &[u8], certificate: &[u8]) -> String {
    format!("{} {}\n", String::from_utf8_lossy(name), STANDARD.encode(certificate))
}

/// A `string`: a length and as many bytes (RFC 4251 section 5).
pub fn string(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes(), bytes].concat()
}

/// An `mpint` that is not negative (RFC 4251 section 5).
pub fn mpint(bytes: &[u8]) -> Vec<u8> {
    let first = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    let digits = bytes.get(first..).unwrap_or_default();
    let sign: &[u8] = if digits.first().is_some_and(|byte| *byte >= 0x80) { &[0] } else { &[] };
    string(&[sign, digits].concat())
}

/// An option that carries a value, as a string within a string; an empty value carries none.
pub fn option(name: &str, value: &[u8]) -> Vec<u8> {
    let data = if value.is_empty() { Vec::new() } else { string(value) };
    raw_option(name.as_bytes(), &data)
}

/// An option with exactly these bytes as its data.
pub fn raw_option(name: &[u8], data: &[u8]) -> Vec<u8> {
    [string(name), string(data)].concat()
}

/// A key's blob without the name that it begins with.
pub fn without_name(blob: &[u8]) -> Vec<u8> {
    let length = blob.get(..4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_be_bytes);
    blob.get(usize::try_from(length).unwrap_or(0).saturating_add(4)..).unwrap_or_default().to_vec()
}
