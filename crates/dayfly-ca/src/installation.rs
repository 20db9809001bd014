//! A small CA for tests: the domain's sample rules, alice, bob and carol, the bastions `gate` and `side`, and a clock that stands still.

#![allow(clippy::unwrap_used)]

use crate::{
    authority::Authority,
    ceremony::Ceremonies,
    config::{FederationSettings, HostRules, Limits, RotationRules, RuleBook, SignInSettings},
    device::{Devices, SelfReported},
    federation::Federation,
    geo::Unknown,
    http::Service,
    identity::{
        BastionCall, HostCall, PersonCall, challenge::Challenges, enrolled_key::EnrolledKeys, enrollment_token, provider::Provider,
        web::Web,
    },
    revocations::CurrentRevocations,
    sign_in::SignIns,
    signer::{Keyring, keyring::AuthorityKeys},
    store::{
        Bastion, Person, PersonKey, Store,
        host::{Host, HostKey, HostToken},
        memory::MemoryStore,
    },
};
use arc_swap::ArcSwap;
use base64::{Engine, engine::general_purpose::STANDARD};
use dayfly_api::{certificate::CertificateRequest, session::LoginKey, session::SessionRequest};
use dayfly_core::{
    clock::{Clock, FixedClock},
    context::NamedNetworks,
    identity::{Evidence, Identity, Proof},
    name::{AccountName, BastionName, GroupName, RoleName, ScopeName, TargetName},
    policy::sample::{self, Sample},
    request::RequestedTargets,
    rotation::Purpose,
    signature::{fingerprint, sign_sshsig},
    signed_request::{Certifies, POSSESSION_NAMESPACE, REQUEST_NAMESPACE, SignedRequest, possession_message},
    signer::{SeedSigner, Signer},
};
use ssh_key::{LineEnding, PublicKey, encoding::Encode};
use std::{num::NonZeroU32, sync::Arc, time::Duration};
use uuid::Uuid;

pub(crate) const ORIGIN: &str = "https://ca.example";

/// The challenge of calls that do not come by HTTP.
pub(crate) const CHALLENGE: &str = "challenge";

// Seeds of keys.
pub(crate) const USER_CA: u8 = 1;
pub(crate) const SESSION_CA: u8 = 2;
pub(crate) const HOST_CA: u8 = 3;
pub(crate) const INNER_HOST_CA: u8 = 4;
pub(crate) const LOG: u8 = 5;
pub(crate) const ALICE: u8 = 10;
pub(crate) const BOB: u8 = 11;
pub(crate) const CAROL: u8 = 12;
pub(crate) const MALLORY: u8 = 13;
pub(crate) const GATE: u8 = 20;
pub(crate) const SIDE: u8 = 21;
/// The host key of `db1`, which is enrolled.
pub(crate) const DB1: u8 = 22;
/// The token of `web1`, which may enrol for an hour.
pub(crate) const WEB1_TOKEN: &str = "dayfly-host-of-web1";
/// A key that is enrolled nowhere and may be certified.
pub(crate) const FRESH: u8 = 30;

pub(crate) struct Installation {
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) service: Arc<Service>,
}

impl Installation {
    /// alice may have `db-admin` and `web`, bob nothing, carol may review. `gate` serves everything, `side` serves `web` only.
    pub(crate) fn new() -> Self {
        Self::with_limits(limits())
    }

    /// Whose user CA's key is kept by `custody`.
    pub(crate) fn with_user_ca(custody: Arc<dyn Signer>) -> Self {
        let keyring = keyring();
        keyring.turn(Purpose::User, AuthorityKeys::alone(custody));
        Self::with(limits(), keyring)
    }

    pub(crate) fn with_limits(limits: Limits) -> Self {
        Self::with(limits, keyring())
    }

    /// Whose people sign in at these providers, and whose workloads show tokens.
    pub(crate) fn with_sign_in(settings: SignInSettings, federation: Vec<FederationSettings>) -> Self {
        let web = Web::new().unwrap();
        let is_alone = settings.providers.len() == 1;
        let provider = |settings| Provider::new(settings, Some("client secret".to_owned()), ORIGIN, is_alone, web.clone()).unwrap();
        let providers = settings.providers.into_iter().map(provider).collect();
        let sign_ins = SignIns::new(providers, settings.device_codes, settings.lifetime.as_secs()).unwrap();
        Self::with_all(limits(), keyring(), sign_ins, Federation::new(federation, &web).unwrap())
    }

    fn with(limits: Limits, keyring: Keyring) -> Self {
        Self::with_all(limits, keyring, SignIns::new(Vec::new(), true, 3600).unwrap(), Federation::default())
    }

