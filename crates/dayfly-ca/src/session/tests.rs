//! The session pipeline: what a bastion may buy with a certificate, and what it may not.

#![allow(clippy::unwrap_used)]

use super::open;
use crate::{
    failure::Failure,
    installation::{CHALLENGE, FRESH, Installation, SESSION_CA, USER_CA, possession, session_request},
    store::{Change, Revocation, Store, StoreError},
};
use dayfly_api::session::{SessionPermit, SessionRequest};
use dayfly_core::{
    audit::{Event, Outcome},
    certificate::{KeyId, Revocations, Revoked, Verifier, parse},
    clock::Clock,
    forward::{Arrival, Listening},
    name::{AccountName, TargetName},
    policy::sample,
    reason::Reason,
    role::{SessionLimits, Start},
    signature::fingerprint,
    signed_request::Certifies,
    signer::{SeedSigner, Signer},
    target::{Inventory, Mode, Target},
};
use ssh_key::{Certificate, certificate::Builder};

mod conditions;
mod continuous;

/// The refusal of `asked` by `bastion`, which the log must hold.
async fn refusal(ca: &Installation, bastion: &str, asked: &SessionRequest) -> Reason {
    let Failure::Refused(refusal) = open(ca.authority(), &ca.bastion_call(bastion).await, asked).await.unwrap_err() else {
        unreachable!("refused")
    };
    let event = ca.store.events().pop().unwrap();
    assert_eq!((event.event, event.reason, event.session), (Event::SessionRefused, Some(refusal.reason), Some(asked.session)));
    assert_eq!(event.facts["bastion"], bastion);
    refusal.reason
}

#[tokio::test]
async fn row_11_the_role_says_where_a_session_forwards_to() {
    let ca = Installation::new();
    let parent = ca.alices_certificate("db-tunnel", "db1").await;
    let to = |destination: &str| SessionRequest { forward: Some(destination.parse().unwrap()), ..session_request("gate", &parent, "db1") };
    for elsewhere in ["localhost:5433", "127.0.0.1:5432", "169.254.169.254:5432"] {
        assert_eq!(refusal(&ca, "gate", &to(elsewhere)).await, Reason::NotAllowed, "{elsewhere}");
    }
    let asked = to("localhost:5432");
    let permit = open(ca.authority(), &ca.bastion_call("gate").await, &asked).await.unwrap();
    assert_eq!(permissions(&permit), ["permit-port-forwarding"], "no terminal on a connection");
    assert_eq!(ca.store.events().pop().unwrap().facts["forward"], "localhost:5432");
}

#[tokio::test]
async fn row_11_the_role_says_where_a_target_listens_and_what_arrives_there_gets_no_login() {
    let ca = Installation::new();
    let parent = ca.alices_certificate("db-tunnel", "db1").await;
    let at = |address: &str, arrival: Option<Arrival>| {
        let listen = Some(Listening { at: address.parse().unwrap(), arrival });
        SessionRequest { listen, ..session_request("gate", &parent, "db1") }
    };
    for elsewhere in ["localhost:8081", "127.0.0.1:8080", "*:8080", "localhost:0"] {
        assert_eq!(refusal(&ca, "gate", &at(elsewhere, None)).await, Reason::NotAllowed, "{elsewhere}");
    }
    let listener = at("localhost:8080", None);
    let permit = open(ca.authority(), &ca.bastion_call("gate").await, &listener).await.unwrap();
    assert_eq!(permissions(&permit), ["permit-port-forwarding"]);
    let arrival = |listener| at("localhost:8080", Some(Arrival { listener, from: "203.0.113.9:4711".parse().unwrap() }));
    let permit = open(ca.authority(), &ca.bastion_call("gate").await, &arrival(listener.session)).await.unwrap();
    assert_eq!(permit.session_certificate, None, "nobody logs in anew");
    let facts = ca.store.events().pop().unwrap().facts;
    assert_eq!((facts["listen"].as_str(), facts["from"].as_str()), ("localhost:8080", "203.0.113.9:4711"));
    assert_eq!(facts["listener"], listener.session.to_string());
    // Nobody's session, and one of another certificate.
    assert_eq!(refusal(&ca, "gate", &arrival(uuid::Uuid::now_v7())).await, Reason::NotIssued);
    let other = session_request("gate", &ca.alices_certificate("db-tunnel", "db1").await, "db1");
    open(ca.authority(), &ca.bastion_call("gate").await, &other).await.unwrap();
    assert_eq!(refusal(&ca, "gate", &arrival(other.session)).await, Reason::NotIssued);
}

