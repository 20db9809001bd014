//! Where everything is.

/// `GET`, unsigned: nothing but the next challenge, in the header.
pub const CHALLENGE: &str = "/v1/challenge";
/// `GET`, unsigned: whether the CA can issue certificates.
pub const HEALTH: &str = "/v1/health";
/// `GET`, unsigned: what to trust, [`crate::trust::Trust`].
pub const TRUST: &str = "/v1/trust";
/// `GET`, unsigned: `@cert-authority` lines, text.
pub const KNOWN_HOSTS: &str = "/v1/trust/known-hosts";
/// `GET`, unsigned: one CA's public key, text. `{purpose}` is `user`, `session`, `host` or `inner-host`.
pub const CA_KEY: &str = "/v1/trust/keys/{purpose}";
/// `GET`, unsigned: the key revocation list (OpenSSH PROTOCOL.krl), bytes.
pub const KRL: &str = "/v1/trust/krl";
/// `GET`, unsigned: this contract as OpenAPI.
pub const OPENAPI: &str = "/v1/openapi.json";

/// `GET`, unsigned: [`crate::sign_in::SignInOffer`].
pub const SIGN_IN_OFFER: &str = "/v1/sign-in/offer";
/// `POST`, a key of the caller's own: [`crate::sign_in::SignInStart`] → [`crate::sign_in::SignInStarted`].
pub const SIGN_IN: &str = "/v1/sign-in";
/// `POST`, the same key: [`crate::sign_in::SignInRedemption`] → [`crate::sign_in::SignInState`].
pub const SIGN_IN_REDEMPTION: &str = "/v1/sign-in/redemption";
/// `POST`, person who is signed in: → [`crate::sign_in::SignedOut`].
pub const SIGN_OUT: &str = "/v1/sign-out";
/// `POST`, a key of the caller's own: [`crate::sign_in::FederationExchange`] → [`crate::sign_in::SignedIn`].
pub const FEDERATION: &str = "/v1/federation";

/// `GET`, person: [`crate::person::WhoAmI`].
pub const WHOAMI: &str = "/v1/whoami";
/// `GET`, person: [`crate::factor::Factors`].
pub const FACTORS: &str = "/v1/factors";
/// `POST`, person: [`crate::factor::TotpEnrolment`].
pub const TOTP_ENROLMENT: &str = "/v1/factors/totp/enrollment";
/// `POST`, person: [`crate::factor::FactorCode`] → [`crate::factor::FactorProven`].
pub const TOTP: &str = "/v1/factors/totp";
/// `GET`, person: [`crate::device::Devices`]. `POST`, person on a device: [`crate::device::DeviceEnrollment`] → [`crate::device::KnownDevice`].
pub const DEVICES: &str = "/v1/devices";
/// `POST`, person on a device of theirs: [`crate::device::ReportedPosture`] → [`crate::device::KnownDevice`].
pub const DEVICE_REPORT: &str = "/v1/devices/report";
/// `POST`, person: [`crate::device::NamedDevice`] → [`crate::device::KnownDevice`], disabled.
pub const DEVICE_REMOVAL: &str = "/v1/devices/removal";
/// `POST`, person: [`crate::factor::CeremonyStart`] → [`crate::sign_in::SignInStarted`].
pub const WEBAUTHN: &str = "/v1/factors/webauthn";
/// `POST`, the same key: [`crate::sign_in::SignInRedemption`] → [`crate::factor::CeremonyState`].
pub const WEBAUTHN_REDEMPTION: &str = "/v1/factors/webauthn/redemption";
/// `POST`, person: [`crate::factor::TouchEnrolment`] → [`crate::factor::FactorAdded`].
pub const TOUCH_ENROLMENT: &str = "/v1/factors/touch/enrollment";
/// `POST`, person: [`crate::factor::Touch`] → [`crate::factor::FactorProven`].
pub const TOUCH: &str = "/v1/factors/touch";
/// `POST`, person: [`crate::factor::FactorRemoval`] → [`crate::factor::FactorRemoved`].
pub const FACTOR_REMOVAL: &str = "/v1/factors/removal";
/// `GET`, person: [`crate::person::Roles`].
pub const ROLES: &str = "/v1/roles";
/// `GET`, person: [`crate::person::Destinations`].
pub const DESTINATIONS: &str = "/v1/destinations";
/// `POST`, person: [`crate::certificate::CertificateRequest`] → [`crate::certificate::IssuedCertificate`].
pub const CERTIFICATES: &str = "/v1/certificates";
/// `POST`, person: [`crate::decision::DecisionRequest`] → [`crate::decision::Decision`]. Nothing is issued.
pub const DECISIONS: &str = "/v1/decisions";

/// `GET`, person who may review: [`crate::log::LogPage`]. Query: [`crate::log::LogQuery`].
pub const LOG: &str = "/v1/log";
/// `GET`, person who may review: [`crate::log::SignedHead`].
pub const LOG_HEAD: &str = "/v1/log/head";

/// `POST`, bastion: [`crate::session::SessionRequest`] → [`crate::session::SessionPermit`].
pub const SESSIONS: &str = "/v1/sessions";
/// `POST`, bastion: [`crate::session::SessionsReview`] → [`crate::session::SessionsVerdict`].
pub const SESSIONS_REVIEW: &str = "/v1/sessions/review";
/// `GET`, bastion: [`crate::bastion::Inventory`].
pub const BASTION_INVENTORY: &str = "/v1/bastion/inventory";
/// `POST`, bastion: [`crate::bastion::HostCertificateRequest`] → [`crate::bastion::HostCertificate`].
pub const BASTION_HOST_CERTIFICATE: &str = "/v1/bastion/host-certificate";
/// `POST`, bastion: [`crate::bastion::InnerHostCertificateRequest`] → [`crate::bastion::HostCertificate`].
pub const BASTION_INNER_HOST_CERTIFICATE: &str = "/v1/bastion/inner-host-certificate";
/// `POST`, bastion: [`crate::bastion::BastionReport`] → [`crate::bastion::BastionReceipt`].
pub const BASTION_REPORT: &str = "/v1/bastion/report";
/// `POST`, bastion: [`crate::bastion::EventBatch`] → [`crate::bastion::EventReceipt`].
pub const BASTION_EVENTS: &str = "/v1/bastion/events";

/// `POST`, host with a token: [`crate::host::HostEnrollment`] → [`crate::bastion::HostCertificate`].
pub const HOST_ENROLLMENT: &str = "/v1/host/enrollment";
/// `POST`, host with a token, which stays good: [`crate::host::HostEnrollment`] → [`crate::host::HostSetup`].
pub const HOST_ENROLLMENT_PREVIEW: &str = "/v1/host/enrollment/preview";
/// `POST`, host: [`crate::host::HostCertificateRenewal`] → [`crate::bastion::HostCertificate`].
pub const HOST_CERTIFICATE: &str = "/v1/host/certificate";
/// `GET`, host: [`crate::host::HostSetup`].
pub const HOST_SETUP: &str = "/v1/host/setup";
/// `POST`, host: [`crate::host::HostReport`] → [`crate::host::HostReceipt`].
pub const HOST_REPORT: &str = "/v1/host/report";
