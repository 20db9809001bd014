//! What a real `sshd` lets in, 9.2 and 10 alike, and we refuse: the same names as in `tests/tests/sshd.rs`, where it is asked.

use crate::Sshd;

/// What is said of a certificate: `sshd`'s verdict, and why we are stricter where we are.
pub(super) fn verdict(name: &str, is_good: bool) -> (Sshd, Option<&'static str>) {
    let stricter = STRICTER.iter().find(|(_, names)| names.contains(&name)).map(|(why, _)| *why);
    let sshd = match stricter {
        Some(_) if NOBODYS.contains(&name) => Sshd::Takes,
        Some(_) => Sshd::Admits,
        None if is_good => Sshd::Admits,
        None => Sshd::Refuses,
    };
    (sshd, stricter)
}

/// By the reason for which we are stricter.
const STRICTER: &[(&str, &[&str])] = &[
    ("PROTOCOL.certkeys demands the order, and two readers must not see two limits", &["extension_twice", "extensions_out_of_order"]),
    ("sshd ignores a NUL behind a name; whoever does not reads another option", &["critical_option_nul"]),
    ("PROTOCOL.certkeys asks for text", &["extension_not_utf8", "force_command_not_utf8", "key_id_not_utf8"]),
    ("PROTOCOL.certkeys asks for 16 random bytes at least", &["nonce_empty", "nonce_short"]),
    ("a certificate has a largest size, since readers nest", &["oversized"]),
    (
        "whoever wrote it meant a limit, and sshd reads over it",
        &["force_command_as_extension", "source_address_as_extension", "verify_required_as_extension"],
    ),
    ("what is forced is one command, named, in one line of bounded length", FORCED),
    ("whoever shows it in a log is not to obey it", &["key_id_escape", "key_id_long", "key_id_newline"]),
    ("sshd compares names as they are; whoever splits, matches or shows them would see another name", NAMES),
    ("nothing is valid for ever here", &["window_always", "window_past_signed_time", "window_without_end"]),
    ("it could not be revoked by its serial", &["serial_zero"]),
    ("sshd asks FIDO keys alone for the PIN, and lets in whoever has another key", &["verify_required"]),
    ("a CA that needs no touch is a CA that malware can use", &["fido_authority_not_touched"]),
    ("one signature has one spelling (RFC 4251, RFC 8032)", &["ecdsa_r_padded", "ed25519_s_not_canonical"]),
    ("3072 bits is the least here; sshd takes 1024 by default", &["rsa_1024_holder", "rsa_2048_holder", "rsa_3071_holder"]),
    ("no honest program makes such a key, and anybody may sign with some of them", UNSOUND),
    ("a key has one spelling, and its type one name", &["rsa_modulus_padded", "rsa_signature_name_as_type"]),
];

const FORCED: &[&str] = &["force_command_blank", "force_command_empty_string", "force_command_long", "force_command_newline"];

const NAMES: &[&str] = &[
    "principal_bidi",
    "principal_carriage_return",
    "principal_comma",
    "principal_dots",
    "principal_empty",
    "principal_escape",
    "principal_expansion",
    "principal_leading_dash",
    "principal_long",
    "principal_look_alike",
    "principal_newline",
    "principal_no_account",
    "principal_no_scope",
    "principal_not_utf8",
    "principal_question_mark",
    "principal_quote",
    "principal_space",
    "principal_surrogate",
    "principal_twice",
    "principal_two_at_signs",
    "principal_upper_case",
    "principal_wildcard",
];

const UNSOUND: &[&str] = &[
    "ed25519_not_canonical",
    "ed25519_small_order_1",
    "ed25519_small_order_2",
    "ed25519_small_order_4",
    "ed25519_small_order_8",
    "fido_small_order",
    "rsa_even_exponent",
    "rsa_even_modulus",
    "rsa_exponent_large",
    "rsa_exponent_one",
    "rsa_exponent_zero",
];

/// Those whose private key nobody here has: `sshd` says that the certificate would do, and nobody logs in.
const NOBODYS: &[&str] = &[
    "ed25519_not_canonical",
    "ed25519_small_order_1",
    "ed25519_small_order_2",
    "ed25519_small_order_4",
    "ed25519_small_order_8",
    "fido_small_order",
    "rsa_1024_holder",
    "rsa_2048_holder",
    "rsa_3071_holder",
    "rsa_even_exponent",
    "rsa_even_modulus",
    "rsa_exponent_large",
    "rsa_exponent_one",
    "rsa_exponent_zero",
    "rsa_modulus_padded",
    "rsa_signature_name_as_type",
];
