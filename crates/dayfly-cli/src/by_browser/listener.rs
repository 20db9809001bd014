//! The tool's own port, which the browser is sent to in the end: on loopback, for one answer, and deaf to everything else.

use crate::error::{Failure, Kind};
use hyper::{Request, Response, body::Incoming, header, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{convert::Infallible, net::Ipv4Addr, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
    time::timeout,
};
use url::form_urlencoded;

/// How long one connection may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many connections are answered at a time.
const MOST_CONNECTIONS: usize = 16;

const SIGNED_IN: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Dayfly</title>\
    <p>You are signed in as far as the browser is concerned. See the terminal, and close this page.</p></html>";

const TAKEN: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Dayfly</title>\
    <p>Your answer is taken as far as the browser is concerned. See the terminal, and close this page.</p></html>";

/// A port of this host that waits for one browser.
pub(super) struct Listener {
    socket: TcpListener,
    port: u16,
    state: String,
    place: &'static str,
}

impl Listener {
    /// Any free port. The browser is sent to `/place`.
    pub(super) async fn bind(place: &'static str) -> Result<Self, Failure> {
        let failed = |error| Failure::new(Kind::Failed, "no port of this host can be listened at").because(error);
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed)?;
        let port = socket.local_addr().map_err(failed)?.port();
        let state = format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>());
        Ok(Self { socket, port, state, place })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// What the browser shows, so that no other page can answer in its place.
    pub(super) fn state(&self) -> &str {
        &self.state
    }

    /// The code that the browser brings.
    pub(super) async fn code(&self) -> Result<String, Failure> {
        let (found, mut codes) = mpsc::channel(1);
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                Some(code) = codes.recv() => {
                    // Whoever brought it is told before the program goes on.
                    let _ = timeout(Duration::from_secs(1), connections.join_next()).await;
                    return Ok(code);
                }
                accepted = self.socket.accept(), if connections.len() < MOST_CONNECTIONS => {
                    let (stream, _) = accepted.map_err(|error| Failure::new(Kind::Failed, "the browser cannot be heard").because(error))?;
                    connections.spawn(serve(stream, (self.port, self.place), self.state.clone(), found.clone()));
                }
                Some(_) = connections.join_next() => {}
            }
        }
    }
}

async fn serve(stream: TcpStream, at: (u16, &'static str), state: String, found: mpsc::Sender<String>) {
    let answer = service_fn(move |request: Request<Incoming>| {
        let code = code_in(&request, at, &state);
        let found = found.clone();
        async move {
            let is_ours = code.is_some();
            if let Some(code) = code {
                // A second one is not needed.
                let _ = found.try_send(code);
            }
            Ok::<_, Infallible>(response(is_ours, at.1))
        }
    });
    let mut builder = http1::Builder::new();
    let connection =
        builder.timer(TokioTimer::new()).keep_alive(false).max_buf_size(16 * 1024).serve_connection(TokioIo::new(stream), answer);
    // A browser that goes away, or stands still, is none that brings anything.
    let _ = timeout(PATIENCE, connection).await;
}

/// The code of a request that is the CA's answer: to this very port by its address, so that no name that leads here will do, with our state.
fn code_in<B>(request: &Request<B>, (port, place): (u16, &str), state: &str) -> Option<String> {
    let host = request.headers().get(header::HOST)?.to_str().ok()?;
    if request.method() != hyper::Method::GET
        || request.uri().path().strip_prefix('/') != Some(place)
        || host != format!("127.0.0.1:{port}")
    {
        return None;
    }
    let query = request.uri().query()?;
    let only = |name: &str| {
        let mut values = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        values.next().filter(|_| values.next().is_none())
    };
    if only("state")? == state { only("code") } else { None }
}

fn response(is_ours: bool, place: &str) -> Response<String> {
    let (status, text) = match (is_ours, place) {
        (true, "sign-in") => (200, SIGNED_IN),
        (true, _) => (200, TAKEN),
        (false, _) => (404, "not found\n"),
    };
    let answered = Response::builder().status(status).body(text.to_owned());
    let mut response = answered.unwrap_or_else(|_| Response::new(String::new()));
    let kind = if is_ours { "text/html; charset=utf-8" } else { "text/plain" };
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    for (name, value) in headers {
        response.headers_mut().insert(name, header::HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn request(host: &str, target: &str) -> Request<()> {
        Request::get(target).header("host", host).body(()).unwrap()
    }

    #[test]
    fn row_17_only_the_answer_of_this_sign_in_is_heard() {
        let code = |host: &str, target: &str| code_in(&request(host, target), (5000, "sign-in"), "s");
        assert_eq!(code("127.0.0.1:5000", "/sign-in?state=s&code=c"), Some("c".to_owned()));
        for (host, target) in [
            ("localhost:5000", "/sign-in?state=s&code=c"),
            ("evil.example:5000", "/sign-in?state=s&code=c"),
            ("127.0.0.1:5001", "/sign-in?state=s&code=c"),
            ("127.0.0.1:5000", "/sign-in?state=x&code=c"),
            ("127.0.0.1:5000", "/sign-in?code=c"),
            ("127.0.0.1:5000", "/sign-in?state=s"),
            ("127.0.0.1:5000", "/sign-in?state=s&code=c&code=d"),
            ("127.0.0.1:5000", "/sign-in?state=x&state=s&code=c"),
            ("127.0.0.1:5000", "/?state=s&code=c"),
            ("127.0.0.1:5000", "/sign-in"),
            ("127.0.0.1:5000", "/factor?state=s&code=c"),
        ] {
            assert_eq!(code(host, target), None, "{host} {target}");
        }
        let post = Request::post("/sign-in?state=s&code=c").header("host", "127.0.0.1:5000").body(()).unwrap();
        assert_eq!(code_in(&post, (5000, "sign-in"), "s"), None);
    }

    #[tokio::test]
    async fn a_code_arrives_among_noise() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = Listener::bind("sign-in").await.unwrap();
        let (port, state) = (listener.port(), listener.state().to_owned());
        let ask = async |target: String| {
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
            stream.write_all(format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n").as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        };
        let browser = async {
            assert!(ask("/favicon.ico".to_owned()).await.starts_with("HTTP/1.1 404"));
            assert!(ask("/sign-in?state=guess&code=x".to_owned()).await.starts_with("HTTP/1.1 404"));
            ask(format!("/sign-in?state={state}&code=good")).await
        };
        let (code, answer) = tokio::join!(listener.code(), browser);
        assert_eq!(code.unwrap(), "good");
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("frame-ancestors 'none'"), "{answer}");
    }
}
