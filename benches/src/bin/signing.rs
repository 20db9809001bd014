//! Signing on one thread: the primitive with its encoding beside raw aws-lc and `ssh-keygen -s`, and minting with verification beside the least that
//! any CA can do who verifies what it signed: aws-lc signing and verifying.

use anyhow::{Context, Result, ensure};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use clap::Parser;
use dayfly_benches::{Figure, rate, show};
use dayfly_ca::signer::file::FileSigner;
use dayfly_core::{
    certificate::UnsignedCertificate,
    decision::{Decision, Grant},
    policy::{self, sample},
    request::{CertificateRequest, RequestedTargets},
    signer::{SeedSigner, Signer},
};
use ssh_key::{LineEnding, PublicKey, Signature, certificate::Builder, public::KeyData};
use std::{hint::black_box, path::Path, process::Command, time::Duration, time::Instant};

const SPAN: Duration = Duration::from_secs(2);
const NOW: u64 = 1_800_000_000;
const KEYS_A_CALL: usize = 1000;

/// How fast certificates are signed.
#[derive(Parser)]
struct Arguments {
    /// Print an object a line.
    #[arg(long)]
    json: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let directory = tempfile::tempdir()?;
    let signer = ca_key(directory.path())?;
    let holder = SeedSigner::new(2).private_key().public_key().clone();
    let (raw, raw_verified) = raw_primitives()?;
    let keygen = ssh_keygen(directory.path())?;
    let primitive = Figure::new("Ed25519 certificate, built, signed, encoded", primitive(&signer, &holder)?, "/s");
    let minted = Figure::new("Ed25519 certificate, minted and verified", minted(&signer, &holder)?, "/s");
    show(
        &[
            raw.clone(),
            raw_verified.clone(),
            keygen.clone(),
            primitive.clone().beside(&raw),
            primitive.beside(&keygen),
            minted.clone().beside(&raw_verified),
            minted.beside(&keygen),
        ],
        arguments.json,
    )
}

fn ca_key(directory: &Path) -> Result<FileSigner> {
    let path = directory.join("ca");
    SeedSigner::new(1).private_key().write_openssh_file(&path, LineEnding::LF)?;
    FileSigner::load(&path, None).map_err(|mistakes| anyhow::anyhow!("the CA key that was just written cannot be loaded: {mistakes}"))
}

/// A signature, and a signature that is verified.
fn raw_primitives() -> Result<(Figure, Figure)> {
    let key = Ed25519KeyPair::generate().map_err(|_| anyhow::anyhow!("aws-lc made no key"))?;
    let message = vec![7_u8; 500];
    let signed = rate(SPAN, || {
        black_box(key.sign(black_box(&message)));
        Ok(())
    })?;
    let verified = rate(SPAN, || {
        let signature = key.sign(black_box(&message));
        let public = UnparsedPublicKey::new(&ED25519, key.public_key().as_ref());
        public.verify(&message, signature.as_ref()).map_err(|_| anyhow::anyhow!("aws-lc refused its own signature"))
    })?;
    Ok((
        Figure::new("aws-lc Ed25519 over 500 bytes", signed, "/s"),
        Figure::new("aws-lc Ed25519 over 500 bytes, signed and verified", verified, "/s"),
    ))
}

fn primitive(signer: &FileSigner, holder: &PublicKey) -> Result<f64> {
    rate(SPAN, || {
        let mut builder = Builder::new(vec![7; 32], holder.key_data().clone(), NOW - 30, NOW + 300)?;
        builder.serial(7)?.key_id("alice role=db-admin grant=01890a5d-ac96-774b-bcce-b302099a8057")?;
        builder.valid_principal("deploy@db1")?.extension("permit-pty", "")?;
        black_box(builder.sign(&Adapter(signer))?.to_openssh()?);
        Ok(())
    })
}

fn minted(signer: &FileSigner, holder: &PublicKey) -> Result<f64> {
    let grant = grant(holder)?;
    let mut serial = 0;
    rate(SPAN, || {
        serial += 1;
        let unsigned = UnsignedCertificate::user(&grant, holder.clone(), NOW, serial, [7; 32])?;
        black_box(unsigned.sign(signer)?.to_openssh()?);
        Ok(())
    })
}

/// What policy grants alice in the sample that the domain's own tests use.
fn grant(holder: &PublicKey) -> Result<Grant> {
    let sample = sample::Sample::new();
    let request = CertificateRequest::new("db-admin".parse()?, RequestedTargets::All, None, None, holder.clone())?;
    let alice = sample::identity("alice", &["dba"]);
    match policy::decide(sample.rules(), &alice, &sample::context(), &request, uuid::Uuid::from_u128(7)) {
        Decision::Granted(grant) => Ok(grant),
        Decision::Refused(refusal) => Err(refusal.into()),
    }
}

/// `ssh-keygen -s` with many keys a call: the fastest it can be made to go.
fn ssh_keygen(directory: &Path) -> Result<Figure> {
    let line = SeedSigner::new(2).private_key().public_key().to_openssh()?;
    let names: Vec<String> = (0..KEYS_A_CALL).map(|n| format!("u{n}.pub")).collect();
    for name in &names {
        std::fs::write(directory.join(name), &line)?;
    }
    let start = Instant::now();
    let output = Command::new("ssh-keygen")
        .args(["-q", "-s", "ca", "-I", "alice", "-n", "deploy@db1", "-V", "+5m"])
        .args(&names)
        .current_dir(directory)
        .output()
        .context("ssh-keygen cannot be started: install openssh-client")?;
    ensure!(output.status.success(), "ssh-keygen failed: {}", String::from_utf8_lossy(&output.stderr));
    let keys = f64::from(u32::try_from(KEYS_A_CALL)?);
    Ok(Figure::new(format!("ssh-keygen -s, {KEYS_A_CALL} keys a call"), keys / start.elapsed().as_secs_f64(), "/s"))
}

struct Adapter<'a>(&'a FileSigner);

impl signature::Signer<Signature> for Adapter<'_> {
    fn try_sign(&self, message: &[u8]) -> Result<Signature, signature::Error> {
        self.0.sign(message).map_err(signature::Error::from_source)
    }
}

impl From<&Adapter<'_>> for KeyData {
    fn from(adapter: &Adapter<'_>) -> KeyData {
        adapter.0.public_key().clone()
    }
}
