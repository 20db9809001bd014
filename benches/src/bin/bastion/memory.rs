//! Memory of what stands between, an idle session.

use super::{
    Arguments, renew,
    ways::{Way, Ways},
};
use anyhow::{Context, Result};
use dayfly_benches::{Figure, process::memory_of_tree};
use std::{
    io::Read,
    process::{Child, Stdio},
};

pub(crate) fn measure(arguments: &Arguments, ways: &Ways) -> Result<Vec<Figure>> {
    renew(arguments)?;
    let base = of(arguments, ways, &ways.reference)?;
    let mut figures = vec![base.clone()];
    for way in &ways.ours {
        figures.push(of(arguments, ways, way)?.beside(&base));
    }
    Ok(figures)
}

fn of(arguments: &Arguments, ways: &Ways, way: &Way) -> Result<Figure> {
    let before = memory_of_tree(way.server)?;
    let _open = Open::sessions(arguments.idle, ways, way)?;
    let each = (memory_of_tree(way.server)? - before) / f64::from(arguments.idle);
    Ok(Figure::new(format!("memory an idle session of {}, {}", arguments.idle, way.name), each, "KiB"))
}

/// Sessions that wait for their input's end, which comes when this is dropped.
struct Open(Vec<Child>);

impl Open {
    fn sessions(count: u32, ways: &Ways, way: &Way) -> Result<Self> {
        let mut open = Self(Vec::new());
        for _ in 0..count {
            let mut child = ways.ssh(way, "echo here; cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
            let mut greeting = [0; 5];
            child.stdout.as_mut().context("ssh has no output")?.read_exact(&mut greeting)?;
            open.0.push(child);
        }
        Ok(open)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        for child in &mut self.0 {
            drop(child.stdin.take());
            let _ = child.wait();
        }
    }
}
