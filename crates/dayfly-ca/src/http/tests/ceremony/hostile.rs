//! Ceremonies that must come to nothing.

use super::{
    super::{
        authenticator::Authenticator,
        sign_in::{Browser, hidden, loopback, read, reason, text},
    },
    add, answered, code, place, say, with_passkey,
};
use crate::{
    ceremony::verifier::Verifier,
    installation::{ALICE, BOB, Installation},
};
use axum::http::StatusCode;
use dayfly_api::factor::{CeremonyPurpose, CeremonyState};

/// Has an authenticator do something wrong.
type Spoil = fn(&mut Authenticator);

/// What becomes of alice's ceremony when her authenticator does this.
async fn spoilt(purpose: CeremonyPurpose, spoil: Spoil) -> (String, String) {
    let (ca, mut authenticator) = with_passkey().await;
    read::<CeremonyState>(&ca.ceremony(CeremonyPurpose::Prove, &mut authenticator, ALICE).await);
    let mut fresh = Authenticator::new("a new one");
    let used = if purpose == CeremonyPurpose::Prove { &mut authenticator } else { &mut fresh };
    spoil(used);
    let started = ca.begin_ceremony(purpose, ALICE).await;
    let (_, page) = answered(&ca, &mut Browser::new(), &started.page, used).await;
    let told = ca.redeem_ceremony(&started.id, None, ALICE).await.code();
    assert_eq!(told, reason(&page), "the tool is told what the browser is told");
    let event = ca.store.events().pop().unwrap();
    assert_eq!(event.reason.unwrap().code(), told, "and so is the log");
    assert!(event.facts.contains_key("key") && event.facts["method"] == "webauthn");
    (told, text(&page))
}

#[tokio::test]
async fn row_21_an_answer_for_another_site_challenge_or_party_or_without_a_touch_is_none() {
    let cases: [(&str, Spoil); 6] = [
        ("another site", |authenticator| authenticator.origin = "https://ca.example.evil.example".to_owned()),
        ("another port", |authenticator| authenticator.origin = "https://ca.example:8443".to_owned()),
        ("without TLS", |authenticator| authenticator.origin = "http://ca.example".to_owned()),
        ("another party", |authenticator| authenticator.relying_party = "evil.example".to_owned()),
        ("another challenge", |authenticator| authenticator.challenge = Some("A".repeat(43))),
        ("nobody touched it", |authenticator| authenticator.is_touched = false),
    ];
    for (what, spoil) in cases {
        for purpose in [CeremonyPurpose::Prove, add("new")] {
            assert_eq!(spoilt(purpose.clone(), spoil).await.0, "bad_answer", "{what} {purpose:?}");
        }
    }
    // What asked for a PIN when it was added asks for one ever after.
    let (code, page) = spoilt(CeremonyPurpose::Prove, |authenticator| authenticator.is_verified = false).await;
    assert!(code == "bad_answer" && page.contains("user verified"), "{page}");
}

#[tokio::test]
async fn row_21_an_authenticator_that_counts_backwards_is_refused_and_logged() {
    for counter in [0, 1, 2] {
        let (ca, mut authenticator) = with_passkey().await;
        authenticator.counter = 2;
        read::<CeremonyState>(&ca.ceremony(CeremonyPurpose::Prove, &mut authenticator, ALICE).await);
        authenticator.counter = counter;
        let started = ca.begin_ceremony(CeremonyPurpose::Prove, ALICE).await;
        let (_, page) = answered(&ca, &mut Browser::new(), &started.page, &mut authenticator).await;
        assert_eq!(reason(&page), "counter_went_back", "{counter}");
        assert_eq!(ca.newest(), ("factor.proven".to_owned(), "counter_went_back".to_owned()));
    }
    // Two copies that are asked at the same time: the second answer is of the same count.
    let (ca, mut authenticator) = with_passkey().await;
    let (one, two) = (ca.begin_ceremony(CeremonyPurpose::Prove, ALICE).await, ca.begin_ceremony(CeremonyPurpose::Prove, ALICE).await);
    let (mut here, mut there) = (Browser::new(), Browser::new());
    let pages = [here.get(&ca, &one.page).await, there.get(&ca, &two.page).await];
    let answers = [say(&pages[0], &mut authenticator), {
        authenticator.counter = 2;
        say(&pages[1], &mut authenticator)
    }];
    here.post(&ca, &place(&pages[0]), &[("form", &hidden(&pages[0])), ("answer", &answers[0])]).await;
    let second = there.post(&ca, &place(&pages[1]), &[("form", &hidden(&pages[1])), ("answer", &answers[1])]).await;
    assert_eq!(reason(&second), "counter_went_back");
}

