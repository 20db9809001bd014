//! The bytes that a caller signs, so that a request proves who sent it.
//!
//! Each call to the CA carries an SSHSIG (OpenSSH PROTOCOL.sshsig) over what it asks, where, and a one-time challenge that the CA gave with
//! its last answer. A signature is good for one server, one purpose, one method, path and body, once. Likewise a key that is to be certified signs
//! [`possession_message`] to prove that somebody holds it.

use sha2::{Digest, Sha256};
use std::fmt;

/// The SSHSIG namespace of a signed request.
pub const REQUEST_NAMESPACE: &str = "request@dayfly";

/// The SSHSIG namespace of a proof of possession.
pub const POSSESSION_NAMESPACE: &str = "possession@dayfly";

/// The SSHSIG namespace of a touch: a FIDO key's word that somebody is there.
pub const TOUCH_NAMESPACE: &str = "touch@dayfly";

/// The HTTP header that carries a challenge, both ways.
pub const CHALLENGE_HEADER: &str = "dayfly-challenge";

/// The HTTP header that carries the signature: the SSHSIG blob in base64, without armor.
pub const SIGNATURE_HEADER: &str = "dayfly-signature";

/// The HTTP header that carries the signature of the caller's device, in the same form.
pub const DEVICE_SIGNATURE_HEADER: &str = "dayfly-device-signature";

/// As what the caller signs. A bastion's key is of no use as a person's, and a host's of no use as either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A person.
    Person,
    /// A bastion.
    Bastion,
    /// A host, by its host key.
    Host,
    /// A device, beside the person who works on it.
    Device,
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Person => "person",
            Self::Bastion => "bastion",
            Self::Host => "host",
            Self::Device => "device",
        })
    }
}

/// What a signed request says.
#[derive(Debug, Clone, Copy)]
pub struct SignedRequest<'a> {
    /// The origin that the caller believes to talk to: `https://host[:port]`, as in its configuration.
    pub server: &'a str,
    /// As what it calls.
    pub purpose: Purpose,
    /// The CA's one-time challenge.
    pub challenge: &'a str,
    /// The HTTP method.
    pub method: &'a str,
    /// The path with its query.
    pub path: &'a str,
    /// The body, empty if there is none.
    pub body: &'a [u8],
}

impl SignedRequest<'_> {
    /// The message to be signed under [`REQUEST_NAMESPACE`].
    pub fn message(&self) -> Vec<u8> {
        let body = Sha256::digest(self.body);
        lines(&["dayfly-request-v1", self.server, &self.purpose.to_string(), self.challenge, self.method, self.path, &hex(&body)])
    }
}

/// What a key is to be certified for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certifies {
    /// A person's or machine's certificate.
    User,
    /// A session certificate.
    Session,
    /// A bastion's host certificate.
    Host,
    /// An inner host certificate.
    InnerHost,
}

impl fmt::Display for Certifies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => "user",
            Self::Session => "session",
            Self::Host => "host",
            Self::InnerHost => "inner-host",
        })
    }
}

/// The message that the key to be certified signs under [`POSSESSION_NAMESPACE`]. `caller` is the person, machine or bastion that asks, and `challenge`
/// the one of the request that carries it.
pub fn possession_message(server: &str, certifies: Certifies, caller: &str, challenge: &str) -> Vec<u8> {
    lines(&["dayfly-possession-v1", server, &certifies.to_string(), caller, challenge])
}

/// What a FIDO key is touched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TouchedTo {
    /// To be somebody's second factor.
    Add,
    /// To prove that it is there.
    Prove,
}

impl fmt::Display for TouchedTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Add => "add",
            Self::Prove => "prove",
        })
    }
}

/// The message that a FIDO key signs under [`TOUCH_NAMESPACE`] when it is touched. `caller` is the person who asks, `key_fingerprint` the `SHA256:…` of
/// the key that signs the request that carries it, and `challenge` the one of that request.
pub fn touch_message(server: &str, touched_to: TouchedTo, caller: &str, key_fingerprint: &str, challenge: &str) -> Vec<u8> {
    lines(&["dayfly-touch-v1", server, &touched_to.to_string(), caller, key_fingerprint, challenge])
}

/// One field a line, each with its length, so that no field can pass for two.
fn lines(fields: &[&str]) -> Vec<u8> {
    fields.iter().flat_map(|field| format!("{}:{field}\n", field.len()).into_bytes()).collect()
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: SignedRequest<'_> = SignedRequest {
        server: "https://ca.example",
        purpose: Purpose::Person,
        challenge: "c1",
        method: "POST",
        path: "/v1/certificates",
        body: b"{}",
    };

    #[test]
    fn row_21_every_field_changes_the_message() {
        let variants = [
            SignedRequest { server: "https://other.example", ..REQUEST },
            SignedRequest { purpose: Purpose::Bastion, ..REQUEST },
            SignedRequest { purpose: Purpose::Host, ..REQUEST },
            SignedRequest { purpose: Purpose::Device, ..REQUEST },
            SignedRequest { challenge: "c2", ..REQUEST },
            SignedRequest { method: "GET", ..REQUEST },
            SignedRequest { path: "/v1/sessions", ..REQUEST },
            SignedRequest { body: b"[]", ..REQUEST },
        ];
        for variant in variants {
            assert_ne!(variant.message(), REQUEST.message(), "{variant:?}");
        }
    }

    #[test]
    fn row_21_no_field_can_pass_for_two() {
        let shifted = SignedRequest { challenge: "c1\n4:POST", method: "", ..REQUEST };
        assert_ne!(shifted.message(), REQUEST.message());
    }
}
