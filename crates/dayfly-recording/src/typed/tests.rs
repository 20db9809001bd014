#![allow(clippy::unwrap_used)]
use super::*;
use proptest::prelude::*;

/// What is typed (`T`), printed (`P`) and waited (`W`, in milliseconds), in turn.
#[derive(Clone, Copy, Debug)]
enum Said<'a> {
    T(&'a str),
    P(&'a str),
    W(u64),
}
use Said::{P, T, W};

/// What was seen, and what was not, in turn.
fn told(said: &[Said<'_>]) -> Vec<Typed> {
    let mut typing = Typing::new(80);
    let mut now = Duration::ZERO;
    let mut told = Vec::new();
    for said in said {
        told.extend(match said {
            T(text) => typing.typed(now, text),
            P(text) => typing.printed(now, text),
            W(milliseconds) => {
                now += Duration::from_millis(*milliseconds);
                typing.tick(now)
            }
        });
    }
    told.extend(typing.finish());
    told
}

fn seen(text: &str) -> Typed {
    Typed::Seen(text.to_owned())
}

fn unseen(text: &str) -> Typed {
    Typed::Unseen(text.to_owned())
}

#[test]
fn an_echoed_command_is_seen() {
    assert_eq!(told(&[P("$ "), T("l"), P("l"), T("s"), P("s"), T("\r"), P("\r\n")]), [seen("ls\r")]);
    assert_eq!(told(&[T("ls -l\r"), P("ls -l\r\n")]), [seen("ls -l\r")], "all at once");
    assert_eq!(told(&[T("a\rb\r"), P("a\r\nb\r\nout\r\n$ b\r\n")]), [seen("a\r"), seen("b\r")], "two lines at once");
    assert_eq!(told(&[T("é€\r"), P("é€\r\n")]), [seen("é€\r")]);
    assert_eq!(told(&[T("\r"), P("\r\n$ "), T("\u{3}"), P("^C\r\n")]), [seen("\r"), seen("\u{3}")], "keys tell nothing");
    assert_eq!(told(&[T("\u{1b}[A"), P("ls"), T("\r"), P("\r\n")]), [seen("\u{1b}[A\r")], "a line of the history");
}

#[test]
fn row_39_what_is_not_echoed_is_unseen() {
    assert_eq!(told(&[P("Password: "), T("hunter2\r"), P("\r\n$ ")]), [unseen("hunter2\r")], "su, sudo, passwd");
    assert_eq!(told(&[P("Password: "), T("hunter2\r"), P("*******\r\n")]), [unseen("hunter2\r")], "stars are no echo");
    assert_eq!(told(&[P("alice's password: "), T("alice\r"), P("\r\nalice@db1:~$ ")]), [unseen("alice\r")], "the prompt was there before");
    assert_eq!(told(&[T("hunter2\r"), W(1000), P("hunter2 is no password\r\n")]), [unseen("hunter2\r")], "too late");
    assert_eq!(told(&[T("hun"), W(2000), T("ter2\r"), P("\r\n")]), [unseen("hun"), unseen("ter2\r")], "slowly typed");
    assert_eq!(told(&[T("hunter2")]), [unseen("hunter2")], "the session ends");
    assert_eq!(told(&[T("hunte\u{7f}\u{7f}ter2\r"), P("\r\n")]), [unseen("hunte\u{7f}\u{7f}ter2\r")], "mistyped");
    let flood = "h u n t e r 2 thunder unter 2 ".repeat(20);
    assert_eq!(told(&[T("hun"), P(&flood), T("ter2"), P(&flood), T("\r"), P("\r\n")]), [unseen("hunter2\r")], "beside other output");
    assert_eq!(told(&[P("$ "), T("stty -echo\r"), P("stty -echo\r\n$ "), T("rm x\r"), P("$ ")])[1], unseen("rm x\r"), "stty -echo");
}

#[test]
fn row_39_a_password_that_is_taken_back_again_is_unseen() {
    let taken_back = format!("hunter2{}\r", "\u{7f}".repeat(7));
    assert_eq!(told(&[P("Password: "), T(&taken_back), P("\r\n")]), [unseen(&taken_back)], "all of it");
    let slowly: Vec<Said<'_>> = [P("Password: ")].into_iter().chain("hunter2".split("").filter(|c| !c.is_empty()).map(T)).collect();
    let slowly = [&slowly[..], &[T("\u{7f}"); 7], &[T("\u{3}"), P("\r\n$ ")]].concat();
    assert_eq!(told(&slowly), [unseen(&format!("{}\u{3}", taken_back.trim_end()))], "key by key");
    let another = format!("{}ls\r", taken_back.trim_end());
    assert_eq!(told(&[P("Password: "), T(&another), P("ls\r\n")]), [unseen(&another)], "what comes after it is shown");
    let shown = [T("lx"), P("lx"), T("\u{7f}"), P("\u{8} \u{8}"), T("\u{7f}"), P("\u{8} \u{8}"), T("\r"), P("\r\n")];
    assert_eq!(told(&shown), [seen("lx\u{7f}\u{7f}\r")], "what was shown before");
}

#[test]
fn a_password_between_commands_is_the_only_thing_unseen() {
    let session = [
        T("sudo id\r"),
        P("sudo id\r\n[sudo] password for alice: "),
        W(300),
        T("hunter2\r"),
        P("\r\nuid=0(root)\r\n$ "),
        T("exit\r"),
        P("exit\r\n"),
    ];
    assert_eq!(told(&session), [seen("sudo id\r"), unseen("hunter2\r"), seen("exit\r")]);
    let read_s = [T("read -s x\r"), P("read -s x\r\n"), T("hunter2\r"), P("$ "), W(1500), T("id\r"), P("id\r\n")];
    assert_eq!(told(&read_s), [seen("read -s x\r"), unseen("hunter2\r"), seen("id\r")], "without a line end of its own");
}

#[test]
fn what_line_editors_repaint_is_seen() {
    assert_eq!(told(&[T("lx\u{7f}s\r"), P("lx\u{8} \u{8}s\r\n")]), [seen("lx\u{7f}s\r")], "taken back");
    assert_eq!(told(&[T("cat /et\tpass\r"), P("cat /etc/pass\r\n")]), [seen("cat /et\tpass\r")], "completed");
    let inserted = [T("ac\u{1b}[Db\r"), P("ac\u{8}bc\u{8}\r\n")];
    assert_eq!(told(&inserted), [seen("ac\u{1b}[Db\r")], "into the middle");
    assert_eq!(told(&[T("l"), P("\u{1b}[1ml\u{1b}[m"), T("s\r"), P("\u{8}\u{1b}[32mls\u{1b}[m\r\n")]), [seen("ls\r")], "coloured");
    let long = "x".repeat(100);
    let wrapped = format!("$ {} \r{}\r\n", &long[..78], &long[78..]);
    assert_eq!(told(&[T(&format!("{long}\r")), P(&wrapped)]), [seen(&format!("{long}\r"))], "longer than the terminal is wide");
    let ich = [T("ac\u{1b}[Db\r"), P("ac\u{8}\u{1b}[@b\r\n")];
    assert_eq!(told(&ich), [seen("ac\u{1b}[Db\r")], "by insertion");
}

#[test]
fn what_waits_is_bounded() {
    let mut typing = Typing::new(0);
    let many = "x".repeat(MOST_LINES * LONGEST_LINE * 2);
    assert!(!typing.typed(Duration::ZERO, &many).is_empty());
    assert!(typing.lines.len() <= MOST_LINES);
    assert_eq!(typing.printed(Duration::ZERO, &"y".repeat(MOST_PRINTED as usize + 1)).len(), typing_lines(&many));
    assert!(!typing.is_waiting());
}

fn typing_lines(many: &str) -> usize {
    (many.len() / LONGEST_LINE).min(MOST_LINES)
}

/// Looking for it in everything that is printed must not take long: whoever has a terminal chooses both.
#[test]
fn row_39_no_text_is_costly_to_look_for() {
    let mut typing = Typing::new(0);
    let (typed, printed) = ("b".repeat(LONGEST_LINE), format!("{}c", "b".repeat(LONGEST_LINE - 1)).repeat(48));
    let began = std::time::Instant::now();
    for _ in 0..2 {
        typing.typed(Duration::ZERO, &typed);
        typing.printed(Duration::ZERO, &printed);
    }
    // Minutes, if each character that is printed has all of the line looked through; a second otherwise, without any optimisation.
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}

#[test]
fn what_nobody_saw_is_not_in_debug_output() {
    assert_eq!(format!("{:?}", unseen("hunter2")), "Unseen(7 bytes)");
}

proptest! {
    #[test]
    fn nothing_is_lost_or_invented(pieces in prop::collection::vec((0u8..3, ".{0,12}|[a-c\r\n\t\u{8}\u{1b}\\[0-9A-K@]{0,12}"), 0..20)) {
        let said: Vec<Said<'_>> = pieces.iter().map(|(kind, text)| match kind { 0 => T(text), 1 => P(text), _ => W(400) }).collect();
        let typed: String = pieces.iter().filter(|(kind, _)| *kind == 0).map(|(_, text)| text.as_str()).collect();
        let told: String = told(&said).into_iter().map(|typed| match typed { Typed::Seen(text) | Typed::Unseen(text) => text }).collect();
        prop_assert_eq!(told, typed);
    }

    #[test]
    fn row_39_a_secret_that_is_never_printed_is_never_seen(secret in "[a-z0-9]{1,12}", noise in "[A-Z \r\n\u{8}]{0,40}", at in 0usize..12) {
        let (before, after) = secret.split_at(at.min(secret.len()));
        let told = told(&[P(&noise), T(before), P(&noise), T(after), T("\r"), P(&noise), P("\r\n"), P(&secret)]);
        let shown: String = told.into_iter().filter_map(|typed| if let Typed::Seen(text) = typed { Some(text) } else { None }).collect();
        prop_assert!(!shown.contains(|c: char| c.is_ascii_alphanumeric()), "{shown}");
    }
}