#[tokio::test]
async fn row_18_what_a_role_allows_a_target_may_narrow() {
    let ca = Installation::new();
    let parent = ca.alices_certificate("db-tunnel", "db1").await;
    let asked = |forward: Option<&str>| SessionRequest {
        forward: forward.map(|destination| destination.parse().unwrap()),
        ..session_request("gate", &parent, "db1")
    };
    open(ca.authority(), &ca.bastion_call("gate").await, &asked(Some("localhost:5432"))).await.unwrap();
    ca.change_rules(|book| {
        let limits: SessionLimits = toml::from_str("allow = [\"sftp\"]\nforward_to = []\nforward_agent = true").unwrap();
        let targets = book
            .inventory
            .iter()
            .cloned()
            .map(|target| Target { session: (target.mode == Mode::Record).then(|| limits.clone()), ..target });
        book.inventory = Inventory::new(targets).unwrap();
    });
    assert_eq!(refusal(&ca, "gate", &asked(Some("localhost:5432"))).await, Reason::NotAllowed);
    let permit = open(ca.authority(), &ca.bastion_call("gate").await, &asked(None)).await.unwrap();
    assert_eq!(permit.rules.allow, [Start::Sftp].into());
    assert!(!permit.rules.forward_agent && permit.rules.forward_to.is_empty());
    let told = crate::bastion_inventory::inventory(ca.authority(), &ca.bastion_call("gate").await.bastion).await.unwrap();
    assert!(told.targets.iter().all(|target| target.session.is_none()), "bastions are told with each session");
}

#[tokio::test]
async fn a_session_certificate_forwards_the_agent_where_role_and_certificate_say_so() {
    let ca = Installation::new();
    ca.change_rules(|book| {
        let text = "[[role]]\nname = \"db-admin\"\nprincipals = [\"deploy@{target}\"]\ntargets = [\"db\"]\nextensions = [\"permit-pty\", \"permit-agent-forwarding\"]\nsession = { forward_agent = true }";
        book.roles = sample::roles(text, &book.inventory);
    });
    let parent = ca.alices_certificate("db-admin", "db1").await;
    let permit = open(ca.authority(), &ca.bastion_call("gate").await, &session_request("gate", &parent, "db1")).await.unwrap();
    assert_eq!(permissions(&permit), ["permit-agent-forwarding", "permit-pty"]);
    // The certificate still says so, and the role not any more.
    ca.change_rules(|book| {
        let text = "[[role]]\nname = \"db-admin\"\nprincipals = [\"deploy@{target}\"]\ntargets = [\"db\"]\nextensions = [\"permit-pty\", \"permit-agent-forwarding\"]";
        book.roles = sample::roles(text, &book.inventory);
    });
    let permit = open(ca.authority(), &ca.bastion_call("gate").await, &session_request("gate", &parent, "db1")).await.unwrap();
    assert_eq!(permissions(&permit), ["permit-pty"]);
}

/// What the session certificate permits.
fn permissions(permit: &SessionPermit) -> Vec<String> {
    let certificate = parse(permit.session_certificate.as_deref().unwrap()).unwrap();
    certificate.extensions().keys().filter(|name| name.starts_with("permit-")).cloned().collect()
}

#[tokio::test]
async fn a_recorded_session_gets_a_certificate_for_one_login() {
    let ca = Installation::new();
    let parent = ca.alices_certificate("db-admin", "db1").await;
    let asked = session_request("gate", &parent, "db1");
    let permit = open(ca.authority(), &ca.bastion_call("gate").await, &asked).await.unwrap();
    assert_eq!((permit.mode, permit.subject.to_string(), permit.role.to_string()), (Mode::Record, "alice".into(), "db-admin".into()));

    let key = SeedSigner::new(SESSION_CA);
    let verifier = Verifier { authorities: std::slice::from_ref(key.public_key()), revocations: &Revocations::default() };
    let certificate = parse(permit.session_certificate.as_deref().unwrap()).unwrap();
    let (now, dials_from) = (ca.clock.unix_seconds(), "192.0.2.1".parse().unwrap());
    let verified = verifier.user(&certificate, now, dials_from).unwrap();
    assert_eq!(verified.principals().iter().map(|name| name.as_str()).collect::<Vec<_>>(), ["deploy@db1"]);
    assert_eq!(verified.validity().before(), now + 60);
    assert_eq!(verifier.user(&certificate, now, sample::context().source).unwrap_err().reason, Reason::SourceAddress);

    let event = ca.store.events().pop().unwrap();
    assert_eq!((event.event, event.session), (Event::SessionStarted, Some(asked.session)));
    assert_eq!(event.serial, Some(parse(&parent).unwrap().serial()));
    assert_eq!(event.facts["session_serial"], certificate.serial().to_string());
    for (name, value) in [("bastion", "gate"), ("mode", "record"), ("account", "deploy"), ("peer", "198.51.100.7")] {
        assert_eq!(event.facts[name], value, "{name}");
    }
    assert_eq!(event.facts["connection"], asked.connection.to_string());
}

