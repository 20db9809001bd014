//! Which browser this is: a random name in a cookie that no other host can set and no script can read.

use super::{document, html, html::Markup};
use crate::by_browser::secret;
use axum::{
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use dayfly_core::reason::{Reason, Refusal};
use serde::de::DeserializeOwned;
use std::convert::Infallible;

/// The prefix makes browsers take it over https only, from this very host, for every path.
const COOKIE: &str = "__Host-dayfly-browser";

/// The length of a name, in characters.
const NAME_CHARACTERS: usize = 43;

/// A browser.
pub(super) struct Visitor {
    name: String,
    is_new: bool,
}

impl Visitor {
    /// Its name, which only it and the CA know.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// A page for it.
    pub(super) fn page(&self, status: StatusCode, markup: Markup) -> Response {
        let mut response = document(markup);
        *response.status_mut() = status;
        self.remember(response)
    }

    /// Sends it elsewhere.
    pub(super) fn redirect(&self, url: &str) -> Response {
        let Ok(place) = HeaderValue::try_from(url) else {
            let refusal = Refusal::new(Reason::BadRequest, "there is no such place", "begin again: dayfly login");
            return self.page(StatusCode::BAD_REQUEST, html::refused(&refusal));
        };
        self.remember((StatusCode::SEE_OTHER, [(header::LOCATION, place)]).into_response())
    }

    fn remember(&self, mut response: Response) -> Response {
        if self.is_new {
            // Lax: the way back from a provider is a navigation from another site.
            let cookie = format!("{COOKIE}={}; Path=/; Secure; HttpOnly; SameSite=Lax", self.name);
            if let Ok(cookie) = HeaderValue::try_from(cookie) {
                response.headers_mut().insert(header::SET_COOKIE, cookie);
            }
        }
        response
    }
}

impl<S: Sync> FromRequestParts<S> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(match known(&parts.headers) {
            Some(name) => Self { name, is_new: false },
            // A form that another site sends comes without the cookie, and takes none away.
            None => Self { name: secret::token(), is_new: parts.method == Method::GET },
        })
    }
}

/// The name in the cookie, if there is one, and no more than one.
fn known(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
    let mut names = cookies.filter_map(|cookie| cookie.trim().strip_prefix(COOKIE)?.strip_prefix('='));
    let name = names.next()?;
    let is_name = name.len() == NAME_CHARACTERS && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    (is_name && names.next().is_none()).then(|| name.to_owned())
}

/// A form that one of the pages sent.
pub(super) struct Form<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Form<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        match axum::extract::Form::from_request(request, state).await {
            Ok(axum::extract::Form(form)) => Ok(Self(form)),
            Err(rejection) => {
                let refusal = Refusal::new(Reason::BadRequest, "the form cannot be read", "go back and try again");
                let mut response = document(html::refused(&refusal));
                *response.status_mut() = rejection.status();
                Err(response)
            }
        }
    }
}
