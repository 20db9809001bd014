//! What a person types into a terminal, kept apart: what the terminal echoed, and what it did not. Pure: no I/O, no clock.
//!
//! Whether a terminal echoes is known to the target alone, so this is a guess, made to err on the side of silence: what is typed is held back until its text
//! is seen in what the terminal prints, in one piece and after it was typed. It is given up as unseen when the line ends without it, after [`PATIENCE`], or
//! when too much was typed or printed. What full-screen programs do with single keys is mostly unseen, too.

mod keys;
mod view;

use keys::{Key, Keys};
use std::{collections::VecDeque, time::Duration};
use view::View;

/// How long the echo of what was typed is waited for.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// How many characters are decided about at once.
const LONGEST_LINE: usize = 1024;

/// How many characters may be printed before what was typed is given up.
const MOST_PRINTED: u64 = 64 * 1024;

/// How many lines may wait for their echo.
const MOST_LINES: usize = 64;

/// How many runs of characters are decided about at once, those that were taken back again included.
const MOST_RUNS: usize = 32;

/// What became of something that was typed.
#[derive(Clone, PartialEq, Eq)]
pub enum Typed {
    /// The terminal showed it.
    Seen(String),
    /// Nobody saw it: a password, perhaps.
    Unseen(String),
}

/// Watches one terminal.
pub struct Typing {
    keys: Keys,
    view: View,
    /// What is not decided yet, oldest first. The last one may grow.
    lines: VecDeque<Line>,
    printed: u64,
}

/// What was typed up to the end of a line, or a pause.
struct Line {
    text: String,
    /// The runs of characters in it that a terminal would echo as they are.
    runs: Vec<Run>,
    /// A further character belongs to the last run.
    is_running: bool,
    /// The last run has grown since something of it was taken back.
    has_grown: bool,
    characters: usize,
    ended: bool,
    last: Duration,
    /// How much had been printed before.
    since: u64,
}

struct Run {
    text: Vec<char>,
    found: bool,
}

impl Typing {
    /// A terminal of so many columns; 0 if nobody said.
    pub fn new(columns: u32) -> Self {
        Self { keys: Keys::default(), view: View::new(columns), lines: VecDeque::new(), printed: 0 }
    }

    /// The terminal has so many columns from now on.
    pub fn resize(&mut self, columns: u32) {
        self.view.resize(columns);
    }

    /// Something was typed at `now`.
    pub fn typed(&mut self, now: Duration, text: &str) -> Vec<Typed> {
        let mut decided = self.overdue(now);
        for c in text.chars() {
            let key = self.keys.key(c);
            if self.lines.back().is_none_or(Line::is_full) {
                self.lines.push_back(Line::new(self.printed));
            }
            if let Some(line) = self.lines.back_mut() {
                line.take(now, c, key);
            }
            if self.lines.len() > MOST_LINES {
                decided.extend(self.decide_first());
            }
        }
        self.settle(&mut decided);
        decided
    }

    /// Something was printed at `now`.
    pub fn printed(&mut self, now: Duration, text: &str) -> Vec<Typed> {
        let mut decided = self.overdue(now);
        for c in text.chars() {
            self.printed += 1;
            if self.lines.is_empty() {
                self.view.print(c, self.printed);
                continue;
            }
            if c == '\n' && self.lines.front().is_some_and(|line| line.ended) {
                decided.extend(self.decide_first());
                self.settle(&mut decided);
            }
            self.view.print(c, self.printed);
            // What is shown may be moved apart again by what follows.
            if let Some(line) = self.lines.front_mut() {
                line.runs.iter_mut().filter(|run| !run.found).for_each(|run| run.found = self.view.ends_with(&run.text, line.since));
            }
        }
        while self.lines.front().is_some_and(|line| self.printed - line.since > MOST_PRINTED) {
            decided.extend(self.decide_first());
        }
        self.settle(&mut decided);
        decided
    }

    /// Nothing happened, and it is `now`.
    pub fn tick(&mut self, now: Duration) -> Vec<Typed> {
        self.overdue(now)
    }

    /// Whether something waits to be decided about, so that [`Self::tick`] should be called.
    pub fn is_waiting(&self) -> bool {
        !self.lines.is_empty()
    }

    /// The terminal is closed: what was not seen is unseen.
    pub fn finish(&mut self) -> Vec<Typed> {
        let mut decided = Vec::new();
        while !self.lines.is_empty() {
            decided.extend(self.decide_first());
        }
        decided
    }

    fn overdue(&mut self, now: Duration) -> Vec<Typed> {
        let mut decided = Vec::new();
        while self.lines.front().is_some_and(|line| now.saturating_sub(line.last) >= PATIENCE) {
            decided.extend(self.decide_first());
        }
        self.settle(&mut decided);
        decided
    }

    /// Keys that no terminal echoes as they are tell nothing, and wait for nothing.
    fn settle(&mut self, decided: &mut Vec<Typed>) {
        while self.lines.front().is_some_and(|line| line.ended && line.runs.iter().all(|run| run.text.is_empty())) {
            decided.extend(self.decide_first());
        }
        self.look();
    }

    fn look(&mut self) {
        let Some(line) = self.lines.front_mut().filter(|line| line.runs.iter().any(|run| !run.found)) else { return };
        let shown = self.view.since(line.since);
        for run in line.runs.iter_mut().filter(|run| !run.found) {
            run.found = !run.text.is_empty() && shown.contains(&run.text.iter().collect::<String>());
        }
    }

    fn decide_first(&mut self) -> Option<Typed> {
        let line = self.lines.pop_front()?;
        let seen = line.runs.iter().all(|run| run.found || run.text.is_empty());
        Some(if seen { Typed::Seen(line.text) } else { Typed::Unseen(line.text) })
    }
}

impl Line {
    fn new(since: u64) -> Self {
        Self {
            text: String::new(),
            runs: Vec::new(),
            is_running: false,
            has_grown: false,
            characters: 0,
            ended: false,
            last: Duration::ZERO,
            since,
        }
    }

    /// Whether what is typed next belongs to another one.
    fn is_full(&self) -> bool {
        self.ended || self.characters >= LONGEST_LINE || self.runs.len() >= MOST_RUNS
    }

    fn take(&mut self, now: Duration, c: char, key: Key) {
        self.text.push(c);
        self.characters += 1;
        self.last = now;
        match key {
            Key::Character => {
                if !std::mem::replace(&mut self.is_running, true) {
                    self.runs.push(Run { text: Vec::new(), found: false });
                }
                if let Some(run) = self.runs.last_mut() {
                    run.text.push(c);
                    run.found = false;
                    self.has_grown = true;
                }
            }
            Key::Erase => self.take_back(),
            Key::End => self.ended = true,
            Key::Control => self.is_running = false,
        }
    }

    /// A character is taken back: a password that was given up, perhaps. So what stood there must have been shown too.
    fn take_back(&mut self) {
        let Some(run) = self.runs.last_mut().filter(|_| self.is_running) else { return };
        let before = Run { text: run.text.clone(), found: run.found };
        run.text.pop();
        run.found = false;
        if std::mem::take(&mut self.has_grown) && !before.found {
            let last = self.runs.len().saturating_sub(1);
            self.runs.insert(last, before);
        }
    }
}

impl std::fmt::Debug for Typed {
    /// Never shows what nobody saw.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Seen(text) => f.debug_tuple("Seen").field(text).finish(),
            Self::Unseen(text) => write!(f, "Unseen({} bytes)", text.len()),
        }
    }
}

#[cfg(test)]
mod tests;
