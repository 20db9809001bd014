//! What holds of every certificate, tried with thousands: minting and reading say the same, a session never gets more than its parent, and
//! nothing random passes.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::{
    address::Network,
    admission::admit,
    decision::{Explanation, Grant},
    identity::Subject,
    name::{AccountName, BastionName, RoleName, TargetName},
    policy::sample,
    principal::{Principal, PrincipalTemplate},
    reason::{Reason, Refusal},
    role::{Extension, ForceCommand},
    signer::{SeedSigner, Signer},
    validity::{BACKDATE_SECONDS, Ttl, Validity},
};
use proptest::{collection::btree_set, option, prelude::*, sample::subsequence};
use ssh_key::{Certificate, PublicKey, certificate::Builder};
use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
};
use uuid::Uuid;

const NOW: u64 = 1_800_000_000;

fn ca() -> SeedSigner {
    SeedSigner::new(1)
}

fn holder() -> PublicKey {
    SeedSigner::new(2).private_key().public_key().clone()
}

fn verify(certificate: &Certificate, now: u64, peer: IpAddr) -> Result<VerifiedCertificate, Refusal> {
    let authorities = [ca().public_key().clone()];
    Verifier { authorities: &authorities, revocations: &Revocations::default() }.user(certificate, now, peer)
}

const NAME: &str = "[a-z0-9]([a-z0-9_-]|\\.[a-z0-9]){0,20}";

fn any_network() -> impl Strategy<Value = Network> {
    prop_oneof![
        (any::<u32>(), 0..=32_u32).prop_map(|(bits, prefix)| {
            let kept = u64::from(bits) >> (32 - prefix) << (32 - prefix);
            format!("{}/{prefix}", Ipv4Addr::from(u32::try_from(kept).unwrap())).parse().unwrap()
        }),
        any::<u128>().prop_map(|bits| format!("{}/64", std::net::Ipv6Addr::from(bits >> 64 << 64)).parse().unwrap()),
    ]
}

fn any_command() -> impl Strategy<Value = ForceCommand> {
    "[!-~\u{e9}\u{6f22}][ -~\u{e9}\u{6f22}]{0,60}".prop_map(|text| ForceCommand::new(text).unwrap())
}

fn any_subject() -> impl Strategy<Value = Subject> {
    (any::<bool>(), NAME).prop_map(|(is_machine, name)| if is_machine { format!("machine:{name}") } else { name }.parse().unwrap())
}

prop_compose! {
    fn any_grant()(
        id in any::<u128>(),
        subject in any_subject(),
        role in NAME,
        accounts in btree_set(NAME, 1..20),
        seconds in 1..86_400_u64,
        force_command in option::of(any_command()),
        source_address in proptest::collection::vec(any_network(), 0..4),
        verify_required in any::<bool>(),
        extensions in subsequence(&Extension::ALL[..], 0..=6),
    ) -> Grant {
        Grant {
            id: Uuid::from_u128(id),
            subject,
            role: RoleName::new(role).unwrap(),
            targets: BTreeSet::from([TargetName::new("db1").unwrap()]),
            principals: accounts.into_iter().map(|account| Principal::new(format!("{account}@db1")).unwrap()).collect(),
            ttl: Ttl::from_seconds(seconds).unwrap(),
            force_command,
            source_address,
            verify_required,
            extensions: extensions.into_iter().collect(),
            explanation: Explanation::default(),
        }
    }
}

fn mint(grant: &Grant, serial: u64, nonce: [u8; 32]) -> SignedCertificate {
    UnsignedCertificate::user(grant, holder(), NOW, serial, nonce).unwrap().sign(&ca()).unwrap()
}

/// An address that the grant's certificate may be used from.
fn allowed_peer(grant: &Grant) -> IpAddr {
    grant.source_address.first().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), Network::address)
}

