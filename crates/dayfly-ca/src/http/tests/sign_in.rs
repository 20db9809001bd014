//! Signing in by a browser, from the tool's first call to the certificate, and everything that must not work on the way.

mod federation;
mod phishing;
mod tokens;

use super::{Answer, double::ProviderDouble, post};
use crate::{
    config::{ProviderSettings, SignInSettings},
    identity::token::Algorithm,
    installation::{FRESH, Installation, ORIGIN, certificate_request, possession},
    store::Store,
};
use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use dayfly_api::{
    certificate::{CertificateRequest, IssuedCertificate},
    path,
    person::WhoAmI,
    sign_in::{SignInRedemption, SignInStart, SignInStarted, SignInState, SignInWay, SignedIn, SignedOut},
};
use dayfly_core::{
    audit::Event,
    clock::Clock,
    signed_request::{Certifies, Purpose},
};
use serde::{Serialize, de::DeserializeOwned};
use std::{collections::BTreeMap, time::Duration};
use url::Url;

/// The seed of the tool's key.
const TOOL: u8 = 40;

/// What the tool knows its answer by.
pub(super) const STATE: &str = "tool-state-0123456789";

/// Where the tool and the browser are.
pub(super) const HERE: &str = "198.51.100.7";

fn provider(name: &str, issuer: &str) -> ProviderSettings {
    ProviderSettings {
        name: name.to_owned(),
        issuer: issuer.to_owned(),
        client_id: "dayfly".to_owned(),
        client_secret_file: None,
        scopes: vec!["openid".to_owned(), "email".to_owned()],
        groups_claim: Some("realm_access.roles".to_owned()),
        groups: None,
        algorithms: Algorithm::ALL.to_vec(),
    }
}

pub(super) fn settings(providers: Vec<ProviderSettings>) -> SignInSettings {
    SignInSettings { device_codes: true, lifetime: Duration::from_secs(3600), providers }
}

/// A CA whose people sign in at one provider.
async fn with_provider() -> (Installation, ProviderDouble) {
    // The CA's clock stands still; the provider's is set by it.
    let now = Installation::new().clock.unix_seconds();
    let double = ProviderDouble::start(now).await;
    double.conduct().claims.insert("realm_access".to_owned(), serde_json::json!({"roles": ["dba", "Not A Group"]}));
    let ca = Installation::with_sign_in(settings(vec![provider("corp", &double.issuer)]), Vec::new());
    (ca, double)
}

/// What a tool does: it calls with a key of its own.
impl Installation {
    pub(super) async fn ask<T: Serialize>(&self, path: &str, body: &T, seed: u8) -> Answer {
        let body = serde_json::to_vec(body).unwrap();
        self.call(post(path, &body, Purpose::Person, seed)).await
    }

    async fn begin(&self, way: SignInWay, seed: u8) -> SignInStarted {
        self.ask(path::SIGN_IN, &SignInStart { provider: None, way, host: "laptop".to_owned() }, seed).await.json()
    }

    async fn begin_here(&self) -> SignInStarted {
        self.begin(loopback(), TOOL).await
    }

    async fn redeem(&self, id: &str, code: Option<&str>, seed: u8) -> Answer {
        let redemption = SignInRedemption { id: id.to_owned(), code: code.map(str::to_owned) };
        self.ask(path::SIGN_IN_REDEMPTION, &redemption, seed).await
    }

    async fn whoami(&self, seed: u8) -> Answer {
        self.call(super::get(path::WHOAMI, Purpose::Person, seed)).await
    }

    /// The reason of the newest event, which is a refused sign-in.
    fn refused_as(&self) -> String {
        let event = self.store.events().pop().unwrap();
        assert_eq!(event.event, Event::SignInRefused);
        event.reason.unwrap().code().to_owned()
    }
}

pub(super) fn loopback() -> SignInWay {
    SignInWay::Loopback { port: 50_000, state: STATE.to_owned() }
}

/// A browser: it keeps cookies, and nothing else.
#[derive(Clone)]
pub(super) struct Browser {
    cookies: BTreeMap<String, String>,
    address: String,
}

impl Browser {
    pub(super) fn new() -> Self {
        Self::at(HERE)
    }

    pub(super) fn at(address: &str) -> Self {
        Self { cookies: BTreeMap::new(), address: address.to_owned() }
    }

