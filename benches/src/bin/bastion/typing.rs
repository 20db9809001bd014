//! Typing: how long a keystroke takes until it is seen, alone and beside a copy at full speed.

use super::{
    Arguments, renew,
    ways::{Way, Ways},
};
use anyhow::{Context, Result};
use dayfly_benches::Figure;
use std::{
    io::{Read, Write},
    process::{Child, ChildStdin, ChildStdout, Stdio},
    time::Instant,
};

pub(crate) fn measure(arguments: &Arguments, ways: &Ways) -> Result<Vec<Figure>> {
    renew(arguments)?;
    let mut figures = Vec::new();
    for beside_copy in [false, true] {
        let base = of(arguments, ways, &ways.reference, beside_copy)?;
        figures.extend(base.iter().cloned());
        for way in &ways.ours {
            let own = of(arguments, ways, way, beside_copy)?;
            figures.extend(own.into_iter().zip(&base).map(|(own, base)| own.beside(base)));
        }
    }
    Ok(figures)
}

/// The median and the 99th percentile.
fn of(arguments: &Arguments, ways: &Ways, way: &Way, beside_copy: bool) -> Result<[Figure; 2]> {
    let mut terminal = Terminal::open(ways, way)?;
    let copy = beside_copy.then(|| Copy::start(ways, way)).transpose()?;
    for _ in 0..100 {
        terminal.keystroke()?;
    }
    let mut times = Vec::new();
    for _ in 0..arguments.keystrokes {
        let start = Instant::now();
        terminal.keystroke()?;
        times.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    drop(copy);
    times.sort_by(f64::total_cmp);
    let at = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or(f64::NAN);
    let beside = if beside_copy { " beside a copy" } else { "" };
    let figure = |percent| Figure::new(format!("a keystroke{beside}, p{percent}, {}", way.name), at(percent), "ms");
    Ok([figure(50), figure(99)])
}

/// A session whose far end echoes.
struct Terminal {
    child: Child,
    input: Option<ChildStdin>,
    output: ChildStdout,
}

impl Terminal {
    fn open(ways: &Ways, way: &Way) -> Result<Self> {
        let mut child = ways.ssh(way, "cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().context("ssh has no output")?;
        Ok(Self { input: child.stdin.take(), output, child })
    }

    fn keystroke(&mut self) -> Result<()> {
        self.input.as_mut().context("ssh has no input")?.write_all(b"x")?;
        let mut seen = [0];
        self.output.read_exact(&mut seen)?;
        Ok(())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

/// A download in another session, at full speed for as long as this lives.
struct Copy(Child);

impl Copy {
    fn start(ways: &Ways, way: &Way) -> Result<Self> {
        let mut child = ways.ssh(way, "cat /dev/zero").stdout(Stdio::piped()).spawn()?;
        let mut output = child.stdout.take().context("ssh has no output")?;
        let mut begun = vec![0; 1 << 20];
        output.read_exact(&mut begun)?;
        std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        Ok(Self(child))
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