/// What a grant must have been, for a certificate to say this.
fn grant_of(verified: &VerifiedCertificate) -> Grant {
    let id = verified.key_id().unwrap();
    Grant {
        id: id.grant,
        subject: id.subject.clone(),
        role: id.role.clone(),
        targets: BTreeSet::from([TargetName::new("db1").unwrap()]),
        principals: verified.principals().clone(),
        ttl: Ttl::from_seconds(verified.validity().before() - verified.validity().after() - BACKDATE_SECONDS).unwrap(),
        force_command: verified.force_command().cloned(),
        source_address: verified.source_address().to_vec(),
        verify_required: verified.verify_required(),
        extensions: verified.extensions().clone(),
        explanation: Explanation::default(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn what_is_minted_is_read_as_it_was_granted_and_minted_again_the_same(
        grant in any_grant(),
        serial in 1..=u64::MAX,
        nonce in any::<[u8; 32]>(),
    ) {
        let minted = mint(&grant, serial, nonce);
        let line = minted.to_openssh().unwrap();
        let verified = verify(&parse(&line).unwrap(), NOW, allowed_peer(&grant)).unwrap();
        prop_assert_eq!(verified.serial(), serial);
        prop_assert_eq!(verified.digest(), minted.digest());
        let read = grant_of(&verified);
        prop_assert_eq!(&read, &grant);
        prop_assert_eq!(mint(&read, serial, nonce).to_openssh().unwrap(), line);
    }

    #[test]
    fn row_31_a_session_certificate_is_within_its_parent(
        grant in any_grant(),
        dials_from in proptest::collection::vec(any_network(), 1..4),
        later in 0..86_400_u64,
        parts in (any::<u128>(), NAME),
        kind in prop_oneof![Just(SessionKind::Session), Just(SessionKind::AgentSession), Just(SessionKind::Forward)],
    ) {
        // A PIN that the target alone can see opens no recorded session.
        let grant = Grant { verify_required: false, ..grant };
        let parent = mint(&grant, 5, [7; 32]).verified().unwrap().clone();
        let account = AccountName::new(grant.principals.first().unwrap().as_str().split_once('@').unwrap().0).unwrap();
        let admission = admit(&parent, sample::inventory().get("db1").unwrap(), Some(&account)).unwrap();
        let bastion = BastionName::new(parts.1).unwrap();
        let session =
            SessionCertificate { session: Uuid::from_u128(parts.0), bastion: &bastion, dials_from: &dials_from, public_key: holder(), kind };
        let now = NOW + later;
        let made = UnsignedCertificate::session(&admission, session, now, 6, [8; 32]).and_then(|unsigned| unsigned.sign(&ca()));
        if now >= parent.validity().before() + BACKDATE_SECONDS {
            prop_assert!(made.is_err());
            return Ok(());
        }
        let Ok(made) = made else { return Ok(()) };
        let child = made.verified().unwrap();
        prop_assert!(child.validity().before() <= parent.validity().before() && child.validity().before() <= now + SESSION_TTL_SECONDS);
        prop_assert_eq!(child.principals().iter().map(Principal::as_str).collect::<Vec<_>>(), [format!("{account}@db1")]);
        prop_assert!(child.principals().is_subset(parent.principals()) && child.extensions().is_subset(parent.extensions()));
        prop_assert_eq!(child.force_command(), parent.force_command());
        prop_assert_eq!(child.source_address(), &dials_from);
        let (own, inherited) = (child.key_id().unwrap(), parent.key_id().unwrap());
        prop_assert_eq!((&own.subject, &own.role, own.grant), (&inherited.subject, &inherited.role, inherited.grant));
    }

    #[test]
    fn row_04_a_random_option_never_passes(name in "\\PC{0,20}", value in "\\PC{0,40}", known in any::<proptest::sample::Index>()) {
        let known = [FORCE_COMMAND, SOURCE_ADDRESS, VERIFY_REQUIRED][known.index(3)];
        for name in [name.as_str(), known] {
            let mut builder = Builder::new(vec![7; 32], holder().key_data().clone(), NOW - 30, NOW + 300).unwrap();
            builder.serial(5).unwrap().valid_principal("deploy@db1").unwrap().critical_option(name, value.as_str()).unwrap();
            let verdict = verify(&builder.sign(ca().private_key()).unwrap(), NOW, Ipv4Addr::LOCALHOST.into());
            match (name, verdict) {
                (FORCE_COMMAND, Ok(verified)) => prop_assert_eq!(verified.force_command().unwrap().as_str(), value.as_str()),
                (SOURCE_ADDRESS, Ok(verified)) => prop_assert!(verified.source_address().iter().any(|one| one.contains(Ipv4Addr::LOCALHOST.into()))),
                (FORCE_COMMAND | SOURCE_ADDRESS, Err(refusal)) => prop_assert!(matches!(refusal.reason, Reason::Malformed | Reason::SourceAddress)),
                (VERIFY_REQUIRED, Ok(verified)) => prop_assert!(verified.verify_required() && value.is_empty()),
                (VERIFY_REQUIRED, Err(refusal)) => prop_assert!(refusal.reason == Reason::Malformed && !value.is_empty()),
                (_, verdict) => prop_assert_eq!(verdict.unwrap_err().reason, Reason::UnknownCriticalOption),
            }
        }
    }

    #[test]
    fn row_01_a_random_principal_passes_only_within_the_grammar(name in "\\PC{0,30}") {
        let mut builder = Builder::new(vec![7; 32], holder().key_data().clone(), NOW - 30, NOW + 300).unwrap();
        builder.serial(5).unwrap().valid_principal(name.as_str()).unwrap();
        let verdict = verify(&builder.sign(ca().private_key()).unwrap(), NOW, Ipv4Addr::LOCALHOST.into());
        let is_plain = |part: &str| part.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-')) && !part.is_empty();
        prop_assert!(verdict.is_err() || name.splitn(2, '@').all(is_plain), "{:?}", name);
    }

    #[test]
    fn row_05_every_window_is_kept_to_the_second(after in any::<u64>(), length in 0..100_000_u64, now in any::<u64>(), near in -2..3_i64) {
        let before = after.saturating_add(length);
        let mut builder = Builder::new(vec![7; 32], holder().key_data().clone(), after, before).unwrap();
        builder.serial(5).unwrap().valid_principal("deploy@db1").unwrap();
        let certificate = builder.sign(ca().private_key()).unwrap();
        for now in [now, after.saturating_add_signed(near), before.saturating_add_signed(near)] {
            let is_valid = Validity::new(after, before).is_ok() && after <= now && now < before;
            prop_assert_eq!(verify(&certificate, now, Ipv4Addr::LOCALHOST.into()).is_ok(), is_valid);
        }
    }

    #[test]
    fn random_bytes_are_no_certificate(bytes in proptest::collection::vec(any::<u8>(), 0..600), text in "\\PC{0,200}") {
        prop_assert!(Certificate::from_bytes(&bytes).is_err());
        prop_assert!(parse(&text).is_err());
        prop_assert!(parse(&String::from_utf8_lossy(&bytes)).is_err());
    }

    #[test]
    fn row_03_bytes_changed_in_a_minted_certificate_are_noticed(at in any::<proptest::sample::Index>(), put in proptest::collection::vec(any::<u8>(), 1..5), cut in 0..5_usize) {
        let mut bytes = MINTED.clone();
        let at = at.index(bytes.len());
        let end = (at + cut).min(bytes.len());
        bytes.splice(at..end, put);
        prop_assume!(bytes != *MINTED);
        if let Ok(certificate) = Certificate::from_bytes(&bytes) {
            prop_assert!(verify(&certificate, NOW, Ipv4Addr::LOCALHOST.into()).is_err());
        }
    }

    #[test]
    fn key_ids_read_back_as_they_were_written(
        subject in any_subject(), role in NAME, grant in any::<u128>(), session in option::of((any::<u128>(), NAME)), other in "\\PC{0,80}",
    ) {
        let session = session.map(|(id, bastion)| SessionReference { session: Uuid::from_u128(id), bastion: BastionName::new(bastion).unwrap() });
        let id = KeyId { subject, role: RoleName::new(role).unwrap(), grant: Uuid::from_u128(grant), session };
        prop_assert_eq!(&id.to_string().parse::<KeyId>().unwrap(), &id);
        // One spelling only, whatever is tried.
        for text in [other.clone(), format!("{id} {other}"), format!("{id}{other}"), id.to_string().replacen('-', &other, 1)] {
            if let Ok(read) = text.parse::<KeyId>() {
                prop_assert_eq!(read.to_string(), text);
            }
        }
    }

    #[test]
    fn templates_read_back_as_they_were_written_and_hold_one_account(account in NAME, scope in "(\\{(target|group|role)\\}|[a-z]{1,5})?", other in "\\PC{0,40}") {
        for text in [format!("{account}@{scope}"), account.clone(), other.clone(), format!("{other}@{{target}}"), format!("{account}@{{target}}{other}")] {
            let Ok(template) = PrincipalTemplate::try_from(text.clone()) else { continue };
            prop_assert_eq!(String::from(template.clone()), text.clone());
            match template {
                PrincipalTemplate::PerTarget(name) => prop_assert_eq!(format!("{name}@{{target}}"), text),
                PrincipalTemplate::PerGroup(name) => prop_assert_eq!(format!("{name}@{{group}}"), text),
                PrincipalTemplate::Literal(name) => {
                    let is_plain = !text.contains(['@', '{', ',', '*']);
                    prop_assert!(is_plain && name.as_str() == text);
                }
            }
        }
    }
}

static MINTED: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| {
    let grant = Grant {
        id: Uuid::from_u128(7),
        subject: "alice".parse().unwrap(),
        role: RoleName::new("db-admin").unwrap(),
        targets: BTreeSet::from([TargetName::new("db1").unwrap()]),
        principals: BTreeSet::from([Principal::new("deploy@db1").unwrap()]),
        ttl: Ttl::DEFAULT,
        force_command: Some(ForceCommand::new("uptime").unwrap()),
        source_address: Vec::new(),
        verify_required: false,
        extensions: BTreeSet::from([Extension::PermitPty]),
        explanation: Explanation::default(),
    };
    mint(&grant, 5, [7; 32]).certificate().to_bytes().unwrap()
});
