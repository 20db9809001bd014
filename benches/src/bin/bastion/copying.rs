//! Copies of bulk data: MiB/s, and what a GiB costs the server that stands between.

use super::{
    Arguments, median, renew,
    ways::{Way, Ways},
};
use anyhow::{Context, Result, ensure};
use dayfly_benches::Figure;
use std::{
    io::{Read, Write},
    path::Path,
    process::Stdio,
    time::Instant,
};

const CIPHERS: [&str; 2] = ["chacha20-poly1305@openssh.com", "aes128-gcm@openssh.com"];

/// One kind of copy.
struct Kind {
    name: &'static str,
    copy: fn(&Ways, &Way, &str, u32) -> Result<()>,
}

const KINDS: [Kind; 4] = [
    Kind { name: "exec, down", copy: exec_down },
    Kind { name: "exec, up", copy: exec_up },
    Kind { name: "sftp, down", copy: sftp_down },
    Kind { name: "sftp, up", copy: sftp_up },
];

/// What one way came to.
#[derive(Default)]
struct Measured {
    rates: Vec<f64>,
    core_seconds_a_gibibyte: Vec<f64>,
}

pub(crate) fn measure(arguments: &Arguments, ways: &Ways) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for cipher in CIPHERS {
        for kind in &KINDS {
            renew(arguments)?;
            figures.extend(of_kind(arguments, ways, cipher, kind)?);
        }
    }
    Ok(figures)
}

fn of_kind(arguments: &Arguments, ways: &Ways, cipher: &str, kind: &Kind) -> Result<Vec<Figure>> {
    let all = [&ways.reference, &ways.ours[0], &ways.ours[1]];
    let mut measured = [Measured::default(), Measured::default(), Measured::default()];
    // Taken in turns, so that whatever else the machine does meets all of them.
    for _ in 0..arguments.rounds {
        for (way, measured) in all.iter().zip(&mut measured) {
            let (start, before) = (Instant::now(), way.core_seconds()?);
            (kind.copy)(ways, way, cipher, arguments.mebibytes).with_context(|| format!("{}, {}, {cipher}", way.name, kind.name))?;
            measured.rates.push(f64::from(arguments.mebibytes) / start.elapsed().as_secs_f64());
            let spent = way.core_seconds()? - before;
            measured.core_seconds_a_gibibyte.push(spent * 1024.0 / f64::from(arguments.mebibytes));
        }
    }
    let short = cipher.split('@').next().unwrap_or(cipher);
    let [base, recorded, passthrough] = measured;
    let (base, base_cost) = base.figures(&format!("{}, {}, {short}", ways.reference.name, kind.name));
    let mut figures = vec![base.clone(), base_cost.clone()];
    for (way, measured) in ways.ours.iter().zip([recorded, passthrough]) {
        let (rate, cost) = measured.figures(&format!("{}, {}, {short}", way.name, kind.name));
        figures.extend([rate.beside(&base), cost.beside(&base_cost)]);
    }
    Ok(figures)
}

impl Measured {
    fn figures(self, name: &str) -> (Figure, Figure) {
        let cost = Figure::new(format!("{name}, core of the server"), median(self.core_seconds_a_gibibyte), "s/GiB");
        (Figure::new(name, median(self.rates), "MiB/s"), cost)
    }
}

fn exec_down(ways: &Ways, way: &Way, cipher: &str, mebibytes: u32) -> Result<()> {
    let mut child = ways.ssh_with(way, cipher, &format!("head -c {mebibytes}M /dev/zero"))?.stdout(Stdio::piped()).spawn()?;
    let mut output = child.stdout.take().context("ssh has no output")?;
    let (mut buffer, mut bytes) = (vec![0; 1 << 18], 0);
    loop {
        match output.read(&mut buffer)? {
            0 => break,
            n => bytes += n,
        }
    }
    ensure!(child.wait()?.success(), "ssh failed");
    ensure!(bytes == (mebibytes as usize) << 20, "{bytes} bytes came");
    Ok(())
}

fn exec_up(ways: &Ways, way: &Way, cipher: &str, mebibytes: u32) -> Result<()> {
    let mut child = ways.ssh_with(way, cipher, "wc -c")?.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut input = child.stdin.take().context("ssh has no input")?;
    let chunk = vec![0; 1 << 18];
    for _ in 0..mebibytes * 4 {
        input.write_all(&chunk)?;
    }
    drop(input);
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "ssh failed");
    let counted: u64 = String::from_utf8(output.stdout)?.trim().parse()?;
    ensure!(counted == u64::from(mebibytes) << 20, "{counted} bytes came");
    Ok(())
}

fn sftp_down(ways: &Ways, way: &Way, cipher: &str, mebibytes: u32) -> Result<()> {
    let file = of_size(mebibytes)?;
    sftp(ways, way, cipher, &format!("get {} /dev/null\n", file.path().display()))
}

fn sftp_up(ways: &Ways, way: &Way, cipher: &str, mebibytes: u32) -> Result<()> {
    let file = of_size(mebibytes)?;
    sftp(ways, way, cipher, &format!("put {} /dev/null\n", file.path().display()))
}

/// A file that takes no room. The targets are on this machine, too.
fn of_size(mebibytes: u32) -> Result<tempfile::NamedTempFile> {
    let file = tempfile::NamedTempFile::new_in(Path::new("/var/tmp"))?;
    file.as_file().set_len(u64::from(mebibytes) << 20)?;
    Ok(file)
}

fn sftp(ways: &Ways, way: &Way, cipher: &str, batch: &str) -> Result<()> {
    let mut child = ways.sftp_with(way, cipher)?.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
    child.stdin.take().context("sftp has no input")?.write_all(batch.as_bytes())?;
    ensure!(child.wait()?.success(), "sftp failed");
    Ok(())
}
