//! What is tried with bytes that nobody thought of: a function for each form of input, which must neither panic nor let through what it should not.
//!
//! `scripts/fuzz` runs them with libFuzzer; `tests/replay.rs` runs them with all that is kept in `corpora/`, on every test run.

use dayfly_api::certificate::CertificateRequest as Asked;
use dayfly_core::{
    address::{parse_source_address, source_address_value},
    certificate::{KeyId, Revocations, Verifier, krl::Krl, parse, signature_fits},
    forward::{Destination, DestinationPattern},
    name::{MAX_LENGTH, TargetName},
    policy::sample,
    principal::{Principal, PrincipalTemplate},
    proxy_header::{self, FIXED_BYTES, LONGEST},
    request::CertificateRequest,
    role::{Role, Roles},
    signature::verify_sshsig,
    signer::{SeedSigner, Signer},
    target::{Inventory, canonical_host},
};
use dayfly_recording::{
    Event,
    scp::Scp,
    sftp::Sftp,
    terminal::{TerminalAction, TerminalEvent, TextDecoder},
    typed::{Typed, Typing},
};
use serde::Deserialize;
use ssh_key::{Certificate, PublicKey, SshSig, public::KeyData};
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str,
    sync::LazyLock,
    time::Duration,
};

/// A function that takes whatever it is given.
pub type Target = fn(&[u8]);

/// All of them, by name. A folder of `corpora/` belongs to each.
pub const TARGETS: [(&str, Target); 14] = [
    ("cast", cast),
    ("certificate", certificate),
    ("destinations", destinations),
    ("key_id", key_id),
    ("krl", krl),
    ("names", names),
    ("proxy_header", proxy_header),
    ("request", request),
    ("roles", roles),
    ("scp", scp),
    ("sftp", sftp),
    ("signed_certificate", signed_certificate),
    ("sshsig", sshsig),
    ("typed", typed),
];

/// When certificates are looked at: that of the corpus of bad ones.
const NOW: u64 = 1_800_000_000;

static AUTHORITY: LazyLock<SeedSigner> = LazyLock::new(|| SeedSigner::new(1));
static INVENTORY: LazyLock<Inventory> = LazyLock::new(sample::inventory);

/// A revocation list. What is read is written again so that it says the same, in the one way that we write it.
pub fn krl(data: &[u8]) {
    let Ok(list) = Krl::parse(data) else { return };
    // Of what is known in two spellings only the newer is written.
    let Ok(bytes) = list.encode() else { return };
    let Ok(again) = Krl::parse(&bytes) else { unreachable!("what was written cannot be read") };
    assert_eq!(again.encode().as_ref(), Ok(&bytes), "two spellings of one list");
    assert_eq!((again.number, again.generated_at), (list.number, list.generated_at));
    assert!(list.certificates().eq(again.certificates()) && list.keys().eq(again.keys()));
    assert_eq!(list.revokes_key(AUTHORITY.public_key()), again.revokes_key(AUTHORITY.public_key()));
}

/// A certificate's bytes. What is accepted was signed, byte for byte up to its signature, and says what it was read as.
pub fn certificate(data: &[u8]) {
    let Ok(certificate) = Certificate::from_bytes(data) else { return };
    judge(&certificate, std::slice::from_ref(AUTHORITY.public_key()));
    if let Ok(line) = certificate.to_openssh()
        && let Ok(read) = parse(&line)
    {
        assert!(read.to_bytes().is_ok_and(|bytes| certificate.to_bytes().is_ok_and(|own| own == bytes)), "read otherwise from its line");
    }
    // From bytes, unlike from a line, the library reads over what stands behind a signature. What was signed has one spelling.
    if signature_fits(&certificate).is_ok()
        && let (Ok(bytes), Ok(signature)) = (certificate.to_bytes(), Vec::<u8>::try_from(certificate.signature().clone()))
    {
        let signed = bytes.len().checked_sub(signature.len() + 4).and_then(|end| bytes.get(..end));
        assert!(signed.is_some_and(|signed| data.starts_with(signed)), "two encodings of one signed certificate");
    }
}