    fn with_all(limits: Limits, keyring: Keyring, sign_ins: SignIns, federation: Federation) -> Self {
        let store = Arc::new(MemoryStore::default());
        for (name, seed, groups) in [("alice", ALICE, vec!["dba", "developers"]), ("bob", BOB, vec![]), ("carol", CAROL, vec!["reviewers"])]
        {
            store.put_person(person(name, seed, &groups));
        }
        store.put_bastion(bastion("gate", GATE, "all", "192.0.2.1"));
        store.put_bastion(bastion("side", SIDE, "web", "192.0.2.2"));
        let clock = Arc::new(FixedClock::at(sample::context().now.unix_timestamp()));
        store.put_host(host("db1", &["db1", "192.0.2.11"], Some(DB1), "used", 0));
        store.put_host(host("web1", &["web1", "www.example.org"], None, WEB1_TOKEN, clock.unix_seconds() + 3600));
        let challenges = Arc::new(Challenges::new(limits.challenge_lifetime.as_secs()).unwrap());
        let (as_store, as_clock): (Arc<dyn Store>, Arc<dyn Clock>) = (Arc::clone(&store) as _, Arc::clone(&clock) as _);
        let revocations = Arc::new(CurrentRevocations::new(Arc::clone(&as_store), Arc::clone(&as_clock)));
        let devices = Arc::new(Devices::new(Arc::clone(&as_store), Arc::clone(&revocations), Box::new(SelfReported)));
        let callers = EnrolledKeys {
            origin: ORIGIN.to_owned(),
            challenges: Arc::clone(&challenges),
            store: Arc::clone(&as_store),
            devices: Arc::clone(&devices),
            clock: Arc::clone(&as_clock),
            revocations: Arc::clone(&revocations),
        };
        let Sample { policy, roles, inventory, .. } = Sample::new();
        let rules = ArcSwap::from_pointee(RuleBook {
            roles,
            inventory,
            policy,
            networks: NamedNetworks::default(),
            geography: Arc::new(Unknown),
            device_rules: Vec::new(),
        });
        let ceremonies = Ceremonies::new(ORIGIN, sign_ins.offers_device_codes()).unwrap();
        let authority = Authority {
            origin: ORIGIN.to_owned(),
            keyring,
            store: as_store,
            devices,
            clock: as_clock,
            hosts: HostRules::default(),
            rotation: RotationRules { people_told_after: Duration::from_secs(600), in_flight: Duration::from_secs(60) },
            revocations,
            latest_list: Default::default(),
            rules,
            sources: Default::default(),
        };
        Self {
            store,
            clock,
            service: Arc::new(Service::new(authority, Box::new(callers), challenges, limits, sign_ins, ceremonies, federation)),
        }
    }

    pub(crate) fn authority(&self) -> &Authority {
        self.service.authority()
    }

    /// Has the rules read anew, with this changed.
    pub(crate) fn change_rules(&self, change: impl FnOnce(&mut RuleBook)) {
        let mut book = RuleBook::clone(&self.authority().rules.load());
        change(&mut book);
        self.authority().rules.store(Arc::new(book));
    }

    /// A call by somebody who is enrolled, with the challenge [`CHALLENGE`].
    pub(crate) async fn person_call(&self, name: &str) -> PersonCall {
        let person = self.store.person(&name.parse().unwrap()).await.unwrap().unwrap();
        let proof = Proof::EnrolledKey { fingerprint: person.key.unwrap().fingerprint };
        let evidence = Evidence::new(proof, self.clock.unix_seconds());
        let identity = Identity { subject: person.subject, groups: person.groups, evidence };
        PersonCall { identity, device_key: None, context: sample::context(), challenge: CHALLENGE.to_owned() }
    }

    /// A call by a bastion, with the challenge [`CHALLENGE`].
    pub(crate) async fn bastion_call(&self, name: &str) -> BastionCall {
        let bastion = self.store.bastions().await.unwrap().into_iter().find(|bastion| bastion.name.as_str() == name).unwrap();
        BastionCall { bastion, context: sample::context(), challenge: CHALLENGE.to_owned() }
    }

    /// A call by an enrolled host.
    pub(crate) async fn host_call(&self, name: &str) -> HostCall {
        let host = self.store.hosts().await.unwrap().into_iter().find(|host| host.name.as_str() == name).unwrap();
        HostCall { host, context: sample::context() }
    }

    /// alice's certificate for `deploy` at `target`, as the CA issues it.
    pub(crate) async fn alices_certificate(&self, role: &str, target: &str) -> String {
        let asked = certificate_request("alice", role, target);
        crate::issue::issue(self.authority(), &self.person_call("alice").await, asked).await.unwrap().certificate
    }

