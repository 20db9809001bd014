//! Which typed characters a terminal would echo as they are.

/// What a typed character does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// A terminal that echoes shows it.
    Character,
    /// Takes the character before it back.
    Erase,
    /// Ends the line, or what is being typed.
    End,
    /// Something else: a control character, or a part of a key's sequence.
    Control,
}

/// Tells sequences that keys send (ECMA-48 control sequences, and SS3) from what is typed.
#[derive(Debug, Default)]
pub(super) struct Keys(State);

#[derive(Debug, Default)]
enum State {
    #[default]
    Ground,
    Escape,
    /// After `ESC [`.
    Control,
    /// After `ESC O`: one more.
    Single,
}

impl Keys {
    pub(super) fn key(&mut self, c: char) -> Key {
        let (state, key) = match (&self.0, c) {
            (_, '\u{1b}') => (State::Escape, Key::Control),
            // Enter, interrupt, end of file.
            (_, '\r' | '\n' | '\u{3}' | '\u{4}') => (State::Ground, Key::End),
            (State::Escape, '[') => (State::Control, Key::Control),
            (State::Escape, 'O') => (State::Single, Key::Control),
            (State::Single, _) => (State::Ground, Key::Control),
            (State::Control, '\u{20}'..='\u{3f}') => (State::Control, Key::Control),
            (State::Control, '\u{40}'..='\u{7e}') => (State::Ground, Key::Control),
            (_, '\u{8}' | '\u{7f}') => (State::Ground, Key::Erase),
            (_, c) if c.is_control() => (State::Ground, Key::Control),
            _ => (State::Ground, Key::Character),
        };
        self.0 = state;
        key
    }
}