    pub(super) async fn get(&mut self, ca: &Installation, url: &str) -> Answer {
        self.send(ca, Request::get(local(url)), Body::empty()).await
    }

    pub(super) async fn post(&mut self, ca: &Installation, path: &str, form: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(ca, request, Body::from(body)).await
    }

    async fn send(&mut self, ca: &Installation, request: axum::http::request::Builder, body: Body) -> Answer {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = if cookies.is_empty() { request } else { request.header(header::COOKIE, cookies.join("; ")) };
        let answer = ca.send_from(&self.address, request.body(body).unwrap()).await;
        if let Some(cookie) = answer.headers.get(header::SET_COOKIE) {
            let cookie = cookie.to_str().unwrap();
            assert!(cookie.starts_with("__Host-") && cookie.ends_with("; Path=/; Secure; HttpOnly; SameSite=Lax"), "{cookie}");
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        answer
    }
}

/// A page's path with its query.
fn local(url: &str) -> String {
    url.strip_prefix(ORIGIN).unwrap_or(url).to_owned()
}

pub(super) fn location(answer: &Answer) -> Url {
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", text(answer));
    Url::parse(answer.headers[header::LOCATION].to_str().unwrap()).unwrap()
}

pub(super) fn text(answer: &Answer) -> String {
    String::from_utf8(answer.body.clone()).unwrap()
}

/// What a page's form holds.
pub(super) fn hidden(answer: &Answer) -> String {
    text(answer).split("name=\"form\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

/// The reason code on a page that says no.
pub(super) fn reason(answer: &Answer) -> String {
    text(answer).split("id=\"reason\">").nth(1).unwrap_or("none").split('<').next().unwrap().to_owned()
}

pub(super) fn query(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// From the page to the provider and back: what the callback answers.
async fn round_trip(ca: &Installation, double: &ProviderDouble, browser: &mut Browser, page: &str) -> Answer {
    let there = location(&browser.get(ca, page).await);
    assert!(there.as_str().starts_with(&double.issuer), "{there}");
    let back = double.says_yes(&there);
    browser.get(ca, back.as_str()).await
}

/// The code that the browser brings to the tool.
async fn code_at_the_tool(ca: &Installation, double: &ProviderDouble, page: &str) -> String {
    let at_the_tool = location(&round_trip(ca, double, &mut Browser::new(), page).await);
    assert_eq!(at_the_tool[..url::Position::AfterPath], *"http://127.0.0.1:50000/sign-in");
    assert_eq!(query(&at_the_tool, "state").as_deref(), Some(STATE));
    query(&at_the_tool, "code").unwrap()
}

fn signed_in(answer: &Answer) -> SignedIn {
    match read::<SignInState>(answer) {
        SignInState::SignedIn(signed_in) => signed_in,
        SignInState::Pending { .. } => panic!("pending"),
    }
}

pub(super) fn read<T: DeserializeOwned>(answer: &Answer) -> T {
    assert_eq!(answer.status, StatusCode::OK, "{}", text(answer));
    answer.json()
}

#[tokio::test]
async fn a_sign_in_by_the_browser_leads_to_a_certificate() {
    let (ca, double) = with_provider().await;
    let started = ca.begin_here().await;
    assert_eq!(started.page, format!("{ORIGIN}/sign-in/{}", started.id));
    assert!(matches!(ca.redeem(&started.id, None, TOOL).await.json(), SignInState::Pending { .. }));
    let code = code_at_the_tool(&ca, &double, &started.page).await;
    let signed = signed_in(&ca.redeem(&started.id, Some(&code), TOOL).await);
    assert_eq!((signed.subject.to_string().as_str(), signed.provider.as_deref()), ("corp.248289761001", Some("corp")));
    assert_eq!((signed.shown.as_deref(), signed.groups.len()), (Some("alice"), 1));
    let me: WhoAmI = ca.whoami(TOOL).await.json();
    assert_eq!((me.subject.to_string().as_str(), me.method.as_str()), ("corp.248289761001", "sign_in"));
    assert_eq!(me.sign_in.unwrap().issuer, double.issuer);

    let challenge = ca.challenge().await;
    let asked = CertificateRequest {
        possession: possession(FRESH, Certifies::User, "corp.248289761001", &challenge),
        ..certificate_request("corp.248289761001", "db-admin", "db1")
    };
    let body = serde_json::to_vec(&asked).unwrap();
    let call = post(path::CERTIFICATES, &body, Purpose::Person, TOOL);
    let issued: IssuedCertificate = ca.send(call.with(&challenge, &call.sign(&challenge))).await.json();
    assert_eq!(issued.principals, ["deploy@db1"]);
    let names: Vec<String> = ca.store.events().iter().map(|event| event.event.to_string()).collect();
    assert_eq!(names, ["signin.proven", "signin.completed", "certificate.intended", "certificate.issued"]);
    let completed = &ca.store.events()[1];
    assert_eq!((completed.facts["host"].as_str(), completed.facts["asked_from"].as_str()), ("laptop", HERE));
    assert_eq!((completed.facts["groups"].as_str(), ca.store.events()[3].facts["method"].as_str()), ("dba", "sign_in"));
}

#[tokio::test]
async fn row_21_a_code_is_good_once_for_its_key_and_its_sign_in() {
    let (ca, double) = with_provider().await;
    let (started, other) = (ca.begin_here().await, ca.begin(loopback(), TOOL + 1).await);
    let code = code_at_the_tool(&ca, &double, &started.page).await;
    for (id, code, seed) in
        [(&started.id, Some(code.as_str()), TOOL + 1), (&started.id, Some("guessed"), TOOL), (&other.id, Some(code.as_str()), TOOL)]
    {
        let answer = ca.redeem(id, code, seed).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::FORBIDDEN, "sign_in_unknown".to_owned()));
        assert_eq!(ca.refused_as(), "sign_in_unknown");
    }
    assert!(matches!(ca.redeem(&started.id, None, TOOL).await.json(), SignInState::Pending { .. }), "the key alone is not enough");
    signed_in(&ca.redeem(&started.id, Some(&code), TOOL).await);
    assert_eq!(ca.redeem(&started.id, Some(&code), TOOL).await.code(), "sign_in_unknown", "twice");
    assert_eq!(ca.whoami(TOOL + 1).await.code(), "unknown_caller");
}

#[tokio::test]
async fn row_21_a_code_is_guessed_a_few_times_only() {
    let (ca, double) = with_provider().await;
    let started = ca.begin_here().await;
    let code = code_at_the_tool(&ca, &double, &started.page).await;
    for guess in ["1", "2", "3", "4", "5"] {
        assert_eq!(ca.redeem(&started.id, Some(guess), TOOL).await.code(), "sign_in_unknown");
    }
    assert_eq!(ca.redeem(&started.id, Some(&code), TOOL).await.code(), "sign_in_unknown", "the right one comes too late");
}

#[tokio::test]
async fn a_sign_in_ends_at_its_second_and_when_it_is_ended() {
    let (ca, double) = with_provider().await;
    for seed in [TOOL, TOOL + 1] {
        let started = ca.begin(loopback(), seed).await;
        let code = code_at_the_tool(&ca, &double, &started.page).await;
        signed_in(&ca.redeem(&started.id, Some(&code), seed).await);
    }
    let out: SignedOut = read(&ca.call(post(path::SIGN_OUT, b"", Purpose::Person, TOOL)).await);
    assert_eq!(out.end_session, Some(format!("{}/sign-out?client_id=dayfly", double.issuer)));
    assert_eq!(ca.whoami(TOOL).await.code(), "sign_in_ended");
    ca.clock.advance(3599);
    assert_eq!(ca.whoami(TOOL + 1).await.status, StatusCode::OK);
    ca.clock.advance(1);
    let ended = ca.whoami(TOOL + 1).await;
    assert_eq!((ended.status, ended.code()), (StatusCode::UNAUTHORIZED, "sign_in_ended".to_owned()));
    ca.clock.advance(-7200);
    assert_eq!(ca.whoami(TOOL + 1).await.code(), "sign_in_ended", "the clock was set back");
}

#[tokio::test]
async fn row_20_who_was_disabled_or_revoked_stays_out_whatever_the_provider_says() {
    use crate::store::{Change, Revocation};
    use dayfly_core::{audit::Outcome, certificate::Revoked};
    let (ca, double) = with_provider().await;
    let started = ca.begin_here().await;
    let code = code_at_the_tool(&ca, &double, &started.page).await;
    let subject = signed_in(&ca.redeem(&started.id, Some(&code), TOOL).await).subject;
    let event = || ca.authority().event(Event::UserDisabled, Outcome::Done);
    let key = ca.store.sign_in_by_key(&ca.store.events()[1].facts["key"]).await.unwrap().unwrap().key_fingerprint;
    let revocation = |revoked| Revocation { revoked, at: ca.clock.unix_seconds(), by: "x".to_owned(), reason: None, ends_at: None };
    ca.store.commit(Change::Revoke(revocation(Revoked::Key(key))), event()).await.unwrap();
    assert_eq!(ca.whoami(TOOL).await.code(), "revoked", "its key");
    ca.store.commit(Change::DisablePerson(subject), event()).await.unwrap();
    let started = ca.begin(loopback(), TOOL + 1).await;
    let answer = round_trip(&ca, &double, &mut Browser::new(), &started.page).await;
    assert_eq!((answer.status, reason(&answer)), (StatusCode::FORBIDDEN, "revoked".to_owned()));
    assert_eq!(ca.redeem(&started.id, None, TOOL + 1).await.code(), "revoked", "and the tool is told");
}

#[tokio::test]
async fn row_22_sign_ins_begin_at_a_bounded_rate_and_number() {
    let (ca, _double) = with_provider().await;
    let start = SignInStart { provider: None, way: loopback(), host: String::new() };
    let mut begun = 0;
    while ca.ask(path::SIGN_IN, &start, TOOL).await.status == StatusCode::OK {
        begun += 1;
    }
    assert_eq!(begun, 60);
    assert_eq!(ca.ask(path::SIGN_IN, &start, TOOL).await.code(), "limit_reached");
    ca.clock.advance(1);
    assert_eq!(ca.ask(path::SIGN_IN, &start, TOOL).await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_cannot_begin_says_why() {
    let (ca, _double) = with_provider().await;
    let start = |way, provider: Option<&str>| SignInStart { provider: provider.map(str::to_owned), way, host: "laptop".to_owned() };
    let with_state = |state: &str| SignInWay::Loopback { port: 50_000, state: state.to_owned() };
    for (asked, code) in [
        (start(loopback(), Some("other")), "sign_in_unavailable"),
        (start(SignInWay::Loopback { port: 0, state: STATE.to_owned() }, None), "bad_request"),
        (start(with_state("short"), None), "bad_request"),
        (start(with_state("0123456789abcdef&code=x"), None), "bad_request"),
    ] {
        assert_eq!(ca.ask(path::SIGN_IN, &asked, TOOL).await.code(), code, "{asked:?}");
    }
    assert_eq!(Installation::new().ask(path::SIGN_IN, &start(loopback(), None), TOOL).await.code(), "sign_in_unavailable");
    let enrolled = ca.call(post(path::SIGN_OUT, b"", Purpose::Person, crate::installation::ALICE)).await;
    assert_eq!(enrolled.code(), "sign_in_unknown");
}

#[tokio::test]
async fn an_enrolled_key_is_not_signed_in() {
    let (ca, double) = with_provider().await;
    let started = ca.begin(loopback(), crate::installation::ALICE).await;
    let code = code_at_the_tool(&ca, &double, &started.page).await;
    assert_eq!(ca.redeem(&started.id, Some(&code), crate::installation::ALICE).await.code(), "key_in_use");
    let me: WhoAmI = ca.whoami(crate::installation::ALICE).await.json();
    assert_eq!(me.subject.to_string(), "alice");
}

#[tokio::test]
async fn row_15_what_a_provider_said_is_taken_at_once_or_not_at_all() {
    let (ca, double) = with_provider().await;
    for (seconds, is_taken) in [(60, true), (61, false)] {
        let started = ca.begin_here().await;
        let code = code_at_the_tool(&ca, &double, &started.page).await;
        let proven_at = ca.clock.unix_seconds();
        ca.clock.advance(seconds);
        let answer = ca.redeem(&started.id, Some(&code), TOOL).await;
        if is_taken {
            let ends_at = u64::try_from(signed_in(&answer).expires_at.unix_timestamp()).unwrap();
            assert_eq!(ends_at, proven_at + 3600, "counted from when it was proven");
            ca.call(post(path::SIGN_OUT, b"", Purpose::Person, TOOL)).await;
        } else {
            assert_eq!(answer.code(), "sign_in_unknown");
        }
    }
}