/// The same, where the authority is whoever the certificate says: the checks behind the signature are reached.
pub fn signed_certificate(data: &[u8]) {
    let Ok(certificate) = Certificate::from_bytes(data) else { return };
    // Signed anew, so that what is said is judged and not only who says it.
    let Ok(bytes) = certificate.to_bytes() else { return };
    let Ok(signature) = Vec::<u8>::try_from(certificate.signature().clone()) else { return };
    let Some(signed) = bytes.len().checked_sub(signature.len() + 4).and_then(|end| bytes.get(..end)) else { return };
    let Ok(signature) = AUTHORITY.sign(signed).and_then(|signature| {
        Vec::<u8>::try_from(signature).map_err(|error| dayfly_core::signer::SignerError { key: String::new(), cause: error.to_string() })
    }) else {
        return;
    };
    let length = u32::try_from(signature.len()).unwrap_or(u32::MAX).to_be_bytes();
    let Ok(certificate) = Certificate::from_bytes(&[signed, &length, &signature].concat()) else { return };
    judge(&certificate, &[certificate.signature_key().clone()]);
}

/// A certificate that is accepted keeps to every rule; the rules are written down a second time here.
fn judge(certificate: &Certificate, authorities: &[KeyData]) {
    let verifier = Verifier { authorities, revocations: &Revocations::default() };
    if verifier.host(certificate, NOW, "db1").is_ok() {
        assert!(certificate.cert_type().is_host() && certificate.valid_principals().iter().any(|name| name == "db1"));
    }
    let Ok(verified) = verifier.user(certificate, NOW, IpAddr::V4(Ipv4Addr::LOCALHOST)) else { return };
    assert!(certificate.cert_type().is_user() && authorities.contains(certificate.signature_key()));
    assert!((certificate.valid_after()..certificate.valid_before()).contains(&NOW) && certificate.serial() != 0);
    assert!((1..=256).contains(&certificate.valid_principals().len()));
    assert_eq!(verified.principals().len(), certificate.valid_principals().len(), "a principal twice");
    let known = ["force-command", "source-address", "verify-required"];
    assert!(certificate.critical_options().keys().all(|name| known.contains(&name.as_str())));
    assert_eq!(verified.verify_required(), certificate.critical_options().contains_key("verify-required"));
    assert_eq!(verified.force_command().is_some(), certificate.critical_options().contains_key("force-command"));
    assert_eq!(verified.source_address().is_empty(), !certificate.critical_options().contains_key("source-address"));
}

/// A signature for a purpose (OpenSSH PROTOCOL.sshsig), after 16 bytes of message.
pub fn sshsig(data: &[u8]) {
    let Some((message, signature)) = data.split_at_checked(16) else { return };
    let Ok(sshsig) = SshSig::from_pem(signature) else { return };
    if let Ok(key) = verify_sshsig(&sshsig, "fuzz@dayfly", message) {
        assert_eq!((key, sshsig.namespace()), (sshsig.public_key(), "fuzz@dayfly"));
        assert!(verify_sshsig(&sshsig, "request@dayfly", message).is_err() && verify_sshsig(&sshsig, "fuzz@dayfly", b"").is_err());
    }
}

/// A key id.
pub fn key_id(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Ok(id) = text.parse::<KeyId>() {
        assert_eq!(id.to_string(), text, "two spellings of one key id");
    }
}

/// Principals, templates and source addresses.
pub fn names(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Ok(principal) = Principal::new(text) {
        assert!(principal.as_str() == text && !text.contains([',', '*', '?', ' ', '\0', '"', '%', '/']) && !text.starts_with('-'));
    }
    if let Ok(template) = PrincipalTemplate::try_from(text.to_owned()) {
        assert_eq!(String::from(template), text);
    }
    if let Ok(networks) = parse_source_address(text) {
        assert_eq!(parse_source_address(&source_address_value(&networks)).as_ref(), Ok(&networks));
        assert!(networks.iter().all(|network| network.contains(network.address())));
    }
}

/// Names of targets and of where connections go from them. What is taken has one spelling, and means the same when it is read again.
pub fn destinations(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Ok(name) = TargetName::new(text) {
        assert!(name.as_str() == text && text.len() <= MAX_LENGTH);
        assert!(!text.contains(['@', '/', ':', ',', ' ', '*', '%']) && !text.starts_with(['-', '.']) && !text.contains(".."));
    }
    let pattern = text.parse::<DestinationPattern>();
    if let Ok(pattern) = &pattern {
        assert_eq!(String::from(pattern.clone()).parse().as_ref(), Ok(pattern), "a pattern that is read otherwise");
    }
    if let Ok(destination) = text.parse::<Destination>() {
        assert_eq!(destination.to_string().parse().as_ref(), Ok(&destination), "a destination that is read otherwise");
        assert_eq!(canonical_host(destination.host()), destination.host(), "two spellings of one host");
        assert!(destination.port() > 0 && !destination.host().starts_with('-') && !destination.host().contains(['@', '/', '*', ' ', '\0']));
        assert!(pattern.is_ok_and(|pattern| pattern.covers(&destination)), "a destination that does not cover itself");
    }
}

