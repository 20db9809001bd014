//! What the person sees: lines for people, or JSON for programs. Nothing that others wrote reaches the terminal as more than text.

pub mod neutral;

use crate::error::Failure;
use neutral::{NeutralJson, neutral};
use serde::Serialize;
use std::io::{self, IsTerminal, Write};

/// The form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Lines for people.
    Text,
    /// One JSON value, or one a line where there are many.
    Json,
}

/// Something that can be shown in either form.
pub trait Report: Serialize {
    /// Writes it as lines for people.
    fn text(&self, lines: &mut Lines<'_>) -> io::Result<()>;
}

/// Where reports go: results to the standard output, notices and failures to the standard error.
pub struct Output {
    form: Form,
}

impl Output {
    /// Output in `form`.
    pub fn new(form: Form) -> Self {
        Self { form }
    }

    /// The form that was asked for.
    pub fn form(&self) -> Form {
        self.form
    }

    /// Shows a result.
    pub fn report<R: Report>(&self, report: &R) -> io::Result<()> {
        let mut out = io::stdout().lock();
        match self.form {
            Form::Text => report.text(&mut Lines::new(&mut out))?,
            Form::Json => json_line(&mut out, report)?,
        }
        out.flush()
    }

    /// Writes text that is the result itself, such as a configuration: our own, line by line, in either form.
    pub fn document(&self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        let mut lines = Lines::new(&mut out);
        text.lines().try_for_each(|line| lines.line(line))?;
        out.flush()
    }

    /// Parts one report from the next, for people.
    pub fn separator(&self) -> io::Result<()> {
        if self.form == Form::Json { Ok(()) } else { writeln!(io::stdout().lock()) }
    }

    /// Tells something beside the result, to people only.
    pub fn notice(&self, text: &str) -> io::Result<()> {
        if self.form == Form::Json { Ok(()) } else { Lines::new(&mut io::stderr().lock()).line(text) }
    }

    /// Tells something beside the result that a program needs as well: lines for people, or one JSON value, on the standard error.
    pub fn announce<R: Report>(&self, report: &R) -> io::Result<()> {
        let mut error = io::stderr().lock();
        match self.form {
            Form::Text => report.text(&mut Lines::new(&mut error)),
            Form::Json => json_line(&mut error, report),
        }
    }

    /// Overwrites one line of progress on a terminal; elsewhere says nothing. An empty text clears it.
    pub fn progress(&self, text: &str) -> io::Result<()> {
        const CLEAR_LINE: &str = "\r\u{1b}[K";
        let mut error = io::stderr().lock();
        if self.form == Form::Json || !error.is_terminal() {
            return Ok(());
        }
        write!(error, "{CLEAR_LINE}{}", neutral(text))?;
        error.flush()
    }

    /// Tells a failure, in its form, on the standard error.
    pub fn failure(&self, failure: &Failure) -> io::Result<()> {
        let mut error = io::stderr().lock();
        match self.form {
            Form::Json => json_line(&mut error, &serde_json::json!({ "error": failure })),
            Form::Text => {
                let mut lines = Lines::new(&mut error);
                lines.line(&format!("dayfly: {}", failure.message))?;
                if let Some(cause) = &failure.cause {
                    lines.line(&format!("  cause: {cause}"))?;
                }
                if let Some(code) = &failure.code {
                    lines.line(&format!("  code:  {code}"))?;
                }
                if let Some(ruling) = failure.ruling.as_deref().filter(|ruling| !ruling.missing.is_empty()) {
                    let methods = if ruling.methods.is_empty() { String::new() } else { format!(" (by {})", ruling.methods.join(" or ")) };
                    lines.line(&format!("  missing: {}{methods}", ruling.missing.join(", ")))?;
                }
                if let Some(remedy) = &failure.remedy {
                    lines.line(&format!("  next:  {remedy}"))?;
                }
                Ok(())
            }
        }
    }
}

/// Lines of text. Every line is neutralised on its way out, whoever wrote it.
pub struct Lines<'a> {
    out: &'a mut dyn Write,
}

impl<'a> Lines<'a> {
    /// Lines into `out`.
    pub fn new(out: &'a mut dyn Write) -> Self {
        Self { out }
    }

    /// One line.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{}", neutral(text).trim_end_matches(' '))
    }

    /// A name and a value, values in one column.
    pub fn field(&mut self, name: &str, value: &str) -> io::Result<()> {
        self.line(&format!("{name:<14} {value}"))
    }

    /// Rows in columns. The first row is the heading.
    pub fn table(&mut self, rows: &[Vec<String>]) -> io::Result<()> {
        let shown: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| neutral(cell).into_owned()).collect()).collect();
        let columns = shown.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| shown.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &shown {
            let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            self.line(&cells.join("  "))?;
        }
        Ok(())
    }
}

fn json_line<T: Serialize>(out: &mut dyn Write, value: &T) -> io::Result<()> {
    let mut text = Vec::new();
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut text, NeutralJson))?;
    text.push(b'\n');
    out.write_all(&text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn row_25_a_line_holds_nothing_that_a_terminal_obeys() {
        let mut out = Vec::new();
        let mut lines = Lines::new(&mut out);
        lines.line("a\u{1b}]52;c;ZXZpbA==\u{7}b\r\nc\u{202e}d").unwrap();
        lines.table(&[vec!["\u{9b}31m".to_owned(), "x".to_owned()]]).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().count(), 2, "{text:?}");
        assert!(!text.chars().any(|c| c != '\n' && (c.is_control() || c == '\u{202e}')), "{text:?}");
    }

    #[test]
    fn row_25_json_holds_nothing_that_a_terminal_obeys_and_reads_back() {
        let hostile = "a\u{9d}0;title\u{7f}\u{202e}\u{2066}\u{feff}\"\\\u{1b}\n\u{e0041}é";
        let mut out = Vec::new();
        json_line(&mut out, &serde_json::json!({ "name": hostile })).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.trim_end().chars().all(|c| c.is_ascii_graphic() || c == 'é'), "{text:?}");
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["name"], hostile);
    }
}
