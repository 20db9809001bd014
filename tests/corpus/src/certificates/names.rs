//! Principals and key ids: names that mean two things, or do something to whoever reads them.

use super::List;
use crate::wire::{GRANT, string};
use anyhow::Result;

pub(super) fn add(list: &mut List) -> Result<()> {
    list.signed("principals_none", "no_principals", "It names nobody, which OpenSSH before 10.3 took for everybody.", |fields| {
        fields.principals.clear();
    })?;
    for (name, what, principal) in [
        ("principal_empty", "One principal is empty.", ""),
        ("principal_comma", "One principal is two, for whoever splits at commas (CVE-2026-35414).", "deploy@db1,root"),
        ("principal_wildcard", "A principal that matches everything, for whoever matches patterns.", "*"),
        ("principal_question_mark", "A principal that matches db1 and db2, for whoever matches patterns.", "deploy@db?"),
        ("principal_nul", "A principal that ends early, for whoever reads it as a C string.", "root\0@db1"),
        ("principal_newline", "A principal that is two lines.", "deploy@db1\nroot"),
        ("principal_carriage_return", "A principal that hides its beginning on a terminal.", "root\rdeploy@db1"),
        ("principal_space", "A principal with a space.", "deploy @db1"),
        ("principal_quote", "A principal with a quotation mark.", "\"deploy@db1\""),
        ("principal_leading_dash", "A principal that looks like an option.", "-oProxyCommand=id"),
        ("principal_dots", "A principal that climbs directories.", "../root"),
        ("principal_upper_case", "A principal in capitals, which some systems take for the same.", "Deploy@db1"),
        ("principal_two_at_signs", "A principal with two scopes.", "deploy@db1@db2"),
        ("principal_no_account", "A principal without an account.", "@db1"),
        ("principal_no_scope", "A principal with an empty scope.", "deploy@"),
        ("principal_escape", "A principal that a terminal obeys.", "deploy\u{1b}[2J@db1"),
        ("principal_bidi", "A principal that reads in another order than it is.", "\u{202e}toor@db1"),
        ("principal_look_alike", "A principal with a Cyrillic letter.", "d\u{435}ploy@db1"),
        ("principal_expansion", "A principal that sshd's tokens or a shell would expand.", "%u$(id)"),
    ] {
        list.signed(name, "bad_principal", what, |fields| fields.principals.extend(string(principal.as_bytes())))?;
    }
    list.signed("principal_long", "bad_principal", "A principal of 300 letters.", |fields| fields.principals.extend(string(&[b'a'; 300])))?;
    list.signed("principal_twice", "bad_principal", "The same principal twice.", |fields| {
        fields.principals.extend(string(crate::PRINCIPAL.as_bytes()));
    })?;
    list.signed("principals_257", "bad_principal", "One principal more than OpenSSH takes.", |fields| {
        fields.principals.extend((1..257).flat_map(|n| string(format!("deploy@web{n}").as_bytes())));
    })?;
    list.signed("principal_not_utf8", "malformed", "A principal that is no text.", |fields| fields.principals.extend(string(b"\xff\xfe")))?;
    list.signed("principal_surrogate", "malformed", "A principal with half of a pair of UTF-16.", |fields| {
        fields.principals.extend(string(b"a\xed\xa0\x80"));
    })?;
    list.signed("principal_past_the_end", "malformed", "The last principal's length is past the end of the list.", |fields| {
        fields.principals.extend([0, 0, 0, 9, b'r', b'o', b'o', b't']);
    })?;
    list.signed("principals_trailing_bytes", "malformed", "After the principals stand two bytes that are none.", |fields| {
        fields.principals.extend([0, 0]);
    })?;
    for (name, what, key_id) in [
        (
            "key_id_escape",
            "A key id that sets the title of whoever reads sshd's log.",
            format!("alice\u{1b}]0;root\u{7} role=db-admin grant={GRANT}"),
        ),
        (
            "key_id_newline",
            "A key id that writes a line of its own into sshd's log.",
            format!("alice role=db-admin grant={GRANT}\nAccepted root"),
        ),
        (
            "key_id_nul",
            "A key id that ends early, for whoever reads it as a C string.",
            format!("alice\0mallory role=db-admin grant={GRANT}"),
        ),
        ("key_id_long", "A key id of 600 letters.", "a".repeat(600)),
    ] {
        list.signed(name, "malformed", what, |fields| fields.key_id = key_id.into_bytes())?;
    }
    list.signed("key_id_not_utf8", "malformed", "A key id that is no text.", |fields| fields.key_id.push(0xff))?;
    Ok(())
}