#[tokio::test]
async fn row_21_a_passkeys_answer_is_good_once() {
    let (ca, mut authenticator) = with_passkey().await;
    let started = ca.begin_ceremony(CeremonyPurpose::Prove, ALICE).await;
    let mut browser = Browser::new();
    let page = browser.get(&ca, &started.page).await;
    let (answer, form) = (say(&page, &mut authenticator), hidden(&page));
    let first = browser.post(&ca, &place(&page), &[("form", &form), ("answer", &answer)]).await;
    let again = browser.post(&ca, &place(&page), &[("form", &form), ("answer", &answer)]).await;
    assert_eq!(reason(&again), "ceremony_unknown");
    // Nor for another ceremony, or the same one looked at anew.
    let other = ca.begin_ceremony(CeremonyPurpose::Prove, ALICE).await;
    let page = browser.get(&ca, &other.page).await;
    let replayed = browser.post(&ca, &place(&page), &[("form", &form), ("answer", &answer)]).await;
    assert_eq!(reason(&replayed), "bad_answer");
    let third = ca.begin_ceremony(CeremonyPurpose::Prove, ALICE).await;
    let early = browser.get(&ca, &third.page).await;
    let late = browser.get(&ca, &third.page).await;
    let answer = say(&early, &mut authenticator);
    assert_eq!(reason(&browser.post(&ca, &place(&late), &[("form", &form), ("answer", &answer)]).await), "bad_answer");
    for garbage in ["", "{}", "null", "x", &"[".repeat(5000)] {
        let started = ca.begin_ceremony(CeremonyPurpose::Prove, ALICE).await;
        let page = browser.get(&ca, &started.page).await;
        assert_eq!(reason(&browser.post(&ca, &place(&page), &[("form", &form), ("answer", garbage)]).await), "bad_answer");
    }
    let code = code(&first);
    read::<CeremonyState>(&ca.redeem_ceremony(&started.id, Some(&code), ALICE).await);
    assert_eq!(ca.redeem_ceremony(&started.id, Some(&code), ALICE).await.code(), "ceremony_unknown");
}

#[tokio::test]
async fn row_21_one_persons_passkey_is_no_other_persons() {
    let (ca, mut of_alice) = with_passkey().await;
    let mut of_bob = Authenticator::new("a passkey of bob");
    read::<CeremonyState>(&ca.ceremony(add("own"), &mut of_bob, BOB).await);
    let started = ca.begin_ceremony(CeremonyPurpose::Prove, ALICE).await;
    let (_, page) = answered(&ca, &mut Browser::new(), &started.page, &mut of_bob).await;
    assert_eq!(reason(&page), "bad_answer");
    // Another authenticator that gives itself out for hers, by her credential's id.
    let mut forged = Authenticator::new("a passkey of alice");
    let started = ca.begin_ceremony(CeremonyPurpose::Prove, ALICE).await;
    let (_, page) = answered(&ca, &mut Browser::new(), &started.page, &mut forged).await;
    assert_eq!(reason(&page), "bad_answer");
    // Nor can its id be enrolled once more, for whomever.
    read::<CeremonyState>(&ca.ceremony(CeremonyPurpose::Prove, &mut of_bob, BOB).await);
    assert_eq!(ca.ceremony(add("hers"), &mut forged, BOB).await.code(), "key_in_use");
    assert_eq!(ca.newest(), ("factor.added".to_owned(), "key_in_use".to_owned()));
    read::<CeremonyState>(&ca.ceremony(CeremonyPurpose::Prove, &mut of_alice, ALICE).await);
    // What is removed while it is proven proves nothing.
    let started = ca.begin_ceremony(CeremonyPurpose::Prove, ALICE).await;
    let (_, page) = answered(&ca, &mut Browser::new(), &started.page, &mut of_alice).await;
    assert_eq!(ca.remove_factor("laptop").await.status, StatusCode::OK);
    assert_eq!(ca.redeem_ceremony(&started.id, Some(&code(&page)), ALICE).await.code(), "second_factor_required");
}

#[tokio::test]
async fn row_17_a_link_to_a_ceremony_of_a_stolen_key_brings_the_thief_nothing() {
    // The thief has alice's key, begins a ceremony elsewhere, and sends her the link. She goes along with it.
    let (ca, mut authenticator) = with_passkey().await;
    let started = ca.begin_ceremony(CeremonyPurpose::Prove, ALICE).await;
    let mut victim = Browser::at("203.0.113.80");
    let (asked, outcome) = answered(&ca, &mut victim, &started.page, &mut authenticator).await;
    assert!(text(&asked).contains("198.51.100.7") && text(&asked).contains("laptop"), "the page says who asks");
    let with_code = code(&outcome);
    // The code is at her own machine, where nobody waits for it. The thief has the key and the id.
    assert!(matches!(read(&ca.redeem_ceremony(&started.id, None, ALICE).await), CeremonyState::Pending { .. }));
    for guess in ["1", "2", "3", "4", "5"] {
        assert_eq!(ca.redeem_ceremony(&started.id, Some(guess), ALICE).await.code(), "ceremony_unknown");
    }
    assert_eq!(ca.redeem_ceremony(&started.id, Some(&with_code), ALICE).await.code(), "ceremony_unknown", "and guesses end it");
    assert!(ca.factors_of(ALICE).await.factors[0].proven_at.is_none());
}

