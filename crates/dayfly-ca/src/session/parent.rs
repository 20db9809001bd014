//! The person's certificate that a session is asked for: one of ours, valid here and now, and in the log.

use crate::{
    authority::Authority,
    failure::Failure,
    store::{Certificate, Person},
};
use dayfly_api::session::SessionRequest;
use dayfly_core::{
    certificate::{KeyId, RevokedBy, VerifiedCertificate, Verifier, parse},
    identity::{Evidence, Identity, Proof},
    reason::{Reason, Refusal},
    rotation::Purpose,
    validity::BACKDATE_SECONDS,
};

/// The person's certificate that a session is asked for.
pub(super) struct Parent {
    pub(super) certificate: VerifiedCertificate,
    pub(super) id: KeyId,
    /// Whoever it names, as enrolled now.
    person: Option<Person>,
}

impl Parent {
    /// Signed by the user CA, well formed, valid at `now`, shown from where it may be, and not revoked. Whether it was issued is the last question.
    pub(super) async fn verified(authority: &Authority, asked: &SessionRequest, now: u64) -> Result<Self, Failure> {
        let certificate = parse(&asked.certificate)?;
        let id = certificate.key_id().parse::<KeyId>().ok();
        let person = match &id {
            Some(id) => authority.store.person(&id.subject).await?,
            None => None,
        };
        let revocations = authority.revocations.current().await?;
        let user_ca = authority.keyring.of(Purpose::User);
        let certificate = Verifier { authorities: &user_ca.trusted, revocations: &revocations }.user(&certificate, now, asked.peer)?;
        let id = id.filter(|id| id.session.is_none()).ok_or_else(|| not_issued(certificate.serial()))?;
        Ok(Self { certificate, id, person })
    }

    /// In the log, byte for byte, and given to whom it names: a key that signs outside this program is noticed here. Returns what was kept of it.
    pub(super) async fn check_issued(&self, authority: &Authority) -> Result<Certificate, Failure> {
        let issued = self.issued(authority).await?;
        // Whoever asked for it by a key that was revoked since should not have had it.
        if let Some(key) = issued.evidence.as_ref().map(|evidence| evidence.proof.fingerprint())
            && authority.revocations.current().await?.keys.contains(key)
        {
            return Err(RevokedBy::Key(key.to_owned()).refusal().into());
        }
        Ok(issued)
    }

    async fn issued(&self, authority: &Authority) -> Result<Certificate, Failure> {
        let issued = authority.store.certificate(self.certificate.serial()).await?;
        let issued = issued.filter(|issued| issued.digest == *self.certificate.digest() && issued.subject == self.id.subject);
        issued.ok_or_else(|| not_issued(self.certificate.serial()).into())
    }

    /// Whoever holds it, with the groups of now. How that was proven, and when, is as of when the certificate was issued.
    pub(super) async fn holder(&self, authority: &Authority, issued: Certificate) -> Result<Identity, Failure> {
        let person = self.person.as_ref().ok_or_else(|| {
            let message = format!("{} is not enrolled any more", self.id.subject);
            Refusal::new(Reason::Revoked, message, "ask whoever administers the CA")
        })?;
        let evidence = issued.evidence.unwrap_or_else(|| self.evidence_of_before(person));
        holder_of(authority, person, evidence).await
    }

    /// What is true of a certificate that was issued before evidence was kept: an enrolled key was the only proof, and there were no second factors.
    fn evidence_of_before(&self, person: &Person) -> Evidence {
        let fingerprint = person.key.as_ref().map(|key| key.fingerprint.clone()).unwrap_or_default();
        let proof = Proof::EnrolledKey { fingerprint };
        Evidence::new(proof, self.certificate.validity().after().saturating_add(BACKDATE_SECONDS))
    }
}

/// Somebody with the groups of now, who had proven this. Whether their device still is enrolled, and what it tells of itself, is as of now.
pub(super) async fn holder_of(authority: &Authority, person: &Person, mut evidence: Evidence) -> Result<Identity, Failure> {
    if let Some(device) = evidence.device.take() {
        evidence.device = Some(authority.devices.of_now(device, &person.subject).await?);
    }
    Ok(Identity { subject: person.subject.clone(), groups: person.groups.clone(), evidence })
}

fn not_issued(serial: u64) -> Refusal {
    let message = format!("the certificate {serial} is signed by the CA's key and is not in its log");
    Refusal::new(
        Reason::NotIssued,
        message,
        "get one from the CA: dayfly cert; and tell whoever administers the CA, whose key may be in other hands",
    )
}
