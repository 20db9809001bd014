//! Identity by SSH key, enrolled or signed in: the request's signature is the proof, and nothing is handed out that could be stolen.

use super::{
    CallerCheck, CallerError, Check, EnrollingHost, NewKey, PresentedRequest, ProvenCaller, Rejection,
    challenge::{ChallengeError, Challenges, OpenChallenge},
    enrollment_token,
    token::SKEW,
};
use crate::{
    device::Devices,
    revocations::CurrentRevocations,
    store::{Bastion, Person, Store, host::Host, sign_in::SignInBy},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use dayfly_core::{
    certificate::RevokedBy,
    clock::Clock,
    identity::{Evidence, Identity, Proof},
    reason::{Reason, Refusal},
    signature::{fingerprint, strength, verify_sshsig},
    signed_request::{CHALLENGE_HEADER, DEVICE_SIGNATURE_HEADER, Purpose, REQUEST_NAMESPACE, SIGNATURE_HEADER, SignedRequest},
};
use ssh_key::{SshSig, encoding::Decode, public::KeyData};
use std::sync::Arc;

/// The longest signature that is read, in characters of base64. One by a 16384-bit RSA key still fits.
const LONGEST_SIGNATURE: usize = 8 * 1024;

/// Knows callers by the keys that are enrolled for them, or signed in.
pub struct EnrolledKeys {
    /// The CA's origin, which every signature is bound to.
    pub origin: String,
    /// The challenges that callers answer.
    pub challenges: Arc<Challenges>,
    /// Who is enrolled.
    pub store: Arc<dyn Store>,
    /// Which devices are.
    pub devices: Arc<Devices>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Whose access and which keys were revoked.
    pub revocations: Arc<CurrentRevocations>,
}

impl CallerCheck for EnrolledKeys {
    fn person<'a>(&'a self, request: PresentedRequest<'a>) -> Check<'a, ProvenCaller> {
        Box::pin(async move {
            let signed = self.verify(Purpose::Person, request)?;
            let (person, mut evidence) = self.speaker(&signed).await?;
            let who = person.subject.to_string();
            let revocations = self.revocations.current().await?;
            if person.disabled || revocations.subjects.contains(&person.subject) {
                return Err(signed.rejected_as(who.clone(), ended(&who)));
            }
            if revocations.keys.contains(&signed.key_fingerprint) {
                return Err(signed.rejected_as(who, RevokedBy::Key(signed.key_fingerprint.clone()).refusal()));
            }
            let device_key = self.device_key(request).map_err(|refusal| signed.rejected_as(who.clone(), refusal))?;
            if let Some(key) = &device_key {
                if revocations.keys.contains(&key.fingerprint) {
                    return Err(signed.rejected_as(who, RevokedBy::Key(key.fingerprint.clone()).refusal()));
                }
                if key.fingerprint == signed.key_fingerprint {
                    return Err(signed.rejected_as(who, same_key()));
                }
                evidence.device = self.devices.by_key(&key.fingerprint, &person.subject).await?;
            }
            self.spend(signed, &who)?;
            Ok(ProvenCaller { identity: Identity { subject: person.subject, groups: person.groups, evidence }, device_key })
        })
    }

    fn new_key<'a>(&'a self, request: PresentedRequest<'a>) -> Check<'a, NewKey> {
        Box::pin(async move {
            let signed = self.verify(Purpose::Person, request)?;
            let key = signed.key.clone();
            strength(&key).map_err(|refusal| signed.rejected(refusal))?;
            let fingerprint = self.spend(signed, "a key that is new")?;
            Ok(NewKey { key, fingerprint })
        })
    }

    fn bastion<'a>(&'a self, request: PresentedRequest<'a>) -> Check<'a, Bastion> {
        Box::pin(async move {
            let signed = self.verify(Purpose::Bastion, request)?;
            let bastion = self.store.bastion_by_key(&signed.key_fingerprint).await?;
            let bastion = bastion.ok_or_else(|| signed.rejected(stranger("bastion")))?;
            let who = format!("bastion {}", bastion.name);
            if bastion.disabled {
                return Err(signed.rejected_as(who.clone(), ended(&who)));
            }
            if self.revocations.current().await?.keys.contains(&signed.key_fingerprint) {
                return Err(signed.rejected_as(who, RevokedBy::Key(signed.key_fingerprint.clone()).refusal()));
            }
            self.spend(signed, &who)?;
            Ok(bastion)
        })
    }

    fn host<'a>(&'a self, request: PresentedRequest<'a>) -> Check<'a, Host> {
        Box::pin(async move {
            let signed = self.verify(Purpose::Host, request)?;
            let host = self.store.host_by_key(&signed.key_fingerprint).await?;
            let host = host.ok_or_else(|| signed.rejected(stranger("host")))?;
            let who = format!("host {}", host.name);
            if host.disabled {
                return Err(signed.rejected_as(who.clone(), ended(&who)));
            }
            self.spend(signed, &who)?;
            Ok(host)
        })
    }

    fn enrolling_host<'a>(&'a self, request: PresentedRequest<'a>) -> Check<'a, EnrollingHost> {
        Box::pin(async move {
            let signed = self.verify(Purpose::Host, request)?;
            let key = enrollment_token::host_key(&signed.key).map_err(|refusal| signed.rejected(refusal))?;
            let digest = enrollment_token::digest_in(request.body).map_err(|refusal| signed.rejected(refusal))?;
            let host = self.store.host_by_token(&digest).await?;
            let host = host.ok_or_else(|| signed.rejected(enrollment_token::unknown()))?;
            let who = format!("host {}", host.name);
            enrollment_token::check(&host, self.clock.unix_seconds()).map_err(|refusal| signed.rejected_as(who.clone(), refusal))?;
            self.spend(signed, &who)?;
            Ok(EnrollingHost { host, key })
        })
    }
}

/// A request whose signature fits. Whose key it is, is not known yet.
struct Signed {
    key: KeyData,
    key_fingerprint: String,
    challenge: OpenChallenge,
}

impl EnrolledKeys {
    /// For whom a key speaks: it is enrolled for them, or signed in. How that is proven, and since when, and what a workload's token said.
    async fn speaker(&self, signed: &Signed) -> Result<(Person, Evidence), CallerError> {
        let (now, fingerprint) = (self.clock.unix_seconds(), signed.key_fingerprint.clone());
        if let Some(person) = self.store.person_by_key(&fingerprint).await? {
            return Ok((person, Evidence::new(Proof::EnrolledKey { fingerprint }, now)));
        }
        let sign_in = self.store.sign_in_by_key(&fingerprint).await?.ok_or_else(|| signed.rejected(stranger("person")))?;
        let who = sign_in.subject.to_string();
        // A clock that was set back does not make a sign-in of tomorrow count today.
        if !sign_in.is_good(now) || now < sign_in.proven_at.saturating_sub(SKEW) {
            return Err(signed.rejected_as(who.clone(), sign_in_ended(&who)));
        }
        let person = self.store.person(&sign_in.subject).await?.ok_or_else(|| signed.rejected(stranger("person")))?;
        let (issuer, subject) = (sign_in.issuer, sign_in.issuer_subject);
        let proof = match sign_in.by {
            SignInBy::Provider(_) => Proof::SignIn { issuer, subject, fingerprint },
            SignInBy::Token => Proof::Federation { issuer, subject, fingerprint },
        };
        Ok((person, Evidence { claims: sign_in.claims, ..Evidence::new(proof, sign_in.proven_at) }))
    }

    /// The cheap check first: a stranger without one of our challenges costs no signature check.
    fn verify(&self, purpose: Purpose, request: PresentedRequest<'_>) -> Result<Signed, CallerError> {
        let (Some(challenge), Some(signature)) = (request.challenge, request.signature) else {
            return Err(rejected(unsigned()));
        };
        let open = self.challenges.open(challenge, self.clock.unix_seconds()).map_err(|error| rejected(bad_challenge(error)))?;
        let key = self.signer(purpose, request, challenge, (signature, SIGNATURE_HEADER)).map_err(rejected)?;
        Ok(Signed { key_fingerprint: fingerprint(&key), key, challenge: open })
    }

    /// The key of the caller's device, if it signed the same request. A signature that does not fit is none of a device's.
    fn device_key(&self, request: PresentedRequest<'_>) -> Result<Option<NewKey>, Refusal> {
        let (Some(challenge), Some(signature)) = (request.challenge, request.device_signature) else { return Ok(None) };
        let key = self.signer(Purpose::Device, request, challenge, (signature, DEVICE_SIGNATURE_HEADER))?;
        Ok(Some(NewKey { fingerprint: fingerprint(&key), key }))
    }

    /// Whose signature of the request this is.
    fn signer(
        &self,
        purpose: Purpose,
        request: PresentedRequest<'_>,
        challenge: &str,
        (signature, header): (&str, &str),
    ) -> Result<KeyData, Refusal> {
        let sshsig = read_signature(signature, header)?;
        let (method, path, body) = (request.method, request.path, request.body);
        let message = SignedRequest { server: &self.origin, purpose, challenge, method, path, body }.message();
        let key = verify_sshsig(&sshsig, REQUEST_NAMESPACE, &message).map_err(|error| unfit(purpose, &error.to_string()))?;
        Ok(key.clone())
    }

    /// Last of all, so that nobody but an enrolled caller uses anything up. Returns the key's fingerprint.
    fn spend(&self, signed: Signed, who: &str) -> Result<String, CallerError> {
        let Signed { key_fingerprint, challenge, .. } = signed;
        match self.challenges.spend(challenge) {
            Ok(()) => Ok(key_fingerprint),
            Err(error) => Err(CallerError::Rejected(Box::new(Rejection {
                refusal: bad_challenge(error),
                key_fingerprint: Some(key_fingerprint),
                caller: Some(who.to_owned()),
            }))),
        }
    }
}

impl Signed {
    fn rejected(&self, refusal: Refusal) -> CallerError {
        CallerError::Rejected(Box::new(Rejection { refusal, key_fingerprint: Some(self.key_fingerprint.clone()), caller: None }))
    }

    fn rejected_as(&self, caller: String, refusal: Refusal) -> CallerError {
        let key_fingerprint = Some(self.key_fingerprint.clone());
        CallerError::Rejected(Box::new(Rejection { refusal, key_fingerprint, caller: Some(caller) }))
    }
}

fn read_signature(text: &str, header: &str) -> Result<SshSig, Refusal> {
    let bad = || Refusal::new(Reason::BadSignature, format!("the header {header} holds no SSHSIG in base64"), "sign the request again");
    if text.len() > LONGEST_SIGNATURE {
        return Err(bad());
    }
    let blob = STANDARD.decode(text).map_err(|_| bad())?;
    let mut rest = blob.as_slice();
    let sshsig = SshSig::decode(&mut rest).map_err(|_| bad())?;
    if rest.is_empty() { Ok(sshsig) } else { Err(bad()) }
}

fn rejected(refusal: Refusal) -> CallerError {
    CallerError::Rejected(Box::new(Rejection { refusal, key_fingerprint: None, caller: None }))
}

fn unsigned() -> Refusal {
    Refusal::new(
        Reason::BadSignature,
        "the request is not signed",
        format!(
            "sign it with your enrolled key over the challenge of an earlier answer, and send {CHALLENGE_HEADER} and {SIGNATURE_HEADER}"
        ),
    )
}

fn unfit(purpose: Purpose, cause: &str) -> Refusal {
    Refusal::new(
        Reason::BadSignature,
        format!("the request's signature, as a {purpose}'s for this server and this very request, does not fit: {cause}"),
        "check that the address of the CA is written as in its configuration, and sign again",
    )
}

fn same_key() -> Refusal {
    let message = "one key signed the request as the person and as the device";
    Refusal::new(
        Reason::BadSignature,
        message,
        "let the device have a key of its own: dayfly device remove --here, then dayfly device enroll NAME",
    )
}

fn bad_challenge(error: ChallengeError) -> Refusal {
    Refusal::new(Reason::BadChallenge, error.to_string(), format!("sign again with the challenge in this answer's {CHALLENGE_HEADER}"))
}

fn stranger(kind: &str) -> Refusal {
    Refusal::new(
        Reason::UnknownCaller,
        format!("the key that signed the request is not enrolled for any {kind}"),
        "use the enrolled key, or ask whoever administers the CA to enrol this one",
    )
}

fn sign_in_ended(who: &str) -> Refusal {
    Refusal::new(Reason::SignInEnded, format!("the sign-in of {who} has ended"), "sign in again: dayfly login")
}

fn ended(who: &str) -> Refusal {
    Refusal::new(Reason::Revoked, format!("the access of {who} was ended"), "ask whoever administers the CA")
}
