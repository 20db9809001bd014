//! What authenticators are asked, and how their answers are judged: all of it by `webauthn-rs`.
//!
//! A person's presence is demanded, and their PIN or fingerprint wherever the authenticator has shown, when it was added, that it can ask for one. An
//! answer is for this CA's origin, this challenge and one of the credentials that were asked for. Attestation is not asked for: which make an
//! authenticator is, is nobody's affair here.

use crate::{failure::Failure, store::factor::Credential};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use dayfly_core::{
    identity::{FactorMethod, Subject},
    reason::{Reason, Refusal},
};
use sha2::{Digest, Sha256};
use url::Url;
use uuid::Uuid;
use webauthn_rs::prelude::{
    CredentialID, PublicKeyCredential, RegisterPublicKeyCredential, SecurityKey, SecurityKeyAuthentication, SecurityKeyRegistration,
    Webauthn, WebauthnBuilder, WebauthnError,
};

/// Asks and judges, for one origin.
pub struct Verifier(Webauthn);

/// What an authenticator was asked. It never leaves the CA's memory.
pub(super) enum Round {
    Registration(Box<SecurityKeyRegistration>),
    Authentication(Box<SecurityKeyAuthentication>),
}

/// What an authenticator is asked, as the page's script takes it.
pub(super) struct Question {
    pub(super) options: String,
    pub(super) round: Round,
}

/// A new credential.
pub(super) struct Registered {
    pub(super) id: String,
    pub(super) material: String,
}

/// An answer of a credential that is known.
pub(super) struct Answered {
    pub(super) credential: Credential,
    /// What is kept of it from now on.
    pub(super) material: String,
    pub(super) counter: u32,
    pub(super) user_verified: bool,
}

impl Verifier {
    /// For this origin. `None` if its host is an address: browsers know passkeys of names alone (W3C WebAuthn § 5.1.3, step 8).
    pub fn of(origin: &str) -> Option<Self> {
        let origin = Url::parse(origin).ok()?;
        let host = origin.domain()?;
        WebauthnBuilder::new(host, &origin).and_then(|builder| builder.rp_name("Dayfly").build()).map(Self).ok()
    }

    /// Asks for a new credential, of an authenticator that holds none of `known`.
    pub(super) fn ask_to_register(&self, subject: &Subject, known: &[Credential]) -> Result<Question, Failure> {
        let excluded: Vec<CredentialID> = own(known)?.iter().map(|key| key.cred_id().clone()).collect();
        let name = subject.to_string();
        let begun = self.0.start_securitykey_registration(user_id(&name), &name, &name, Some(excluded), None, None);
        let (mut options, round) = begun.map_err(impossible)?;
        // A passkey will do as well, and nothing else is wanted to be known.
        (options.public_key.hints, options.public_key.extensions) = (None, None);
        let options = serde_json::to_string(&options.public_key).map_err(unwritable)?;
        Ok(Question { options, round: Round::Registration(Box::new(round)) })
    }

    /// Asks for an answer of one of `known`.
    pub(super) fn ask_to_prove(&self, known: &[Credential]) -> Result<Question, Failure> {
        let (mut options, round) = self.0.start_securitykey_authentication(&own(known)?).map_err(impossible)?;
        options.public_key.hints = None;
        let options = serde_json::to_string(&options.public_key).map_err(unwritable)?;
        Ok(Question { options, round: Round::Authentication(Box::new(round)) })
    }

    /// Judges a new credential.
    pub(super) fn registered(&self, round: &SecurityKeyRegistration, answer: &str) -> Result<Registered, Failure> {
        let answer: RegisterPublicKeyCredential = serde_json::from_str(answer).map_err(|_| unreadable())?;
        let key = self.0.finish_securitykey_registration(&answer, round).map_err(|error| refused(&error))?;
        Ok(Registered { id: text(key.cred_id()), material: serde_json::to_string(&key).map_err(unwritable)? })
    }

    /// Judges an answer. `known` is what the person has now.
    pub(super) fn proven(&self, round: &SecurityKeyAuthentication, answer: &str, known: Vec<Credential>) -> Result<Answered, Failure> {
        let answer: PublicKeyCredential = serde_json::from_str(answer).map_err(|_| unreadable())?;
        let result = self.0.finish_securitykey_authentication(&answer, round).map_err(|error| refused(&error))?;
        let id = text(result.cred_id());
        let credential = known.into_iter().find(|known| known.method == FactorMethod::Webauthn && known.id == id);
        let credential = credential.ok_or_else(|| refused(&WebauthnError::CredentialNotFound))?;
        let mut key = read(&credential)?;
        key.update_credential(&result);
        let material = serde_json::to_string(&key).map_err(unwritable)?;
        Ok(Answered { credential, material, counter: result.counter(), user_verified: result.user_verified() })
    }
}

fn own(known: &[Credential]) -> Result<Vec<SecurityKey>, Failure> {
    known.iter().filter(|known| known.method == FactorMethod::Webauthn).map(read).collect()
}

fn read(known: &Credential) -> Result<SecurityKey, Failure> {
    serde_json::from_str(&known.material)
        .map_err(|error| Failure::Internal(format!("the credential {} cannot be read: {error}", known.name)))
}

fn text(id: &CredentialID) -> String {
    URL_SAFE_NO_PAD.encode(id.as_ref() as &[u8])
}

/// What authenticators tell people apart by: always the same for one name, and not the name itself.
fn user_id(name: &str) -> Uuid {
    let digest: [u8; 32] = Sha256::digest(format!("dayfly user {name}").as_bytes()).into();
    let mut id = [0; 16];
    id.iter_mut().zip(digest).for_each(|(byte, of_digest)| *byte = of_digest);
    Uuid::from_bytes(id)
}

fn refused(error: &WebauthnError) -> Failure {
    if matches!(error, WebauthnError::CredentialPossibleCompromise) {
        return counter_went_back().into();
    }
    let message = format!("the authenticator's answer is not taken: {error}");
    Refusal::new(Reason::BadAnswer, message, "begin again: dayfly factor").into()
}

/// There may be two of it, and one of them may be somebody else's.
pub(super) fn counter_went_back() -> Refusal {
    let message = "the authenticator has counted backwards: there may be a copy of it";
    Refusal::new(Reason::CounterWentBack, message, "use another one, remove this one, and tell whoever administers the CA")
}

fn unreadable() -> Refusal {
    Refusal::new(Reason::BadAnswer, "the authenticator's answer cannot be read", "begin again: dayfly factor")
}

fn impossible(error: WebauthnError) -> Failure {
    Failure::Internal(format!("an authenticator cannot be asked: {error}"))
}

fn unwritable(error: serde_json::Error) -> Failure {
    Failure::Internal(error.to_string())
}
