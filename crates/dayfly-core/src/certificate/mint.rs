//! Minting: what was granted becomes an unsigned certificate, and a signer makes it one that was verified before anybody sees it.

use super::{
    FORCE_COMMAND, GRANT_EXTENSION, KeyId, Revocations, SOURCE_ADDRESS, SessionReference, VERIFY_REQUIRED, VerifiedCertificate, Verifier,
    contents,
};
use crate::{
    address::{Network, source_address_value},
    admission::Admission,
    certified_name::CertifiedName,
    decision::Grant,
    name::{BastionName, HostName, TargetName},
    reason::Refusal,
    role::Extension,
    signature,
    signer::{Signer, SignerError},
    validity::{Ttl, Validity},
};
use sha2::{Digest, Sha256};
use ssh_key::{
    Certificate, PublicKey, Signature,
    certificate::{Builder, CertType},
    public::KeyData,
};
use std::{
    cell::RefCell,
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
};
use uuid::Uuid;

/// How long a session certificate lives, in seconds: long enough to log in once.
pub const SESSION_TTL_SECONDS: u64 = 60;

/// How long an inner host certificate may live, in seconds: a day.
pub const LONGEST_INNER_HOST_TTL_SECONDS: u64 = 24 * 60 * 60;

/// The bytes of a nonce, as many as OpenSSH writes.
const NONCE_BYTES: usize = 32;

/// A certificate that was not made.
#[derive(Debug, thiserror::Error)]
pub enum MintError {
    /// It would say something that no certificate may say.
    #[error("the certificate was not signed: {}", .0.message)]
    Contents(Refusal),
    /// It could not be encoded.
    #[error("the certificate could not be encoded: {0}")]
    Encoding(#[from] ssh_key::Error),
    /// The key did not sign.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// It was signed, and what came back does not verify: it must not leave.
    #[error("the freshly signed certificate did not verify and was thrown away: {}", .0.message)]
    Verification(Refusal),
}

/// Everything that a certificate will say, before it is signed.
#[derive(Debug, Clone)]
pub struct UnsignedCertificate {
    kind: CertType,
    public_key: PublicKey,
    serial: u64,
    key_id: String,
    principals: Vec<String>,
    validity: Validity,
    critical_options: Vec<(&'static str, String)>,
    extensions: Vec<(&'static str, String)>,
    nonce: [u8; NONCE_BYTES],
}

/// What a session certificate is for.
#[derive(Debug, Clone)]
pub struct SessionCertificate<'a> {
    /// The session.
    pub session: Uuid,
    /// The bastion that was asked for it.
    pub bastion: &'a BastionName,
    /// The addresses that the bastion dials from.
    pub dials_from: &'a [Network],
    /// The key to certify.
    pub public_key: PublicKey,
    /// What it is to be used for.
    pub kind: SessionKind,
}

/// What a session's one channel at the target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionKind {
    /// A shell, a command or a subsystem.
    Session,
    /// The same, with an agent that may be forwarded.
    AgentSession,
    /// A forwarded connection, or a port that the target listens at.
    Forward,
}

impl SessionKind {
    /// The extensions that it may need.
    fn extensions(self) -> &'static [Extension] {
        match self {
            Self::Session => &[Extension::PermitPty],
            Self::AgentSession => &[Extension::PermitAgentForwarding, Extension::PermitPty],
            Self::Forward => &[Extension::PermitPortForwarding],
        }
    }
}

impl UnsignedCertificate {
    /// A person's or machine's certificate. `now` in Unix seconds.
    pub fn user(grant: &Grant, public_key: PublicKey, now: u64, serial: u64, nonce: [u8; NONCE_BYTES]) -> Result<Self, MintError> {
        let key_id = KeyId { subject: grant.subject.clone(), role: grant.role.clone(), grant: grant.id, session: None };
        let mut critical_options = Vec::new();
        if let Some(command) = &grant.force_command {
            critical_options.push((FORCE_COMMAND, command.as_str().to_owned()));
        }
        if !grant.source_address.is_empty() {
            critical_options.push((SOURCE_ADDRESS, source_address_value(&grant.source_address)));
        }
        if grant.verify_required {
            critical_options.push((VERIFY_REQUIRED, String::new()));
        }
        Ok(Self {
            kind: CertType::User,
            public_key,
            serial,
            key_id: key_id.to_string(),
            principals: grant.principals.iter().map(ToString::to_string).collect(),
            validity: window(now, grant.ttl)?,
            critical_options,
            extensions: extensions(&grant.extensions, format!("{} {}", grant.role, grant.id)),
            nonce,
        })
    }

