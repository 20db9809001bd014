//! Signing, for each kind of key and each custody: certificates by a key in a file beside raw aws-lc and `ssh-keygen -s`, minting with verification on one
//! thread and on all, and signatures by an agent and a token beside what the device does when it is asked in the plainest way.

use anyhow::{Context, Result, ensure};
use clap::Parser;
use dayfly_benches::{
    Figure,
    custody::{KINDS, Keys, MODULE, PIN, TOKEN, TOKENS},
    device::{PlainAgent, PlainToken},
    rate, rate_on,
    raw::Raw,
    show,
};
use dayfly_core::{
    certificate::UnsignedCertificate,
    decision::Grant,
    policy::{self, sample},
    request::{CertificateRequest, RequestedTargets},
    signer::{SeedSigner, Signer},
};
use ssh_key::{PublicKey, Signature, certificate::Builder, public::KeyData};
use std::{env, hint::black_box, os::unix::process::CommandExt, path::Path, process::Command, time::Duration, time::Instant};

const SPAN: Duration = Duration::from_secs(1);
const NOW: u64 = 1_800_000_000;

/// The keys that one call of ssh-keygen certifies: more of them make it no faster.
const KEYS_A_CALL: usize = 200;

/// What an agent and a token sign: as much as a certificate has.
const MESSAGE: [u8; 500] = [7; 500];

/// Where the program that was started with a place for tokens finds everything.
const DIRECTORY: &str = "DAYFLY_BENCH_DIRECTORY";

/// How fast certificates are signed.
#[derive(Parser)]
struct Arguments {
    /// Print an object a line.
    #[arg(long)]
    json: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    // A module reads where its tokens are from the environment, so the program starts itself again with that set.
    let Some(directory) = env::var_os(DIRECTORY) else {
        let directory = tempfile::tempdir()?.keep();
        let mut again = Command::new(env::current_exe()?);
        return Err(again
            .args(env::args_os().skip(1))
            .env(DIRECTORY, &directory)
            .env(TOKENS, directory.join("softhsm2.conf"))
            .exec()
            .into());
    };
    let directory = Path::new(&directory);
    let measured = measure(directory, arguments.json);
    std::fs::remove_dir_all(directory)?;
    measured
}

fn measure(directory: &Path, json: bool) -> Result<()> {
    let keys = Keys::make(directory)?;
    let holder = SeedSigner::new(2).private_key().public_key().clone();
    let cores = std::thread::available_parallelism()?.get();
    for kind in KINDS {
        let name = kind.0;
        let [file, agent, token] = keys.of_kind(kind)?;
        let raw = Raw::make(name)?;
        let (signed, verified) = raw_primitives(name, &raw)?;
        let keygen = ssh_keygen(directory, name)?;
        let primitive = Figure::new(format!("{name} file: certificate built, signed, encoded"), primitive(file.as_ref(), &holder)?, "/s");
        let minted = Figure::new(format!("{name} file: minted and verified, 1 thread"), minted(file.as_ref(), &holder, 1)?, "/s");
        let on_all = self::minted(file.as_ref(), &holder, cores)?;
        let on_all = Figure::new(format!("{name} file: minted and verified, {cores} threads"), on_all, "/s");
        let figures = [
            signed.clone(),
            verified.clone(),
            keygen.clone(),
            primitive.clone().beside(&signed),
            primitive.beside(&keygen),
            minted.clone().beside(&verified),
            on_all.clone().beside(&minted),
            on_all.beside(&keygen),
        ];
        show(&figures, json)?;
        let mut plain = PlainAgent::new(&keys.socket(), agent.as_ref(), &MESSAGE)?;
        let plain = Figure::new(format!("{name} ssh-agent: asked plainly"), rate(SPAN, || plain.sign())?, "/s");
        show(&device("ssh-agent", name, agent.as_ref(), plain)?, json)?;
        let mut plain = PlainToken::new(Path::new(MODULE), TOKEN, name, PIN, &token.public_key().algorithm(), &MESSAGE)?;
        let plain = Figure::new(format!("{name} SoftHSM: asked plainly"), rate(SPAN, || plain.sign())?, "/s");
        show(&device("SoftHSM", name, token.as_ref(), plain)?, json)?;
    }
    Ok(())
}

