//! The CA as callers meet it on the wire.

#![allow(clippy::unwrap_used)]

use super::{Server, connection::Patience, tls};
use crate::{
    config::{Limits, Proxies, TlsFiles},
    installation::{ALICE, Installation, ORIGIN, limits, request_signature},
    private_file, tls_certificate,
};
use arc_swap::ArcSwap;
use dayfly_api::path;
use dayfly_core::signed_request::{CHALLENGE_HEADER, Purpose, SIGNATURE_HEADER, SignedRequest};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
    version::TLS13,
};
use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};
use time::OffsetDateTime;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
};
use tokio_rustls::{TlsAcceptor, TlsConnector, client::TlsStream};

struct Running {
    address: SocketAddr,
    tls: Arc<ArcSwap<TlsAcceptor>>,
    certificate: String,
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

async fn run(limits: Limits) -> Running {
    run_with(limits, Patience::default()).await
}

async fn run_with(limits: Limits, patience: Patience) -> Running {
    run_behind(limits, patience, Proxies::default()).await
}

async fn run_behind(limits: Limits, patience: Patience, proxies: Proxies) -> Running {
    let ca = Installation::with_limits(limits);
    let (acceptor, certificate) = fresh_acceptor();
    let tls = Arc::new(ArcSwap::from_pointee(acceptor));
    let server = Server::bind("127.0.0.1:0".parse().unwrap(), &ca.service, Arc::clone(&tls), proxies).await.unwrap();
    let server = Server { patience, ..server };
    let address = server.address().unwrap();
    let (stop, stopped) = oneshot::channel();
    let server = tokio::spawn(server.run(async move {
        let _ = stopped.await;
    }));
    Running { address, tls, certificate, stop, server }
}

fn fresh_acceptor() -> (TlsAcceptor, String) {
    let made = tls_certificate::self_signed(vec!["127.0.0.1".to_owned()], OffsetDateTime::now_utc()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = directory.path().join(name);
        private_file::create(&path, bytes).unwrap();
        path
    };
    let files = TlsFiles { certificate: file("cert.pem", made.certificate.as_bytes()), key: file("key.pem", made.key.as_bytes()) };
    (tls::acceptor(&files).unwrap(), made.certificate)
}

impl Running {
    async fn connect(&self, protocol: &[u8]) -> std::io::Result<TlsStream<TcpStream>> {
        self.connect_by(b"", protocol).await
    }

    async fn connect_by(&self, header: &[u8], protocol: &[u8]) -> std::io::Result<TlsStream<TcpStream>> {
        connect(self.address, &self.certificate, protocol, header).await
    }

    /// From which address alice comes, as the CA sees it.
    async fn seen_from(&self, header: &[u8], headers: &str) -> String {
        let answer = exchange(self.connect_by(header, b"http/1.1").await.unwrap(), &last_request(path::CHALLENGE, headers)).await;
        let challenge = challenge_of(&answer);
        let request = SignedRequest { server: ORIGIN, purpose: Purpose::Person, challenge, method: "GET", path: path::WHOAMI, body: b"" };
        let signature = request_signature(ALICE, request);
        let headers = format!("{headers}{CHALLENGE_HEADER}: {challenge}\r\n{SIGNATURE_HEADER}: {signature}\r\n");
        let answer = exchange(self.connect_by(header, b"http/1.1").await.unwrap(), &last_request(path::WHOAMI, &headers)).await;
        answer.split(r#""address":""#).nth(1).unwrap_or(&answer).split('"').next().unwrap().to_owned()
    }
}

/// Connects, with `header` before the handshake.
async fn connect(address: SocketAddr, trusted: &str, protocol: &[u8], header: &[u8]) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&TLS13]).unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(header).await?;
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// What comes back until the CA closes the connection.
async fn exchange(mut stream: TlsStream<TcpStream>, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    rest(stream).await
}

async fn rest(mut stream: TlsStream<TcpStream>) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// What comes until the connection is closed, cleanly or not. Fails if it is not.
async fn until_closed(mut stream: impl AsyncRead + Unpin) -> String {
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "the CA does not close the connection");
    String::from_utf8_lossy(&answer).into_owned()
}

fn challenge_of(answer: &str) -> &str {
    answer.lines().find_map(|line| line.strip_prefix("dayfly-challenge: ")).unwrap()
}

fn last_request(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: ca\r\nconnection: close\r\n{headers}\r\n")
}

