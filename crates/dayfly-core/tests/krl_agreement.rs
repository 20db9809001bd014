//! That OpenSSH and we read the same out of a revocation list, whoever wrote it: `ssh-keygen -Q` on ours, our reader on `ssh-keygen -k`'s, and a real
//! `sshd` with `RevokedKeys`. OpenSSH is the system's, and 10 beside it where it can be had.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use dayfly_core::{certificate::krl::Krl, signer::SeedSigner};
use dayfly_corpus::{
    keys::Authority,
    wire::{Fields, string, without_name},
};
use dayfly_tests::peers::peer;
use proptest::{collection::vec, prelude::*};
use ssh_key::{
    Certificate, LineEnding, PrivateKey, PublicKey,
    certificate::{Builder, CertType},
    public::KeyData,
};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};
use tempfile::TempDir;

#[path = "krl_agreement/server.rs"]
mod server;

const OURS: u8 = 1;
const OTHER: u8 = 2;
const ALICE: u8 = 10;
const BOB: u8 = 11;

/// Serials at the edges of what the format, JSON and 64 bits hold.
const EDGES: [u64; 9] = [1, 2, 63, 64, 65, (1 << 53) - 1, 1 << 53, u64::MAX - 1, u64::MAX];

/// Whose key a number stands for. The CAs' are of kinds that OpenSSH verifies quickly: `ssh-keygen -Q` looks at every probe's signature, which with
/// Ed25519 takes it ten times as long as all the rest of these tests.
fn authority(seed: u8) -> Option<Authority> {
    match seed {
        OURS => Some(Authority::P256),
        OTHER => Some(Authority::Rsa),
        _ => None,
    }
}

fn blob(seed: u8) -> Vec<u8> {
    let seeded = || SeedSigner::new(seed).private_key().public_key().to_bytes().unwrap();
    authority(seed).map_or_else(seeded, |authority| authority.blob().unwrap())
}

fn public(seed: u8) -> PublicKey {
    PublicKey::from_bytes(&blob(seed)).unwrap()
}

fn key(seed: u8) -> KeyData {
    public(seed).key_data().clone()
}

fn line(seed: u8) -> String {
    public(seed).to_openssh().unwrap()
}

fn sha256(seed: u8) -> [u8; 32] {
    key(seed).fingerprint(ssh_key::HashAlg::Sha256).as_bytes().try_into().unwrap()
}

/// A certificate that is valid now, for whoever runs the tests.
fn certificate(authority: &PrivateKey, holder: u8, serial: u64, key_id: &str) -> Certificate {
    let mut builder = Builder::new(vec![7; 32], key(holder), 0, u64::MAX >> 1).unwrap();
    builder.serial(serial).unwrap().cert_type(CertType::User).unwrap().key_id(key_id).unwrap().valid_principal("deploy").unwrap();
    builder.sign(authority).unwrap()
}

/// The same by one of the two CAs.
fn by(seed: u8, holder: u8, serial: u64, key_id: &str) -> Certificate {
    let authority = authority(seed).unwrap();
    let fields = Fields {
        holder: without_name(&blob(holder)),
        serial,
        key_id: key_id.into(),
        principals: string(b"deploy"),
        extensions: Vec::new(),
        authority: authority.blob().unwrap(),
        ..Fields::good().unwrap()
    };
    let signature = authority.sign_anew(&fields.signed_part()).unwrap();
    Certificate::from_bytes(&fields.with_signature(&signature)).unwrap()
}

/// Certificates of two CAs, two holders, and serials and key ids of every sort.
fn probes() -> Vec<Certificate> {
    let serials = EDGES.into_iter().chain([0, 5, 6, 7, 100, 1000, 20_000]);
    let serials =
        serials.flat_map(|serial| [(OURS, ALICE), (OTHER, ALICE), (OURS, BOB)].map(|(ca, holder)| by(ca, holder, serial, "alice")));
    let ids = ["alice role=db-admin grant=01890a5d-ac96-774b-bcce-b302099a8057", "al", "", "Alice", "ålice"].map(|id| by(OURS, BOB, 9, id));
    serials.chain(ids).collect()
}

