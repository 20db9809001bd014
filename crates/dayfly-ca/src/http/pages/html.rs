//! The pages as HTML. Whatever is put into them is escaped by the template.

pub(super) mod ceremony;

use crate::sign_in::Page;
use dayfly_core::reason::Refusal;
pub(super) use maud::Markup;
use maud::{DOCTYPE, html};
use std::time::Duration;

/// How the pages look.
pub(super) const STYLE: &str = include_str!("page.css");

fn page(title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (title) " – Dayfly" }
                link rel="stylesheet" href="/sign-in/page.css";
            }
            body { main { h1 { (title) } (body) } }
        }
    }
}

/// Where a code is typed.
pub(super) fn code(form: &str, refusal: Option<&Refusal>) -> Markup {
    page(
        "Sign in",
        &html! {
            @if let Some(refusal) = refusal { p.refused role="alert" { (refusal.message) ". " (refusal.remedy) "." } }
            p { "Type the code that " code { "dayfly login" } " shows you." }
            form method="post" action="/sign-in" {
                input type="hidden" name="form" value=(form);
                label for="code" { "Code" }
                input #code name="code" autocomplete="off" autocapitalize="characters" spellcheck="false" maxlength="32" required autofocus;
                button type="submit" { "Continue" }
            }
            p.warning { "If somebody sent you a code or asked you to come here, stop: whoever shows you a code signs in as you." }
        },
    )
}

/// Who asks, from where, for what.
pub(super) fn asked(asked: &Page, form: &str) -> Markup {
    let in_words = |seconds| humantime::format_duration(Duration::from_secs(seconds)).to_string();
    page(
        "Is this you?",
        &html! {
            p { "A " code { "dayfly" } " wants to sign in as you." }
            dl {
                dt { "Calls from" } dd #address { (asked.asker.address) }
                dt { "Says it runs on" } dd #host { (asked.asker.host) }
                dt { "Began" } dd { (in_words(asked.age)) " ago" }
                dt { "Its key" } dd { code { (asked.asker.key_fingerprint) } }
                dt { "Gets" } dd { "to act as you towards this CA for " (in_words(asked.lifetime)) ": to ask for whatever SSH access you may have" }
            }
            p.warning { "Go on only if you began this yourself, on that machine, a moment ago." }
            form method="post" action={ "/sign-in/" (asked.id) } {
                input type="hidden" name="form" value=(form);
                @for provider in &asked.providers {
                    button type="submit" name="provider" value=(provider) { "Sign in with " (provider) }
                }
                button.no type="submit" { "No, this is not me" }
            }
        },
    )
}

/// On the way to a provider, or to the tool on this machine.
pub(super) fn onward(to: &str, url: &str) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="refresh" content={ "0;url=" (url) };
                title { "Go on – Dayfly" }
                link rel="stylesheet" href="/sign-in/page.css";
            }
            body { main { p { a #onward href=(url) { "Continue to " (to) } } } }
        }
    }
}

/// Signed in, for a tool on another machine.
pub(super) fn arrived(subject: &str, host: &str) -> Markup {
    page(
        "Signed in",
        &html! {
            p { "You are " strong #subject { (subject) } ". The dayfly on " strong { (host) } " goes on by itself." }
            p { "You can close this page." }
        },
    )
}

/// The person said no.
pub(super) fn declined() -> Markup {
    page(
        "Refused",
        &html! {
            p { "Nobody was signed in. If you did not begin this, tell whoever administers the CA: somebody tried to sign in as you." }
        },
    )
}

/// It did not work.
pub(super) fn refused(refusal: &Refusal) -> Markup {
    page(
        "Not signed in",
        &html! {
            p.refused role="alert" { (refusal.message) "." }
            p { "Next: " (refusal.remedy) "." }
            p.code { code #reason { (refusal.reason.code()) } }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::by_browser::Asker;
    use dayfly_core::reason::Reason;

    #[test]
    fn row_17_and_25_what_others_wrote_is_text() {
        let hostile = "<script>alert(1)</script>\"'&";
        let asker = Asker {
            key_fingerprint: hostile.to_owned(),
            address: std::net::Ipv4Addr::LOCALHOST.into(),
            host: hostile.to_owned(),
            began_at: 0,
        };
        let page = Page { id: hostile.to_owned(), asker, age: 1, lifetime: 1, providers: vec![hostile.to_owned()], is_plain: false };
        let refusal = Refusal::new(Reason::BadToken, hostile, hostile);
        for text in
            [asked(&page, hostile), refused(&refusal), arrived(hostile, hostile), onward(hostile, hostile), code(hostile, Some(&refusal))]
        {
            let text = text.into_string();
            assert!(text.contains("&lt;script&gt;") && !text.contains("<script"), "{text}");
            assert!(!text.contains("\"'&"), "{text}");
        }
    }
}