#[tokio::test]
async fn a_passthrough_session_gets_none() {
    let ca = Installation::new();
    let parent = ca.alices_certificate("web", "web1").await;
    let asked = SessionRequest { account: None, login_key: None, ..session_request("gate", &parent, "web1") };
    let permit = open(ca.authority(), &ca.bastion_call("gate").await, &asked).await.unwrap();
    assert_eq!((permit.mode, permit.session_certificate), (Mode::Passthrough, None));
    assert_eq!(permit.certificate_ends.unix_timestamp(), i64::try_from(parse(&parent).unwrap().valid_before()).unwrap());
}

#[tokio::test]
async fn row_12_what_the_bastion_believes_of_the_mode_changes_nothing() {
    let ca = Installation::new();
    let recorded = ca.alices_certificate("db-admin", "db1").await;
    let as_passthrough = SessionRequest { account: None, login_key: None, ..session_request("gate", &recorded, "db1") };
    assert_eq!(refusal(&ca, "gate", &as_passthrough).await, Reason::WrongMode);
    let without_key = SessionRequest { login_key: None, ..session_request("gate", &recorded, "db1") };
    assert_eq!(refusal(&ca, "gate", &without_key).await, Reason::WrongMode);

    let passthrough = ca.alices_certificate("web", "web1").await;
    let as_recorded = session_request("gate", &passthrough, "web1");
    let permit = open(ca.authority(), &ca.bastion_call("gate").await, &as_recorded).await.unwrap();
    assert_eq!((permit.mode, permit.session_certificate), (Mode::Passthrough, None));
}

/// A certificate like `genuine` with another key id, and what `change` adds, signed outside the CA by one of its keys or a foreign one.
fn forged_as(key_id: &str, genuine: &str, change: impl FnOnce(&mut Builder), signer: u8) -> String {
    let genuine: Certificate = parse(genuine).unwrap();
    let (key, after, before) = (genuine.public_key().clone(), genuine.valid_after(), genuine.valid_before());
    let mut builder = Builder::new([7; 32], key, after, before).unwrap();
    builder.serial(genuine.serial()).unwrap().key_id(key_id).unwrap();
    builder.valid_principal("deploy@db1").unwrap();
    change(&mut builder);
    builder.sign(SeedSigner::new(signer).private_key()).unwrap().to_openssh().unwrap()
}

fn forged(genuine: &str, signer: u8) -> String {
    forged_as(parse(genuine).unwrap().key_id(), genuine, |_| (), signer)
}

#[tokio::test]
async fn row_30_a_parent_that_is_not_in_the_log() {
    let ca = Installation::new();
    let genuine = ca.alices_certificate("db-admin", "db1").await;
    let same_serial = forged(&genuine, USER_CA);
    assert_eq!(refusal(&ca, "gate", &session_request("gate", &same_serial, "db1")).await, Reason::NotIssued);
    let event = ca.store.events().pop().unwrap();
    assert_eq!(event.subject.unwrap().to_string(), "alice", "whose name it carries is known: the CA's key signed it");

    let bobs = parse(&genuine).unwrap().key_id().replace("alice", "bob");
    for key_id in [bobs.as_str(), "alice"] {
        let renamed = forged_as(key_id, &genuine, |_| (), USER_CA);
        assert_eq!(refusal(&ca, "gate", &session_request("gate", &renamed, "db1")).await, Reason::NotIssued);
    }
}

#[tokio::test]
async fn row_30_a_parent_of_another_authority_or_kind() {
    let ca = Installation::new();
    let genuine = ca.alices_certificate("db-admin", "db1").await;
    for other in [SESSION_CA, 99] {
        let foreign = forged(&genuine, other);
        assert_eq!(refusal(&ca, "gate", &session_request("gate", &foreign, "db1")).await, Reason::ForeignCa);
        let event = ca.store.events().pop().unwrap();
        assert!(event.subject.is_none() && event.facts["shown_key_id"].starts_with("alice "), "what is not verified is not said to be so");
    }
    let permit = open(ca.authority(), &ca.bastion_call("gate").await, &session_request("gate", &genuine, "db1")).await.unwrap();
    let session = session_request("gate", permit.session_certificate.as_deref().unwrap(), "db1");
    assert_eq!(refusal(&ca, "gate", &session).await, Reason::ForeignCa);
    for garbage in ["", "ssh-ed25519-cert-v01@openssh.com AAAA", &"A".repeat(100_000)] {
        assert_eq!(refusal(&ca, "gate", &session_request("gate", garbage, "db1")).await, Reason::Malformed);
    }
}

