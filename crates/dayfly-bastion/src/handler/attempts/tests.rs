#![allow(clippy::unwrap_used)]
use super::*;
use crate::transport::ClientTransport;
use dayfly_core::signer::{SeedSigner, Signer};
use tokio::io::{AsyncWriteExt, DuplexStream, Sink, sink};

/// A client's attempts, and the answers that go out on its transport.
struct Login {
    attempts: Attempts,
    transport: ClientTransport<tokio::io::Join<DuplexStream, Sink>>,
    _far: DuplexStream,
    _cut: crate::transport::Cut,
}

impl Login {
    async fn begin() -> Self {
        let (near, far) = tokio::io::duplex(64);
        let (transport, answers, cut) = ClientTransport::new(tokio::io::join(near, sink()));
        let mut login = Self { attempts: Attempts::new(answers), transport, _far: far, _cut: cut };
        login.answer().await;
        login.attempts.begin();
        login.answer().await;
        login
    }

    async fn answer(&mut self) {
        self.transport.write_all(b"x").await.unwrap();
        self.transport.flush().await.unwrap();
    }

    fn reason(&self) -> Option<Reason> {
        self.attempts.refusal().map(|(refusal, _)| refusal.reason)
    }
}

#[tokio::test]
async fn a_key_that_was_tried_without_a_certificate() {
    let mut login = Login::begin().await;
    login.attempts.probe();
    login.answer().await;
    assert_eq!(login.reason(), None, "a question for the methods is no attempt");
    let key = SeedSigner::new(1);
    login.attempts.offered(key.public_key());
    login.answer().await;
    login.attempts.bare(key.public_key());
    login.answer().await;
    assert_eq!(login.reason(), Some(Reason::CertificateRequired));
}

#[tokio::test]
async fn row_05_an_answer_without_a_callback_is_a_login_that_the_library_refused() {
    let mut login = Login::begin().await;
    login.attempts.probe();
    login.answer().await;
    // An expired certificate: nothing is called, and something is answered.
    login.answer().await;
    assert_eq!(login.reason(), Some(Reason::RefusedByTransport));
    let key = SeedSigner::new(1);
    login.attempts.offered(key.public_key());
    login.answer().await;
    login.attempts.bare(key.public_key());
    login.answer().await;
    let (refusal, keys) = login.attempts.refusal().unwrap();
    assert_eq!((refusal.reason, keys), (Reason::RefusedByTransport, vec![fingerprint(key.public_key())]));
}

#[tokio::test]
async fn a_key_whose_signature_does_not_fit() {
    let mut login = Login::begin().await;
    login.attempts.offered(SeedSigner::new(1).public_key());
    login.answer().await;
    login.answer().await;
    assert_eq!(login.reason(), Some(Reason::RefusedByTransport));
}

#[tokio::test]
async fn a_certificate_that_was_judged_was_reported_then() {
    let mut login = Login::begin().await;
    let key = SeedSigner::new(1);
    // Without a question beforehand, one request calls back twice.
    login.attempts.offered(key.public_key());
    login.attempts.judged(key.public_key());
    login.answer().await;
    login.attempts.offered(key.public_key());
    login.attempts.bare(key.public_key());
    login.answer().await;
    assert_eq!(login.reason(), None);
}
