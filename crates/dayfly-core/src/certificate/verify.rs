//! The verifier. It takes nothing on trust from the libraries below it, which check far less (see the notes at each step).

use super::{GRANT_EXTENSION, KeyId, Revocations, contents};
use crate::{
    address::Network,
    identity::Subject,
    principal::Principal,
    reason::{Reason, Refusal},
    role::{Extension, ForceCommand},
    signature,
    validity::Validity,
};
use contents::refusal;
use sha2::{Digest, Sha256};
use ssh_key::{Certificate, public::KeyData};
use std::{collections::BTreeSet, net::IpAddr};

/// The largest certificate that is read, in bytes of its OpenSSH line. Certificates nest, so the bound comes before the parser.
const LARGEST_CERTIFICATE: usize = 64 * 1024;

/// The largest certificate that is judged, in bytes: as many as such a line holds. Others than [`parse`] read certificates too.
const LARGEST_CERTIFICATE_BYTES: usize = LARGEST_CERTIFICATE / 4 * 3;

/// Reads a certificate in OpenSSH form: one line, bounded.
pub fn parse(line: &str) -> Result<Certificate, Refusal> {
    let malformed = |message: String| refusal(Reason::Malformed, message);
    if line.len() > LARGEST_CERTIFICATE {
        return Err(malformed(format!("the certificate is larger than {LARGEST_CERTIFICATE} bytes")));
    }
    Certificate::from_openssh(line.trim_end()).map_err(|error| malformed(format!("the certificate cannot be read: {error}")))
}

/// Verifies certificates against the authorities for one purpose.
#[derive(Debug, Clone, Copy)]
pub struct Verifier<'a> {
    /// The keys that may have signed it: those of this purpose only.
    pub authorities: &'a [KeyData],
    /// What was revoked.
    pub revocations: &'a Revocations,
}

impl Verifier<'_> {
    /// A person's or machine's certificate, or a session certificate, shown at `now` (Unix seconds) from `peer`.
    ///
    /// Whether it was issued, and what it admits to, are later questions: [`crate::admission`].
    pub fn user(&self, certificate: &Certificate, now: u64, peer: IpAddr) -> Result<VerifiedCertificate, Refusal> {
        if !certificate.cert_type().is_user() {
            return Err(refusal(Reason::WrongType, "this is a host certificate, where a person's is needed"));
        }
        let bytes = encode(certificate)?;
        let validity = self.authentic(certificate, &bytes, now)?;
        if certificate.serial() == 0 {
            return Err(refusal(Reason::Malformed, "the certificate has no serial, so that it could not be revoked by one"));
        }
        let principals = contents::check_principals(certificate)?;
        let extensions = contents::check_extensions(certificate.extensions())?;
        let limits = contents::check_critical_options(certificate.critical_options())?;
        if !limits.source_address.is_empty() && !limits.source_address.iter().any(|network| network.contains(peer)) {
            return Err(refusal(Reason::SourceAddress, format!("the certificate may not be used from {}", peer.to_canonical())));
        }
        let verified = VerifiedCertificate {
            digest: Sha256::digest(&bytes).into(),
            public_key: certificate.public_key().clone(),
            authority: certificate.signature_key().clone(),
            serial: certificate.serial(),
            written_key_id: certificate.key_id().to_owned(),
            key_id: certificate.key_id().parse().ok(),
            grant: certificate.extensions().get(GRANT_EXTENSION).cloned(),
            principals,
            validity,
            force_command: limits.force_command,
            source_address: limits.source_address,
            verify_required: limits.verify_required,
            extensions,
        };
        match self.revocations.cover(&verified) {
            Some(by) => Err(by.refusal()),
            None => Ok(verified),
        }
    }

    /// A host certificate that must name `host` exactly. One without principals names every host in OpenSSH; here it names none.
    pub fn host(&self, certificate: &Certificate, now: u64, host: &str) -> Result<VerifiedHostCertificate, Refusal> {
        if !certificate.cert_type().is_host() {
            return Err(refusal(Reason::WrongType, "this is a person's certificate, where a host's is needed"));
        }
        let validity = self.authentic(certificate, &encode(certificate)?, now)?;
        if certificate.valid_principals().is_empty() {
            return Err(refusal(Reason::NoPrincipals, "the host certificate names no host"));
        }
        if !certificate.valid_principals().iter().any(|name| name == host) {
            return Err(refusal(Reason::PrincipalMismatch, format!("the host certificate does not name {host}")));
        }
        if let Some(name) = certificate.critical_options().keys().next() {
            return Err(refusal(Reason::UnknownCriticalOption, format!("the host certificate demands {name:?}, which is not known here")));
        }
        if let Some(by) = self.revocations.cover_host(certificate) {
            return Err(by.refusal());
        }
        Ok(VerifiedHostCertificate { public_key: certificate.public_key().clone(), serial: certificate.serial(), validity })
    }

    /// Signed by one of our authorities with a strong algorithm, well formed, and valid now. `bytes` are the certificate's own.
    fn authentic(&self, certificate: &Certificate, bytes: &[u8], now: u64) -> Result<Validity, Refusal> {
        // Compared as whole keys: a certificate in the place of the signing key never equals one.
        if !self.authorities.contains(certificate.signature_key()) {
            return Err(refusal(Reason::ForeignCa, "the certificate was signed by a key that is not trusted for this"));
        }
        signature::strength(certificate.signature_key())?;
        signature::strength(certificate.public_key())?;
        verify_signature(certificate, bytes)?;
        let validity = contents::check_form(certificate)?;
        if now < validity.after() {
            return Err(refusal(
                Reason::NotYetValid,
                format!("the certificate becomes valid in {} s", validity.after().saturating_sub(now)),
            ));
        }
        if now >= validity.before() {
            return Err(refusal(Reason::Expired, format!("the certificate expired {} s ago", now.saturating_sub(validity.before()))));
        }
        Ok(validity)
    }
}