/// What a proxy says before its client does (PROXY protocol, version 2). Whoever is named stands in the header, and nowhere else.
pub fn proxy_header(data: &[u8]) {
    let follows = data.first_chunk::<FIXED_BYTES>().map(proxy_header::bytes_to_follow);
    if let Some(Ok(more)) = follows {
        assert!(more + FIXED_BYTES <= LONGEST && data.starts_with(b"\r\n\r\n\0\r\nQUIT\n"));
    }
    let Ok(client) = proxy_header::client(data) else { return };
    assert_eq!(follows, Some(Ok(data.len() - FIXED_BYTES)), "a header of another length than it says");
    // The second reading: version 2 and a proxied connection, its family and TCP, then the addresses and the ports.
    let named = match (data.get(12..14), data.get(FIXED_BYTES..)) {
        (Some([0x21, 0x11]), Some([a, b, c, d, _, _, _, _, high, low, ..])) => {
            (IpAddr::V4(Ipv4Addr::new(*a, *b, *c, *d)), u16::from_be_bytes([*high, *low]))
        }
        (Some([0x21, 0x21]), Some(addresses)) => {
            let bytes = addresses.first_chunk::<16>().copied().unwrap_or_default();
            let port = addresses.get(32..34).and_then(|port| port.try_into().ok()).map_or(0, u16::from_be_bytes);
            (IpAddr::V6(Ipv6Addr::from(bytes)), port)
        }
        other => unreachable!("{client} was read from {other:?}"),
    };
    assert_eq!((client.ip(), client.port()), named);
}

/// The roles' part of the CA's configuration, beside the sample's inventory.
pub fn roles(data: &[u8]) {
    #[derive(Deserialize)]
    struct File {
        role: Vec<Role>,
    }
    let Ok(File { role }) = str::from_utf8(data).map_err(drop).and_then(|text| toml::from_str(text).map_err(drop)) else { return };
    let Ok(roles) = Roles::new(role, &INVENTORY) else { return };
    for role in roles.iter() {
        assert!(!role.principals.is_empty() && INVENTORY.iter().any(|target| role.covers(target)));
        assert!((1..=86_400).contains(&role.max_ttl.seconds()));
    }
}

/// A request for a certificate, as it comes over the network.
pub fn request(data: &[u8]) {
    let Ok(asked) = serde_json::from_slice::<Asked>(data) else { return };
    let Ok(key) = PublicKey::from_openssh(&asked.public_key) else { return };
    if let Ok(request) = CertificateRequest::new(asked.role, asked.targets, asked.ttl, asked.reason, key) {
        assert!(request.reason.is_none_or(|reason| reason.len() <= 2000 && !reason.contains('\n')));
    }
}

/// Two sides that speak in turn: a byte says who and how much, and that much follows.
fn turns(mut data: &[u8]) -> impl Iterator<Item = (bool, &[u8])> {
    std::iter::from_fn(move || {
        let (first, rest) = data.split_first()?;
        let (part, rest) = rest.split_at_checked(usize::from(first & 0x7f)).unwrap_or((rest, &[]));
        data = rest;
        Some((first & 0x80 == 0, part))
    })
}

/// What is told is the same wherever bytes are cut, up to where it cannot be followed, and can be read again.
fn told_alike<E: PartialEq + std::fmt::Debug>(whole: (Vec<Event>, Option<E>), cut: (Vec<Event>, Option<E>)) {
    assert_eq!(whole, cut, "the chunks matter");
    for event in whole.0 {
        let Ok(line) = serde_json::to_vec(&event) else { unreachable!("an event that cannot be written") };
        assert!(serde_json::from_slice(&line).is_ok_and(|read: Event| read == event), "an event that is read otherwise");
    }
}

/// SFTP, both ways.
pub fn sftp(data: &[u8]) {
    let follow = |most: usize| {
        let (mut sftp, mut told, mut error) = (Sftp::new(0), Vec::new(), None);
        for (from_client, part) in turns(data) {
            for piece in part.chunks(most) {
                match if from_client { sftp.from_client(piece) } else { sftp.from_target(piece) } {
                    Ok(events) => told.extend(events),
                    Err(lost) => error = error.or(Some(lost)),
                }
            }
        }
        told.extend(sftp.finish());
        (told, error)
    };
    told_alike(follow(usize::MAX), follow(1));
}