    /// The reason code of the newest event, and what it is.
    pub(crate) fn last_event(&self) -> (String, Option<String>) {
        let event = self.store.events().pop().unwrap();
        (event.event.to_string(), event.reason.map(|reason| reason.code().to_owned()))
    }
}

pub(crate) fn limits() -> Limits {
    Limits {
        connections: 64,
        connections_per_address: 32,
        requests_per_caller: NonZeroU32::new(1000).unwrap(),
        requests_in_flight: 64,
        request_timeout: Duration::from_secs(5),
        body_bytes: 1024 * 1024,
        challenge_lifetime: Duration::from_secs(300),
    }
}

fn keyring() -> Keyring {
    let key = |seed| Arc::new(SeedSigner::new(seed)) as Arc<dyn Signer>;
    Keyring::new([USER_CA, SESSION_CA, HOST_CA, INNER_HOST_CA].map(|seed| AuthorityKeys::alone(key(seed))), key(LOG))
}

fn person(name: &str, seed: u8, groups: &[&str]) -> Person {
    Person {
        subject: name.parse().unwrap(),
        key: Some(PersonKey { fingerprint: fingerprint(SeedSigner::new(seed).public_key()), line: line(seed) }),
        account: None,
        groups: groups.iter().map(|group| GroupName::new(*group).unwrap()).collect(),
        disabled: false,
    }
}

/// A host that is the target of its name: enrolled with the key of a seed, or waiting with a token.
pub(crate) fn host(name: &str, names: &[&str], seed: Option<u8>, token: &str, expires_at: u64) -> Host {
    Host {
        name: name.parse().unwrap(),
        names: names.iter().map(|name| name.parse().unwrap()).collect(),
        target: Some(name.parse().unwrap()),
        token: HostToken { digest: enrollment_token::digest(token), expires_at, is_used: seed.is_some() },
        key: seed.map(|seed| HostKey { fingerprint: fingerprint(SeedSigner::new(seed).public_key()), line: line(seed) }),
        certificate: None,
        report: None,
        disabled: false,
    }
}

fn bastion(name: &str, seed: u8, serves: &str, dials_from: &str) -> Bastion {
    Bastion {
        name: BastionName::new(name).unwrap(),
        key_fingerprint: fingerprint(SeedSigner::new(seed).public_key()),
        public_key: line(seed),
        targets: [ScopeName::new(serves).unwrap()].into(),
        dials_from: [dials_from.parse().unwrap()].into(),
        host_names: ["127.0.0.1".to_owned()].into(),
        address: Some("127.0.0.1:2222".to_owned()),
        disabled: false,
        report: None,
    }
}

/// A key's line.
pub(crate) fn line(seed: u8) -> String {
    PublicKey::from(SeedSigner::new(seed).public_key().clone()).to_openssh().unwrap()
}

/// That a key is held, for this challenge.
pub(crate) fn possession(seed: u8, certifies: Certifies, caller: &str, challenge: &str) -> String {
    let message = possession_message(ORIGIN, certifies, caller, challenge);
    sign_sshsig(&SeedSigner::new(seed), POSSESSION_NAMESPACE, &message).unwrap().to_pem(LineEnding::LF).unwrap()
}

/// What the header `dayfly-signature` of a request holds.
pub(crate) fn request_signature(seed: u8, request: SignedRequest<'_>) -> String {
    let sshsig = sign_sshsig(&SeedSigner::new(seed), REQUEST_NAMESPACE, &request.message()).unwrap();
    STANDARD.encode(sshsig.encode_vec().unwrap())
}

/// A request for the key [`FRESH`].
pub(crate) fn certificate_request(caller: &str, role: &str, target: &str) -> CertificateRequest {
    CertificateRequest {
        role: RoleName::new(role).unwrap(),
        targets: RequestedTargets::Named([ScopeName::new(target).unwrap()].into()),
        ttl: None,
        reason: None,
        public_key: line(FRESH),
        possession: possession(FRESH, Certifies::User, caller, CHALLENGE),
    }
}

/// A request of `bastion` for the login key [`FRESH`], as `deploy` from the sample's address.
pub(crate) fn session_request(bastion: &str, certificate: &str, target: &str) -> SessionRequest {
    SessionRequest {
        session: Uuid::now_v7(),
        connection: Uuid::now_v7(),
        certificate: certificate.to_owned(),
        target: TargetName::new(target).unwrap(),
        account: Some(AccountName::new("deploy").unwrap()),
        forward: None,
        listen: None,
        peer: sample::context().source,
        login_key: Some(LoginKey { public_key: line(FRESH), possession: possession(FRESH, Certifies::Session, bastion, CHALLENGE) }),
    }
}