/// A directory in which `ssh-keygen` and we meet.
struct Table {
    directory: TempDir,
    /// The system's `ssh-keygen`, and that of OpenSSH 10 where it can be had.
    keygens: Vec<PathBuf>,
}

impl Table {
    fn new() -> Self {
        let newer = peer("openssh10").unwrap().map(|programs| programs.join("ssh-keygen"));
        let keygens = std::iter::once(PathBuf::from("ssh-keygen")).chain(newer).collect();
        let directory = tempfile::tempdir().unwrap();
        for seed in [OURS, OTHER, ALICE, BOB] {
            fs::write(directory.path().join(format!("{seed}.pub")), line(seed)).unwrap();
        }
        Self { directory, keygens }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn keygen(&self, program: &Path, arguments: &[&str]) -> Output {
        Command::new(program).current_dir(self.directory.path()).args(arguments).output().unwrap()
    }

    /// What every `ssh-keygen -Q` says of each certificate; `None` if it does not take the list.
    fn openssh(&self, list: &[u8], certificates: &[Certificate]) -> Option<Vec<bool>> {
        fs::write(self.path("list"), list).unwrap();
        let names: Vec<String> = (0..certificates.len()).map(|n| format!("probe-{n}")).collect();
        for (name, certificate) in names.iter().zip(certificates) {
            fs::write(self.path(name), certificate.to_openssh().unwrap()).unwrap();
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut told = self.keygens.iter().map(|program| self.told_by(program, &names));
        let first = told.next().unwrap();
        assert!(told.all(|other| other == first), "OpenSSH does not agree with itself");
        first
    }

    fn told_by(&self, program: &Path, names: &[&str]) -> Option<Vec<bool>> {
        let output = self.keygen(program, &[&["-Q", "-f", "list"], names].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        let told: BTreeMap<&str, bool> = text
            .lines()
            .filter_map(|line| Some((line.split_once(" (")?.0, line.rsplit_once(": ")?.1)))
            .map(|(name, verdict)| (name, verdict == "REVOKED"))
            .collect();
        names.iter().map(|name| told.get(name).copied()).collect()
    }

    /// Has every `ssh-keygen -k` write a list, by one specification for each CA (`NONE` is any).
    fn written_by_openssh(&self, specifications: &[(&str, &str)]) -> Vec<Vec<u8>> {
        self.keygens.iter().map(|program| self.written_by(program, specifications)).collect()
    }

    fn written_by(&self, program: &Path, specifications: &[(&str, &str)]) -> Vec<u8> {
        for (n, (authority, text)) in specifications.iter().enumerate() {
            fs::write(self.path("specification"), text).unwrap();
            let update: &[&str] = if n > 0 { &["-u"] } else { &[] };
            let output = self.keygen(program, &[&["-k", "-f", "written", "-s", authority, "-z", "7"], update, &["specification"]].concat());
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        let list = fs::read(self.path("written")).unwrap();
        // An earlier list would be added to.
        fs::remove_file(self.path("written")).unwrap();
        list
    }

    /// Both judge the same of every probe, and at least one is revoked.
    fn agree(&self, list: &[u8], certificates: &[Certificate]) {
        let openssh = self.openssh(list, certificates).unwrap();
        let krl = Krl::parse(list).unwrap();
        let ours: Vec<bool> = certificates.iter().map(|certificate| krl.revokes(certificate).is_some()).collect();
        for ((certificate, openssh), ours) in certificates.iter().zip(&openssh).zip(&ours) {
            assert_eq!(openssh, ours, "serial {} of {:?}", certificate.serial(), certificate.key_id());
        }
        assert!(ours.contains(&true) && ours.contains(&false), "a test that finds everything or nothing finds nothing out");
    }
}

fn filled(fill: impl FnOnce(&mut Krl)) -> Vec<u8> {
    let mut krl = Krl::new(7, 1_735_732_800, "dayfly");
    fill(&mut krl);
    krl.encode().unwrap()
}

#[test]
fn ssh_keygen_reads_every_kind_of_section_that_we_write() {
    let (table, probes, ours) = (Table::new(), probes(), key(OURS));
    let ours = Some(&ours);
    table.agree(&filled(|krl| krl.revoke_serials(ours, EDGES).unwrap()), &probes);
    table.agree(&filled(|krl| krl.revoke_serials(None, [5, 1000]).unwrap()), &probes);
    table.agree(&filled(|krl| krl.revoke_ranges(ours, [(5, 100), (1 << 53, u64::MAX)]).unwrap()), &probes);
    table.agree(&filled(|krl| krl.revoke_serials(ours, (1..400).step_by(2)).unwrap()), &probes);
    // A bitmap of the most bits that OpenSSH reads, and more than one holds.
    table.agree(&filled(|krl| krl.revoke_serials(ours, (1..16_385).step_by(2).chain([16_384])).unwrap()), &probes);
    table.agree(&filled(|krl| krl.revoke_serials(ours, (2..50_000).step_by(2)).unwrap()), &probes);
    table.agree(&filled(|krl| krl.revoke_serials(ours, (0..40).map(|n| u64::MAX - 2 * n)).unwrap()), &probes);
    table.agree(&filled(|krl| krl.revoke_key_id(ours, "alice").unwrap()), &probes);
    table.agree(&filled(|krl| krl.revoke_key_id(None, "ålice").unwrap()), &probes);
    table.agree(&filled(|krl| krl.revoke_key(&key(ALICE))), &probes);
    table.agree(&filled(|krl| krl.revoke_key(&key(OTHER))), &probes);
    table.agree(&filled(|krl| krl.revoke_fingerprint(sha256(BOB))), &probes);
    table.agree(&filled(|krl| krl.revoke_fingerprint(sha256(OURS))), &probes);
}

#[test]
fn we_read_every_kind_of_section_that_ssh_keygen_writes() {
    let (table, probes) = (Table::new(), probes());
    let edges: String = EDGES.iter().map(|serial| format!("serial: {serial}\n")).collect();
    let sparse: String = (0..200_u64).map(|n| format!("serial: {}\n", 5 + n * 7)).collect();
    let fingerprint = key(ALICE).fingerprint(ssh_key::HashAlg::Sha256);
    for text in [
        edges.as_str(),
        sparse.as_str(),
        "serial: 5-100\n",
        "serial: 9007199254740992-18446744073709551615\n",
        "id: alice\n",
        "id: ålice\n",
        &format!("key: {}\n", line(ALICE)),
        &format!("sha1: {}\n", line(BOB)),
        &format!("sha256: {}\n", line(BOB)),
        &format!("hash: {fingerprint}\n"),
        &format!("key: {}\n", line(OTHER)),
    ] {
        table.written_by_openssh(&[("1.pub", text)]).iter().for_each(|list| table.agree(list, &probes));
    }
    for list in table.written_by_openssh(&[("1.pub", "serial: 5\nid: al\n"), ("2.pub", "serial: 6-64\n"), ("NONE", "serial: 100\n")]) {
        table.agree(&list, &probes);
        let krl = Krl::parse(&list).unwrap();
        assert_eq!((krl.number, krl.certificates().count()), (7, 3));
    }
}

#[test]
fn what_ssh_keygen_does_not_load_we_do_not_load() {
    let (table, probes) = (Table::new(), [by(OURS, ALICE, 5, "alice")]);
    let good = filled(|krl| {
        krl.revoke_serials(Some(&key(OURS)), [1, 5, 100, 102, 104, 106, 108, 110, 112, 114, 116]).unwrap();
        krl.revoke_ranges(None, [(7, 99)]).unwrap();
        krl.revoke_fingerprint(sha256(BOB));
    });
    assert!(table.openssh(&good, &probes).is_some());
    for length in 0..good.len() {
        let cut = &good[..length];
        assert_eq!(Krl::parse(cut).is_ok(), table.openssh(cut, &probes).is_some(), "cut to {length} of {} bytes", good.len());
    }
}

#[test]
fn keys_of_every_type_are_found_by_key_and_by_fingerprint() {
    let table = Table::new();
    for (kind, bits) in [("ed25519", "256"), ("ecdsa", "256"), ("ecdsa", "384"), ("ecdsa", "521"), ("rsa", "3072")] {
        let name = format!("{kind}-{bits}");
        assert!(table.keygen(Path::new("ssh-keygen"), &["-q", "-t", kind, "-b", bits, "-N", "", "-f", &name]).status.success());
        let authority = PrivateKey::read_openssh_file(table.path(&name)).unwrap();
        let probes = [certificate(&authority, ALICE, 5, "alice"), by(OURS, ALICE, 5, "alice")];
        let public = authority.public_key().key_data();
        table.agree(&filled(|krl| krl.revoke_key(public)), &probes);
        let fingerprint = public.fingerprint(ssh_key::HashAlg::Sha256).as_bytes().try_into().unwrap();
        table.agree(&filled(|krl| krl.revoke_fingerprint(fingerprint)), &probes);
        table.agree(&filled(|krl| krl.revoke_serials(Some(public), [5]).unwrap()), &probes);
        let public = format!("{name}.pub");
        table.written_by_openssh(&[(&public, "serial: 5\n")]).iter().for_each(|list| table.agree(list, &probes));
    }
}

fn near(base: u64) -> impl Strategy<Value = u64> {
    (0_u64..300).prop_map(move |offset| base.saturating_add(offset))
}

fn serial() -> impl Strategy<Value = u64> {
    prop_oneof![near(1), near(60), near((1 << 53) - 150), near(u64::MAX - 299), 1..=u64::MAX]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5, max_shrink_iters: 10, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mixed_sets_are_judged_alike_whoever_wrote_them(
        serials in vec(serial(), 1..60), any_ca in vec(serial(), 0..20), ranges in vec((serial(), 0_u64..2000), 0..5), id in "[a-c]{1,2}", others in vec((serial(), "[a-c]{1,2}"), 8),
    ) {
        let table = Table::new();
        let ranges: Vec<(u64, u64)> = ranges.iter().map(|(first, more)| (*first, first.saturating_add(*more))).collect();
        let ours = filled(|krl| {
            krl.revoke_serials(Some(&key(OURS)), serials.iter().copied()).unwrap();
            krl.revoke_ranges(Some(&key(OURS)), ranges.iter().copied()).unwrap();
            krl.revoke_serials(None, any_ca.iter().copied()).unwrap();
            krl.revoke_key_id(Some(&key(OTHER)), &id).unwrap();
        });
        let listed = |serials: &[u64]| serials.iter().map(|serial| format!("serial: {serial}\n")).collect::<String>();
        let spans: String = ranges.iter().map(|(first, last)| format!("serial: {first}-{last}\n")).collect();
        let theirs = table.written_by_openssh(&[
            ("1.pub", &(listed(&serials) + &spans)), ("NONE", &listed(&any_ca)), ("2.pub", &format!("id: {id}\n")),
        ]);
        let edges = serials.iter().chain(&any_ca).chain(ranges.iter().flat_map(|(first, last)| [first, last]));
        let around = edges.take(8).flat_map(|serial| [serial.saturating_sub(1), *serial, serial.saturating_add(1)]);
        let mut probes: Vec<Certificate> = around.map(|serial| by(OURS, ALICE, serial, "x")).collect();
        probes.extend(others.iter().flat_map(|(serial, id)| [by(OURS, BOB, *serial, id), by(OTHER, BOB, *serial, id)]));
        probes.push(by(OTHER, ALICE, 0, "none"));
        table.agree(&ours, &probes);
        for theirs in theirs {
        table.agree(&theirs, &probes);
        let comment = "dayfly".len();
        prop_assert!(ours.len() <= theirs.len() + comment, "ours has {} bytes, OpenSSH's {}", ours.len(), theirs.len());
        let (ours, theirs) = (Krl::parse(&ours).unwrap(), Krl::parse(&theirs).unwrap());
        prop_assert!(ours.certificates().eq(theirs.certificates()));
        }
    }
}

/// Writes a private key that only its owner reads, as `ssh` wants it.
fn write_key(path: &Path, seed: u8) {
    SeedSigner::new(seed).private_key().write_openssh_file(path, LineEnding::LF).unwrap();
}
