//! The calls by name.

use crate::{
    ClientError, Pin, RequestSigner,
    call::{Body, Caller, Proves, WriteBody},
    pin,
};
use dayfly_api::{
    bastion::{
        BastionReceipt, BastionReport, EventBatch, EventReceipt, HostCertificate, HostCertificateRequest, InnerHostCertificateRequest,
        Inventory,
    },
    certificate::{CertificateRequest, IssuedCertificate},
    decision::{Decision, DecisionRequest},
    device::{DeviceEnrollment, Devices, KnownDevice, NamedDevice, ReportedPosture},
    factor::{
        CeremonyStart, CeremonyState, FactorAdded, FactorCode, FactorProven, FactorRemoval, FactorRemoved, Factors, TotpEnrolment, Touch,
        TouchEnrolment,
    },
    host::{HostCertificateRenewal, HostEnrollment, HostReceipt, HostReport, HostSetup},
    log::{LogPage, SignedHead},
    path,
    person::{Destinations, Roles, WhoAmI},
    session::{LoginKey, SessionPermit, SessionRequest, SessionsReview, SessionsVerdict},
    sign_in::{FederationExchange, SignInOffer, SignInRedemption, SignInStart, SignInStarted, SignInState, SignedIn, SignedOut},
    trust::Trust,
};
use dayfly_core::{
    forward::{Destination, Listening},
    identity::Subject,
    name::{AccountName, BastionName, FactorName, RoleName, TargetName},
    request::RequestedTargets,
    signature::fingerprint,
    signed_request::{Certifies, Purpose, TouchedTo},
    validity::Ttl,
};
use reqwest::Method;
use serde::Serialize;
use ssh_key::PublicKey;
use std::{net::IpAddr, sync::Arc, time::Duration};
use url::Url;
use uuid::Uuid;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How callers are told apart by version: policies may look at a person's.
const USER_AGENT: &str = concat!("dayfly/", env!("CARGO_PKG_VERSION"));

/// How long a call may take in all.
const CALL_TIMEOUT: Duration = Duration::from_secs(15);

/// A client of one CA, as one caller.
pub struct Client {
    caller: Caller,
}

/// What a person asks for.
#[derive(Debug, Clone)]
pub struct CertificateParameters {
    /// Who asks: as `whoami` told.
    pub subject: Subject,
    /// The role.
    pub role: RoleName,
    /// The targets.
    pub targets: RequestedTargets,
    /// The lifetime; the role's if not given.
    pub ttl: Option<Ttl>,
    /// Why.
    pub reason: Option<String>,
}

/// What a bastion asks before it lets anybody through.
#[derive(Debug, Clone)]
pub struct SessionParameters {
    /// The session's id.
    pub session: Uuid,
    /// The connection that carries it.
    pub connection: Uuid,
    /// The person's certificate, one OpenSSH line.
    pub certificate: String,
    /// The target.
    pub target: TargetName,
    /// The account; none for passthrough.
    pub account: Option<AccountName>,
    /// Where a forwarded connection goes from the target.
    pub forward: Option<Destination>,
    /// Where the target listens for the client, and the connection that arrived there, if it is one.
    pub listen: Option<Listening>,
    /// The address that the bastion sees.
    pub peer: IpAddr,
}

impl Client {
    /// A client of the CA at `origin` (`https://host[:port]`, as the CA's own configuration has it). With a pin that TLS key is trusted and nothing
    /// else; without one, what the platform trusts.
    pub fn new(origin: &str, pin: Option<Pin>, purpose: Purpose, signer: Arc<dyn RequestSigner>) -> Result<Self, ClientError> {
        let origin = canonical_origin(origin)?;
        let mut builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .https_only(true)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(CALL_TIMEOUT)
            .tcp_nodelay(true)
            .tls_version_min(reqwest::tls::Version::TLS_1_3);
        if let Some(pin) = pin {
            builder = builder.tls_backend_preconfigured(pin::tls_config(pin)?);
        }
        let http = builder.build().map_err(|error| ClientError::Tls(error.to_string()))?;
        Ok(Self { caller: Caller { http, origin, purpose, signer, device: None, challenges: Default::default() } })
    }

    /// The same on a device, whose key signs each call too.
    #[must_use]
    pub fn on_device(mut self, device: Arc<dyn RequestSigner>) -> Self {
        self.caller.device = Some(device);
        self
    }

    /// The CA's address.
    pub fn origin(&self) -> &str {
        &self.caller.origin
    }

