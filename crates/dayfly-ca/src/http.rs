//! The HTTP side: turns requests into calls of the pipelines and their outcomes into statuses. It decides nothing.
//!
//! | Module | What it is |
//! |---|---|
//! | `trust`, `certificates`, `decisions`, `people`, `log`, `sessions`, `bastion`, `host` | a file per resource |
//! | `sign_in`, `pages` | signing in: what tools call, and what browsers see |
//! | `caller` | who calls: every route but those of `trust` stands behind it |
//! | `problem` | outcomes → RFC 9457 problems and statuses |
//! | `etag` | answers that the caller has already |
//! | `limits` | what requests may use up |
//! | `openapi` | the contract, made from the handlers |

mod bastion;
mod caller;
mod certificates;
mod decisions;
mod devices;
mod etag;
mod factors;
mod host;
mod limits;
mod log;
pub mod openapi;
mod pages;
mod people;
mod problem;
mod sessions;
mod sign_in;
mod trust;

#[cfg(test)]
mod tests;

use crate::{
    address_rate::AddressRate,
    authority::Authority,
    caller_rate::CallerRate,
    ceremony::Ceremonies,
    config::Limits,
    federation::Federation,
    identity::{CallerCheck, challenge::Challenges},
    places::Places,
    refused_request::RefusedRequests,
    sign_in::SignIns,
};
use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderName, HeaderValue},
    middleware::{Next, from_fn_with_state},
    response::Response,
    routing::{get, post},
};
use caller::Kind;
use dayfly_api::path;
use dayfly_core::signed_request::CHALLENGE_HEADER;
pub use problem::no_client;
use std::{net::IpAddr, sync::Arc};

/// Requests that may fail to prove who sent them, from one address at once and a second from then on; further ones are turned away unread.
const UNPROVEN_REQUESTS: (u64, u64) = (200, 20);

/// The largest body of a call, in bytes: a certificate and a key or two. Only events come in batches.
const LARGEST_CALL: usize = 64 * 1024;

/// Where a request came from. The connection's task sets it; nothing in a request can.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub IpAddr);

/// Everything that a request needs.
pub struct Service {
    authority: Authority,
    callers: Box<dyn CallerCheck>,
    challenges: Arc<Challenges>,
    limits: Limits,
    in_flight: Arc<Places>,
    unproven: AddressRate,
    per_caller: CallerRate,
    refused: RefusedRequests,
    sign_ins: SignIns,
    ceremonies: Ceremonies,
    federation: Federation,
}

impl Service {
    /// A service that has served nobody.
    pub fn new(
        authority: Authority,
        callers: Box<dyn CallerCheck>,
        challenges: Arc<Challenges>,
        limits: Limits,
        sign_ins: SignIns,
        ceremonies: Ceremonies,
        federation: Federation,
    ) -> Self {
        // Half for one address, so that none can keep the others out.
        let in_flight = Places::new(limits.requests_in_flight, limits.requests_in_flight.div_ceil(2));
        let unproven = AddressRate::new(UNPROVEN_REQUESTS.0, UNPROVEN_REQUESTS.1);
        let per_caller = CallerRate::new(limits.requests_per_caller);
        let refused = RefusedRequests::default();
        Self { authority, callers, challenges, limits, in_flight, unproven, per_caller, refused, sign_ins, ceremonies, federation }
    }

    /// What the pipelines work with.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// What callers may use up.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }
}

/// All routes. A key that speaks for nobody can ask to sign in, and nothing else. What a person's key signs opens no bastion's or host's route, and the other way round; what nobody signs opens the public ones.
pub fn router(service: &Arc<Service>) -> Router {
    let people = Router::new()
        .route(path::WHOAMI, get(people::whoami))
        .route(path::ROLES, get(people::roles))
        .route(path::DESTINATIONS, get(people::destinations))
        .route(path::CERTIFICATES, post(certificates::issue))
        .route(path::FACTORS, get(factors::list))
        .route(path::TOTP_ENROLMENT, post(factors::enroll))
        .route(path::TOTP, post(factors::prove))
        .route(path::DEVICES, get(devices::list).post(devices::enroll))
        .route(path::DEVICE_REPORT, post(devices::report))
        .route(path::DEVICE_REMOVAL, post(devices::remove))
        .route(path::WEBAUTHN, post(factors::begin))
        .route(path::WEBAUTHN_REDEMPTION, post(factors::redeem))
        .route(path::TOUCH_ENROLMENT, post(factors::enroll_touch))
        .route(path::TOUCH, post(factors::prove_touch))
        .route(path::FACTOR_REMOVAL, post(factors::remove))
        .route(path::SIGN_OUT, post(sign_in::end))
        .route(path::DECISIONS, post(decisions::why))
        .route(path::LOG, get(log::page))
        .route(path::LOG_HEAD, get(log::head));
    let new_keys = Router::new()
        .route(path::SIGN_IN, post(sign_in::start))
        .route(path::SIGN_IN_REDEMPTION, post(sign_in::redeem))
        .route(path::FEDERATION, post(sign_in::federate));
    let bastions = Router::new()
        .route(path::SESSIONS, post(sessions::open))
        .route(path::BASTION_INVENTORY, get(bastion::inventory))
        .route(path::BASTION_REPORT, post(bastion::report))
        .route(path::BASTION_HOST_CERTIFICATE, post(bastion::host_certificate))
        .route(path::BASTION_INNER_HOST_CERTIFICATE, post(bastion::inner_host_certificate));
    let events = Router::new().route(path::BASTION_EVENTS, post(bastion::events)).route(path::SESSIONS_REVIEW, post(sessions::review));
    let enrolling =
        Router::new().route(path::HOST_ENROLLMENT, post(host::enroll)).route(path::HOST_ENROLLMENT_PREVIEW, post(host::preview));
    let hosts = Router::new()
        .route(path::HOST_CERTIFICATE, post(host::certificate))
        .route(path::HOST_SETUP, get(host::setup))
        .route(path::HOST_REPORT, post(host::report));
    let batch_bytes = service.limits.body_bytes;
    let call_bytes = batch_bytes.min(LARGEST_CALL);
    Router::new()
        .merge(trust::routes())
        .route(path::SIGN_IN_OFFER, get(sign_in::offer))
        .merge(pages::routes())
        .merge(caller::behind(service, Kind::NewKey, call_bytes, new_keys))
        .merge(caller::behind(service, Kind::Person, call_bytes, people))
        .merge(caller::behind(service, Kind::Bastion, call_bytes, bastions))
        .merge(caller::behind(service, Kind::Bastion, batch_bytes, events))
        .merge(caller::behind(service, Kind::EnrollingHost, call_bytes, enrolling))
        .merge(caller::behind(service, Kind::Host, call_bytes, hosts))
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(from_fn_with_state(Arc::clone(service), limits::bound))
        .layer(from_fn_with_state(Arc::clone(service), challenge))
        .with_state(Arc::clone(service))
}

/// Every answer, whatever it says, carries the next challenge: a signed request costs one round trip.
async fn challenge(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let challenge = service.challenges.issue(service.authority.clock.unix_seconds());
    if let Ok(value) = HeaderValue::try_from(challenge) {
        response.headers_mut().insert(HeaderName::from_static(CHALLENGE_HEADER), value);
    }
    response
}
