//! Passkeys and security keys, from the tool's first call to what its key has proven.

mod hostile;

use super::{
    Answer,
    authenticator::Authenticator,
    get,
    sign_in::{Browser, HERE, STATE, hidden, loopback, query, read, reason, settings, text},
};
use crate::{
    config::SignInSettings,
    installation::{ALICE, BOB, Installation, ORIGIN},
    store::Store,
};
use axum::http::{StatusCode, header};
use dayfly_api::{
    factor::{CeremonyPurpose, CeremonyStart, CeremonyState, FactorRemoval, Factors},
    path,
    sign_in::{SignInRedemption, SignInStarted, SignInWay},
};
use dayfly_core::{clock::Clock, identity::FactorMethod, signed_request::Purpose};
use serde_json::Value;
use url::Url;

impl Installation {
    async fn start_ceremony(&self, purpose: CeremonyPurpose, way: SignInWay, seed: u8) -> Answer {
        self.ask(path::WEBAUTHN, &CeremonyStart { purpose, way, host: "laptop".to_owned() }, seed).await
    }

    async fn begin_ceremony(&self, purpose: CeremonyPurpose, seed: u8) -> SignInStarted {
        read(&self.start_ceremony(purpose, loopback(), seed).await)
    }

    async fn redeem_ceremony(&self, id: &str, code: Option<&str>, seed: u8) -> Answer {
        let redemption = SignInRedemption { id: id.to_owned(), code: code.map(str::to_owned) };
        self.ask(path::WEBAUTHN_REDEMPTION, &redemption, seed).await
    }

    async fn remove_factor(&self, name: &str) -> Answer {
        self.ask(path::FACTOR_REMOVAL, &FactorRemoval { name: name.parse().unwrap() }, ALICE).await
    }

    async fn factors_of(&self, seed: u8) -> Factors {
        read(&self.call(get(path::FACTORS, Purpose::Person, seed)).await)
    }

    /// The whole way, on one machine.
    async fn ceremony(&self, purpose: CeremonyPurpose, authenticator: &mut Authenticator, seed: u8) -> Answer {
        let started = self.begin_ceremony(purpose, seed).await;
        let (_, page) = answered(self, &mut Browser::new(), &started.page, authenticator).await;
        let code = code(&page);
        self.redeem_ceremony(&started.id, Some(&code), seed).await
    }

    /// The newest event: what it is, and its reason.
    fn newest(&self) -> (String, String) {
        let (event, reason) = self.last_event();
        (event, reason.unwrap_or_default())
    }
}

fn add(name: &str) -> CeremonyPurpose {
    CeremonyPurpose::Add { name: Some(name.parse().unwrap()) }
}

/// Opens the page and has the authenticator answer: the page as it was opened, and what came of the answer.
async fn answered(ca: &Installation, browser: &mut Browser, page: &str, authenticator: &mut Authenticator) -> (Answer, Answer) {
    let opened = browser.get(ca, page).await;
    let answer = say(&opened, authenticator);
    let outcome = browser.post(ca, &place(&opened), &[("form", &hidden(&opened)), ("answer", &answer)]).await;
    (opened, outcome)
}

/// What the authenticator answers to a page.
fn say(page: &Answer, authenticator: &mut Authenticator) -> String {
    let options: Value = serde_json::from_str(&attribute(page, "data-options")).unwrap();
    if attribute(page, "data-action") == "create" { authenticator.create(&options) } else { authenticator.get(&options) }
}

/// Where a page's form goes.
fn place(page: &Answer) -> String {
    attribute(page, "action")
}

