//! Who calls. Every route of a person, a bastion or a host stands behind this, so a new one cannot forget to ask.

use super::{Peer, Service, problem::HttpProblem};
use crate::{
    failure::Failure,
    identity::{
        BastionCall, CallerError, EnrollingHostCall, HostCall, NewKey, NewKeyCall, PersonCall, PresentedRequest, ProvenCaller, Rejection,
    },
    refused_request::RefusedRequest,
};
use axum::{
    Extension, Router,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, FromRequest, MatchedPath, Request, State},
    http::{HeaderMap, StatusCode, header::USER_AGENT, request::Parts},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
};
use dayfly_api::problem;
use dayfly_core::device::Version;
use dayfly_core::{
    reason::{Reason, Refusal},
    signed_request::{CHALLENGE_HEADER, DEVICE_SIGNATURE_HEADER, Purpose, SIGNATURE_HEADER},
};
use serde::de::DeserializeOwned;
use std::{net::IpAddr, sync::Arc};

/// The person or machine that calls.
pub(super) type ByPerson = Extension<Arc<PersonCall>>;

/// The key that calls, which speaks for nobody yet.
pub(super) type ByNewKey = Extension<Arc<NewKeyCall>>;

/// The bastion that calls.
pub(super) type ByBastion = Extension<Arc<BastionCall>>;

/// The enrolled host that calls.
pub(super) type ByHost = Extension<Arc<HostCall>>;

/// The host that calls with a token.
pub(super) type ByEnrollingHost = Extension<Arc<EnrollingHostCall>>;

/// Who may call.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Person,
    NewKey,
    Bastion,
    Host,
    EnrollingHost,
}

impl Kind {
    /// As what such a caller signs.
    fn purpose(self) -> Purpose {
        match self {
            Self::Person | Self::NewKey => Purpose::Person,
            Self::Bastion => Purpose::Bastion,
            Self::Host | Self::EnrollingHost => Purpose::Host,
        }
    }
}

/// Puts `routes` behind a check that the caller is of this kind. A body of more than `body_bytes` is not read.
pub(super) fn behind(service: &Arc<Service>, kind: Kind, body_bytes: usize, routes: Router<Arc<Service>>) -> Router<Arc<Service>> {
    let gate = Gate { service: Arc::clone(service), kind, body_bytes };
    routes.route_layer(from_fn_with_state(gate, check))
}

#[derive(Clone)]
struct Gate {
    service: Arc<Service>,
    kind: Kind,
    body_bytes: usize,
}

