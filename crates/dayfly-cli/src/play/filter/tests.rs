#![allow(clippy::unwrap_used)]
use super::*;

fn screen(text: &str) -> String {
    Filter::new(Pass::Screen).filter(text)
}

#[test]
fn text_colours_and_the_cursor_pass() {
    for text in [
        "plain é 漢字 →\r\n\tx\u{8}",
        "\u{1b}[31;1mred\u{1b}[0m",
        "\u{1b}[38;5;200mx\u{1b}[38:2::1:2:3m",
        "\u{1b}[2J\u{1b}[H\u{1b}[10;20H\u{1b}[3A\u{1b}[K",
        "\u{1b}[?25l\u{1b}[?1049h",
        "\u{1b}7\u{1b}8\u{1b}M\u{1b}(0lqk\u{1b}(B\u{e}x\u{f}",
    ] {
        assert_eq!(screen(text), text);
    }
    assert_eq!(screen("\u{1b}[?1049;25l"), "\u{1b}[?1049l\u{1b}[?25l");
}

#[test]
fn row_25_what_a_terminal_would_obey_does_not_pass() {
    for hostile in [
        "\u{1b}]52;c;ZXZpbA==\u{7}",
        "\u{1b}]52;c;ZXZpbA==\u{1b}\\",
        "\u{9d}52;c;ZXZpbA==\u{9c}",
        "\u{1b}]0;title\u{7}",
        "\u{1b}]8;;https://evil.example\u{7}",
        "\u{1b}P+q544e\u{1b}\\",
        "\u{1b}_apc\u{1b}\\",
        "\u{1b}^pm\u{1b}\\",
        "\u{1b}Xsos\u{1b}\\",
        "\u{1b}[6n",
        "\u{1b}[c",
        "\u{1b}[>c",
        "\u{1b}[=c",
        "\u{1b}[0x",
        "\u{1b}[21t",
        "\u{1b}[8;10;10t",
        "\u{1b}[5i",
        "\u{1b}[?1000h",
        "\u{1b}[?2004h",
        "\u{1b}[?6h",
        "\u{1b}[?25;1000h",
        "\u{1b}[20h",
        "\u{1b}[!p",
        "\u{1b}[\"q",
        "\u{1b}[>0q",
        "\u{1b}[999999999S",
        "\u{9b}6n",
        "\u{1b}c",
        "\u{1b}Z",
        "\u{1b}#8",
        "\u{1b}%G",
        "\u{1b}(A",
        "\u{5}",
        "\u{7}",
        "\u{0}",
        "\u{7f}",
        "\u{85}",
        "\u{202e}",
        "\u{2066}",
        "\u{200b}",
    ] {
        assert_eq!(screen(&format!("a{hostile}b")), "ab", "{hostile:?}");
        assert_eq!(Filter::new(Pass::Text).filter(&format!("a{hostile}b")), "ab", "{hostile:?}");
    }
}

#[test]
fn row_25_a_sequence_in_pieces_is_still_one() {
    let text = "a\u{1b}]52;c;ZXZpbA==\u{7}b\u{1b}[31mc\u{1b}[6nd\u{1b}(0e";
    let whole = screen(text);
    let mut filter = Filter::new(Pass::Screen);
    let pieces: String = text.chars().map(|c| filter.filter(&c.to_string())).collect();
    assert_eq!(pieces, whole);
    assert_eq!(whole, "ab\u{1b}[31mcd\u{1b}(0e");
}

#[test]
fn row_25_no_sequence_hides_in_another() {
    assert_eq!(screen("\u{1b}[\u{1b}]52;c;x\u{7}31mz"), "31mz");
    assert_eq!(screen("\u{1b}]0;a\u{1b}[31mb\u{7}c"), "\u{1b}[31mbc", "an escape ends the string, as in terminals");
    assert_eq!(screen("\u{1b}\u{1b}[6n"), "");
    assert_eq!(screen(&format!("\u{1b}[{}m\u{1b}[6nx", "1;".repeat(100))), "x");
    assert_eq!(screen("\u{1b}[3\u{18}1mx"), "1mx");
    assert_eq!(screen("\u{1b}(\u{1b}c\u{1b}[6nx"), "x");
}

#[test]
fn in_a_file_there_is_text_only() {
    let text = "\u{1b}[31mred\u{1b}[0m\r\n\u{1b}[2Jnext\u{8}\u{1b}7\u{1b}(0q\u{1b}(B";
    assert_eq!(Filter::new(Pass::Text).filter(text), "red\nnextq");
}

#[test]
fn whatever_comes_in_only_known_sequences_go_out() {
    // A small generator of its own: the same inputs in every run.
    let alphabet =
        ['\u{1b}', '[', ']', '5', '2', ';', 'c', 'n', 'm', '?', 'h', 'P', '\\', '\u{7}', '\u{9b}', '\u{9d}', 'a', '(', '0', '\u{18}'];
    let mut seed = 7_u64;
    for _ in 0..5000 {
        let mut text = String::new();
        for _ in 0..24 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push(alphabet[(seed >> 33) as usize % alphabet.len()]);
        }
        let shown = screen(&text);
        assert_eq!(screen(&shown), shown, "{text:?}");
        assert!(!shown.contains(['\u{7}', '\u{9b}', '\u{9d}']), "{text:?}");
        for sequence in shown.split(ESCAPE).skip(1) {
            assert!(sequence.starts_with(['[', '(', ')']), "{text:?} gives {shown:?}");
        }
    }
}