fn attribute(page: &Answer, name: &str) -> String {
    let text = text(page);
    let value = text.split(&format!(" {name}=\"")).nth(1).unwrap_or_else(|| panic!("no {name}: {text}")).split('"').next().unwrap();
    value.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

/// The code that the browser brings to the tool.
fn code(page: &Answer) -> String {
    assert_eq!(page.status, StatusCode::OK, "{}", text(page));
    let url = Url::parse(&attribute(page, "id=\"onward\" href")).unwrap();
    assert_eq!(url[..url::Position::AfterPath], *"http://127.0.0.1:50000/factor");
    assert_eq!(query(&url, "state").as_deref(), Some(STATE));
    query(&url, "code").unwrap()
}

async fn with_passkey() -> (Installation, Authenticator) {
    let (ca, mut authenticator) = (Installation::new(), Authenticator::new("a passkey of alice"));
    read::<CeremonyState>(&ca.ceremony(add("laptop"), &mut authenticator, ALICE).await);
    (ca, authenticator)
}

#[tokio::test]
async fn a_passkey_is_added_and_proves_a_second_factor_for_the_key_that_asked() {
    let (ca, mut authenticator) = with_passkey().await;
    let held = ca.factors_of(ALICE).await.factors;
    let names: Vec<_> = held.iter().map(|factor| (factor.method.as_str(), factor.name.as_ref().unwrap().as_str())).collect();
    assert_eq!((names, held[0].proven_at), (vec![("webauthn", "laptop")], None), "having one proves nothing");
    let proven = read(&ca.ceremony(CeremonyPurpose::Prove, &mut authenticator, ALICE).await);
    let CeremonyState::Proven(proven) = proven else { panic!("{proven:?}") };
    assert_eq!((proven.method.as_str(), proven.proven_at), ("webauthn", ca.clock.unix_seconds()));
    let alice = ca.person_call("alice").await;
    let key = alice.identity.evidence.proof.fingerprint();
    assert_eq!(ca.store.factors(alice.subject(), key).await.unwrap(), [(FactorMethod::Webauthn, ca.clock.unix_seconds())].into());
    assert!(ca.store.factors(alice.subject(), "SHA256:another").await.unwrap().is_empty());

    let events = ca.store.events();
    let names: Vec<&str> = events.iter().map(|event| event.event.as_str()).collect();
    assert_eq!(names, ["factor.answered", "factor.added", "factor.answered", "factor.proven"]);
    for event in &events {
        assert_eq!(
            (event.facts["method"].as_str(), event.facts["name"].as_str(), event.facts["key"].as_str()),
            ("webauthn", "laptop", key)
        );
        assert_eq!(
            (event.facts["address"].as_str(), event.facts["asked_from"].as_str(), &event.facts["host"]),
            (HERE, HERE, &"laptop".to_owned())
        );
    }
    assert_eq!((events[2].facts["user_verified"].as_str(), events[2].facts["way"].as_str()), ("true", "loopback"));
    let text = serde_json::to_string(&events).unwrap();
    assert!(!text.contains(&ca.store.credentials(alice.subject()).await.unwrap()[0].id), "no raw credential");
}

#[tokio::test]
async fn row_17_a_ceremony_by_a_typed_code_says_who_asks_and_can_be_forbidden() {
    let (ca, mut authenticator) = with_passkey().await;
    let started: SignInStarted = read(&ca.start_ceremony(CeremonyPurpose::Prove, SignInWay::DeviceCode, ALICE).await);
    assert_eq!(started.page, format!("{ORIGIN}/factor"));
    let (typed, mut browser) = (started.code.unwrap(), Browser::at("203.0.113.80"));
    assert_eq!(reason(&browser.get(&ca, &format!("/factor/{}", started.id)).await), "ceremony_unknown", "it has no page of its own");
    let form = hidden(&browser.get(&ca, "/factor").await);
    let asked = browser.post(&ca, "/factor", &[("form", &form), ("code", &typed.to_lowercase())]).await;
    for part in [HERE, "laptop", "SHA256:", "alice"] {
        assert!(text(&asked).contains(part), "{part}");
    }
    let again = browser.post(&ca, "/factor", &[("form", &form), ("code", &typed)]).await;
    assert_eq!(again.status, StatusCode::FORBIDDEN, "a code is typed once");
    assert!(matches!(read(&ca.redeem_ceremony(&started.id, None, ALICE).await), CeremonyState::Pending { .. }));
    let answer = say(&asked, &mut authenticator);
    let done = browser.post(&ca, &place(&asked), &[("form", &hidden(&asked)), ("answer", &answer)]).await;
    assert!(text(&done).contains("goes on by itself"), "{}", text(&done));
    assert!(matches!(read(&ca.redeem_ceremony(&started.id, None, ALICE).await), CeremonyState::Proven(_)));
    let events = ca.store.events();
    let answered = &events[events.len() - 2];
    assert_eq!((answered.facts["way"].as_str(), answered.facts["address"].as_str()), ("device_code", "203.0.113.80"));

    let ca = Installation::with_sign_in(SignInSettings { device_codes: false, ..settings(Vec::new()) }, Vec::new());
    assert_eq!(ca.start_ceremony(add("x"), SignInWay::DeviceCode, ALICE).await.code(), "factor_unavailable");
    assert_eq!(ca.newest(), ("factor.added".to_owned(), "factor_unavailable".to_owned()));
}

#[tokio::test]
async fn row_35_a_key_alone_adds_and_removes_no_second_factor_where_there_is_one() {
    let (ca, mut authenticator) = with_passkey().await;
    let refused = |answer: Answer| assert_eq!((answer.status, answer.code().as_str()), (StatusCode::FORBIDDEN, "second_factor_required"));
    refused(ca.start_ceremony(add("desk"), loopback(), ALICE).await);
    refused(ca.remove_factor("laptop").await);
    refused(ca.ask(path::TOTP_ENROLMENT, &(), ALICE).await);
    assert_eq!(ca.newest(), ("factor.added".to_owned(), "second_factor_required".to_owned()));

    read::<CeremonyState>(&ca.ceremony(CeremonyPurpose::Prove, &mut authenticator, ALICE).await);
    ca.clock.advance(299);
    let mut other = Authenticator::new("another passkey");
    read::<CeremonyState>(&ca.ceremony(add("desk"), &mut other, ALICE).await);
    ca.clock.advance(1);
    refused(ca.start_ceremony(add("third"), loopback(), ALICE).await);
    // What proves is any of them, and what is removed takes what was proven with it.
    read::<CeremonyState>(&ca.ceremony(CeremonyPurpose::Prove, &mut other, ALICE).await);
    assert_eq!(ca.remove_factor("nothing").await.code(), "factor_unknown");
    assert_eq!(ca.remove_factor("laptop").await.status, StatusCode::OK);
    assert_eq!(ca.newest(), ("factor.removed".to_owned(), String::new()));
    refused(ca.remove_factor("desk").await);
    assert_eq!(ca.factors_of(ALICE).await.factors.len(), 1);
}

#[tokio::test]
async fn row_35_what_was_begun_before_there_was_a_second_factor_is_asked_for_it_in_the_end() {
    let ca = Installation::new();
    let enrolment: dayfly_api::factor::TotpEnrolment = read(&ca.ask(path::TOTP_ENROLMENT, &(), ALICE).await);
    let (mut early, mut own) = (Authenticator::new("begun early"), Authenticator::new("alice's own"));
    let started = ca.begin_ceremony(add("early"), ALICE).await;
    let (_, page) = answered(&ca, &mut Browser::new(), &started.page, &mut early).await;
    read::<CeremonyState>(&ca.ceremony(add("own"), &mut own, ALICE).await);
    assert_eq!(ca.redeem_ceremony(&started.id, Some(&code(&page)), ALICE).await.code(), "second_factor_required");
    let secret = totp_rs::Secret::try_from_base32(&enrolment.secret).unwrap();
    let totp = totp_rs::Builder::new().with_secret(secret.as_ref()).with_digits(6).build().unwrap();
    let first = dayfly_api::factor::FactorCode { code: totp.generate(ca.clock.unix_seconds()).to_string() };
    assert_eq!(ca.ask(path::TOTP, &first, ALICE).await.code(), "second_factor_required");
    read::<CeremonyState>(&ca.ceremony(CeremonyPurpose::Prove, &mut own, ALICE).await);
    assert_eq!(ca.ask(path::TOTP, &first, ALICE).await.status, StatusCode::OK, "with a proof it is confirmed");
}

#[tokio::test]
async fn row_22_a_person_has_a_bounded_number_and_each_has_a_name() {
    let ca = Installation::new();
    let mut first = Authenticator::new("0");
    read::<CeremonyState>(&ca.ceremony(CeremonyPurpose::Add { name: None }, &mut first, ALICE).await);
    read::<CeremonyState>(&ca.ceremony(CeremonyPurpose::Prove, &mut first, ALICE).await);
    for number in 1..16 {
        read::<CeremonyState>(&ca.ceremony(CeremonyPurpose::Add { name: None }, &mut Authenticator::new(&number.to_string()), ALICE).await);
    }
    assert_eq!(ca.start_ceremony(add("more"), loopback(), ALICE).await.code(), "limit_reached");
    assert_eq!(ca.factors_of(ALICE).await.factors[0].name.as_ref().unwrap().as_str(), "passkey-1");
    ca.remove_factor("passkey-7").await;
    read::<CeremonyState>(&ca.ceremony(CeremonyPurpose::Prove, &mut first, ALICE).await);
    assert_eq!(ca.start_ceremony(add("passkey-8"), loopback(), ALICE).await.code(), "key_in_use");
    read::<CeremonyState>(&ca.ceremony(CeremonyPurpose::Add { name: None }, &mut Authenticator::new("again"), ALICE).await);
    assert!(ca.factors_of(ALICE).await.factors.iter().any(|factor| factor.name.as_ref().unwrap().as_str() == "passkey-7"));
}

#[tokio::test]
async fn who_has_none_and_who_says_no_is_told() {
    let (ca, _) = with_passkey().await;
    assert_eq!(ca.start_ceremony(CeremonyPurpose::Prove, loopback(), BOB).await.code(), "second_factor_required");
    assert_eq!(ca.newest(), ("factor.proven".to_owned(), "second_factor_required".to_owned()));
    let started = ca.begin_ceremony(CeremonyPurpose::Prove, ALICE).await;
    let mut browser = Browser::new();
    let page = browser.get(&ca, &started.page).await;
    let no = browser.post(&ca, &place(&page), &[("form", &hidden(&page)), ("no", "no")]).await;
    assert_eq!(no.status, StatusCode::OK);
    assert_eq!(ca.newest(), ("factor.proven".to_owned(), "ceremony_declined".to_owned()));
    assert_eq!(ca.redeem_ceremony(&started.id, None, ALICE).await.code(), "ceremony_declined");
}

#[tokio::test]
async fn the_pages_run_our_script_and_no_other() {
    let (ca, mut authenticator) = with_passkey().await;
    let started = ca.begin_ceremony(CeremonyPurpose::Prove, ALICE).await;
    let mut browser = Browser::new();
    let script = browser.get(&ca, "/factor/page.js").await;
    assert_eq!(script.headers[header::CONTENT_TYPE], "text/javascript; charset=utf-8");
    let (opened, outcome) = answered(&ca, &mut browser, &started.page, &mut authenticator).await;
    for page in [script, opened, outcome, browser.get(&ca, "/factor").await, browser.get(&ca, "/factor/unknown").await] {
        let policy = page.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
        assert_eq!(
            (&page.headers["x-frame-options"], &page.headers["cache-control"]),
            (&"DENY".parse().unwrap(), &"no-store".parse().unwrap())
        );
        let scripts: Vec<String> = text(&page).split("<script").skip(1).map(|rest| rest.split('>').next().unwrap().to_owned()).collect();
        assert!(scripts.iter().all(|script| script == " src=\"/factor/page.js\""), "{scripts:?}");
    }
}