    /// What to trust. Unsigned.
    pub async fn trust(&self) -> Result<Trust, ClientError> {
        self.caller.get_unsigned(path::TRUST).await
    }

    /// How one may sign in. Unsigned.
    pub async fn sign_in_offer(&self) -> Result<SignInOffer, ClientError> {
        self.caller.get_unsigned(path::SIGN_IN_OFFER).await
    }

    /// Begins a sign-in of the key that signs this client's calls.
    pub async fn start_sign_in(&self, start: &SignInStart) -> Result<SignInStarted, ClientError> {
        self.post(path::SIGN_IN, Body::Json(json(start)?)).await
    }

    /// Completes it, or tells that the person is still at it.
    pub async fn redeem_sign_in(&self, redemption: &SignInRedemption) -> Result<SignInState, ClientError> {
        self.post(path::SIGN_IN_REDEMPTION, Body::Json(json(redemption)?)).await
    }

    /// Ends the sign-in of the key that signs this client's calls.
    pub async fn sign_out(&self) -> Result<SignedOut, ClientError> {
        self.post(path::SIGN_OUT, Body::Empty).await
    }

    /// Signs the key of this client's calls in by a workload's token, which is used up.
    pub async fn federate(&self, token: &str) -> Result<SignedIn, ClientError> {
        self.post(path::FEDERATION, Body::Json(json(&FederationExchange { token: token.to_owned() })?)).await
    }

    /// Who the caller is.
    pub async fn whoami(&self) -> Result<WhoAmI, ClientError> {
        self.get(path::WHOAMI).await
    }

    /// The caller's second factors.
    pub async fn factors(&self) -> Result<Factors, ClientError> {
        self.get(path::FACTORS).await
    }

    /// Makes a new authenticator, which proves nothing until its first code was given.
    pub async fn enroll_totp(&self) -> Result<TotpEnrolment, ClientError> {
        self.post(path::TOTP_ENROLMENT, Body::Empty).await
    }

    /// Proves the second factor by a code.
    pub async fn prove_totp(&self, code: &FactorCode) -> Result<FactorProven, ClientError> {
        self.post(path::TOTP, Body::Json(json(code)?)).await
    }

    /// The caller's devices.
    pub async fn devices(&self) -> Result<Devices, ClientError> {
        self.get(path::DEVICES).await
    }

    /// Enrols the device that signs this client's calls too.
    pub async fn enroll_device(&self, asked: &DeviceEnrollment) -> Result<KnownDevice, ClientError> {
        self.post(path::DEVICES, Body::Json(json(asked)?)).await
    }

    /// Tells what the device that signs this client's calls too is like.
    pub async fn report_device(&self, told: &ReportedPosture) -> Result<KnownDevice, ClientError> {
        self.post(path::DEVICE_REPORT, Body::Json(json(told)?)).await
    }

    /// Ends the enrolment of a device of the caller's.
    pub async fn remove_device(&self, named: &NamedDevice) -> Result<KnownDevice, ClientError> {
        self.post(path::DEVICE_REMOVAL, Body::Json(json(named)?)).await
    }

    /// Begins a ceremony with a passkey or security key.
    pub async fn start_ceremony(&self, start: &CeremonyStart) -> Result<SignInStarted, ClientError> {
        self.post(path::WEBAUTHN, Body::Json(json(start)?)).await
    }

    /// Completes it, or tells that the person is still at it.
    pub async fn redeem_ceremony(&self, redemption: &SignInRedemption) -> Result<CeremonyState, ClientError> {
        self.post(path::WEBAUTHN_REDEMPTION, Body::Json(json(redemption)?)).await
    }

    /// Makes a FIDO key, which has to be touched for it, a second factor of `caller`'s.
    pub async fn enroll_touch(
        &self,
        caller: &Subject,
        name: Option<FactorName>,
        key: &dyn RequestSigner,
    ) -> Result<FactorAdded, ClientError> {
        let public_key = openssh_line(key)?;
        let write = |signature| json(&TouchEnrolment { name: name.clone(), touch: Touch { public_key: public_key.clone(), signature } });
        self.touch(path::TOUCH_ENROLMENT, TouchedTo::Add, caller, key, &write).await
    }

    /// Proves the second factor by the touch of a FIDO key.
    pub async fn prove_touch(&self, caller: &Subject, key: &dyn RequestSigner) -> Result<FactorProven, ClientError> {
        let public_key = openssh_line(key)?;
        let write = |signature| json(&Touch { public_key: public_key.clone(), signature });
        self.touch(path::TOUCH, TouchedTo::Prove, caller, key, &write).await
    }

