//! What failed attempts leave behind (nothing), and what comes of messages that come before a login (nothing either).

use super::{
    client::certificate,
    raw::{RawClient, exec_request, forwarding_channel, forwarding_request, message, session_channel},
    *,
};
use crate::authority::double;
use dayfly_core::audit::AuditEvent;
use ssh_key::{Certificate, PrivateKey, certificate::Builder};

impl House {
    /// A client that may begin to log in.
    pub(super) async fn ready(&self) -> RawClient {
        let mut client = self.raw().await;
        client.begin_logins().await;
        client
    }

    /// Somebody whom another CA certified for everything.
    fn stranger(&self) -> Person {
        let key = double::fresh_key();
        let now = double::unix_now();
        let certificate = certificate(&key, &SeedSigner::new(66), (now - 30, now + 300), |builder| {
            builder.key_id("alice role=db-admin grant=01890a5d-ac96-774b-bcce-b302099a8057").unwrap();
            builder.valid_principal("deploy@db1").unwrap().valid_principal("root@db1").unwrap().extension("permit-pty", "").unwrap();
        });
        Person { key, certificate }
    }

    fn reasons(&self) -> Vec<Reason> {
        self.refusals().into_iter().map(|(_, reason)| reason).collect()
    }
}

fn subject(event: &AuditEvent) -> String {
    event.subject.as_ref().unwrap().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_07_a_certificate_is_shown_and_another_key_signs() {
    let house = House::open().await;
    let alice = Person::certified(&house.authority, "alice", &["root@db1"]);
    let mallory = Person::certified(&house.authority, "mallory", &["deploy@db1"]);
    let mut client = house.ready().await;
    // At once, and after the server said that the certificate will do.
    assert_eq!(client.log_in("root@db1", &alice.certificate, &mallory.key).await, message::USERAUTH_FAILURE);
    assert_eq!(client.offer("root@db1", &alice.certificate).await, message::USERAUTH_PK_OK);
    assert_eq!(client.log_in("root@db1", &alice.certificate, &mallory.key).await, message::USERAUTH_FAILURE);
    // What is left of alice's certificate, shown and never proven, is nothing: mallory logs in as mallory.
    assert_eq!(client.offer("root@db1", &alice.certificate).await, message::USERAUTH_PK_OK);
    assert_eq!(client.log_in("root@db1", &mallory.certificate, &mallory.key).await, message::USERAUTH_SUCCESS);
    assert!(client.run("say 0").await.contains("(principal_mismatch)"));
    assert_eq!(house.reasons(), [Reason::PrincipalMismatch]);
    assert!(house.journal.events().iter().all(|event| subject(event) == "mallory"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_07_a_signature_is_good_for_its_certificate_and_user_only() {
    let house = House::open().await;
    let key = double::fresh_key();
    // Two certificates of one key: the wider one was shown, the narrower one is what the login is made with.
    let wide = Person::with(key.clone(), &house.authority, "alice", &["root@db1", "deploy@db1"], |_| {});
    let narrow = Person::with(key.clone(), &house.authority, "alice", &["deploy@db1"], |_| {});
    let mut client = house.ready().await;
    assert_eq!(client.offer("root@db1", &wide.certificate).await, message::USERAUTH_PK_OK);
    assert_eq!(client.log_in("root@db1", &narrow.certificate, &key).await, message::USERAUTH_SUCCESS);
    assert!(client.run("say 0").await.contains("(principal_mismatch)"));

    let mut client = house.ready().await;
    assert_eq!(client.offer("root@db1", &wide.certificate).await, message::USERAUTH_PK_OK);
    assert_eq!(client.log_in("deploy@db1", &wide.certificate, &key).await, message::USERAUTH_SUCCESS);
    assert_eq!(client.run("say 0").await, "err\n");
    drop(client);
    assert_eq!(house.ended().await.facts["account"], "deploy");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_07_nothing_of_a_refused_attempt_reaches_the_session() {
    let house = House::open().await;
    let stranger = house.stranger();
    let forced = Person::with(double::fresh_key(), &house.authority, "bob", &["deploy@db1"], |builder| {
        builder.critical_option("force-command", "say 3").unwrap();
    });
    let mut client = house.ready().await;
    // A refused certificate for root without limits; then one for deploy with a forced command.
    assert_eq!(client.log_in("root@db1", &stranger.certificate, &stranger.key).await, message::USERAUTH_FAILURE);
    assert_eq!(client.log_in("deploy@db1", &forced.certificate, &forced.key).await, message::USERAUTH_SUCCESS);
    client.run("say 0").await;
    drop(client);
    let ended = house.ended().await;
    assert_eq!((subject(&ended).as_str(), ended.facts["account"].as_str()), ("bob", "deploy"));
    assert_eq!(ended.facts["force_command"], "say 3");
    assert_eq!(ended.serial, Some(forced.certificate.serial()));
    assert_eq!(house.reasons(), [Reason::ForeignCa]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_07_the_limits_of_a_login_survive_every_later_one() {
    let house = House::open().await;
    let alice = Person::certified(&house.authority, "alice", &["deploy@db1"]);
    let limited = |option: &'static str, value: &'static str| {
        Person::with(double::fresh_key(), &house.authority, "bob", &["deploy@db1"], move |builder| {
            builder.critical_option(option, value).unwrap();
        })
    };
    // Logged in with a certificate that gets nothing, and then with a better one on the same connection.
    let elsewhere = limited("source-address", "192.0.2.0/24");
    let mut client = house.ready().await;
    assert_eq!(client.log_in("deploy@db1", &elsewhere.certificate, &elsewhere.key).await, message::USERAUTH_SUCCESS);
    client.send_login("deploy@db1", &alice.certificate, &alice.key).await;
    assert!(client.run("say 0").await.contains("(source_address)"));
    // The same with one that gets something.
    let forced = limited("force-command", "say 3");
    let mut client = house.ready().await;
    assert_eq!(client.log_in("deploy@db1", &forced.certificate, &forced.key).await, message::USERAUTH_SUCCESS);
    client.send_login("deploy@db1", &alice.certificate, &alice.key).await;
    client.run("say 0").await;
    drop(client);
    let ended = house.ended().await;
    assert_eq!((subject(&ended).as_str(), ended.facts["force_command"].as_str()), ("bob", "say 3"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_03_a_changed_certificate_and_one_by_a_holder_are_refused() {
    let house = House::open().await;
    let alice = Person::certified(&house.authority, "alice", &["deploy@db1"]);
    let mallory = double::fresh_key();
    let now = double::unix_now();
    let signed_by = |holder: &PrivateKey| {
        let mut builder = Builder::new(vec![7; 32], mallory.public_key().key_data().clone(), now - 30, now + 300).unwrap();
        builder.key_id("root").unwrap().valid_principal("root@db1").unwrap();
        builder.sign(holder).unwrap()
    };
    let mut client = house.ready().await;
    for certificate in [signed_by(&alice.key), signed_by(&mallory)] {
        assert_eq!(client.log_in("root@db1", &certificate, &mallory).await, message::USERAUTH_FAILURE);
        assert_eq!(house.reasons().pop(), Some(Reason::ForeignCa));
    }
    // One principal's letters changed, the authority's signature left as it was.
    let text = alice.certificate.to_bytes().unwrap();
    let at = text.windows(10).position(|window| window == b"deploy@db1").unwrap();
    let mut changed = text.clone();
    changed[at..at + 6].copy_from_slice(b"deputy");
    let changed = Certificate::from_bytes(&changed).unwrap();
    assert_eq!(client.log_in("deputy@db1", &changed, &alice.key).await, message::USERAUTH_FAILURE);
    assert_eq!(client.log_in("deploy@db1", &alice.certificate, &alice.key).await, message::USERAUTH_SUCCESS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_08_nothing_comes_of_what_is_sent_before_a_login() {
    let house = House::open().await;
    let too_early = [
        session_channel(),
        exec_request(0, "say 0"),
        forwarding_channel("db1"),
        forwarding_channel("web1"),
        forwarding_request(),
        vec![message::USERAUTH_SUCCESS],
    ];
    let mut client = house.raw().await;
    for early in &too_early {
        client.send(early).await;
    }
    // Answers come in the order of what they answer: had there been one to the above, it would be here.
    client.begin_logins().await;
    for early in &too_early {
        client.send(early).await;
        assert_eq!(client.ask_for_methods().await, message::USERAUTH_FAILURE);
    }
    let stranger = house.stranger();
    assert_eq!(client.log_in("deploy@db1", &stranger.certificate, &stranger.key).await, message::USERAUTH_FAILURE);
    for early in &too_early {
        client.send(early).await;
    }
    let alice = Person::certified(&house.authority, "alice", &["deploy@db1"]);
    assert_eq!(client.log_in("deploy@db1", &alice.certificate, &alice.key).await, message::USERAUTH_SUCCESS);
    // Nothing was kept for after the login either: this is the first session, and the only one.
    assert_eq!(client.run("say 0").await, "err\n");
    drop(client);
    house.ended().await;
    let events: Vec<audit::Event> = house.journal.events().iter().map(|event| event.event).collect();
    assert_eq!(events, [audit::Event::LoginRefused, audit::Event::SessionEnded]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_08_whoever_only_says_that_they_are_logged_in_is_cut_off() {
    let house = House::open_with_grace(Duration::from_millis(50)).await;
    let mut client = house.ready().await;
    client.send(&[message::USERAUTH_SUCCESS]).await;
    client.send(&session_channel()).await;
    assert_eq!(client.receive().await, None);
}