    /// A session certificate: one login, one target, [`SESSION_TTL_SECONDS`] at most, from the bastion's addresses, with the parent's limits or
    /// tighter. `parent` is the admission of the person's certificate; `now` in Unix seconds.
    pub fn session(
        parent: &Admission,
        session: SessionCertificate<'_>,
        now: u64,
        serial: u64,
        nonce: [u8; NONCE_BYTES],
    ) -> Result<Self, MintError> {
        let refused = |message: &str| MintError::Contents(contents::refusal(crate::reason::Reason::NotAllowed, message));
        let (Some(account), Some(id)) = (parent.account(), parent.certificate().key_id()) else {
            return Err(refused("a session certificate needs an account and a parent that Dayfly issued"));
        };
        if session.dials_from.is_empty() {
            return Err(refused("the bastion has no address that it dials from"));
        }
        let reference = SessionReference { session: session.session, bastion: session.bastion.clone() };
        let ttl = Ttl::from_seconds(SESSION_TTL_SECONDS).map_err(|error| refused(&error.to_string()))?;
        let mut critical_options = vec![(SOURCE_ADDRESS, source_address_value(session.dials_from))];
        if let Some(command) = parent.certificate().force_command() {
            critical_options.push((FORCE_COMMAND, command.as_str().to_owned()));
        }
        let needed = session.kind.extensions();
        let kept = parent.certificate().extensions().iter().copied().filter(|extension| needed.contains(extension)).collect();
        Ok(Self {
            kind: CertType::User,
            public_key: session.public_key,
            serial,
            key_id: KeyId { session: Some(reference), ..id.clone() }.to_string(),
            principals: vec![format!("{account}@{}", parent.target())],
            validity: window(now, ttl)?.ending_by(parent.certificate().validity().before()).map_err(|error| refused(&error.to_string()))?,
            critical_options,
            extensions: extensions(&kept, format!("{} {}", id.role, id.grant)),
            nonce,
        })
    }

    /// A bastion's host certificate, for its own names. Never for none: that would name every host.
    pub fn host(
        bastion: &BastionName,
        names: &[String],
        public_key: PublicKey,
        ttl_seconds: u64,
        now: u64,
        serial: u64,
        nonce: [u8; NONCE_BYTES],
    ) -> Result<Self, MintError> {
        host_certificate(format!("bastion:{bastion}"), names.to_vec(), public_key, ttl_seconds, now, serial, nonce)
    }

    /// An enrolled host's certificate, for the names that it was enrolled with. Never for none: that would name every host.
    pub fn enrolled_host(
        host: &HostName,
        names: &BTreeSet<CertifiedName>,
        public_key: PublicKey,
        ttl_seconds: u64,
        now: u64,
        serial: u64,
        nonce: [u8; NONCE_BYTES],
    ) -> Result<Self, MintError> {
        let names = names.iter().map(ToString::to_string).collect();
        host_certificate(format!("host:{host}"), names, public_key, ttl_seconds, now, serial, nonce)
    }

    /// An inner host certificate: one key, one recorded target's name, a day at most.
    pub fn inner_host(
        bastion: &BastionName,
        target: &TargetName,
        public_key: PublicKey,
        now: u64,
        serial: u64,
        nonce: [u8; NONCE_BYTES],
    ) -> Result<Self, MintError> {
        let key_id = format!("bastion:{bastion} answers for {target}");
        host_certificate(key_id, vec![target.to_string()], public_key, LONGEST_INNER_HOST_TTL_SECONDS, now, serial, nonce)
    }

    /// Its serial.
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// Its window.
    pub fn validity(&self) -> Validity {
        self.validity
    }

    /// Its principals.
    pub fn principals(&self) -> &[String] {
        &self.principals
    }

    /// Signs, then verifies what came back as a stranger would: a signer that returns garbage must not cost anybody anything.
    pub fn sign(self, signer: &dyn Signer) -> Result<SignedCertificate, MintError> {
        signature::strength(self.public_key.key_data()).map_err(MintError::Contents)?;
        let kind = self.kind;
        let validity = self.validity;
        let certificate = self.build(signer)?;
        let verifier = Verifier { authorities: std::slice::from_ref(signer.public_key()), revocations: &Revocations::default() };
        match kind {
            CertType::User => {
                let verified = verify_user(&verifier, &certificate, validity.after())?;
                Ok(SignedCertificate { digest: *verified.digest(), certificate, verified: Some(verified) })
            }
            CertType::Host => {
                let name = certificate.valid_principals().first().cloned().unwrap_or_default();
                verifier.host(&certificate, validity.after(), &name).map_err(MintError::Verification)?;
                Ok(SignedCertificate { digest: Sha256::digest(certificate.to_bytes()?).into(), certificate, verified: None })
            }
        }
    }