/// The old protocol of `scp`, both ways; the first byte says which way the files go.
pub fn scp(data: &[u8]) {
    let Some((direction, data)) = data.split_first() else { return };
    let follow = |most: usize| {
        let (mut scp, mut told, mut error) = (if direction & 1 == 0 { Scp::upload(0) } else { Scp::download(0) }, Vec::new(), None);
        for (from_client, part) in turns(data) {
            for piece in part.chunks(most) {
                match if from_client { scp.from_client(piece) } else { scp.from_target(piece) } {
                    Ok(events) => told.extend(events),
                    Err(lost) => error = error.or(Some(lost)),
                }
            }
        }
        told.extend(scp.finish());
        (told, error)
    };
    told_alike(follow(usize::MAX), follow(1));
}

/// What is typed and printed, in turn. Nothing that was typed is lost, and nothing is called seen that was never printed.
pub fn typed(data: &[u8]) {
    let mut typing = Typing::new(20);
    let (mut now, mut told) = (Duration::ZERO, Vec::new());
    let (mut keys, mut printed) = (String::new(), std::collections::BTreeSet::new());
    for (is_typed, part) in turns(data) {
        let text = String::from_utf8_lossy(part);
        now += Duration::from_millis(part.len() as u64 * 8);
        told.extend(if is_typed {
            keys.push_str(&text);
            typing.typed(now, &text)
        } else {
            printed.extend(text.chars());
            typing.printed(now, &text)
        });
    }
    told.extend(typing.finish());
    let mut all = String::new();
    for typed in told {
        match typed {
            Typed::Unseen(text) => all.push_str(&text),
            Typed::Seen(text) => {
                // Those that a terminal echoes as they are, where no sequence of a key can hide them.
                let is_plain = !text.contains(['\u{1b}', '\u{8}', '\u{7f}']) && !keys.contains('\u{1b}');
                assert!(!is_plain || text.chars().all(|c| c.is_control() || printed.contains(&c)), "seen without being shown");
                all.push_str(&text);
            }
        }
    }
    assert_eq!(all, keys, "lost or invented");
}

/// A terminal's recording, written and read. Bytes mean the same wherever they are cut, and no text ends a line, is lost or changes.
pub fn cast(data: &[u8]) {
    let mut decoder = TextDecoder::default();
    let (mut time, mut shown) = (Duration::ZERO, String::new());
    let mut write = |action: TerminalAction, more: u64| {
        // Up to where a time in whole microseconds is still a number that players can read.
        time = Duration::from_micros((u64::try_from(time.as_micros()).unwrap_or(0) + more) % (1 << 52));
        let event = TerminalEvent { time, action };
        let Ok(line) = event.to_line() else { unreachable!("an event that cannot be written") };
        assert!(line.ends_with('\n') && !line.trim_end_matches('\n').contains(|c: char| c < ' '), "{line:?}");
        assert!(TerminalEvent::from_line(line.as_bytes()).is_ok_and(|read| read == event), "{event:?} is read otherwise");
    };
    let mut printed = Vec::new();
    for (is_output, part) in turns(data) {
        let more = part.iter().fold(1, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add((*byte).into())) % (1 << 52);
        if is_output {
            printed.extend_from_slice(part);
            let text = decoder.decode(part);
            shown.push_str(&text);
            write(TerminalAction::Output(text), more);
        } else if let Some([columns, rows]) = part.first_chunk::<2>().map(|size| size.map(u32::from)) {
            write(TerminalAction::Resize { columns: columns << (more % 24), rows }, more);
        } else {
            write(TerminalAction::Input(String::from_utf8_lossy(part).into_owned()), more);
        }
    }
    shown.push_str(&decoder.finish());
    assert_eq!(shown, String::from_utf8_lossy(&printed), "the chunks matter");
    // What somebody else wrote: read, and written so that it is read alike.
    if let Ok(event) = TerminalEvent::from_line(data)
        && event.time.as_micros() < 1 << 52
    {
        assert!(event.to_line().is_ok_and(|line| TerminalEvent::from_line(line.as_bytes()).is_ok_and(|read| read == event)), "{event:?}");
    }
}
