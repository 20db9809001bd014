//! As many certificates as one wants, good and bad, for programs that are to agree about them. The same seed gives the same ones, but
//! for ECDSA's signatures, which are made anew.

use crate::{
    keys::{self, Authority},
    wire::{self, Fields, option, string},
};
use anyhow::Result;
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// Names that a CA might write, and some that none should.
const PRINCIPALS: [&str; 10] =
    ["deploy@db1", "root", "alice", "db1.example", "x", "a b", "caf\u{e9}", "a,b", "A", "deploy@db1.very-long-name.example"];

/// Key ids likewise.
const KEY_IDS: [&str; 5] =
    ["", "alice", "alice role=db-admin grant=01890a5d-ac96-774b-bcce-b302099a8057", "with \"quotes\" and blanks", "\u{6f22}\u{5b57}"];

/// Critical options, in the order in which they stand.
const CRITICAL: [(&str, &[&str]); 4] = [
    ("force-command", &["uptime", "echo \"a b\"", "/bin/sh -c 'x; y'"]),
    ("source-address", &["127.0.0.0/8", "192.0.2.0/24,127.0.0.1/32,2001:db8::/32", "198.51.100.7/32"]),
    ("unknown@example.com", &["", "value"]),
    ("verify-required", &[""]),
];

/// Extensions likewise.
const EXTENSIONS: [&str; 8] = [
    "grant@dayfly",
    "no-touch-required",
    "other@example.com",
    "permit-X11-forwarding",
    "permit-agent-forwarding",
    "permit-port-forwarding",
    "permit-pty",
    "permit-user-rc",
];

/// Windows: good ones mostly. The far ends are where programs differ.
const WINDOWS: [(u64, u64); 7] = [
    (wire::AFTER, wire::BEFORE),
    (wire::AFTER, wire::BEFORE),
    (wire::AFTER, wire::BEFORE),
    (0, wire::BEFORE),
    (wire::AFTER, wire::AFTER + 300),
    (wire::BEFORE, wire::BEFORE + 300),
    (0, u64::MAX),
];

/// Whoever may sign for a CA, in every way in which they may; P-521 is not among them, and is read all the same.
const AUTHORITIES: [Authority; 7] =
    [Authority::Ed25519, Authority::P256, Authority::P384, Authority::P521, Authority::Rsa, Authority::RsaSha256, Authority::Rsa4096];

/// What FIDO keys are made for.
const APPLICATIONS: [&str; 3] = ["ssh:", "ssh:a longer name", ""];

/// How many kinds of holders' keys there are: two of FIDO's after those of [`HOLDERS`].
const KINDS: usize = 8;

/// What a certificate is called, and the blob of its holder's key.
type Holder = (&'static str, Vec<u8>);

/// Holders whose keys are files: RSA has two, of 3072 and 4096 bits.
static HOLDERS: LazyLock<Result<Vec<Holder>>> = LazyLock::new(|| {
    let longer = ("ssh-rsa-cert-v01@openssh.com", keys::rsa_4096_holder()?);
    keys::holders()?.into_iter().chain([longer]).map(|(name, key)| Ok((name, key.public_key().to_bytes()?))).collect()
});

/// The lines of `count` certificates. One of sixteen has a byte changed after it was signed.
pub fn lines(seed: u64, count: usize) -> Result<Vec<String>> {
    let mut random = Random { seed, drawn: 0 };
    (0..count).map(|_| line(&mut random)).collect()
}

fn line(random: &mut Random) -> Result<String> {
    let length = random.pick(&[16, 24, 32]);
    let mut fields = Fields { nonce: random.bytes(length), ..Fields::good()? };
    let (name, holder) = holder(random)?;
    fields.name = name.into();
    fields.holder = wire::without_name(&holder);
    fields.serial = {
        let any = random.below(u64::MAX);
        random.pick(&[0, 1, any, u64::MAX])
    };
    fields.kind = if random.below(6) == 0 { 2 } else { 1 };
    fields.key_id = random.pick(&KEY_IDS).as_bytes().to_vec();
    // Half of them keep the one that is wanted.
    if random.below(2) == 0 {
        fields.principals = (0..random.below(5)).flat_map(|_| string(random.pick(&PRINCIPALS).as_bytes())).collect();
    }
    (fields.after, fields.before) = random.pick(&WINDOWS);
    fields.critical = options(random);
    fields.extensions = EXTENSIONS
        .iter()
        .filter(|_| random.below(2) == 0)
        .flat_map(|name| if name.contains('@') { option(name, b"value") } else { option(name, b"") })
        .collect();
    let authority = if random.below(8) == 0 { Authority::Foreign } else { random.pick(&AUTHORITIES) };
    let label = fields.name.clone();
    fields.authority = authority.blob()?;
    let mut certificate = fields.with_signature(&authority.sign_anew(&fields.signed_part())?);
    if random.below(16) == 0 {
        let at = random.index(certificate.len());
        certificate.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << random.below(8));
    }
    Ok(wire::line(&label, &certificate))
}

/// Of every kind, and half of them Ed25519.
fn holder(random: &mut Random) -> Result<Holder> {
    let seed = u8::try_from(random.below(200))?.saturating_add(20);
    let application = random.pick(&APPLICATIONS).as_bytes();
    let kind = random.index(2 * KINDS);
    if let Some((name, key)) = HOLDERS.as_ref().map_err(|error| anyhow::anyhow!("{error:#}"))?.get(kind) {
        return Ok((name, key.clone()));
    }
    Ok(match kind.checked_sub(KINDS - 2) {
        Some(0) => ("sk-ssh-ed25519-cert-v01@openssh.com", keys::fido_blob(seed, application)?),
        Some(1) => ("sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", keys::fido_p256_blob(seed.is_multiple_of(2), application)?),
        _ => (wire::ED25519, keys::ed25519(seed).public_key().to_bytes()?),
    })
}

/// None mostly; otherwise some of them.
fn options(random: &mut Random) -> Vec<u8> {
    if random.below(2) == 0 {
        return Vec::new();
    }
    let mut encoded = Vec::new();
    for (name, values) in CRITICAL {
        if random.below(4) == 0 {
            encoded.extend(option(name, random.pick(values).as_bytes()));
        }
    }
    encoded
}

/// Numbers that look random and are the same on every machine: digests of a counter.
struct Random {
    seed: u64,
    drawn: u64,
}

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        let digest = Sha256::new().chain_update(self.seed.to_be_bytes()).chain_update(self.drawn.to_be_bytes()).finalize();
        self.drawn += 1;
        digest.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes)) % limit.max(1)
    }

    fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(u64::try_from(length).unwrap_or(1))).unwrap_or(0)
    }

    /// One of several; there must be some.
    fn pick<T: Copy + Default>(&mut self, choices: &[T]) -> T {
        let at = self.index(choices.len());
        choices.get(at).copied().unwrap_or_default()
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| u8::try_from(self.below(256)).unwrap_or(0)).collect()
    }
}
