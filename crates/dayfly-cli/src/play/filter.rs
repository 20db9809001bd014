//! What of a recorded terminal's output a real terminal is given: text, colours and the cursor. Nothing that sets a clipboard or title, asks the terminal
//! for an answer (which would be typed into the reader's shell), prints, resizes, or resets.

use crate::output::neutral::is_active;

/// The longest control sequence that is looked at, in characters.
const LONGEST_SEQUENCE: usize = 64;

/// The largest parameter: no screen is wider or taller, and some terminals do what they are told this many times.
const LARGEST_PARAMETER: u32 = 9999;

const ESCAPE: char = '\u{1b}';
const BELL: char = '\u{7}';
const CSI: char = '\u{9b}';
const STRING_TERMINATOR: char = '\u{9c}';

/// What is let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// Text, colours and the cursor: for a terminal.
    Screen,
    /// Text and line ends only: for a file or a pipe.
    Text,
}

/// Filters a stream of text, wherever it is cut into pieces.
#[derive(Debug)]
pub struct Filter {
    pass: Pass,
    state: State,
}

#[derive(Debug)]
enum State {
    Ground,
    /// After ESC.
    Escape,
    /// After ESC and one of ` ( ) * + # %…`: one more character belongs to it.
    Designation(String),
    /// After ESC [ or its one-character form.
    Control(String),
    /// In a control sequence that is too long, until its end.
    Overlong,
    /// In OSC, DCS, SOS, PM or APC, until its terminator.
    Text,
    /// In such a string, after ESC.
    TextEscape,
}

impl Filter {
    /// A filter at the beginning of a stream.
    pub fn new(pass: Pass) -> Self {
        Self { pass, state: State::Ground }
    }

    /// The next piece, filtered.
    pub fn filter(&mut self, text: &str) -> String {
        let mut shown = String::with_capacity(text.len());
        text.chars().for_each(|c| self.step(c, &mut shown));
        shown
    }

    fn step(&mut self, c: char, shown: &mut String) {
        // ECMA-48 and DEC STD 070: cancel and substitute end any sequence, and an escape begins a new one wherever it stands.
        if matches!(c, '\u{18}' | '\u{1a}') {
            self.state = State::Ground;
            return;
        }
        self.state = match std::mem::replace(&mut self.state, State::Ground) {
            State::Ground => self.ground(c, shown),
            State::Escape => self.escape(c, shown),
            State::Designation(sequence) => self.designation(sequence, c, shown),
            State::Control(sequence) => self.control(sequence, c, shown),
            State::Overlong => overlong(c),
            State::Text => string(c),
            State::TextEscape if c == '\\' => State::Ground,
            State::TextEscape => self.escape(c, shown),
        };
    }

    fn ground(&self, c: char, shown: &mut String) -> State {
        match c {
            ESCAPE => return State::Escape,
            CSI => return State::Control(String::new()),
            '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}' => return State::Text,
            '\n' | '\t' => shown.push(c),
            '\r' | '\u{8}' if self.pass == Pass::Screen => shown.push(c),
            // Shift in and out choose between text and line drawing.
            '\u{e}' | '\u{f}' if self.pass == Pass::Screen => shown.push(c),
            c if is_active(c) => {}
            c => shown.push(c),
        }
        State::Ground
    }

    fn escape(&self, c: char, shown: &mut String) -> State {
        match c {
            ESCAPE => State::Escape,
            '[' => State::Control(String::new()),
            ']' | 'P' | 'X' | '^' | '_' => State::Text,
            ' '..='/' => State::Designation(c.to_string()),
            // Save and restore the cursor, index, next line, reverse index.
            '7' | '8' | 'D' | 'E' | 'M' => {
                self.show(shown, &format!("{ESCAPE}{c}"));
                State::Ground
            }
            _ => State::Ground,
        }
    }

    fn designation(&self, mut sequence: String, c: char, shown: &mut String) -> State {
        match c {
            ESCAPE => return State::Escape,
            ' '..='/' if sequence.len() < LONGEST_SEQUENCE => {
                sequence.push(c);
                return State::Designation(sequence);
            }
            // Text and line drawing, as the first or second character set.
            'B' | '0' if matches!(sequence.as_str(), "(" | ")") => self.show(shown, &format!("{ESCAPE}{sequence}{c}")),
            _ => {}
        }
        State::Ground
    }

    fn control(&self, mut sequence: String, c: char, shown: &mut String) -> State {
        match c {
            ESCAPE => State::Escape,
            '\u{20}'..='\u{3f}' if sequence.len() >= LONGEST_SEQUENCE => State::Overlong,
            '\u{20}'..='\u{3f}' => {
                sequence.push(c);
                State::Control(sequence)
            }
            '\u{40}'..='\u{7e}' => {
                match sequence.strip_prefix('?') {
                    _ if !is_harmless(&sequence, c) => {}
                    // One mode a sequence, so that whoever looks for a mode finds it.
                    Some(modes) if matches!(c, 'h' | 'l') => {
                        modes.split(';').for_each(|mode| self.show(shown, &format!("{ESCAPE}[?{mode}{c}")));
                    }
                    _ => self.show(shown, &format!("{ESCAPE}[{sequence}{c}")),
                }
                State::Ground
            }
            // Not part of any sequence: a terminal drops it or acts on it, and here it ends the sequence.
            _ => State::Ground,
        }
    }

    fn show(&self, shown: &mut String, sequence: &str) {
        if self.pass == Pass::Screen {
            shown.push_str(sequence);
        }
    }
}

fn overlong(c: char) -> State {
    match c {
        ESCAPE => State::Escape,
        '\u{40}'..='\u{7e}' => State::Ground,
        _ => State::Overlong,
    }
}

fn string(c: char) -> State {
    match c {
        ESCAPE => State::TextEscape,
        BELL | STRING_TERMINATOR => State::Ground,
        _ => State::Text,
    }
}

/// Whether a control sequence only colours, moves the cursor, erases or scrolls (ECMA-48, xterm's ctlseqs).
fn is_harmless(parameters: &str, last: char) -> bool {
    let numbers = parameters.strip_prefix('?').unwrap_or(parameters);
    let is_number = |number: &str| number.is_empty() || number.parse::<u32>().is_ok_and(|number| number <= LARGEST_PARAMETER);
    if !numbers.split([';', ':']).all(is_number) {
        return false;
    }
    match (parameters.starts_with('?'), last) {
        (false, 'm' | 'A'..='H' | 'J' | 'K' | 'L' | 'M' | 'P' | 'S' | 'T' | 'X' | '@' | '`' | 'a' | 'd' | 'e' | 'f' | 'r' | 's' | 'u') => {
            true
        }
        (true, 'J' | 'K') => true,
        (true, 'h' | 'l') => numbers.split(';').all(is_harmless_mode),
        _ => false,
    }
}

/// Wrapping, blinking and visible cursor, and the second screen. Not the mouse, pasting or focus, which make a terminal speak.
fn is_harmless_mode(mode: &str) -> bool {
    matches!(mode, "7" | "12" | "25" | "47" | "1047" | "1048" | "1049")
}

#[cfg(test)]
mod tests;
