//! Signing in as somebody else by sending them a link or a code.

use super::super::double::ProviderDouble;
use super::{
    Browser, HERE, TOOL, hidden, location, loopback, provider, query, read, reason, round_trip, settings, signed_in, text, with_provider,
};
use crate::{
    config::SignInSettings,
    installation::{Installation, ORIGIN},
};
use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use dayfly_api::{
    path,
    sign_in::{SignInOffer, SignInStart, SignInState, SignInWay},
};
use dayfly_core::{clock::Clock, reason::Reason};

/// Where the person is who is to be deceived.
const ELSEWHERE: &str = "203.0.113.9";

/// Types a code and goes on: what the callback answers.
async fn type_code(ca: &Installation, double: &ProviderDouble, browser: &mut Browser, code: &str) -> super::Answer {
    let page = browser.get(ca, &format!("{ORIGIN}/sign-in")).await;
    let asked = browser.post(ca, "/sign-in", &[("form", &hidden(&page)), ("code", code)]).await;
    assert_eq!(asked.status, StatusCode::OK, "{}", text(&asked));
    let place = text(&asked).split("action=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let onward = browser.post(ca, &place, &[("form", &hidden(&asked)), ("provider", "corp")]).await;
    let there = text(&onward).split("href=\"http").nth(1).unwrap().split('"').next().unwrap().replace("&amp;", "&");
    let back = double.says_yes(&format!("http{there}").parse().unwrap());
    browser.get(ca, back.as_str()).await
}

#[tokio::test]
async fn row_17_a_device_code_is_typed_and_the_page_says_who_asks() {
    let (ca, double) = with_provider().await;
    let started = ca.begin(SignInWay::DeviceCode, TOOL).await;
    let code = started.code.unwrap();
    assert_eq!(started.page, format!("{ORIGIN}/sign-in"), "no link holds the code or leads past the typing of it");
    assert!(!started.id.is_empty() && !started.page.contains(&started.id));

    let mut browser = Browser::at(ELSEWHERE);
    let page = browser.get(&ca, &format!("{ORIGIN}/sign-in?code={code}")).await;
    assert!(!text(&page).contains(&code), "what a link says is not put into the form");
    let asked = browser.post(&ca, "/sign-in", &[("form", &hidden(&page)), ("code", &code.to_lowercase())]).await;
    for told in [HERE, "laptop", "SHA256:", "1h", "to act as you"] {
        assert!(text(&asked).contains(told), "{told} is missing in {}", text(&asked));
    }
    assert!(matches!(ca.redeem(&started.id, None, TOOL).await.json(), SignInState::Pending { .. }));

    let again = browser.post(&ca, "/sign-in", &[("form", &hidden(&page)), ("code", &code)]).await;
    assert_eq!(again.status, StatusCode::FORBIDDEN, "a code is typed once");
    let started = ca.begin(SignInWay::DeviceCode, TOOL).await;
    let done = type_code(&ca, &double, &mut browser, &started.code.unwrap()).await;
    assert!(text(&done).contains("corp.248289761001"), "{}", text(&done));
    let subject = signed_in(&ca.redeem(&started.id, None, TOOL).await).subject;
    assert_eq!(subject.to_string(), "corp.248289761001");
    let proven = ca.store.events().into_iter().find(|event| event.event.as_str() == "signin.proven").unwrap();
    assert_eq!((proven.facts["address"].as_str(), proven.facts["asked_from"].as_str()), (ELSEWHERE, HERE));
    assert_eq!(proven.facts["way"], "device_code");
}

#[tokio::test]
async fn row_17_a_link_to_a_tool_elsewhere_brings_its_sender_nothing() {
    let (ca, double) = with_provider().await;
    let started = ca.begin_here().await;
    // The victim is asked, since the tool is not where the browser is.
    let mut victim = Browser::at(ELSEWHERE);
    let page = victim.get(&ca, &started.page).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(text(&page).contains(HERE) && text(&page).contains("laptop"));
    // Even if they go on, the code goes to their own machine, and the sender cannot do without it.
    let place = format!("/sign-in/{}", started.id);
    let onward = victim.post(&ca, &place, &[("form", &hidden(&page)), ("provider", "corp")]).await;
    let there = text(&onward).split("href=\"http").nth(1).unwrap().split('"').next().unwrap().replace("&amp;", "&");
    let back = double.says_yes(&format!("http{there}").parse().unwrap());
    let at_the_tool = location(&victim.get(&ca, back.as_str()).await);
    assert_eq!(at_the_tool.host_str(), Some("127.0.0.1"));
    assert!(matches!(ca.redeem(&started.id, None, TOOL).await.json(), SignInState::Pending { .. }));
    assert_eq!(ca.whoami(TOOL).await.code(), "unknown_caller");
}

#[tokio::test]
async fn row_17_who_followed_a_link_is_asked_first() {
    let (ca, double) = with_provider().await;
    let started = ca.begin_here().await;
    let path = super::local(&started.page);
    for site in ["cross-site", "same-site", "same-origin", "anything"] {
        let request = Request::get(&path).header("sec-fetch-site", site);
        let page = Browser::new().send(&ca, request, Body::empty()).await;
        assert_eq!(page.status, StatusCode::OK, "{site}");
        assert!(text(&page).contains("Go on only if you began this yourself"), "{site}");
    }
    let request = Request::get(&path).header("sec-fetch-site", "none");
    assert!(location(&Browser::new().send(&ca, request, Body::empty()).await).as_str().starts_with(&double.issuer));
}

#[tokio::test]
async fn row_17_one_browser_goes_the_whole_way() {
    let (ca, double) = with_provider().await;
    let (mut attacker, mut victim) = (Browser::new(), Browser::new());
    let started = ca.begin_here().await;
    let there = location(&attacker.get(&ca, &started.page).await);
    let back = double.says_yes(&there);
    for browser in [&mut victim, &mut Browser::new()] {
        let answer = browser.get(&ca, back.as_str()).await;
        assert_eq!((answer.status, reason(&answer)), (StatusCode::FORBIDDEN, "sign_in_unknown".to_owned()));
        assert_eq!(ca.refused_as(), "sign_in_unknown");
    }
    assert!(location(&attacker.get(&ca, back.as_str()).await).as_str().starts_with("http://127.0.0.1:50000/"));
    let replayed = attacker.get(&ca, back.as_str()).await;
    assert_eq!(reason(&replayed), "sign_in_unknown", "the answer is good once");
}

#[tokio::test]
async fn row_17_an_answer_with_another_state_is_none() {
    let (ca, double) = with_provider().await;
    let (started, other) = (ca.begin_here().await, ca.begin(loopback(), TOOL + 1).await);
    let mut browser = Browser::new();
    let there = location(&browser.get(&ca, &started.page).await);
    let of_other = query(&location(&browser.get(&ca, &other.page).await), "state").unwrap();
    let state = query(&there, "state").unwrap();
    let code = query(&double.says_yes(&there), "code").unwrap();
    let id = &started.id;
    for bad in ["", ".", id, &format!("{id}."), &format!("{id}.x"), &state[1..], &format!("{state}x"), &"x".repeat(3000)] {
        let answer = browser.get(&ca, &format!("/oidc/callback?code={code}&state={bad}")).await;
        assert_eq!(reason(&answer), "sign_in_unknown", "{bad}");
    }
    // The provider's code is bound to the other way there as well: its verifier is another.
    let crossed = browser.get(&ca, &format!("/oidc/callback?code={code}&state={of_other}")).await;
    assert_eq!(reason(&crossed), "bad_token");
    let doubled = browser.get(&ca, &format!("/oidc/callback?state={state}&state={of_other}&code=x")).await;
    assert_eq!(reason(&doubled), "bad_request");
    let none = browser.get(&ca, "/oidc/callback").await;
    assert_eq!(reason(&none), "sign_in_unknown");
}

#[tokio::test]
async fn row_17_forms_of_others_do_nothing() {
    let (ca, double) = with_provider().await;
    let started = ca.begin(SignInWay::DeviceCode, TOOL).await;
    let code = started.code.unwrap();
    let (mut victim, mut attacker) = (Browser::at(ELSEWHERE), Browser::new());
    let own_form = hidden(&attacker.get(&ca, "/sign-in").await);
    victim.get(&ca, "/sign-in").await;
    for form in ["", "x", &own_form] {
        let answer = victim.post(&ca, "/sign-in", &[("form", form), ("code", &code)]).await;
        assert_eq!(reason(&answer), "sign_in_unknown", "{form}");
        let answer = victim.post(&ca, &format!("/sign-in/{}", started.id), &[("form", form), ("provider", "corp")]).await;
        assert_eq!(reason(&answer), "sign_in_unknown", "{form}");
    }
    // Another site's form comes without the cookie, and must not put another in its place.
    let without = Browser::at(ELSEWHERE).post(&ca, "/sign-in", &[("form", "x"), ("code", &code)]).await;
    assert!(reason(&without) == "sign_in_unknown" && !without.headers.contains_key("set-cookie"));
    // A sign-in with a code has no page of its own, and a page that another browser was given is not this one's.
    assert_eq!(reason(&attacker.get(&ca, &format!("/sign-in/{}", started.id)).await), "sign_in_unknown");
    let form = hidden(&attacker.get(&ca, "/sign-in").await);
    let answer = attacker.post(&ca, &format!("/sign-in/{}", started.id), &[("form", &form), ("provider", "corp")]).await;
    assert_eq!(reason(&answer), "sign_in_unknown");
    let done = type_code(&ca, &double, &mut victim, &code).await;
    assert_eq!(done.status, StatusCode::OK);
}

#[tokio::test]
async fn row_17_codes_are_guessed_slowly_and_device_codes_can_be_forbidden() {
    let (ca, double) = with_provider().await;
    let mut browser = Browser::at(ELSEWHERE);
    let form = hidden(&browser.get(&ca, "/sign-in").await);
    for guess in 0..10 {
        let answer = browser.post(&ca, "/sign-in", &[("form", &form), ("code", "BBBB-BBBB")]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{guess}");
    }
    let answer = browser.post(&ca, "/sign-in", &[("form", &form), ("code", "BBBB-BBBB")]).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(ca.refused_as(), "limit_reached");

    let never = SignInSettings { device_codes: false, ..settings(vec![provider("corp", &double.issuer)]) };
    let ca = Installation::with_sign_in(never, Vec::new());
    let start = SignInStart { provider: None, way: SignInWay::DeviceCode, host: "laptop".to_owned() };
    assert_eq!(ca.ask(path::SIGN_IN, &start, TOOL).await.code(), "sign_in_unavailable");
    let offer: SignInOffer = read(&ca.send(super::super::unsigned("GET", path::SIGN_IN_OFFER)).await);
    assert_eq!(offer, SignInOffer { providers: vec!["corp".to_owned()], device_codes: false });
}

#[tokio::test]
async fn row_17_a_code_ends_with_its_sign_in() {
    let (ca, _double) = with_provider().await;
    let started = ca.begin(SignInWay::DeviceCode, TOOL).await;
    ca.clock.advance(600);
    let mut browser = Browser::at(ELSEWHERE);
    let form = hidden(&browser.get(&ca, "/sign-in").await);
    let answer = browser.post(&ca, "/sign-in", &[("form", &form), ("code", &started.code.unwrap())]).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(ca.redeem(&started.id, None, TOOL).await.code(), "sign_in_unknown");
}

#[tokio::test]
async fn who_says_no_is_heard_by_the_tool() {
    let (ca, _double) = with_provider().await;
    let started = ca.begin(SignInWay::DeviceCode, TOOL).await;
    let mut browser = Browser::at(ELSEWHERE);
    let form = hidden(&browser.get(&ca, "/sign-in").await);
    browser.post(&ca, "/sign-in", &[("form", &form), ("code", &started.code.unwrap())]).await;
    let answer = browser.post(&ca, &format!("/sign-in/{}", started.id), &[("form", &form)]).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(ca.refused_as(), Reason::SignInDeclined.code());
    assert_eq!(ca.redeem(&started.id, None, TOOL).await.code(), "sign_in_declined");

    let started = ca.begin_here().await;
    let mut browser = Browser::new();
    let state = query(&location(&browser.get(&ca, &started.page).await), "state").unwrap();
    let hostile = "%3Cscript%3Ealert(1)%3C/script%3E";
    let answer = browser.get(&ca, &format!("/oidc/callback?error=access_denied&error_description={hostile}&state={state}")).await;
    assert_eq!(reason(&answer), "sign_in_declined");
    assert!(!text(&answer).contains("alert(1)"));
}

#[tokio::test]
async fn every_page_runs_nothing_and_stands_in_no_frame() {
    let (ca, double) = with_provider().await;
    let started = ca.begin_here().await;
    let mut browser = Browser::at(ELSEWHERE);
    let pages = [
        browser.get(&ca, "/sign-in").await,
        browser.get(&ca, &started.page).await,
        browser.get(&ca, "/sign-in/unknown").await,
        browser.get(&ca, "/sign-in/page.css").await,
        browser.get(&ca, "/oidc/callback?state=x").await,
        browser.post(&ca, "/sign-in", &[("code", "x")]).await,
        browser.post(&ca, "/sign-in", &[("form", &"x".repeat(10_000))]).await,
        round_trip(&ca, &double, &mut Browser::new(), &ca.begin_here().await.page).await,
    ];
    for page in pages {
        let policy = page.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"));
        assert!(!policy.contains("script"), "{policy}");
        assert_eq!(
            (&page.headers["x-content-type-options"], &page.headers["cache-control"]),
            (&"nosniff".parse().unwrap(), &"no-store".parse().unwrap())
        );
        assert!(!text(&page).contains("<script"), "{}", text(&page));
    }
}

#[tokio::test]
async fn with_several_providers_the_person_chooses_or_the_tool_did() {
    let (_, one) = with_provider().await;
    let ca = Installation::new();
    let two = ProviderDouble::start(ca.clock.unix_seconds()).await;
    let ca = Installation::with_sign_in(settings(vec![provider("corp", &one.issuer), provider("lab", &two.issuer)]), Vec::new());
    let started = ca.begin_here().await;
    let mut browser = Browser::new();
    let page = browser.get(&ca, &started.page).await;
    assert!(text(&page).contains("Sign in with corp") && text(&page).contains("Sign in with lab"));
    let start = SignInStart { provider: Some("lab".to_owned()), way: loopback(), host: "laptop".to_owned() };
    let chosen: dayfly_api::sign_in::SignInStarted = read(&ca.ask(path::SIGN_IN, &start, TOOL + 1).await);
    assert!(location(&browser.get(&ca, &chosen.page).await).as_str().starts_with(&two.issuer));
    let form = hidden(&page);
    let other = browser.post(&ca, &format!("/sign-in/{}", chosen.id), &[("form", &form), ("provider", "corp")]).await;
    assert_eq!(reason(&other), "sign_in_unknown", "the tool's choice stands");
}

#[tokio::test]
async fn row_15_no_provider_is_brought_the_answer_of_another() {
    let now = Installation::new().clock.unix_seconds();
    let (corp, side) = (ProviderDouble::start(now).await, ProviderDouble::start(now).await);
    side.conduct().claims.insert("realm_access".to_owned(), serde_json::json!({"roles": ["dba"]}));
    let ca = Installation::with_sign_in(settings(vec![provider("corp", &corp.issuer), provider("side", &side.issuer)]), Vec::new());
    let begin = async || {
        let start = SignInStart { provider: Some("side".to_owned()), way: loopback(), host: "laptop".to_owned() };
        ca.ask(path::SIGN_IN, &start, TOOL).await.json::<dayfly_api::sign_in::SignInStarted>()
    };
    // Neither says who it is in its answers, so that each has a callback of its own.
    for other in ["/oidc/callback/corp", "/oidc/callback", "/oidc/callback/nobody"] {
        let mut browser = Browser::new();
        let there = location(&browser.get(&ca, &begin().await.page).await);
        assert_eq!(query(&there, "redirect_uri"), Some(format!("{ORIGIN}/oidc/callback/side")));
        let state = query(&there, "state").unwrap();
        let answer = browser.get(&ca, &format!("{other}?code=of-corp&state={state}")).await;
        assert_eq!(reason(&answer), "bad_token", "{other}");
        assert!(text(&answer).contains("another provider"), "before anybody was given the code: {}", text(&answer));
    }
    let answer = round_trip(&ca, &side, &mut Browser::new(), &begin().await.page).await;
    assert!(location(&answer).as_str().starts_with("http://127.0.0.1:50000/"));
}
