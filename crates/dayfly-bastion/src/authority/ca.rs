//! The real CA, over HTTPS.

use super::{Answer, Ask, Authority, AuthorityError, PermittedSession};
use dayfly_api::{
    bastion::{BastionReport, EventBatch, HostCertificate, Inventory},
    session::{SessionsReview, SessionsVerdict},
};
use dayfly_client::{Client, ClientError, KeySigner, SessionParameters};
use dayfly_core::{
    name::{BastionName, TargetName},
    reason::{Reason, Refusal},
    target::Mode,
};
use ssh_key::{Algorithm, Certificate, PrivateKey};
use std::{collections::BTreeSet, time::Duration};

/// How long somebody who wants to log in waits for the CA's answer.
const PATIENCE: Duration = Duration::from_secs(8);

/// A client of the CA that calls as this bastion.
pub struct CaAuthority {
    client: Client,
    bastion: BastionName,
}

impl CaAuthority {
    /// `client` signs with the enrolled key of the bastion of this name.
    pub fn new(client: Client, bastion: BastionName) -> Self {
        Self { client, bastion }
    }

    async fn ask_permit(&self, ask: Ask) -> Result<PermittedSession, AuthorityError> {
        let parameters = SessionParameters {
            session: ask.session,
            connection: ask.connection,
            certificate: ask.certificate.clone(),
            target: ask.target.name.clone(),
            account: ask.admission.account().cloned(),
            forward: ask.forward.clone(),
            listen: ask.listen.clone(),
            peer: ask.peer,
        };
        let key = match ask.target.mode {
            Mode::Record if !ask.is_arrival() => Some(login_key()?),
            Mode::Record | Mode::Passthrough => None,
        };
        let signer = key.clone().map(KeySigner::new);
        let login = signer.as_ref().map(|signer| (&self.bastion, signer as &dyn dayfly_client::RequestSigner));
        let call = tokio::time::timeout(PATIENCE, self.client.open_session(&parameters, login));
        let permit = match call.await {
            Ok(answer) => answer.map_err(meaning)?,
            Err(_) => return Err(AuthorityError::Unavailable { cause: format!("no answer within {} s", PATIENCE.as_secs()) }),
        };
        PermittedSession::new(ask, permit, key)
    }
}

impl Authority for CaAuthority {
    fn inventory(&self) -> Answer<'_, Inventory> {
        Box::pin(async { self.client.inventory().await.map_err(meaning) })
    }

    fn permit(&self, ask: Ask) -> Answer<'_, PermittedSession> {
        Box::pin(self.ask_permit(ask))
    }

    fn review<'a>(&'a self, asked: &'a SessionsReview) -> Answer<'a, SessionsVerdict> {
        Box::pin(async { self.client.review_sessions(asked).await.map_err(meaning) })
    }

    fn host_certificate<'a>(&'a self, key: &'a PrivateKey) -> Answer<'a, Certificate> {
        Box::pin(async {
            let answer = self.client.host_certificate(&self.bastion, &KeySigner::new(key.clone())).await;
            certificate(answer.map_err(meaning)?, key)
        })
    }

    fn inner_host_certificate<'a>(&'a self, target: &'a TargetName, key: &'a PrivateKey) -> Answer<'a, Certificate> {
        Box::pin(async {
            let answer = self.client.inner_host_certificate(&self.bastion, target, &KeySigner::new(key.clone())).await;
            certificate(answer.map_err(meaning)?, key)
        })
    }

    fn report_trust<'a>(&'a self, trusted: &'a BTreeSet<String>) -> Answer<'a, ()> {
        Box::pin(async {
            let report = BastionReport { trusted: trusted.clone() };
            self.client.bastion_report(&report).await.map(drop).map_err(meaning)
        })
    }

    fn report<'a>(&'a self, batch: &'a EventBatch) -> Answer<'a, u64> {
        Box::pin(async { Ok(self.client.events(batch).await.map_err(meaning)?.last) })
    }
}

/// A fresh key for one login. Ed25519: the fastest to make, and every target takes it.
fn login_key() -> Result<PrivateKey, AuthorityError> {
    PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).map_err(|error| AuthorityError::Unavailable { cause: error.to_string() })
}

fn certificate(answer: HostCertificate, key: &PrivateKey) -> Result<Certificate, AuthorityError> {
    let senseless = |cause: String| AuthorityError::Unavailable { cause: format!("its host certificate makes no sense: {cause}") };
    let certificate = dayfly_core::certificate::parse(&answer.certificate).map_err(|refusal| senseless(refusal.message))?;
    if certificate.public_key() == key.public_key().key_data() {
        Ok(certificate)
    } else {
        Err(senseless("it is for another key".to_owned()))
    }
}

/// A problem with a refusal's code is a refusal; everything else means that the CA could not be asked.
fn meaning(error: ClientError) -> AuthorityError {
    if let ClientError::Problem(problem) = &error
        && !error.is_unavailable()
        && let Ok(reason) = problem.code.parse::<Reason>()
    {
        return AuthorityError::Refused(Refusal::new(reason, problem.detail.clone(), problem.remedy.clone().unwrap_or_default()));
    }
    AuthorityError::Unavailable { cause: error.to_string() }
}
