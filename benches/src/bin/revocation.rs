//! A list of 100,000 revoked serials, as the CA draws them: how long it takes to make and how large it is, beside `ssh-keygen -k` with the same serials.

use anyhow::{Context, Result, ensure};
use clap::Parser;
use dayfly_benches::{Figure, show};
use dayfly_core::{
    certificate::krl::Krl,
    signer::{SeedSigner, Signer},
};
use std::{hint::black_box, path::Path, process::Command, time::Instant};

const SERIALS: usize = 100_000;
const RUNS: usize = 9;

/// How quickly revocation lists are made.
#[derive(Parser)]
struct Arguments {
    /// Print an object a line.
    #[arg(long)]
    json: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let directory = tempfile::tempdir()?;
    let random: Vec<u64> = (0..SERIALS).map(|_| rand::random_range(1..1_u64 << 53)).collect();
    let dense: Vec<u64> = (0..u64::try_from(SERIALS)?).map(|n| 1_000_000 + n * 3).collect();
    let mut figures = Vec::new();
    for (name, serials) in [("random serials", random), ("every third serial", dense)] {
        let (their_time, their_size) = ssh_keygen(directory.path(), name, &serials)?;
        let (our_time, our_size) = ours(name, &serials)?;
        figures.extend([our_time.beside(&their_time), our_size.beside(&their_size), their_time, their_size]);
    }
    show(&figures, arguments.json)
}

/// The median of some runs.
fn ours(name: &str, serials: &[u64]) -> Result<(Figure, Figure)> {
    let authority = SeedSigner::new(1);
    let mut bytes = Vec::new();
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let start = Instant::now();
        let mut krl = Krl::new(1, 1, "dayfly");
        krl.revoke_serials(Some(authority.public_key()), black_box(serials).iter().copied())?;
        bytes = black_box(krl.encode()?);
        times.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    times.sort_by(f64::total_cmp);
    let median = times.get(RUNS / 2).copied().context("there was a run")?;
    ensure!(Krl::parse(&bytes)?.number == 1, "the list does not read back");
    Ok((Figure::new(format!("{SERIALS} {name}, list made"), median, "ms"), size(&format!("{SERIALS} {name}, list"), bytes.len())?))
}

fn ssh_keygen(directory: &Path, name: &str, serials: &[u64]) -> Result<(Figure, Figure)> {
    let specification: String = serials.iter().map(|serial| format!("serial: {serial}\n")).collect();
    std::fs::write(directory.join("specification"), specification)?;
    std::fs::write(directory.join("ca.pub"), SeedSigner::new(1).private_key().public_key().to_openssh()?)?;
    let start = Instant::now();
    let output = Command::new("ssh-keygen")
        .args(["-q", "-k", "-f", "list", "-s", "ca.pub", "specification"])
        .current_dir(directory)
        .output()
        .context("ssh-keygen cannot be started: install openssh-client")?;
    let elapsed = start.elapsed().as_secs_f64() * 1000.0;
    ensure!(output.status.success(), "ssh-keygen failed: {}", String::from_utf8_lossy(&output.stderr));
    let length = std::fs::read(directory.join("list"))?.len();
    Ok((Figure::new(format!("ssh-keygen -k, {name}"), elapsed, "ms"), size(&format!("ssh-keygen -k, {name}, list"), length)?))
}

fn size(name: &str, bytes: usize) -> Result<Figure> {
    Ok(Figure::new(name, f64::from(u32::try_from(bytes)?), "bytes"))
}
