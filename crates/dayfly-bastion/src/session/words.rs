//! What a person reads when the answer is no.

use dayfly_core::reason::Refusal;

/// The exit status of a session that was refused: `ssh`'s own for errors.
pub const EXIT_REFUSED: u32 = 255;

/// A refusal for a person's terminal: the sentence with its code, and what would change the answer. Without control characters of its own but line ends, which
/// are right in a raw terminal too.
pub fn told(refusal: &Refusal) -> String {
    let mut text = format!("dayfly: {} ({})\r\n", plain(&refusal.message), refusal.reason);
    if !refusal.remedy.is_empty() {
        text.push_str(&format!("dayfly: {}\r\n", plain(&refusal.remedy)));
    }
    text
}

/// A line for a person's terminal that ends nothing.
pub fn notice(message: &str) -> String {
    format!("\r\ndayfly: {}\r\n", plain(message))
}

/// Names from outside may hold escape sequences; a terminal must never see them.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use dayfly_core::reason::Reason;

    #[test]
    fn row_25_no_escape_sequence_reaches_a_terminal() {
        let refusal = Refusal::new(Reason::UnknownTarget, "there is no \u{1b}]52;c;x\u{7}\u{9b}31m", "a\nb");
        let text = told(&refusal);
        assert!(text.ends_with("(unknown_target)\r\ndayfly: a\u{fffd}b\r\n"), "{text:?}");
        assert!(!text.replace("\r\n", "").chars().any(char::is_control));
    }
}