/// Whether the key that a certificate names as its signer signed it, whoever that is: not whether anybody should trust it.
pub fn signature_fits(certificate: &Certificate) -> Result<(), Refusal> {
    verify_signature(certificate, &encode(certificate)?)
}

/// The signature stands last in a certificate, as one string; what stands before it was signed (OpenSSH PROTOCOL.certkeys).
fn verify_signature(certificate: &Certificate, bytes: &[u8]) -> Result<(), Refusal> {
    let malformed = |message: &str| refusal(Reason::Malformed, message);
    let signature: Vec<u8> =
        certificate.signature().clone().try_into().map_err(|_| malformed("the certificate's signature cannot be encoded"))?;
    let signed = bytes.len().checked_sub(signature.len() + 4).and_then(|end| bytes.get(..end));
    let signed = signed.ok_or_else(|| malformed("the certificate is shorter than its signature"))?;
    signature::verify(certificate.signature_key(), signed, certificate.signature()).map_err(|error| match error {
        signature::SignatureError::Algorithm => {
            refusal(Reason::WeakAlgorithm, "the certificate's signature uses an algorithm that is not accepted")
        }
        _ => malformed("the certificate's signature does not fit its contents"),
    })
}

fn encode(certificate: &Certificate) -> Result<Vec<u8>, Refusal> {
    let bytes = certificate.to_bytes().map_err(|_| refusal(Reason::Malformed, "the certificate cannot be encoded"))?;
    if bytes.len() > LARGEST_CERTIFICATE_BYTES {
        return Err(refusal(Reason::Malformed, format!("the certificate is larger than {LARGEST_CERTIFICATE_BYTES} bytes")));
    }
    Ok(bytes)
}

/// A certificate that passed every check of [`Verifier::user`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedCertificate {
    digest: [u8; 32],
    public_key: KeyData,
    authority: KeyData,
    serial: u64,
    written_key_id: String,
    key_id: Option<KeyId>,
    grant: Option<String>,
    principals: BTreeSet<Principal>,
    validity: Validity,
    force_command: Option<ForceCommand>,
    source_address: Vec<Network>,
    verify_required: bool,
    extensions: BTreeSet<Extension>,
}

impl VerifiedCertificate {
    /// SHA-256 of its bytes.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// The certified key.
    pub fn public_key(&self) -> &KeyData {
        &self.public_key
    }

    /// The CA key that signed it.
    pub fn authority(&self) -> &KeyData {
        &self.authority
    }

    /// Its serial.
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// Its key id as it stands there.
    pub fn written_key_id(&self) -> &str {
        &self.written_key_id
    }

    /// Its key id, if it is one of ours.
    pub fn key_id(&self) -> Option<&KeyId> {
        self.key_id.as_ref()
    }

    /// Whom its key id names.
    pub fn subject(&self) -> Option<&Subject> {
        self.key_id.as_ref().map(|id| &id.subject)
    }

    /// What its `grant@dayfly` extension says: role and grant id.
    pub fn grant(&self) -> Option<&str> {
        self.grant.as_deref()
    }

    /// Its principals.
    pub fn principals(&self) -> &BTreeSet<Principal> {
        &self.principals
    }

    /// Whether it demands a PIN or a fingerprint at each login, which only whoever checks the login's own signature can see.
    pub fn verify_required(&self) -> bool {
        self.verify_required
    }

    /// When it is valid.
    pub fn validity(&self) -> Validity {
        self.validity
    }

    /// The one command that it allows.
    pub fn force_command(&self) -> Option<&ForceCommand> {
        self.force_command.as_ref()
    }

    /// Where it may be used from; empty: anywhere.
    pub fn source_address(&self) -> &[Network] {
        &self.source_address
    }

    /// Its standard extensions.
    pub fn extensions(&self) -> &BTreeSet<Extension> {
        &self.extensions
    }
}

/// A host certificate that passed every check of [`Verifier::host`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedHostCertificate {
    public_key: KeyData,
    serial: u64,
    validity: Validity,
}

impl VerifiedHostCertificate {
    /// The host's key.
    pub fn public_key(&self) -> &KeyData {
        &self.public_key
    }

    /// Its serial.
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// When it is valid.
    pub fn validity(&self) -> Validity {
        self.validity
    }
}
