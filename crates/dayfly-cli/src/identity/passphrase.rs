//! Asking for a passphrase on the terminal, and nowhere else: standard input may be a pipe that somebody else writes.

use crate::output::neutral::neutral;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::{
    fs::File,
    io::{self, Read, Write},
};
use zeroize::Zeroizing;

/// The longest passphrase, in bytes.
const LONGEST: usize = 1024;

const INTERRUPT: u8 = 0x03;
const END_OF_INPUT: u8 = 0x04;
const ERASE_LINE: u8 = 0x15;
const BACKSPACE: u8 = 0x08;
const DELETE: u8 = 0x7f;

/// Shows `prompt` on the terminal and reads a line that is not shown.
pub(super) fn ask(prompt: &str) -> io::Result<Zeroizing<String>> {
    ask_at(
        &terminal().map_err(|_| {
            io::Error::other("the key is encrypted and there is no terminal to ask for its passphrase: add it to the agent with ssh-add")
        })?,
        prompt,
    )
}

/// The terminal that the person sits at, if there is one.
pub fn terminal() -> io::Result<File> {
    File::options().read(true).write(true).open("/dev/tty")
}

/// Shows `prompt` on this terminal and reads a line that is not shown.
pub fn ask_at(terminal: &File, prompt: &str) -> io::Result<Zeroizing<String>> {
    // Silent before it asks: whoever answers at once is not shown, and loses nothing.
    let quiet = Quiet::begin(terminal)?;
    write!(&*terminal, "{}", neutral(prompt))?;
    let line = read_line(terminal);
    drop(quiet);
    writeln!(&*terminal)?;
    line
}

/// Reads byte by byte: with signals off, an interruption is a byte as well, so the terminal never stays silent.
fn read_line(mut input: impl Read) -> io::Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(Vec::with_capacity(LONGEST));
    let mut byte = [0];
    loop {
        if input.read(&mut byte)? == 0 {
            break;
        }
        match byte {
            [b'\n' | b'\r'] => break,
            [INTERRUPT] => return Err(io::Error::other("interrupted")),
            [END_OF_INPUT] if line.is_empty() => return Err(io::Error::other("no passphrase was given")),
            [ERASE_LINE] => line.clear(),
            [BACKSPACE | DELETE] => {
                // The whole character, of which only the first byte is not a continuation.
                while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
            }
            [byte] if line.len() < LONGEST => line.push(byte),
            _ => return Err(io::Error::other("the passphrase is too long")),
        }
    }
    let text = std::str::from_utf8(&line).map_err(|_| io::Error::other("the passphrase is not UTF-8"))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// A terminal that shows nothing, until this is dropped.
struct Quiet<'a> {
    terminal: &'a File,
    before: Termios,
}

impl<'a> Quiet<'a> {
    fn begin(terminal: &'a File) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(terminal, OptionalActions::Flush, &silent)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        // If the terminal is gone there is nothing to restore.
        let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_line_is_edited_as_a_terminal_would() {
        assert_eq!(*read_line(&b"secret\nrest"[..]).unwrap(), "secret");
        assert_eq!(*read_line(&b"wrong\x15right\r"[..]).unwrap(), "right");
        assert_eq!(*read_line("aé\u{7f}\u{7f}\u{7f}b\n".as_bytes()).unwrap(), "b");
        assert_eq!(*read_line(&b"no newline"[..]).unwrap(), "no newline");
    }

    #[test]
    fn an_interruption_and_what_is_no_text_are_errors() {
        for input in [&b"ab\x03c\n"[..], b"\x04", b"\xff\n", &[b'x'; LONGEST + 1]] {
            assert!(read_line(input).is_err(), "{input:?}");
        }
    }
}