    async fn touch<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        to: TouchedTo,
        caller: &Subject,
        key: &dyn RequestSigner,
        write: WriteBody<'_>,
    ) -> Result<T, ClientError> {
        let (caller, signer) = (caller.to_string(), fingerprint(self.caller.signer.public_key()));
        self.post(path, Body::Proving { proves: Proves::Touch(to, &signer), caller: &caller, key, write }).await
    }

    /// Gives up one of the caller's second factors.
    pub async fn remove_factor(&self, removal: &FactorRemoval) -> Result<FactorRemoved, ClientError> {
        self.post(path::FACTOR_REMOVAL, Body::Json(json(removal)?)).await
    }

    /// The roles that the caller may ask for.
    pub async fn roles(&self) -> Result<Roles, ClientError> {
        self.get(path::ROLES).await
    }

    /// Where the caller may go.
    pub async fn destinations(&self) -> Result<Destinations, ClientError> {
        self.get(path::DESTINATIONS).await
    }

    /// Asks what the answer to a request would be, and why.
    pub async fn decision(&self, asked: &DecisionRequest) -> Result<Decision, ClientError> {
        self.post(path::DECISIONS, Body::Json(json(asked)?)).await
    }

    /// Asks for a certificate of `key`, which proves that it is held.
    pub async fn certificate(&self, parameters: &CertificateParameters, key: &dyn RequestSigner) -> Result<IssuedCertificate, ClientError> {
        let public_key = openssh_line(key)?;
        let write = |possession| {
            json(&CertificateRequest {
                role: parameters.role.clone(),
                targets: parameters.targets.clone(),
                ttl: parameters.ttl,
                reason: parameters.reason.clone(),
                public_key: public_key.clone(),
                possession,
            })
        };
        let caller = parameters.subject.to_string();
        self.post(path::CERTIFICATES, Body::Proving { proves: Proves::Possession(Certifies::User), caller: &caller, key, write: &write })
            .await
    }

    /// At most `limit` rows of the log after `seq`.
    pub async fn log(&self, after: u64, limit: u32) -> Result<LogPage, ClientError> {
        self.get(&format!("{}?after={after}&limit={limit}", path::LOG)).await
    }

    /// The log's newest row, signed.
    pub async fn log_head(&self) -> Result<SignedHead, ClientError> {
        self.get(path::LOG_HEAD).await
    }

    /// Asks whether a session may start. `login` is the fresh key for a recorded target that is to be logged in to, and the bastion's name.
    pub async fn open_session(
        &self,
        parameters: &SessionParameters,
        login: Option<(&BastionName, &dyn RequestSigner)>,
    ) -> Result<SessionPermit, ClientError> {
        let request = |login_key| SessionRequest {
            session: parameters.session,
            connection: parameters.connection,
            certificate: parameters.certificate.clone(),
            target: parameters.target.clone(),
            account: parameters.account.clone(),
            forward: parameters.forward.clone(),
            listen: parameters.listen.clone(),
            peer: parameters.peer,
            login_key,
        };
        match login {
            None => self.post(path::SESSIONS, Body::Json(json(&request(None))?)).await,
            Some((bastion, key)) => {
                let public_key = openssh_line(key)?;
                let write = |possession| json(&request(Some(LoginKey { public_key: public_key.clone(), possession })));
                let body = Body::Proving { proves: Proves::Possession(Certifies::Session), caller: bastion.as_str(), key, write: &write };
                self.post(path::SESSIONS, body).await
            }
        }
    }

    /// Asks whether sessions that run may go on.
    pub async fn review_sessions(&self, asked: &SessionsReview) -> Result<SessionsVerdict, ClientError> {
        self.post(path::SESSIONS_REVIEW, Body::Json(json(asked)?)).await
    }

    /// The targets that the bastion may serve.
    pub async fn inventory(&self) -> Result<Inventory, ClientError> {
        self.get(path::BASTION_INVENTORY).await
    }

    /// The bastion's host certificate, for `key`.
    pub async fn host_certificate(&self, bastion: &BastionName, key: &dyn RequestSigner) -> Result<HostCertificate, ClientError> {
        let public_key = openssh_line(key)?;
        let write = |possession| json(&HostCertificateRequest { public_key: public_key.clone(), possession });
        let body = Body::Proving { proves: Proves::Possession(Certifies::Host), caller: bastion.as_str(), key, write: &write };
        self.post(path::BASTION_HOST_CERTIFICATE, body).await
    }

    /// The certificate to show when answering for `target`, for `key`.
    pub async fn inner_host_certificate(
        &self,
        bastion: &BastionName,
        target: &TargetName,
        key: &dyn RequestSigner,
    ) -> Result<HostCertificate, ClientError> {
        let public_key = openssh_line(key)?;
        let write = |possession| json(&InnerHostCertificateRequest { target: target.clone(), public_key: public_key.clone(), possession });
        let body = Body::Proving { proves: Proves::Possession(Certifies::InnerHost), caller: bastion.as_str(), key, write: &write };
        self.post(path::BASTION_INNER_HOST_CERTIFICATE, body).await
    }

    /// Reports which keys the bastion trusts.
    pub async fn bastion_report(&self, report: &BastionReport) -> Result<BastionReceipt, ClientError> {
        self.post(path::BASTION_REPORT, Body::Json(json(report)?)).await
    }

    /// Reports what happened at the bastion. Sending a batch again changes nothing.
    pub async fn events(&self, batch: &EventBatch) -> Result<EventReceipt, ClientError> {
        self.post(path::BASTION_EVENTS, Body::Json(json(batch)?)).await
    }

    /// Enrols the host key that signs this client's calls, with a one-time token.
    pub async fn enroll_host(&self, enrollment: &HostEnrollment) -> Result<HostCertificate, ClientError> {
        self.post(path::HOST_ENROLLMENT, Body::Json(json(enrollment)?)).await
    }

    /// What that would come to. The token stays good.
    pub async fn preview_host(&self, enrollment: &HostEnrollment) -> Result<HostSetup, ClientError> {
        self.post(path::HOST_ENROLLMENT_PREVIEW, Body::Json(json(enrollment)?)).await
    }

    /// Another certificate of the enrolled host key.
    pub async fn renew_host(&self, renewal: &HostCertificateRenewal) -> Result<HostCertificate, ClientError> {
        self.post(path::HOST_CERTIFICATE, Body::Json(json(renewal)?)).await
    }

    /// What the host's `sshd` is to do.
    pub async fn host_setup(&self) -> Result<HostSetup, ClientError> {
        self.get(path::HOST_SETUP).await
    }

    /// Reports what the host holds.
    pub async fn report_host(&self, report: &HostReport) -> Result<HostReceipt, ClientError> {
        self.post(path::HOST_REPORT, Body::Json(json(report)?)).await
    }

    /// The key revocation list (OpenSSH PROTOCOL.krl). Unsigned.
    pub async fn krl(&self) -> Result<Vec<u8>, ClientError> {
        self.caller.get_bytes_unsigned(path::KRL).await
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.caller.call(Method::GET, path, Body::Empty).await
    }

    async fn post<T: serde::de::DeserializeOwned>(&self, path: &str, body: Body<'_>) -> Result<T, ClientError> {
        self.caller.call(Method::POST, path, body).await
    }
}

