//! Logins, MiB/s and memory through the bastion, in both modes, beside `sshd -J` in the same run.
//!
//! Takes everything from the environment of `scripts/stack`.

use anyhow::{Context, Result, ensure};
use clap::Parser;
use dayfly_benches::{Figure, reference::Reference, show};
use std::{
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Instant,
};

/// How the bastion compares with OpenSSH's own jump host.
#[derive(Parser)]
struct Arguments {
    /// The configuration that `scripts/stack` wrote for `ssh -F`.
    #[arg(long, env = "DAYFLY_SSH_CONFIG")]
    ssh_config: PathBuf,
    /// The bastion's process.
    #[arg(long, env = "DAYFLY_BASTION_PID")]
    bastion_pid: u32,
    /// Whom to log in as.
    #[arg(long, env = "DAYFLY_ACCOUNT")]
    account: String,
    /// How much to copy, in MiB.
    #[arg(long, default_value_t = 512)]
    mebibytes: u32,
    /// How often each thing is done; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Logins in a row.
    #[arg(long, default_value_t = 20)]
    logins: u32,
    /// Idle sessions at once.
    #[arg(long, default_value_t = 20)]
    idle: u32,
    /// What gets fresh certificates, for the shell: those of the stack live shorter than a run of this.
    #[arg(long)]
    renew: String,
    /// Print an object a line.
    #[arg(long)]
    json: bool,
}

/// A way to a target.
struct Way {
    name: &'static str,
    host: &'static str,
}

const REFERENCE: Way = Way { name: "sshd -J", host: "reference" };
const WAYS: [Way; 2] = [Way { name: "recorded", host: "db1" }, Way { name: "passthrough", host: "web1" }];
const CIPHERS: [&str; 2] = ["chacha20-poly1305@openssh.com", "aes128-gcm@openssh.com"];

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let directory = tempfile::tempdir()?;
    let reference = Reference::start(directory.path(), &arguments.account)?;
    // Memory first: what transfers have freed would hide what sessions take.
    let mut figures = idle_memory(&arguments, &reference)?;
    figures.extend(throughput(&arguments, &reference, directory.path())?);
    figures.extend(logins(&arguments, &reference)?);
    show(&figures, arguments.json)
}

fn throughput(arguments: &Arguments, reference: &Reference, directory: &Path) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for cipher in CIPHERS {
        renew(arguments)?;
        let ours = with_cipher(directory, "ours", cipher, &arguments.ssh_config)?;
        let theirs = with_cipher(directory, "theirs", cipher, reference.config())?;
        for (direction, copy) in [("down", down as Copy), ("up", up as Copy)] {
            // Taken in turns, so that whatever else the machine does meets all of them.
            let mut rates = [Vec::new(), Vec::new(), Vec::new()];
            for _ in 0..arguments.rounds {
                let ways = [(&theirs, &REFERENCE), (&ours, &WAYS[0]), (&ours, &WAYS[1])];
                for ((config, way), rates) in ways.into_iter().zip(&mut rates) {
                    rates.push(copy(config, way, arguments)?);
                }
            }
            let name = |way: &Way| format!("{} {direction}, {}", way.name, cipher.split('@').next().unwrap_or(cipher));
            let [base, recorded, passthrough] = rates.map(median);
            let base = Figure::new(name(&REFERENCE), base, "MiB/s");
            figures.push(base.clone());
            figures.push(Figure::new(name(&WAYS[0]), recorded, "MiB/s").beside(&base));
            figures.push(Figure::new(name(&WAYS[1]), passthrough, "MiB/s").beside(&base));
        }
    }
    Ok(figures)
}

/// The options hold for the jump as well as for the target, which `ssh -o` would not.
fn with_cipher(directory: &Path, name: &str, cipher: &str, config: &Path) -> Result<PathBuf> {
    let path = directory.join(format!("{name}.{cipher}"));
    std::fs::write(&path, format!("Ciphers {cipher}\nInclude \"{}\"\n", config.display()))?;
    Ok(path)
}

type Copy = fn(&Path, &Way, &Arguments) -> Result<f64>;

fn down(config: &Path, way: &Way, arguments: &Arguments) -> Result<f64> {
    let start = Instant::now();
    let mut child =
        ssh(config, arguments, way.host, &format!("head -c {}M /dev/zero", arguments.mebibytes)).stdout(Stdio::piped()).spawn()?;
    let mut output = child.stdout.take().context("ssh has no output")?;
    let (mut buffer, mut bytes) = (vec![0; 1 << 18], 0);
    loop {
        match output.read(&mut buffer)? {
            0 => break,
            n => bytes += n,
        }
    }
    ensure!(child.wait()?.success(), "ssh to {} failed", way.host);
    ensure!(bytes == (arguments.mebibytes as usize) << 20, "{bytes} bytes came from {}", way.host);
    Ok(f64::from(arguments.mebibytes) / start.elapsed().as_secs_f64())
}