    fn build(self, signer: &dyn Signer) -> Result<Certificate, MintError> {
        let mut builder =
            Builder::new(self.nonce.to_vec(), self.public_key.key_data().clone(), self.validity.after(), self.validity.before())?;
        builder.serial(self.serial)?.cert_type(self.kind)?.key_id(self.key_id)?;
        for principal in self.principals {
            builder.valid_principal(principal)?;
        }
        for (name, value) in self.critical_options {
            builder.critical_option(name, value)?;
        }
        for (name, value) in self.extensions {
            builder.extension(name, value)?;
        }
        let adapter = Adapter { signer, failed: RefCell::new(None) };
        builder.sign(&adapter).map_err(|error| adapter.failed.take().map_or(MintError::Encoding(error), MintError::Signer))
    }
}

/// A certificate may be bound to an address, so its own check looks from one that it allows.
fn verify_user(verifier: &Verifier<'_>, certificate: &Certificate, now: u64) -> Result<VerifiedCertificate, MintError> {
    let limits = contents::check_critical_options(certificate.critical_options()).map_err(MintError::Verification)?;
    let peer = limits.source_address.first().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), Network::address);
    verifier.user(certificate, now, peer).map_err(MintError::Verification)
}

fn window(now: u64, ttl: Ttl) -> Result<Validity, MintError> {
    Validity::starting(now, ttl)
        .map_err(|error| MintError::Contents(contents::refusal(crate::reason::Reason::Malformed, error.to_string())))
}

fn extensions(standard: &BTreeSet<Extension>, grant: String) -> Vec<(&'static str, String)> {
    let mut extensions: Vec<_> = standard.iter().map(|extension| (extension.as_str(), String::new())).collect();
    extensions.push((GRANT_EXTENSION, grant));
    extensions
}

fn host_certificate(
    key_id: String,
    names: Vec<String>,
    public_key: PublicKey,
    ttl_seconds: u64,
    now: u64,
    serial: u64,
    nonce: [u8; NONCE_BYTES],
) -> Result<UnsignedCertificate, MintError> {
    let malformed = |message: &str| MintError::Contents(contents::refusal(crate::reason::Reason::NoPrincipals, message));
    if names.is_empty()
        || names.iter().any(|name| name.is_empty() || name.contains([',', '*', '?', '!', ' ']) || name.chars().any(char::is_control))
    {
        return Err(malformed("a host certificate needs names, each without wildcard, comma or space"));
    }
    let before = now.saturating_add(ttl_seconds);
    let validity =
        Validity::new(now.saturating_sub(crate::validity::BACKDATE_SECONDS), before).map_err(|error| malformed(&error.to_string()))?;
    Ok(UnsignedCertificate {
        kind: CertType::Host,
        public_key,
        serial,
        key_id,
        principals: names,
        validity,
        critical_options: Vec::new(),
        extensions: Vec::new(),
        nonce,
    })
}

/// A certificate that was signed, and verified afterwards.
#[derive(Debug, Clone)]
pub struct SignedCertificate {
    certificate: Certificate,
    digest: [u8; 32],
    verified: Option<VerifiedCertificate>,
}

impl SignedCertificate {
    /// The certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// SHA-256 of its bytes.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// As the verifier read it; none for a host certificate.
    pub fn verified(&self) -> Option<&VerifiedCertificate> {
        self.verified.as_ref()
    }

    /// Its one line in OpenSSH form.
    pub fn to_openssh(&self) -> Result<String, MintError> {
        Ok(self.certificate.to_openssh()?)
    }
}

/// Our port in the shape that the certificate builder takes.
///
/// The builder passes on that signing failed, and not why.
struct Adapter<'a> {
    signer: &'a dyn Signer,
    failed: RefCell<Option<SignerError>>,
}

impl ::signature::Signer<Signature> for Adapter<'_> {
    fn try_sign(&self, message: &[u8]) -> Result<Signature, ::signature::Error> {
        self.signer.sign(message).map_err(|error| {
            self.failed.replace(Some(error));
            ::signature::Error::new()
        })
    }
}

impl From<&Adapter<'_>> for KeyData {
    fn from(adapter: &Adapter<'_>) -> KeyData {
        adapter.signer.public_key().clone()
    }
}