/// `https://host[:port]`, lower case, without path, query, user or fragment: what both sides sign must be spelt alike.
pub fn canonical_origin(text: &str) -> Result<String, ClientError> {
    let bad = || ClientError::BadOrigin(text.chars().take(200).collect());
    let url = Url::parse(text).map_err(|_| bad())?;
    let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    if url.scheme() != "https" || url.path() != "/" || !plain || url.host_str().is_none() {
        return Err(bad());
    }
    Ok(url.origin().ascii_serialization())
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, ClientError> {
    serde_json::to_vec(value).map_err(|error| ClientError::Protocol { origin: "here".to_owned(), cause: error.to_string() })
}

fn openssh_line(key: &dyn RequestSigner) -> Result<String, ClientError> {
    PublicKey::from(key.public_key().clone())
        .to_openssh()
        .map_err(|error| ClientError::Protocol { origin: "here".to_owned(), cause: error.to_string() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn row_23_only_https_origins() {
        assert_eq!(canonical_origin("https://CA.example:443/").unwrap(), "https://ca.example");
        assert_eq!(canonical_origin("https://127.0.0.1:8443").unwrap(), "https://127.0.0.1:8443");
        for bad in [
            "http://ca.example",
            "ca.example",
            "https://ca.example/x",
            "https://u@ca.example",
            "https://ca.example?x",
            "-oProxyCommand=x",
            "",
        ] {
            assert!(canonical_origin(bad).is_err(), "{bad}");
        }
    }
}
