//! What the benchmarks share: how a rate is measured and how it is shown beside its reference.

pub mod custody;
pub mod device;
pub mod process;
pub mod raw;
pub mod reference;

use serde::Serialize;
use std::{
    fmt,
    time::{Duration, Instant},
};

/// A figure, its unit, and its ratio to a reference that was measured in the same run.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    /// What was measured.
    pub name: String,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: &'static str,
    /// The reference's name; none for a reference itself.
    pub reference: Option<String>,
    /// This figure divided by the reference's.
    pub ratio: Option<f64>,
}

impl Figure {
    /// A figure by itself.
    pub fn new(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { name: name.into(), value, unit, reference: None, ratio: None }
    }

    /// The figure beside its reference.
    pub fn beside(mut self, reference: &Figure) -> Self {
        self.ratio = Some(self.value / reference.value);
        self.reference = Some(reference.name.clone());
        self
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<58} {:>12.1} {}", self.name, self.value, self.unit)?;
        match (&self.reference, self.ratio) {
            (Some(reference), Some(ratio)) => write!(f, "   {ratio:.2} × {reference}"),
            _ => Ok(()),
        }
    }
}

/// Prints figures for people, or an object a line for machines.
pub fn show(figures: &[Figure], json: bool) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    for figure in figures {
        let line = if json { serde_json::to_string(figure)? } else { figure.to_string() };
        std::io::Write::write_all(&mut out, format!("{line}\n").as_bytes())?;
    }
    Ok(())
}

/// How often a second `work` can be done, on this thread, over about `span`.
pub fn rate(span: Duration, mut work: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    for _ in 0..20 {
        work()?;
    }
    let (start, mut done) = (Instant::now(), 0_u32);
    while start.elapsed() < span {
        for _ in 0..10 {
            work()?;
        }
        done += 10;
    }
    Ok(f64::from(done) / start.elapsed().as_secs_f64())
}

/// How often a second `work` can be done on `threads` threads together, over about `span`.
pub fn rate_on(threads: usize, span: Duration, work: impl Fn() -> anyhow::Result<()> + Sync) -> anyhow::Result<f64> {
    let rates: Vec<anyhow::Result<f64>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(|| rate(span, &work))).collect();
        let panicked = || Err(anyhow::anyhow!("a thread of the benchmark panicked"));
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| panicked())).collect()
    });
    rates.into_iter().sum()
}