#[tokio::test]
async fn row_30_a_parent_that_has_expired_at_its_very_second() {
    let ca = Installation::new();
    let parent = ca.alices_certificate("db-admin", "db1").await;
    ca.clock.advance(299);
    open(ca.authority(), &ca.bastion_call("gate").await, &session_request("gate", &parent, "db1")).await.unwrap();
    ca.clock.advance(1);
    assert_eq!(refusal(&ca, "gate", &session_request("gate", &parent, "db1")).await, Reason::Expired);
}

#[tokio::test]
async fn row_30_a_parent_whose_holder_was_disabled_or_lost_the_group() {
    let ca = Installation::new();
    let parent = ca.alices_certificate("db-admin", "db1").await;
    let mut alice = ca.store.person(&"alice".parse().unwrap()).await.unwrap().unwrap();
    alice.groups.clear();
    ca.store.put_person(alice.clone());
    assert_eq!(refusal(&ca, "gate", &session_request("gate", &parent, "db1")).await, Reason::PolicyDenied);
    alice.disabled = true;
    ca.store.put_person(alice);
    assert_eq!(refusal(&ca, "gate", &session_request("gate", &parent, "db1")).await, Reason::Revoked);
}

#[tokio::test]
async fn row_31_a_target_that_the_bastion_may_not_serve() {
    let ca = Installation::new();
    let parent = ca.alices_certificate("db-admin", "db1").await;
    assert_eq!(refusal(&ca, "side", &session_request("side", &parent, "db1")).await, Reason::TargetNotServed);
    assert_eq!(refusal(&ca, "gate", &session_request("gate", &parent, "db9")).await, Reason::UnknownTarget);
}

#[tokio::test]
async fn row_31_a_certificate_admits_to_its_principals_only() {
    let ca = Installation::new();
    let parent = ca.alices_certificate("db-admin", "db1").await;
    let elsewhere = SessionRequest { target: TargetName::new("db2").unwrap(), ..session_request("gate", &parent, "db1") };
    assert_eq!(refusal(&ca, "gate", &elsewhere).await, Reason::PrincipalMismatch);
    let root = SessionRequest { account: Some(AccountName::new("root").unwrap()), ..session_request("gate", &parent, "db1") };
    assert_eq!(refusal(&ca, "gate", &root).await, Reason::PrincipalMismatch);
}

#[tokio::test]
async fn row_31_a_session_id_is_good_once() {
    let ca = Installation::new();
    let parent = ca.alices_certificate("db-admin", "db1").await;
    let asked = session_request("gate", &parent, "db1");
    open(ca.authority(), &ca.bastion_call("gate").await, &asked).await.unwrap();
    assert_eq!(refusal(&ca, "gate", &asked).await, Reason::SessionReplayed, "the same serial and session");
    let other_parent = ca.alices_certificate("db-admin", "db2").await;
    let reused = SessionRequest { session: asked.session, ..session_request("gate", &other_parent, "db2") };
    assert_eq!(refusal(&ca, "gate", &reused).await, Reason::SessionReplayed);
}

#[tokio::test]
async fn row_31_a_session_certificate_is_never_wider_than_its_parent() {
    let ca = Installation::new();
    let parent = ca.alices_certificate("db-admin", "db1").await;
    ca.clock.advance(280);
    let permit = open(ca.authority(), &ca.bastion_call("gate").await, &session_request("gate", &parent, "db1")).await.unwrap();
    let session = parse(permit.session_certificate.as_deref().unwrap()).unwrap();
    let parent = parse(&parent).unwrap();
    assert_eq!(session.valid_before(), parent.valid_before(), "20 s are left of the parent");
    assert_eq!(session.critical_options().get("source-address").map(String::as_str), Some("192.0.2.1/32"));
    assert_eq!(session.valid_principals(), ["deploy@db1"]);
    let kept: Vec<&str> = session.extensions().keys().map(String::as_str).collect();
    assert_eq!(kept, ["grant@dayfly", "permit-pty"]);
}

