//! The pages of a ceremony with a passkey or security key as HTML. Whatever is put into them is escaped by the template.

use super::{Markup, page};
use crate::ceremony::Page;
use dayfly_core::reason::Refusal;
use maud::html;
use std::time::Duration;

/// What the page of a ceremony runs: all that is ever run here.
pub(in crate::http::pages) const SCRIPT: &str = include_str!("../page.js");

/// Where a code is typed.
pub(in crate::http::pages) fn code(form: &str, refusal: Option<&Refusal>) -> Markup {
    page(
        "Second factor",
        &html! {
            @if let Some(refusal) = refusal { p.refused role="alert" { (refusal.message) ". " (refusal.remedy) "." } }
            p { "Type the code that " code { "dayfly" } " shows you." }
            form method="post" action="/factor" {
                input type="hidden" name="form" value=(form);
                label for="code" { "Code" }
                input #code name="code" autocomplete="off" autocapitalize="characters" spellcheck="false" maxlength="32" required autofocus;
                button type="submit" { "Continue" }
            }
            p.warning { "If somebody sent you a code or asked you to come here, stop: whoever shows you a code gets what your passkey is asked for." }
        },
    )
}

/// Who asks, from where, for what; and the authenticator's turn.
pub(in crate::http::pages) fn asked(asked: &Page, form: &str) -> Markup {
    let ago = humantime::format_duration(Duration::from_secs(asked.age)).to_string();
    let (action, button) =
        if asked.adds.is_some() { ("create", "Add a passkey or security key") } else { ("get", "Use your passkey or security key") };
    page(
        "Is this you?",
        &html! {
            @match &asked.adds {
                Some(name) => p { "A " code { "dayfly" } " wants to add a passkey or security key, to be called " strong #name { (name) } "." },
                None => p { "A " code { "dayfly" } " wants your second factor." },
            }
            dl {
                dt { "For" } dd #subject { (asked.subject) }
                dt { "Calls from" } dd #address { (asked.asker.address) }
                dt { "Says it runs on" } dd #host { (asked.asker.host) }
                dt { "Began" } dd { (ago) " ago" }
                dt { "Its key" } dd { code { (asked.asker.key_fingerprint) } }
                dt { "Gets" } dd {
                    @if asked.adds.is_some() { "one more passkey or security key that passes for you" }
                    @else { "to count as you with a second factor, with this key: for whatever SSH access asks for one" }
                }
            }
            p.warning { "Go on only if you began this yourself, on that machine, a moment ago." }
            p.refused #trouble role="alert" hidden {}
            form #ceremony method="post" action={ "/factor/" (asked.id) } data-action=(action) data-options=(asked.options) {
                input type="hidden" name="form" value=(form);
                input type="hidden" name="answer" value="";
                button #go type="button" { (button) }
                button.no type="submit" name="no" value="no" { "No, this is not me" }
            }
            noscript { p.refused { "Browsers let a page ask for a passkey by a script alone: allow this page's own." } }
            script src="/factor/page.js" {}
        },
    )
}

/// Proven, for a tool on another machine.
pub(in crate::http::pages) fn arrived(subject: &str, host: &str) -> Markup {
    page(
        "Taken",
        &html! {
            p { "Your answer is taken, " strong #subject { (subject) } ". The dayfly on " strong { (host) } " goes on by itself." }
            p { "You can close this page." }
        },
    )
}

/// The person said no.
pub(in crate::http::pages) fn declined() -> Markup {
    page(
        "Refused",
        &html! {
            p { "Nothing was proven or added. If you did not begin this, tell whoever administers the CA: somebody holds your key." }
        },
    )
}

/// It did not work.
pub(in crate::http::pages) fn refused(refusal: &Refusal) -> Markup {
    page(
        "Not taken",
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
    use dayfly_core::{
        identity::Subject,
        name::SubjectName,
        reason::{Reason, Refusal},
    };

    #[test]
    fn row_17_and_25_what_others_wrote_is_text_in_a_ceremony_too() -> Result<(), dayfly_core::name::NameError> {
        let hostile = "<script>alert(1)</script>\"'&";
        let asker = Asker {
            key_fingerprint: hostile.to_owned(),
            address: std::net::Ipv4Addr::LOCALHOST.into(),
            host: hostile.to_owned(),
            began_at: 0,
        };
        let subject = Subject::Person(SubjectName::new("alice")?);
        let page = Page { id: hostile.to_owned(), asker, subject, age: 1, adds: None, options: hostile.to_owned() };
        let refusal = Refusal::new(Reason::BadAnswer, hostile, hostile);
        for text in [asked(&page, hostile), refused(&refusal), arrived(hostile, hostile), code(hostile, Some(&refusal))] {
            let text = text.into_string();
            assert!(text.contains("&lt;script&gt;") && !text.contains("<script>"), "{text}");
            assert!(!text.contains("\"'&"), "{text}");
        }
        Ok(())
    }
}
