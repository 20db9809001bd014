//! GitHub Actions: a job with `permissions: id-token: write` is given an address and a token to ask there for a token that says which job it is.

use super::missing;
use crate::error::Failure;
use reqwest::{Client, redirect::Policy};
use serde::Deserialize;
use std::{fmt, time::Duration};
use url::{Host, Url};
use zeroize::Zeroizing;

const URL_VARIABLE: &str = "ACTIONS_ID_TOKEN_REQUEST_URL";
const TOKEN_VARIABLE: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";

/// How long the platform may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// The largest answer that is read, in bytes.
const LARGEST_ANSWER: usize = 64 * 1024;

/// What the job was given.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    url: String,
    token: Zeroizing<String>,
}

/// The token opens the job's identity.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Answer {
    value: String,
}

impl Request {
    /// What the environment says, if the job may ask.
    pub(super) fn in_environment(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        Some(Self { url: variable(URL_VARIABLE)?, token: Zeroizing::new(variable(TOKEN_VARIABLE)?) })
    }

    /// A token for `audience`.
    pub(super) async fn token(&self, audience: &str) -> Result<Zeroizing<String>, Failure> {
        let failed = |cause: String| missing(&format!("GitHub Actions gave none: {cause}"));
        let mut url = Url::parse(&self.url).map_err(|_| failed(format!("{URL_VARIABLE} is no address")))?;
        if !is_safe(&url) {
            return Err(failed(format!("{URL_VARIABLE} is not https://")));
        }
        url.query_pairs_mut().append_pair("audience", audience);
        let client = Client::builder().redirect(Policy::none()).timeout(PATIENCE).build().map_err(|error| failed(error.to_string()))?;
        let asked = client.get(url).bearer_auth(self.token.as_str()).send().await;
        // The address holds no secret, and is left out all the same: a trace of a job is read by many.
        let mut response = asked.map_err(|error| failed(error.without_url().to_string()))?;
        if !response.status().is_success() {
            return Err(failed(format!("it answers with status {}", response.status().as_u16())));
        }
        let mut body = Zeroizing::new(Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(|error| failed(error.without_url().to_string()))? {
            if body.len() + chunk.len() > LARGEST_ANSWER {
                return Err(failed("its answer is too large".to_owned()));
            }
            body.extend_from_slice(&chunk);
        }
        let answer: Answer = serde_json::from_slice(&body).map_err(|_| failed("its answer holds no token".to_owned()))?;
        Ok(Zeroizing::new(answer.value))
    }
}

/// Encrypted, or within this host.
fn is_safe(url: &Url) -> bool {
    let is_loopback = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(_)) | None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && is_loopback)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    async fn answering(status: &str, body: &str) -> (Request, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/token?api-version=2.0", listener.local_addr().unwrap());
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
        let heard = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut heard = Vec::new();
            while !heard.ends_with(b"\r\n\r\n") {
                heard.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(heard).unwrap()
        });
        (Request { url, token: Zeroizing::new("request-token".to_owned()) }, heard)
    }

    #[tokio::test]
    async fn a_job_asks_for_a_token_for_the_cas_audience() {
        let (request, heard) = answering("200 OK", r#"{"count":1,"value":"a.b.c"}"#).await;
        assert_eq!(request.token("https://ca.example").await.unwrap().as_str(), "a.b.c");
        let heard = heard.await.unwrap();
        assert!(heard.starts_with("GET /token?api-version=2.0&audience=https%3A%2F%2Fca.example HTTP/1.1"), "{heard}");
        assert!(heard.to_lowercase().contains("authorization: bearer request-token"), "{heard}");
    }

    #[tokio::test]
    async fn row_28_what_goes_wrong_names_no_token() {
        for (status, body) in [("403 Forbidden", "{}"), ("302 Found", ""), ("200 OK", "<html>"), ("200 OK", r#"{"value":1}"#)] {
            let (request, _heard) = answering(status, body).await;
            let failure = request.token("x").await.unwrap_err();
            assert_eq!(failure.kind.exit_code(), 8, "{status}");
            assert!(!format!("{failure:?} {request:?}").contains("request-token"));
        }
        let plain = Request { url: "http://ci.example/token".to_owned(), token: Zeroizing::new("t".to_owned()) };
        assert_eq!(plain.token("x").await.unwrap_err().kind.exit_code(), 8);
    }
}
