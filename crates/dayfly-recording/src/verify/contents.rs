//! That what the files say holds together, and goes with the manifest.
//!
//! The digests show that nobody changed the files after they were sealed. This shows that they were sealed whole.

use crate::{
    event::{Event, StreamEnd},
    facts::SessionFacts,
    layout::FileName,
    manifest::Manifest,
    reader::{Cut, Events, Recording},
    verify::VerifyError,
};
use std::{collections::BTreeSet, path::Path, time::Duration};
use time::OffsetDateTime;

/// Returns how many events there are.
pub(crate) fn check(dir: &Path, manifest: &Manifest) -> Result<u64, VerifyError> {
    let recording = Recording::open(dir)?;
    let may_be_cut = manifest.outcome.leaves_files_cut();
    let mut events = recording.events()?;
    let told = Told::read(&mut events, manifest)?;
    is_whole(events.cut(), may_be_cut)?;
    if !told.ended && !may_be_cut {
        return Err(VerifyError::End { file: FileName::Events });
    }
    if told.streams != manifest.streams {
        return Err(VerifyError::Streams { file: FileName::Events });
    }
    let listed: BTreeSet<FileName> = manifest.files.iter().map(|entry| entry.name).filter(|name| *name != FileName::Events).collect();
    // What was cut off may have lost either of the two.
    if let Some(file) = listed.symmetric_difference(&told.terminals).next().filter(|_| !may_be_cut) {
        return Err(VerifyError::Terminal { file: *file });
    }
    for name in listed {
        if let FileName::Terminal(number) = name {
            can_be_played(&recording, number, may_be_cut)?;
        }
    }
    Ok(told.events)
}

/// What the events tell.
#[derive(Default)]
struct Told {
    events: u64,
    time_ms: u64,
    streams: Vec<StreamEnd>,
    terminals: BTreeSet<FileName>,
    ended: bool,
}

impl Told {
    fn read(events: &mut Events, manifest: &Manifest) -> Result<Self, VerifyError> {
        let file = FileName::Events;
        let mut told = Self::default();
        while let Some(line) = events.next().transpose()? {
            let number = events.line();
            if line.seq != told.events {
                return Err(VerifyError::Gap { file, line: number, expected: told.events, found: line.seq });
            }
            if line.time_ms < told.time_ms {
                return Err(VerifyError::BackInTime { file, line: number });
            }
            let first = told.events == 0;
            (told.events, told.time_ms) = (line.seq.saturating_add(1), line.time_ms);
            match line.event {
                _ if told.ended => return Err(VerifyError::Misplaced { file, line: number }),
                Event::Start { .. } if !first => return Err(VerifyError::Misplaced { file, line: number }),
                Event::Start { format, started_at, session } if is_start_of(manifest, format, started_at, &session) => {}
                _ if first => return Err(VerifyError::Start { file }),
                Event::End { outcome, reason } => {
                    told.ended = true;
                    let as_sealed = outcome == manifest.outcome && reason == manifest.reason;
                    if !as_sealed && !manifest.outcome.leaves_files_cut() {
                        return Err(VerifyError::End { file });
                    }
                }
                Event::StreamEnd(end) => told.streams.push(end),
                Event::Pty { terminal, .. } => drop(told.terminals.insert(FileName::Terminal(terminal))),
                _ => {}
            }
        }
        if told.events == 0 { Err(VerifyError::Start { file }) } else { Ok(told) }
    }
}

fn is_start_of(manifest: &Manifest, format: u32, started_at: OffsetDateTime, session: &SessionFacts) -> bool {
    (format, started_at, session) == (manifest.format, manifest.started_at, &manifest.session)
}

fn can_be_played(recording: &Recording, number: u32, may_be_cut: bool) -> Result<(), VerifyError> {
    let file = FileName::Terminal(number);
    let mut terminal = recording.terminal(number)?;
    if terminal.header().is_none() && terminal.cut().is_none() && !may_be_cut {
        return Err(VerifyError::Cut { file, line: 1 });
    }
    let mut time = Duration::ZERO;
    while let Some(event) = terminal.next().transpose()? {
        if event.time < time {
            return Err(VerifyError::BackInTime { file, line: terminal.line() });
        }
        time = event.time;
    }
    is_whole(terminal.cut(), may_be_cut)
}

fn is_whole(cut: Option<Cut>, may_be_cut: bool) -> Result<(), VerifyError> {
    match cut {
        Some(cut) if !may_be_cut => Err(VerifyError::Cut { file: cut.file, line: cut.line }),
        _ => Ok(()),
    }
}