#[test]
fn row_31_a_request_has_no_field_for_options() {
    let asked = serde_json::to_value(session_request("gate", "", "db1")).unwrap();
    for name in ["ttl", "extensions", "force_command", "source_address", "principals", "mode"] {
        let mut widened = asked.clone();
        widened[name] = serde_json::json!("24h");
        assert!(serde_json::from_value::<SessionRequest>(widened).is_err(), "{name}");
    }
}

#[tokio::test]
async fn row_31_the_login_key_is_held_by_this_bastion_now() {
    let ca = Installation::new();
    let parent = ca.alices_certificate("db-admin", "db1").await;
    for unfit in [
        possession(FRESH, Certifies::Session, "side", CHALLENGE),
        possession(FRESH, Certifies::User, "gate", CHALLENGE),
        possession(FRESH, Certifies::Session, "gate", "another challenge"),
    ] {
        let mut asked = session_request("gate", &parent, "db1");
        asked.login_key.as_mut().unwrap().possession = unfit;
        assert_eq!(refusal(&ca, "gate", &asked).await, Reason::NoPossession);
    }
}

#[tokio::test]
async fn row_33_a_certificate_bound_to_an_address_is_judged_by_the_peer() {
    let ca = Installation::new();
    let genuine = ca.alices_certificate("db-admin", "db1").await;
    let elsewhere = |builder: &mut Builder| {
        builder.critical_option("source-address", "203.0.113.0/24").unwrap();
    };
    let bound = forged_as(parse(&genuine).unwrap().key_id(), &genuine, elsewhere, USER_CA);
    assert_eq!(refusal(&ca, "gate", &session_request("gate", &bound, "db1")).await, Reason::SourceAddress);
}

#[tokio::test]
async fn a_session_that_cannot_be_logged_does_not_start() {
    let ca = Installation::new();
    let parent = ca.alices_certificate("db-admin", "db1").await;
    ca.store.fail(|event| event == Event::SessionStarted);
    let failed = open(ca.authority(), &ca.bastion_call("gate").await, &session_request("gate", &parent, "db1")).await.unwrap_err();
    assert!(matches!(failed, Failure::Store(StoreError::Unavailable(_))), "{failed}");
}

/// Revokes as another process would: through the store.
async fn revoke(ca: &Installation, kind: &str, value: &str) {
    let revoked = Revoked::parse(kind, value).unwrap();
    let ends_at = Some(ca.clock.unix_seconds() + 1);
    let revocation = Revocation { revoked, at: ca.clock.unix_seconds(), by: "uid 0".to_owned(), reason: None, ends_at };
    ca.store.commit(Change::Revoke(revocation), ca.authority().event(Event::Revoked, Outcome::Done)).await.unwrap();
}

#[tokio::test]
async fn row_30_a_parent_that_was_revoked_in_any_way() {
    let ca = Installation::new();
    let parent = ca.alices_certificate("db-admin", "db1").await;
    let shown = parse(&parent).unwrap();
    let id: KeyId = shown.key_id().parse().unwrap();
    let (key, authority) = (fingerprint(shown.public_key()), fingerprint(shown.signature_key()));
    for (kind, value) in [
        ("serial", shown.serial().to_string()),
        ("key-id", shown.key_id().to_owned()),
        ("person", "alice".to_owned()),
        ("key", key),
        ("role", "db-admin".to_owned()),
        ("grant", id.grant.to_string()),
        ("ca", authority),
    ] {
        revoke(&ca, kind, &value).await;
        assert_eq!(refusal(&ca, "gate", &session_request("gate", &parent, "db1")).await, Reason::Revoked, "{kind}");
        ca.clock.advance(1);
        open(ca.authority(), &ca.bastion_call("gate").await, &session_request("gate", &parent, "db1")).await.unwrap();
    }
}

#[tokio::test]
async fn row_20_a_revoked_ca_key_signs_nothing_more_and_a_revoked_key_is_not_certified() {
    let ca = Installation::new();
    let parent = ca.alices_certificate("db-admin", "db1").await;
    revoke(&ca, "ca", &fingerprint(SeedSigner::new(SESSION_CA).public_key())).await;
    assert_eq!(refusal(&ca, "gate", &session_request("gate", &parent, "db1")).await, Reason::Revoked);
    for revoked in [USER_CA, FRESH] {
        ca.clock.advance(1);
        revoke(&ca, "key", &fingerprint(SeedSigner::new(revoked).public_key())).await;
        let asked = crate::installation::certificate_request("alice", "db-admin", "db1");
        let answer = crate::issue::issue(ca.authority(), &ca.person_call("alice").await, asked).await;
        assert!(matches!(answer, Err(Failure::Refused(refusal)) if refusal.reason == Reason::Revoked), "{revoked}");
    }
}
