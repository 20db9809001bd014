//! Making text that others wrote harmless to a terminal: what a terminal or a reader's eye would obey is spelled out instead.

use serde_json::ser::{CharEscape, Formatter};
use std::{borrow::Cow, fmt::Write as _, io};

/// `text` with every character that moves a cursor, starts an escape sequence, reorders or hides text written as `\u{…}`.
pub fn neutral(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_active) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            c if is_active(c) => {
                let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
            }
            c => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// Whether a terminal or a reader's eye would do more with `c` than see it.
pub fn is_active(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            // Zero width, direction marks, line and paragraph separators, embeddings, isolates, invisible operators.
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            // What arranges hieroglyphs, shorthand and music, and is not seen itself.
            | '\u{13430}'..='\u{1345f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            // Tags and variation selectors, which carry invisible text.
            | '\u{e0000}'..='\u{e0fff}'
            // Private use: whatever the reader's font makes of it.
            | '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}'
            | '\u{fdd0}'..='\u{fdef}')
        // The last two of every plane are no characters, and readers disagree about what to do with them.
        || u32::from(c) & 0xfffe == 0xfffe
}

/// Compact JSON whose strings hold no active character as itself. It reads back as what it was.
pub struct NeutralJson;

impl Formatter for NeutralJson {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((index, c)) = rest.char_indices().find(|(_, c)| is_active(*c)) {
            let (before, after) = rest.split_at(index);
            writer.write_all(before.as_bytes())?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = after.strip_prefix(c).unwrap_or_default();
        }
        writer.write_all(rest.as_bytes())
    }

    fn write_char_escape<W: ?Sized + io::Write>(&mut self, writer: &mut W, escape: CharEscape) -> io::Result<()> {
        serde_json::ser::CompactFormatter.write_char_escape(writer, escape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_25_sequences_bidi_and_invisible_characters_are_spelled_out() {
        assert_eq!(neutral("plain é 漢字 →"), "plain é 漢字 →");
        assert_eq!(neutral("\u{1b}]8;;https://evil.example\u{1b}\\x"), "\\u{1b}]8;;https://evil.example\\u{1b}\\x");
        assert_eq!(neutral("a\r\nb\tc"), "a\\r\\nb\\tc");
        for c in [
            '\0',
            '\u{7}',
            '\u{7f}',
            '\u{85}',
            '\u{90}',
            '\u{9b}',
            '\u{9d}',
            '\u{200b}',
            '\u{200f}',
            '\u{2028}',
            '\u{202e}',
            '\u{2069}',
            '\u{feff}',
            '\u{1d173}',
            '\u{1bca0}',
            '\u{13430}',
            '\u{e0b0}',
            '\u{f0000}',
            '\u{10fffd}',
            '\u{fdd0}',
            '\u{ffff}',
            '\u{1fffe}',
        ] {
            assert_eq!(neutral(&c.to_string()), format!("\\u{{{:x}}}", u32::from(c)));
        }
    }
}
