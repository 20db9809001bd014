//! Outcomes as RFC 9457 problems. The only place where a reason becomes a status.

use crate::failure::Failure;
use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use dayfly_api::problem::{self, Problem, Ruling};
use dayfly_core::reason::{Reason, Refusal};

/// An answer that is a problem.
#[derive(Debug)]
pub(super) struct HttpProblem(Box<Problem>);

impl HttpProblem {
    /// A problem that no pipeline knows: of the transport, or of the CA itself.
    pub(super) fn new(status: StatusCode, code: &str, detail: &str, remedy: &str) -> Self {
        Self(Box::new(Problem {
            kind: "about:blank".to_owned(),
            status: status.as_u16(),
            title: title(code),
            detail: detail.to_owned(),
            code: code.to_owned(),
            remedy: Some(remedy.to_owned()),
            ruling: Ruling::default(),
        }))
    }

    /// Too much at once.
    pub(super) fn too_many(status: StatusCode, detail: &str) -> Self {
        Self::new(status, problem::TOO_MANY_REQUESTS, detail, "wait a second and try again")
    }

    fn internal(cause: &str) -> Self {
        tracing::error!(cause, "internal error");
        let detail = "something is wrong inside the CA; its trace says what";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, problem::INTERNAL, detail, "tell whoever operates the CA")
    }
}

impl From<Refusal> for HttpProblem {
    fn from(refusal: Refusal) -> Self {
        let mut problem = Self::new(status(refusal.reason), refusal.reason.code(), &refusal.message, &refusal.remedy);
        problem.0.ruling = refusal.ruling.as_deref().map(Ruling::from).unwrap_or_default();
        problem
    }
}

impl From<Failure> for HttpProblem {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refusal) => refusal.into(),
            Failure::Store(error) => error.into(),
            Failure::Mint(error) => signer_unavailable(&error.to_string()),
            Failure::Signer(error) => signer_unavailable(&error.to_string()),
            Failure::Internal(cause) => Self::internal(&cause),
        }
    }
}

impl From<crate::store::StoreError> for HttpProblem {
    fn from(error: crate::store::StoreError) -> Self {
        tracing::error!(%error, "the store failed");
        let detail = "the CA cannot write or read its log, so nothing was done";
        let remedy = "try again in a moment; if it lasts, tell whoever operates the CA";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, problem::STORE_UNAVAILABLE, detail, remedy)
    }
}

impl IntoResponse for HttpProblem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self.0)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(problem::MEDIA_TYPE));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Dayfly-SSHSIG"));
        }
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// A trusted proxy names no client: it is set up wrongly, or was made to, and its own address would be taken for the client's.
pub fn no_client() -> Response {
    let message = "the proxy in front of the CA does not tell where the call comes from";
    let refusal = Refusal::new(Reason::BadRequest, message, "have it write X-Forwarded-For, or take it out of [proxies] in ca.toml");
    HttpProblem::from(refusal).into_response()
}

/// Nothing at this path.
pub(super) async fn not_found() -> HttpProblem {
    let remedy = "see /v1/openapi.json for what there is";
    HttpProblem::new(StatusCode::NOT_FOUND, problem::NOT_FOUND, "there is nothing at this path", remedy)
}

/// The path exists, for other methods.
pub(super) async fn method_not_allowed() -> HttpProblem {
    let detail = "this path does not take this method";
    HttpProblem::new(StatusCode::METHOD_NOT_ALLOWED, problem::METHOD_NOT_ALLOWED, detail, "see /v1/openapi.json for what there is")
}

fn signer_unavailable(cause: &str) -> HttpProblem {
    tracing::error!(cause, "a key could not sign");
    let detail = "the CA's key could not sign, so nothing was issued";
    HttpProblem::new(StatusCode::SERVICE_UNAVAILABLE, problem::SIGNER_UNAVAILABLE, detail, "tell whoever operates the CA")
}

fn title(code: &str) -> String {
    code.replace('_', " ")
}

fn status(reason: Reason) -> StatusCode {
    match reason {
        Reason::BadSignature
        | Reason::BadChallenge
        | Reason::UnknownCaller
        | Reason::UnknownToken
        | Reason::SignInEnded
        | Reason::BadToken
        | Reason::TokenReplayed => StatusCode::UNAUTHORIZED,
        Reason::BadRequest | Reason::NoPossession => StatusCode::BAD_REQUEST,
        Reason::SessionReplayed | Reason::KeyInUse | Reason::SubjectTaken | Reason::DeviceTaken => StatusCode::CONFLICT,
        Reason::LimitReached => StatusCode::TOO_MANY_REQUESTS,
        Reason::CaUnavailable | Reason::RecordingUnavailable | Reason::TargetUnavailable | Reason::ProviderUnavailable => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        Reason::ForeignCa
        | Reason::WrongType
        | Reason::Expired
        | Reason::NotYetValid
        | Reason::NoPrincipals
        | Reason::PrincipalMismatch
        | Reason::BadPrincipal
        | Reason::UnknownCriticalOption
        | Reason::SourceAddress
        | Reason::VerifyRequired
        | Reason::HardwareKeyRequired
        | Reason::NotTouched
        | Reason::NotVerified
        | Reason::WeakAlgorithm
        | Reason::Malformed
        | Reason::Revoked
        | Reason::NotIssued
        | Reason::RefusedByTransport
        | Reason::CertificateRequired
        | Reason::PolicyDenied
        | Reason::PolicyForbidden
        | Reason::SecondFactorRequired
        | Reason::WrongCode
        | Reason::UnknownDevice
        | Reason::ApprovalRequired
        | Reason::PolicyError
        | Reason::UnknownRole
        | Reason::UnknownTarget
        | Reason::TargetOutsideRole
        | Reason::TargetNotServed
        | Reason::WrongMode
        | Reason::TtlTooLong
        | Reason::NameNotEnrolled
        | Reason::DifferentPerson
        | Reason::EndedByOperator
        | Reason::NotAllowed
        | Reason::HostKeyMismatch
        | Reason::FactorUnavailable
        | Reason::FactorUnknown
        | Reason::BadAnswer
        | Reason::CounterWentBack
        | Reason::CeremonyUnknown
        | Reason::CeremonyDeclined
        | Reason::SignInUnavailable
        | Reason::SignInUnknown
        | Reason::SignInDeclined
        | Reason::UnknownWorkload => StatusCode::FORBIDDEN,
    }
}