async fn check(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    match admit(&gate, request).await {
        Ok(request) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

/// The request with its caller beside it and its body read, or why not.
async fn admit(gate: &Gate, request: Request) -> Result<Request, HttpProblem> {
    let service = gate.service.as_ref();
    let Some(Peer(peer)) = request.extensions().get().copied() else {
        return Err(Failure::Internal("a request without the address that it came from".to_owned()).into());
    };
    if service.unproven.is_spent(peer, service.authority.clock.unix_seconds()) {
        let detail = "too many requests from this address did not prove who sent them";
        return Err(HttpProblem::too_many(StatusCode::TOO_MANY_REQUESTS, detail));
    }
    let (mut parts, body) = request.into_parts();
    let body = read_body(body, gate.body_bytes).await?;
    match identify(gate, peer, &mut parts, &body).await {
        Ok(()) => Ok(Request::from_parts(parts, Body::from(body))),
        Err(NoCaller::Unproven(CallerError::Rejected(rejection))) => Err(reject(gate, peer, &parts, *rejection).await),
        Err(NoCaller::Unproven(CallerError::Store(error))) => Err(error.into()),
        Err(NoCaller::TooMany) => Err(HttpProblem::too_many(StatusCode::TOO_MANY_REQUESTS, "you ask more than one caller may in a while")),
    }
}

/// Why a request is not worked on.
enum NoCaller {
    Unproven(CallerError),
    TooMany,
}

impl<E: Into<CallerError>> From<E> for NoCaller {
    fn from(error: E) -> Self {
        Self::Unproven(error.into())
    }
}

async fn identify(gate: &Gate, peer: IpAddr, parts: &mut Parts, body: &Bytes) -> Result<(), NoCaller> {
    let service = gate.service.as_ref();
    let path = parts.uri.path_and_query().map_or_else(|| parts.uri.path(), |path| path.as_str());
    let challenge = header(&parts.headers, CHALLENGE_HEADER);
    let presented = PresentedRequest {
        challenge,
        signature: header(&parts.headers, SIGNATURE_HEADER),
        device_signature: header(&parts.headers, DEVICE_SIGNATURE_HEADER),
        method: parts.method.as_str(),
        path,
        body,
    };
    let context = service.authority.context(peer);
    let challenge = challenge.unwrap_or_default().to_owned();
    match gate.kind {
        Kind::Person => {
            let ProvenCaller { mut identity, device_key } = service.callers.person(presented).await?;
            if !service.per_caller.take(&identity.subject) {
                return Err(NoCaller::TooMany);
            }
            // Second factors count for the key that signs, however its holder was proven.
            let key = identity.evidence.proof.fingerprint();
            identity.evidence.factors = service.authority.store.factors(&identity.subject, key).await?;
            identity.evidence.client_version = client_version(&parts.headers);
            parts.extensions.insert(Arc::new(PersonCall { identity, device_key, context, challenge }));
        }
        Kind::NewKey => {
            let NewKey { key, fingerprint } = service.callers.new_key(presented).await?;
            parts.extensions.insert(Arc::new(NewKeyCall { key, fingerprint, context }));
        }
        Kind::Bastion => {
            let bastion = service.callers.bastion(presented).await?;
            parts.extensions.insert(Arc::new(BastionCall { bastion, context, challenge }));
        }
        Kind::Host => {
            let host = service.callers.host(presented).await?;
            parts.extensions.insert(Arc::new(HostCall { host, context }));
        }
        Kind::EnrollingHost => {
            let enrolling = service.callers.enrolling_host(presented).await?;
            parts.extensions.insert(Arc::new(EnrollingHostCall { enrolling, context }));
        }
    }
    Ok(())
}

/// The version of the tool that asks, as far as it tells: `User-Agent: dayfly/0.1.0`.
fn client_version(headers: &HeaderMap) -> Option<Version> {
    header(headers, USER_AGENT.as_str())?.strip_prefix("dayfly/")?.parse().ok()
}

/// One value, or it counts as none: which of two would be believed is nobody's guess.
fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

async fn reject(gate: &Gate, peer: IpAddr, parts: &Parts, rejection: Rejection) -> HttpProblem {
    let service = gate.service.as_ref();
    service.unproven.take(peer, service.authority.clock.unix_seconds());
    let path = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let refused =
        RefusedRequest { address: peer, purpose: gate.kind.purpose(), method: parts.method.as_str(), path, rejection: &rejection };
    service.refused.log(&service.authority, refused).await;
    rejection.refusal.into()
}

async fn read_body(body: Body, most: usize) -> Result<Bytes, HttpProblem> {
    let mut request = Request::new(body);
    DefaultBodyLimit::max(most).apply(&mut request);
    Bytes::from_request(request, &()).await.map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            let detail = format!("the body is larger than {most} bytes");
            return HttpProblem::new(StatusCode::PAYLOAD_TOO_LARGE, problem::TOO_LARGE, &detail, "send less at once");
        }
        Refusal::new(Reason::BadRequest, "the body did not arrive whole", "send it again").into()
    })
}

/// A JSON body, read after its sender is known.
pub(super) struct Payload<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Arc<Service>> for Payload<T> {
    type Rejection = HttpProblem;

    async fn from_request(request: Request, _: &Arc<Service>) -> Result<Self, HttpProblem> {
        // The gate has read it, bounded, before.
        let body = read_body(request.into_body(), usize::MAX).await?;
        serde_json::from_slice(&body).map(Self).map_err(|error| {
            let message = format!("the body is not what this path takes: {error}");
            Refusal::new(Reason::BadRequest, message, "see /v1/openapi.json for what it takes").into()
        })
    }
}
