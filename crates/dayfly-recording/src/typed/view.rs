//! The line that a terminal shows, as far as an echo needs it: what line editors do to repaint what is typed.

/// The longest line that is remembered, in characters.
const LONGEST: usize = 4096;

/// A control character, which is never shown.
const ELSE: char = '\0';

/// A line, wrapped at the terminal's width, and the cursor in it.
#[derive(Debug)]
pub(super) struct View {
    width: usize,
    /// Each character with the number of the one that was printed there.
    cells: Vec<(char, u64)>,
    at: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    Ground,
    Escape,
    /// After an escape and one of ` ( ) * + # %`: one more belongs to it.
    Designation,
    Control(String),
    /// In a title or the like, until its end.
    Text,
    TextEscape,
}

impl View {
    pub(super) fn new(columns: u32) -> Self {
        let mut view = Self { width: 80, cells: Vec::new(), at: 0, state: State::Ground };
        view.resize(columns);
        view
    }

    pub(super) fn resize(&mut self, columns: u32) {
        self.width = match usize::try_from(columns) {
            Ok(0) | Err(_) => 80,
            Ok(columns) => columns.min(LONGEST),
        };
    }

    /// What stands in the line and was printed after the character of number `since`. In the place of all else is what nobody types.
    pub(super) fn since(&self, since: u64) -> String {
        self.cells.iter().map(|(c, number)| if *number > since { *c } else { ELSE }).collect()
    }

    /// Whether `text` stands before the cursor, all of it printed after the character of number `since`.
    pub(super) fn ends_with(&self, text: &[char], since: u64) -> bool {
        let before = self.cells.get(..self.at).unwrap_or_default();
        let Some((_, cells)) = before.len().checked_sub(text.len()).and_then(|begin| before.split_at_checked(begin)) else { return false };
        !text.is_empty() && cells.iter().zip(text).rev().all(|((c, number), t)| c == t && *number > since)
    }

    /// Prints a character of that number.
    pub(super) fn print(&mut self, c: char, number: u64) {
        self.state = match (std::mem::replace(&mut self.state, State::Ground), c) {
            (State::Text, '\u{1b}') => State::TextEscape,
            (State::Text, '\u{7}' | '\u{9c}') | (State::TextEscape, '\\') => State::Ground,
            (State::Text, _) => State::Text,
            (_, '\u{1b}') => State::Escape,
            (State::Escape | State::TextEscape, '[') => State::Control(String::new()),
            (State::Escape | State::TextEscape, ']' | 'P' | 'X' | '^' | '_') => State::Text,
            (State::Escape | State::TextEscape, ' '..='/') => State::Designation,
            (State::Escape | State::TextEscape | State::Designation, _) => State::Ground,
            (State::Control(mut parameters), '\u{20}'..='\u{3f}') if parameters.len() < 32 => {
                parameters.push(c);
                State::Control(parameters)
            }
            (State::Control(parameters), c) => {
                self.control(&parameters, c);
                State::Ground
            }
            (State::Ground, c) => {
                self.ground(c, number);
                State::Ground
            }
        };
    }

    fn ground(&mut self, c: char, number: u64) {
        match c {
            '\n' => self.clear(),
            '\r' => self.at -= self.at % self.width,
            '\u{8}' => self.at = self.at.saturating_sub(1),
            '\t' => self.at += 8 - self.at % 8,
            c if c.is_control() => {}
            c => {
                if self.at >= LONGEST {
                    self.clear();
                }
                if self.at >= self.cells.len() {
                    self.cells.resize(self.at + 1, (' ', 0));
                }
                if let Some(cell) = self.cells.get_mut(self.at) {
                    *cell = (c, number);
                }
                self.at += 1;
            }
        }
        self.at = self.at.min(LONGEST);
    }

    /// What line editors use (ECMA-48). Whatever leads elsewhere on the screen leaves the line.
    fn control(&mut self, parameters: &str, last: char) {
        let count = parameters.split(';').next().and_then(|number| number.parse().ok()).unwrap_or(0_usize);
        let steps = count.clamp(1, LONGEST);
        let row = self.at - self.at % self.width;
        match last {
            'A' => self.at = self.at.saturating_sub(steps * self.width),
            'B' => self.at += steps * self.width,
            'C' => self.at += steps,
            'D' => self.at = self.at.saturating_sub(steps),
            'G' => self.at = row + (steps - 1).min(self.width),
            'K' | 'J' if count == 0 => self.cells.truncate(self.at),
            'P' => {
                let end = (self.at + steps).min(self.cells.len());
                if self.at < end {
                    self.cells.drain(self.at..end);
                }
            }
            '@' if self.at < self.cells.len() => {
                let blanks = std::iter::repeat_n((' ', 0), steps);
                self.cells.splice(self.at..self.at, blanks);
                self.cells.truncate(LONGEST);
            }
            'H' | 'f' | 'd' | 'J' | 'L' | 'M' | 'S' | 'T' | 'E' | 'F' => self.clear(),
            _ => {}
        }
        self.at = self.at.min(LONGEST);
    }

    fn clear(&mut self) {
        self.cells.clear();
        self.at = 0;
    }
}
