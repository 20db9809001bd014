//! Calls to issuers of tokens: bounded in time and size, without redirects, and never unencrypted but on loopback.

use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use serde::de::DeserializeOwned;
use std::{future::Future, pin::Pin, time::Duration};
use url::{Host, Url};

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a call may take in all. A sign-in makes up to four, and a request of the CA's own ten seconds.
const CALL_TIMEOUT: Duration = Duration::from_secs(4);

/// The largest answer that is read, in bytes. Large sets of keys are a tenth of it.
const LARGEST_ANSWER: usize = 512 * 1024;

/// A call that brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// It would not have been encrypted.
    #[error("{0} is neither https:// nor a loopback address")]
    Unsafe(String),
    /// TLS cannot be set up here.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
    /// No answer, or not in time.
    #[error("{place} cannot be reached: {cause}")]
    Unreachable {
        /// What was called, without its query.
        place: String,
        /// Why not.
        cause: String,
    },
    /// More than is read.
    #[error("{0} answers with more than {LARGEST_ANSWER} bytes")]
    TooLarge(String),
    /// An answer that says no.
    #[error("{place} answers with status {status}")]
    Status {
        /// What was called.
        place: String,
        /// The HTTP status.
        status: u16,
    },
    /// An answer that says something else than it should.
    #[error("{place} answers with something else than was asked for: {cause}")]
    Contents {
        /// What was called.
        place: String,
        /// What is wrong with it.
        cause: String,
    },
}

/// Whether what is sent there stays between the two: https, or an address of this host.
pub fn is_safe(url: &Url) -> bool {
    let has_no_user = url.username().is_empty() && url.password().is_none();
    has_no_user && (url.scheme() == "https" && url.has_host() || is_plain_loopback(url))
}

/// Whether it is http:// at an address of this host.
pub fn is_plain_loopback(url: &Url) -> bool {
    url.scheme() == "http"
        && match url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        }
}

/// Calls issuers.
#[derive(Debug, Clone)]
pub struct Web {
    http: reqwest::Client,
}

impl Web {
    /// With what the platform trusts.
    pub fn new() -> Result<Self, WebError> {
        let builder = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(CALL_TIMEOUT)
            .user_agent(concat!("dayfly-ca/", env!("CARGO_PKG_VERSION")));
        Ok(Self { http: builder.build().map_err(|error| WebError::Tls(error.to_string()))? })
    }

    /// A JSON document.
    pub async fn get<T: DeserializeOwned>(&self, url: &Url) -> Result<T, WebError> {
        self.json(url, self.http.get(url.clone())).await
    }

    /// A JSON document that is given to whoever shows this token.
    pub async fn get_as<T: DeserializeOwned>(&self, url: &Url, token: &str) -> Result<T, WebError> {
        self.json(url, self.http.get(url.clone()).bearer_auth(token)).await
    }

    /// A request as it is, and the answer whatever its status.
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, WebError> {
        let unsafe_place = || WebError::Unsafe(request.uri().to_string());
        let url = Url::parse(&request.uri().to_string()).map_err(|_| unsafe_place())?;
        if !is_safe(&url) {
            return Err(unsafe_place());
        }
        let place = place(&url);
        let request = reqwest::Request::try_from(request).map_err(|error| unreachable(&place, &error))?;
        let response = self.http.execute(request).await.map_err(|error| unreachable(&place, &error))?;
        let mut answer = HttpResponse::new(Vec::new());
        *answer.status_mut() = response.status();
        *answer.headers_mut() = response.headers().clone();
        *answer.body_mut() = read(response, &place).await?;
        Ok(answer)
    }

    async fn json<T: DeserializeOwned>(&self, url: &Url, request: reqwest::RequestBuilder) -> Result<T, WebError> {
        let place = place(url);
        if !is_safe(url) {
            return Err(WebError::Unsafe(place));
        }
        let response = request.header("accept", "application/json").send().await.map_err(|error| unreachable(&place, &error))?;
        let status = response.status();
        let body = read(response, &place).await?;
        if !status.is_success() {
            return Err(WebError::Status { place, status: status.as_u16() });
        }
        serde_json::from_slice(&body).map_err(|error| WebError::Contents { place, cause: error.to_string() })
    }
}

/// The library's calls are ours.
impl<'c> AsyncHttpClient<'c> for Web {
    type Error = WebError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, WebError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

async fn read(mut response: reqwest::Response, place: &str) -> Result<Vec<u8>, WebError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unreachable(place, &error))? {
        if body.len() + chunk.len() > LARGEST_ANSWER {
            return Err(WebError::TooLarge(place.to_owned()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What was called, as far as it may be told: a query can hold secrets.
fn place(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

/// The innermost cause says what happened. None of them names the query, which reqwest would.
fn unreachable(place: &str, error: &reqwest::Error) -> WebError {
    let mut cause = if error.is_timeout() { "it took too long".to_owned() } else { "the call failed".to_owned() };
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        cause = inner.to_string();
        source = inner.source();
    }
    WebError::Unreachable { place: place.to_owned(), cause }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn row_15_nothing_is_asked_unencrypted_but_on_loopback() {
        for good in ["https://idp.example", "https://127.0.0.1:8443/x", "http://127.0.0.1:3000", "http://[::1]:3000", "http://localhost:1"]
        {
            assert!(is_safe(&good.parse().unwrap()), "{good}");
        }
        for bad in [
            "http://idp.example",
            "http://127.0.0.1.example.org",
            "http://localhost.example.org",
            "http://10.0.0.1",
            "http://169.254.169.254/latest",
            "https://user@idp.example",
            "https://:secret@idp.example",
            "file:///etc/passwd",
            "ftp://127.0.0.1",
        ] {
            assert!(!is_safe(&bad.parse().unwrap()), "{bad}");
        }
    }

    #[test]
    fn row_28_what_was_called_is_told_without_its_query() {
        assert_eq!(place(&"https://idp.example/token?code=secret#x".parse().unwrap()), "https://idp.example/token");
    }
}
