//! Conditions are looked at again when a session starts: with the address that the bastion sees, at that time, and with ages that have grown.

use super::*;
use crate::{geo::Told, installation::certificate_request, issue::issue};
use dayfly_core::{
    identity::{FactorMethod, Identity},
    reason::{Missing, Refusal},
};
use std::{net::IpAddr, sync::Arc};

/// Everybody may ask for everything, and connect if `condition` holds.
fn connect_when(ca: &Installation, condition: &str) {
    let text = format!(
        "@id(\"ask\") permit(principal, action == Action::\"request\", resource);\n\
         @id(\"connect\") permit(principal, action == Action::\"connect\", resource) when {{ {condition} }};"
    );
    ca.change_rules(|book| book.policy = sample::policy(&text));
}

async fn connect(ca: &Installation, certificate: &str, peer: &str) -> Result<(), Refusal> {
    let asked = SessionRequest { peer: peer.parse().unwrap(), ..session_request("gate", certificate, "db1") };
    match open(ca.authority(), &ca.bastion_call("gate").await, &asked).await {
        Ok(_) => Ok(()),
        Err(Failure::Refused(refusal)) => Err(refusal),
        Err(failure) => unreachable!("{failure}"),
    }
}

/// A certificate of alice, of whom this is known when she asks.
async fn certificate_of(ca: &Installation, change: impl FnOnce(&mut Identity)) -> String {
    let mut call = ca.person_call("alice").await;
    change(&mut call.identity);
    issue(ca.authority(), &call, certificate_request("alice", "db-admin", "db1")).await.unwrap().certificate
}

#[tokio::test]
async fn networks_and_countries_are_those_of_the_address_that_the_bastion_sees() {
    let ca = Installation::new();
    let (home, abroad): (IpAddr, IpAddr) = ("198.51.100.7".parse().unwrap(), "203.0.113.9".parse().unwrap());
    ca.change_rules(|book| {
        book.networks = [("office".parse().unwrap(), vec!["198.51.100.0/24".parse().unwrap()])].into_iter().collect();
        book.geography = Arc::new(Told([(home, ("DE".parse().unwrap(), 64_496)), (abroad, ("FR".parse().unwrap(), 64_497))].into()));
    });
    let certificate = certificate_of(&ca, |_| ()).await;
    for condition in [
        "context.networks.contains(Network::\"office\")",
        "context has country && context.country == \"DE\"",
        "context has asn && context.asn == 64496",
        "context.source == ip(\"198.51.100.7\")",
    ] {
        connect_when(&ca, condition);
        connect(&ca, &certificate, "198.51.100.7").await.unwrap();
        connect(&ca, &certificate, "::ffff:198.51.100.7").await.unwrap();
        for elsewhere in ["203.0.113.9", "2001:db8::1"] {
            let refusal = connect(&ca, &certificate, elsewhere).await.unwrap_err();
            assert_eq!(refusal.reason, Reason::PolicyDenied, "{condition} from {elsewhere}");
            assert_eq!(ca.store.events().pop().unwrap().facts["policies"], "connect");
        }
    }
}

#[tokio::test]
async fn the_hour_is_that_of_the_session() {
    let ca = Installation::new();
    let certificate = certificate_of(&ca, |_| ()).await;
    connect_when(&ca, "context.local.hour == 12 && context.local.minute < 2");
    ca.clock.advance(119);
    connect(&ca, &certificate, "198.51.100.7").await.unwrap();
    ca.clock.advance(1);
    let refusal = connect(&ca, &certificate, "198.51.100.7").await.unwrap_err();
    assert!(refusal.message.ends_with("context.local.minute < 2 does not hold (context.local.minute is 2)"), "{}", refusal.message);
}

#[tokio::test]
async fn a_second_factor_ages_between_certificate_and_session() {
    let ca = Installation::new();
    let now = ca.clock.unix_seconds();
    let with_code = certificate_of(&ca, |alice| alice.evidence.factors = [(FactorMethod::Totp, now - 100)].into()).await;
    let issued = ca.store.events().into_iter().rfind(|event| event.event == Event::CertificateIssued).unwrap();
    assert_eq!(issued.facts["second_factors"], format!("totp@{}", now - 100));
    let without = certificate_of(&ca, |_| ()).await;
    connect_when(&ca, "context has second_factor.totp && context.second_factor.totp.age_seconds < 200");
    assert_eq!(connect(&ca, &without, "198.51.100.7").await.unwrap_err().missing(), [Missing::SecondFactor]);
    ca.clock.advance(99);
    connect(&ca, &with_code, "198.51.100.7").await.unwrap();
    ca.clock.advance(1);
    let refusal = connect(&ca, &with_code, "198.51.100.7").await.unwrap_err();
    assert_eq!((refusal.reason, refusal.missing()), (Reason::SecondFactorRequired, &[Missing::SecondFactor][..]));
    assert_eq!(ca.store.events().pop().unwrap().facts["missing"], "second_factor");
}

#[tokio::test]
async fn the_proof_ages_too_and_a_certificate_without_evidence_has_no_second_factor() {
    let ca = Installation::new();
    let now = ca.clock.unix_seconds();
    let certificate = certificate_of(&ca, |alice| {
        alice.evidence.proven_at = now - 40;
        alice.evidence.factors = [(FactorMethod::Touch, now)].into();
    })
    .await;
    connect_when(&ca, "context.authentication.age_seconds == 50 && context has second_factor");
    ca.clock.advance(10);
    connect(&ca, &certificate, "198.51.100.7").await.unwrap();
    ca.store.forget_evidence(parse(&certificate).unwrap().serial());
    assert!(connect(&ca, &certificate, "198.51.100.7").await.is_err());
    connect_when(
        &ca,
        "context.authentication.method == \"enrolled_key\" && context.authentication.age_seconds == 10 && !(context has second_factor)",
    );
    connect(&ca, &certificate, "198.51.100.7").await.unwrap();
}