fn up(config: &Path, way: &Way, arguments: &Arguments) -> Result<f64> {
    let start = Instant::now();
    let mut child = ssh(config, arguments, way.host, "wc -c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut input = child.stdin.take().context("ssh has no input")?;
    let chunk = vec![0; 1 << 18];
    for _ in 0..arguments.mebibytes * 4 {
        input.write_all(&chunk)?;
    }
    drop(input);
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "ssh to {} failed", way.host);
    let counted: u64 = String::from_utf8(output.stdout)?.trim().parse()?;
    ensure!(counted == u64::from(arguments.mebibytes) << 20, "{counted} bytes came to {}", way.host);
    Ok(f64::from(arguments.mebibytes) / start.elapsed().as_secs_f64())
}

fn logins(arguments: &Arguments, reference: &Reference) -> Result<Vec<Figure>> {
    renew(arguments)?;
    let milliseconds = |config: &Path, way: &Way| -> Result<f64> {
        let start = Instant::now();
        for _ in 0..arguments.logins {
            ensure!(ssh(config, arguments, way.host, "true").status()?.success(), "ssh to {} failed", way.host);
        }
        Ok(start.elapsed().as_secs_f64() * 1000.0 / f64::from(arguments.logins))
    };
    let direct = Way { name: "sshd, direct", host: "direct" };
    let base = Figure::new("a login, sshd -J", milliseconds(reference.config(), &REFERENCE)?, "ms");
    let mut figures = vec![base.clone()];
    figures.push(Figure::new(format!("a login, {}", direct.name), milliseconds(reference.config(), &direct)?, "ms").beside(&base));
    for way in &WAYS {
        figures.push(Figure::new(format!("a login, {}", way.name), milliseconds(&arguments.ssh_config, way)?, "ms").beside(&base));
    }
    Ok(figures)
}

fn idle_memory(arguments: &Arguments, reference: &Reference) -> Result<Vec<Figure>> {
    renew(arguments)?;
    let idle = f64::from(arguments.idle);
    let base = {
        let before = memory_of_tree(reference.jump_pid())?;
        let _open = open_sessions(reference.config(), arguments, &REFERENCE)?;
        (memory_of_tree(reference.jump_pid())? - before) / idle
    };
    let base = Figure::new("memory an idle session, sshd -J (jump host)", base, "KiB");
    let mut figures = vec![base.clone()];
    for way in &WAYS {
        let before = memory_of_tree(arguments.bastion_pid)?;
        let _open = open_sessions(&arguments.ssh_config, arguments, way)?;
        let each = (memory_of_tree(arguments.bastion_pid)? - before) / idle;
        figures.push(Figure::new(format!("memory an idle session, {}", way.name), each, "KiB").beside(&base));
    }
    Ok(figures)
}

/// Sessions that wait for their input's end, which comes when this is dropped.
struct Open(Vec<Child>);

impl Drop for Open {
    fn drop(&mut self) {
        for child in &mut self.0 {
            drop(child.stdin.take());
            let _ = child.wait();
        }
    }
}

fn open_sessions(config: &Path, arguments: &Arguments, way: &Way) -> Result<Open> {
    let mut open = Open(Vec::new());
    for _ in 0..arguments.idle {
        let mut child = ssh(config, arguments, way.host, "echo here; cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut greeting = [0; 5];
        child.stdout.as_mut().context("ssh has no output")?.read_exact(&mut greeting)?;
        open.0.push(child);
    }
    Ok(open)
}

/// The private resident memory of a process and its children, in KiB (`Private_*` of smaps_rollup).
fn memory_of_tree(pid: u32) -> Result<f64> {
    let mut sum = private_memory(pid).unwrap_or(0.0);
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(child) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        if parent(child) == Some(pid) {
            sum += memory_of_tree(child)?;
        }
    }
    Ok(sum)
}

fn private_memory(pid: u32) -> Option<f64> {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let lines = rollup.lines().filter(|line| line.starts_with("Private_"));
    Some(lines.filter_map(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok()).sum())
}

fn parent(pid: u32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}

fn renew(arguments: &Arguments) -> Result<()> {
    let renewed = Command::new("sh").args(["-c", &arguments.renew]).stdout(Stdio::null()).status()?;
    ensure!(renewed.success(), "no fresh certificates: {}", arguments.renew);
    Ok(())
}

fn ssh(config: &Path, arguments: &Arguments, host: &str, command: &str) -> Command {
    let mut ssh = Command::new("ssh");
    ssh.arg("-F").arg(config).args(["-o", "BatchMode=yes"]).arg(format!("{}@{host}", arguments.account)).arg(command);
    ssh.stdin(Stdio::null());
    ssh
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
