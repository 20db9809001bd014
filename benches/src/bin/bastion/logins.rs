//! Logins: how long one takes, how many go through at a time, and what one costs the server that stands between.

use super::{
    Arguments, renew,
    ways::{Way, Ways},
};
use anyhow::{Result, ensure};
use dayfly_benches::Figure;
use std::{thread, time::Instant};

pub(crate) fn measure(arguments: &Arguments, ways: &Ways) -> Result<Vec<Figure>> {
    renew(arguments)?;
    let mut figures = Vec::new();
    let (in_row, cost) = in_a_row(arguments, ways, &ways.reference)?;
    let at_once = at_a_time(arguments, ways, &ways.reference)?;
    figures.extend([in_row.clone(), cost.clone(), at_once.clone()]);
    let (direct, direct_cost) = in_a_row(arguments, ways, &ways.direct)?;
    figures.extend([direct.beside(&in_row), direct_cost.beside(&cost), at_a_time(arguments, ways, &ways.direct)?.beside(&at_once)]);
    for way in &ways.ours {
        renew(arguments)?;
        let (own, own_cost) = in_a_row(arguments, ways, way)?;
        figures.extend([own.beside(&in_row), own_cost.beside(&cost), at_a_time(arguments, ways, way)?.beside(&at_once)]);
    }
    Ok(figures)
}

fn in_a_row(arguments: &Arguments, ways: &Ways, way: &Way) -> Result<(Figure, Figure)> {
    let (start, before) = (Instant::now(), way.core_seconds()?);
    for _ in 0..arguments.logins {
        login(ways, way)?;
    }
    let logins = f64::from(arguments.logins);
    let (took, spent) = (start.elapsed().as_secs_f64(), way.core_seconds()? - before);
    Ok((
        Figure::new(format!("a login, {}", way.name), took * 1000.0 / logins, "ms"),
        Figure::new(format!("a login, {}, core of the server", way.name), spent * 1000.0 / logins, "ms"),
    ))
}

fn at_a_time(arguments: &Arguments, ways: &Ways, way: &Way) -> Result<Figure> {
    let lanes = thread::available_parallelism()?.get() * 2;
    let start = Instant::now();
    let done: Result<u32> = thread::scope(|scope| {
        let lane = || (0..arguments.logins / 2).try_fold(0, |done, _| login(ways, way).map(|()| done + 1));
        let lanes: Vec<_> = (0..lanes).map(|_| scope.spawn(lane)).collect();
        let panicked = || Err(anyhow::anyhow!("a thread of the benchmark panicked"));
        lanes.into_iter().map(|lane| lane.join().unwrap_or_else(|_| panicked())).sum()
    });
    let rate = f64::from(done?) / start.elapsed().as_secs_f64();
    Ok(Figure::new(format!("logins, {lanes} at a time, {}", way.name), rate, "logins/s"))
}

fn login(ways: &Ways, way: &Way) -> Result<()> {
    ensure!(ways.ssh(way, "true").status()?.success(), "ssh failed, {}", way.name);
    Ok(())
}