#[tokio::test]
async fn a_signed_call_over_tls() {
    let running = run(limits()).await;
    let answer = exchange(running.connect(b"http/1.1").await.unwrap(), &last_request(path::CHALLENGE, "")).await;
    assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
    let challenge = challenge_of(&answer);
    let request = SignedRequest { server: ORIGIN, purpose: Purpose::Person, challenge, method: "GET", path: path::WHOAMI, body: b"" };
    let signature = request_signature(ALICE, request);
    let headers = format!("{CHALLENGE_HEADER}: {challenge}\r\n{SIGNATURE_HEADER}: {signature}\r\n");
    let answer = exchange(running.connect(b"http/1.1").await.unwrap(), &last_request(path::WHOAMI, &headers)).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains(r#""address":"127.0.0.1""#), "{answer}");
}

/// On behalf of 192.0.2.7 (haproxy.org, `proxy-protocol.txt`, version 2).
const HEADER: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\x0a\0\0\x01\x12\x34\0\x16";

fn behind(protocol: &[&str], forwarded: &[&str]) -> Proxies {
    let networks = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
    Proxies { proxy_protocol_from: networks(protocol), forwarded_for_from: networks(forwarded) }
}

#[tokio::test]
async fn row_22_behind_a_balancer_the_clients_address_counts_and_from_nobody_else() {
    let balanced = run_behind(Limits { connections_per_address: 1, ..limits() }, Patience::default(), behind(&["127.0.0.1"], &[])).await;
    assert_eq!(balanced.seen_from(HEADER, "x-forwarded-for: 203.0.113.9\r\n").await, "192.0.2.7");
    assert!(balanced.connect(b"http/1.1").await.is_err(), "without a header");
    let held = balanced.connect_by(HEADER, b"http/1.1").await.unwrap();
    assert!(balanced.connect_by(HEADER, b"http/1.1").await.is_err(), "the client has its place");
    let mut other = HEADER.to_vec();
    other[19] = 8;
    assert!(balanced.connect_by(&other, b"http/1.1").await.is_ok(), "another has one of their own");
    drop(held);
    let direct = run(limits()).await;
    assert!(direct.connect_by(HEADER, b"http/1.1").await.is_err());
    assert_eq!(direct.seen_from(b"", "x-forwarded-for: 192.0.2.7\r\n").await, "127.0.0.1");
}

#[tokio::test]
async fn row_22_a_proxy_that_ends_tls_is_believed_if_it_is_named() {
    let proxied = run_behind(limits(), Patience::default(), behind(&[], &["127.0.0.0/8"])).await;
    assert_eq!(proxied.seen_from(b"", "x-forwarded-for: 203.0.113.9, 192.0.2.7\r\n").await, "192.0.2.7");
    for nobody in ["", "x-forwarded-for: nobody\r\n", "x-forwarded-for: 127.0.0.9\r\n"] {
        let stream = proxied.connect(b"http/1.1").await.unwrap();
        let refused = exchange(stream, &last_request(path::CHALLENGE, nobody)).await;
        assert!(refused.starts_with("HTTP/1.1 400 "), "{nobody:?}: {refused}");
    }
    let health = exchange(proxied.connect(b"http/1.1").await.unwrap(), &last_request(path::HEALTH, "")).await;
    assert!(!health.starts_with("HTTP/1.1 400 "), "{health}");
}

#[tokio::test]
async fn http2_is_spoken_where_it_was_negotiated() {
    let running = run(limits()).await;
    let mut stream = running.connect(b"h2").await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    stream.write_all(&settings).await.unwrap();
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(head[3], 4, "the first frame is SETTINGS (RFC 9113 § 3.4)");
}

#[tokio::test]
async fn row_22_an_address_gets_so_many_connections() {
    let running = run(Limits { connections_per_address: 2, ..limits() }).await;
    let _first = running.connect(b"http/1.1").await.unwrap();
    let second = running.connect(b"http/1.1").await.unwrap();
    assert!(running.connect(b"http/1.1").await.is_err());
    assert!(exchange(second, &last_request(path::CHALLENGE, "")).await.starts_with("HTTP/1.1 204 "));
    running.connect(b"http/1.1").await.unwrap();
}

/// Somebody without any patience left for one thing.
fn impatient(change: impl FnOnce(&mut Patience)) -> Patience {
    let mut patience = Patience::default();
    change(&mut patience);
    patience
}

const A_MOMENT: Duration = Duration::from_millis(50);

#[tokio::test]
async fn row_22_a_handshake_that_does_not_come_is_given_up() {
    let running = run_with(limits(), impatient(|patience| patience.handshake = A_MOMENT)).await;
    let silent = TcpStream::connect(running.address).await.unwrap();
    assert_eq!(until_closed(silent).await, "");
}

#[tokio::test]
async fn row_22_a_request_head_that_does_not_end_is_given_up() {
    let running = run_with(limits(), impatient(|patience| patience.request_head = A_MOMENT)).await;
    let mut slow = running.connect(b"http/1.1").await.unwrap();
    slow.write_all(b"GET /v1/challenge HTTP/1.1\r\nhost:").await.unwrap();
    let answer = until_closed(slow).await;
    assert!(!answer.contains(" 204 "), "{answer}");
}

#[tokio::test]
async fn row_22_a_head_past_its_bound_is_refused() {
    let running = run(limits()).await;
    let headers = format!("x-large: {}\r\n", "x".repeat(64 * 1024));
    let mut stream = running.connect(b"http/1.1").await.unwrap();
    // The CA may have closed before all of it was sent.
    let _ = stream.write_all(last_request(path::CHALLENGE, &headers).as_bytes()).await;
    let answer = until_closed(stream).await;
    assert!(!answer.contains(" 204 "), "{answer}");
}

#[tokio::test]
async fn row_22_a_connection_that_asks_nothing_is_told_to_go() {
    let running = run_with(limits(), impatient(|patience| (patience.silence, patience.farewell) = (A_MOMENT, A_MOMENT))).await;
    for protocol in [b"h2".as_slice(), b"http/1.1"] {
        let silent = running.connect(protocol).await.unwrap();
        assert!(!until_closed(silent).await.contains("HTTP/1.1"));
    }
}

#[tokio::test]
async fn what_is_no_tls_disturbs_nobody() {
    let running = run(limits()).await;
    let mut plain = TcpStream::connect(running.address).await.unwrap();
    plain.write_all(last_request(path::CHALLENGE, "").as_bytes()).await.unwrap();
    assert!(!until_closed(plain).await.contains("HTTP/1.1"));
    running.connect(b"http/1.1").await.unwrap();
}

#[tokio::test]
async fn a_drain_answers_what_was_begun_and_begins_nothing() {
    let running = run(limits()).await;
    let mut busy = running.connect(b"http/1.1").await.unwrap();
    let head = format!("POST {} HTTP/1.1\r\nhost: ca\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n", path::CERTIFICATES);
    busy.write_all(head.as_bytes()).await.unwrap();
    let mut begun = [0; 25];
    busy.read_exact(&mut begun).await.unwrap();
    assert_eq!(&begun, b"HTTP/1.1 100 Continue\r\n\r\n");
    let mut idle = running.connect(b"http/1.1").await.unwrap();
    idle.write_all(format!("GET {} HTTP/1.1\r\nhost: ca\r\n\r\n", path::CHALLENGE).as_bytes()).await.unwrap();
    idle.read_exact(&mut [0; 12]).await.unwrap();

    running.stop.send(()).unwrap();
    assert!(rest(idle).await.ends_with("\r\n\r\n"), "an idle connection is closed");
    assert!(TcpStream::connect(running.address).await.is_err());
    busy.write_all(b"{}").await.unwrap();
    let answer = rest(busy).await;
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    running.server.await.unwrap();
}

#[tokio::test]
async fn a_new_certificate_is_shown_to_new_connections_and_old_ones_go_on() {
    let running = run(limits()).await;
    let before = running.connect(b"http/1.1").await.unwrap();
    let (acceptor, certificate) = fresh_acceptor();
    running.tls.store(Arc::new(acceptor));
    assert!(running.connect(b"http/1.1").await.is_err(), "the old certificate is not shown any more");
    connect(running.address, &certificate, b"http/1.1", b"").await.unwrap();
    assert!(exchange(before, &last_request(path::CHALLENGE, "")).await.starts_with("HTTP/1.1 204 "));
}

#[test]
fn a_key_that_others_may_read_is_refused() {
    let made = tls_certificate::self_signed(vec!["127.0.0.1".to_owned()], OffsetDateTime::now_utc()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key) = (directory.path().join("cert.pem"), directory.path().join("key.pem"));
    std::fs::write(&certificate, made.certificate).unwrap();
    std::fs::write(&key, made.key.as_bytes()).unwrap();
    open_to_all(&key);
    let mistake = tls::acceptor(&TlsFiles { certificate, key: key.clone() }).err().unwrap();
    assert_eq!(mistake.file, key);
}

fn open_to_all(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
}