#[tokio::test]
async fn row_17_a_ceremony_is_for_one_browser_and_one_key_and_for_ten_minutes() {
    let (ca, mut authenticator) = with_passkey().await;
    let started = ca.begin_ceremony(CeremonyPurpose::Prove, ALICE).await;
    let (mut own, mut other) = (Browser::new(), Browser::new());
    let page = own.get(&ca, &started.page).await;
    let others_form = hidden(&other.get(&ca, "/factor").await);
    let answer = say(&page, &mut authenticator);
    for form in [hidden(&page), others_form, String::new()] {
        let refused = other.post(&ca, &place(&page), &[("form", &form), ("answer", &answer)]).await;
        assert_eq!((refused.status, reason(&refused).as_str()), (StatusCode::FORBIDDEN, "ceremony_unknown"));
    }
    let outcome = own.post(&ca, &place(&page), &[("form", &hidden(&page)), ("answer", &answer)]).await;
    let code = code(&outcome);
    assert_eq!(ca.redeem_ceremony(&started.id, Some(&code), BOB).await.code(), "ceremony_unknown", "another key");
    ca.clock.advance(61);
    assert_eq!(ca.redeem_ceremony(&started.id, Some(&code), ALICE).await.code(), "ceremony_unknown", "too late to be told");

    let started = ca.begin_ceremony(CeremonyPurpose::Prove, ALICE).await;
    let page = own.get(&ca, &started.page).await;
    ca.clock.advance(600);
    let answer = say(&page, &mut authenticator);
    let late = own.post(&ca, &place(&page), &[("form", &hidden(&page)), ("answer", &answer)]).await;
    assert_eq!(reason(&late), "ceremony_unknown");
    assert_eq!(reason(&own.get(&ca, &started.page).await), "ceremony_unknown");
}

#[tokio::test]
async fn row_17_who_reads_the_address_of_a_page_adds_nothing_of_their_own() {
    let ca = Installation::new();
    let started = ca.begin_ceremony(CeremonyPurpose::Add { name: None }, ALICE).await;
    let (mut own, mut anothers) = (Browser::new(), Browser::new());
    let (page, form) = (own.get(&ca, &started.page).await, "id=\"reason\"");
    assert!(!text(&page).contains(form) && !text(&own.get(&ca, &started.page).await).contains(form), "looking again is well");
    assert_eq!(reason(&anothers.get(&ca, &started.page).await), "ceremony_unknown");
    assert!(!text(&own.get(&ca, &started.page).await).contains(form), "and the owner goes on");
}

#[tokio::test]
async fn row_22_of_one_persons_ceremonies_the_oldest_gives_way() {
    let (ca, _) = with_passkey().await;
    let first = ca.begin_ceremony(CeremonyPurpose::Prove, ALICE).await;
    for _ in 0..8 {
        ca.clock.advance(1);
        ca.begin_ceremony(CeremonyPurpose::Prove, ALICE).await;
    }
    assert_eq!(ca.redeem_ceremony(&first.id, None, ALICE).await.code(), "ceremony_unknown");
    let begin = async || ca.start_ceremony(CeremonyPurpose::Prove, loopback(), ALICE).await;
    let mut begun = 0;
    while begin().await.status == StatusCode::OK {
        begun += 1;
    }
    assert!(begun <= 60, "{begun}");
    assert_eq!(begin().await.code(), "limit_reached");
}

#[tokio::test]
async fn row_19_a_passkey_that_cannot_be_logged_is_none() {
    use dayfly_core::audit::Event;
    let ca = Installation::new();
    let mut authenticator = Authenticator::new("a passkey of alice");
    ca.store.fail(|event| event == Event::FactorAnswered);
    let started = ca.begin_ceremony(add("laptop"), ALICE).await;
    let (_, page) = answered(&ca, &mut Browser::new(), &started.page, &mut authenticator).await;
    assert_eq!((page.status, reason(&page).as_str()), (StatusCode::SERVICE_UNAVAILABLE, "ca_unavailable"));
    ca.store.fail(|event| event == Event::FactorAdded);
    let started = ca.begin_ceremony(add("laptop"), ALICE).await;
    let (_, page) = answered(&ca, &mut Browser::new(), &started.page, &mut authenticator).await;
    assert_eq!(ca.redeem_ceremony(&started.id, Some(&code(&page)), ALICE).await.code(), "store_unavailable");
    assert!(ca.factors_of(ALICE).await.factors.is_empty());
}

#[test]
fn an_address_has_no_passkeys() {
    for (origin, is_possible) in [
        ("https://ca.example", true),
        ("https://localhost:8443", true),
        ("https://127.0.0.1:8443", false),
        ("https://[::1]", false),
        ("https://192.0.2.1", false),
        ("nothing", false),
    ] {
        assert_eq!(Verifier::of(origin).is_some(), is_possible, "{origin}");
    }
}