/// Signatures by our signer, by one caller and by four at a time, beside the device itself.
fn device(what: &str, name: &str, signer: &dyn Signer, plain: Figure) -> Result<[Figure; 3]> {
    let sign = || {
        black_box(signer.sign(&MESSAGE)?);
        Ok(())
    };
    let one = Figure::new(format!("{name} {what}: signatures, 1 caller"), rate(SPAN, sign)?, "/s");
    let four = Figure::new(format!("{name} {what}: signatures, 4 callers"), rate_on(4, SPAN, sign)?, "/s");
    Ok([plain.clone(), one.beside(&plain), four.beside(&plain)])
}

/// A signature, and a signature that is verified.
fn raw_primitives(name: &str, key: &Raw) -> Result<(Figure, Figure)> {
    let signed = rate(SPAN, || {
        black_box(key.sign(black_box(&MESSAGE))?);
        Ok(())
    })?;
    let verified = rate(SPAN, || key.verify(&MESSAGE, &key.sign(black_box(&MESSAGE))?))?;
    Ok((
        Figure::new(format!("{name} aws-lc over 500 bytes"), signed, "/s"),
        Figure::new(format!("{name} aws-lc over 500 bytes, signed and verified"), verified, "/s"),
    ))
}

fn primitive(signer: &dyn Signer, holder: &PublicKey) -> Result<f64> {
    rate(SPAN, || {
        let mut builder = Builder::new(vec![7; 32], holder.key_data().clone(), NOW - 30, NOW + 300)?;
        builder.serial(7)?.key_id("alice role=db-admin grant=01890a5d-ac96-774b-bcce-b302099a8057")?;
        builder.valid_principal("deploy@db1")?.extension("permit-pty", "")?;
        black_box(builder.sign(&Adapter(signer))?.to_openssh()?);
        Ok(())
    })
}

fn minted(signer: &dyn Signer, holder: &PublicKey, threads: usize) -> Result<f64> {
    let grant = grant(holder)?;
    rate_on(threads, SPAN, || {
        let unsigned = UnsignedCertificate::user(&grant, holder.clone(), NOW, 7, [7; 32])?;
        black_box(unsigned.sign(signer)?.to_openssh()?);
        Ok(())
    })
}

/// What policy grants alice in the sample that the domain's own tests use.
fn grant(holder: &PublicKey) -> Result<Grant> {
    let sample = sample::Sample::new();
    let request = CertificateRequest::new("db-admin".parse()?, RequestedTargets::All, None, None, holder.clone())?;
    let alice = sample::identity("alice", &["dba"]);
    Ok(policy::decide(sample.rules(), &alice, &sample::context(), &request, uuid::Uuid::from_u128(7)).into_grant()?)
}

/// `ssh-keygen -s` with many keys a call: the fastest it can be made to go.
fn ssh_keygen(directory: &Path, ca: &str) -> Result<Figure> {
    let line = SeedSigner::new(2).private_key().public_key().to_openssh()?;
    let names: Vec<String> = (0..KEYS_A_CALL).map(|n| format!("u{n}.pub")).collect();
    for name in &names {
        std::fs::write(directory.join(name), &line)?;
    }
    let start = Instant::now();
    let output = Command::new("ssh-keygen")
        .args(["-q", "-s", ca, "-I", "alice", "-n", "deploy@db1", "-V", "+5m"])
        .args(&names)
        .current_dir(directory)
        .output()
        .context("ssh-keygen cannot be started: install openssh-client")?;
    ensure!(output.status.success(), "ssh-keygen failed: {}", String::from_utf8_lossy(&output.stderr));
    let keys = f64::from(u32::try_from(KEYS_A_CALL)?);
    Ok(Figure::new(format!("{ca} ssh-keygen -s, {KEYS_A_CALL} keys a call"), keys / start.elapsed().as_secs_f64(), "/s"))
}

struct Adapter<'a>(&'a dyn Signer);

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
