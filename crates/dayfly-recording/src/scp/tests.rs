#![allow(clippy::unwrap_used)]
use super::*;
use proptest::prelude::*;

/// What the sending side (`S`) and the other one (`R`) say, in turn.
#[derive(Clone, Copy, Debug)]
enum Said<'a> {
    S(&'a [u8]),
    R(&'a [u8]),
}
use Said::{R, S};

fn followed(said: &[Said<'_>], is_upload: bool, cut: usize) -> Result<Vec<Event>, ScpError> {
    let mut scp = if is_upload { Scp::upload(0) } else { Scp::download(0) };
    let mut events = Vec::new();
    for said in said {
        let (bytes, from_client) = match said {
            S(bytes) => (bytes, is_upload),
            R(bytes) => (bytes, !is_upload),
        };
        for part in bytes.chunks(cut) {
            events.extend(if from_client { scp.from_client(part)? } else { scp.from_target(part)? });
        }
    }
    events.extend(scp.finish());
    Ok(events)
}

const A_TREE: [Said<'_>; 22] = [
    R(b"\0"),
    S(b"T1700000000 0 1700000001 0\n"),
    R(b"\0"),
    S(b"D0755 0 dir\n"),
    R(b"\0"),
    S(b"C0644 5 a\x1b b\n"),
    R(b"\0"),
    S(b"hello\0"),
    R(b"\0"),
    S(b"C0600 0 empty\n"),
    R(b"\0"),
    S(b"\0"),
    R(b"\0"),
    S(b"C0600 3 refused\n"),
    R(b"\x01scp: refused: Permission denied\n"),
    S(b"E\n"),
    R(b"\0"),
    S(b"\x01scp: gone: No such file or directory\n"),
    S(b"C0600 3 half\n"),
    R(b"\0"),
    S(b"ab"),
    R(b""),
];

#[test]
fn a_tree_is_told_file_by_file() {
    for is_upload in [true, false] {
        let events = followed(&A_TREE, is_upload, usize::MAX).unwrap();
        let text: Vec<String> = events.iter().map(|event| serde_json::to_string(event).unwrap()).collect();
        let text = text.join("\n");
        for part in [
            format!(
                r#"{{"event":"scp","channel":0,"number":0,"is_upload":{is_upload},"is_directory":true,"directory":"","name":"dir","permissions":493,"modified":1700000000}}"#
            ),
            r#""directory":"dir","name":"a\\x1b b","permissions":420,"size":5}"#.to_owned(),
            format!(r#""number":1,"result":"ok","bytes":5,"sha256":"{}"}}"#, Sha256Digest::of(b"hello")),
            format!(r#""number":2,"result":"ok","bytes":0,"sha256":"{}"}}"#, Sha256Digest::of(b"")),
            r#""number":3,"result":"refused","message":"scp: refused: Permission denied"}"#.to_owned(),
            r#""text":"scp: gone: No such file or directory"}"#.to_owned(),
            r#""directory":"","name":"half""#.to_owned(),
            format!(r#""number":4,"result":"cut","bytes":2,"sha256":"{}"}}"#, Sha256Digest::of(b"ab")),
        ] {
            assert!(text.contains(&part), "{part}\n{text}");
        }
    }
}

#[test]
fn row_12_what_cannot_be_followed_is_an_error_and_stays_one() {
    let cases: &[(&str, &[Said<'_>])] = &[
        ("before the other side is there", &[S(b"C0644 1 a\n")]),
        ("before the answer", &[R(b"\0"), S(b"C0644 1 a\nx\0")]),
        ("a shell", &[R(b"\0"), S(b"rm -rf /\n")]),
        ("an answer to nothing", &[R(b"\0\0")]),
        ("words in place of an answer", &[R(b"bash: scp: command not found\n")]),
        ("leaving nothing", &[R(b"\0"), S(b"E\n")]),
        ("no name", &[R(b"\0"), S(b"C0644 1 \n")]),
        ("a negative size", &[R(b"\0"), S(b"C0644 -1 a\n")]),
        ("a size beyond all measure", &[R(b"\0"), S(b"C0644 9223372036854775808 a\n")]),
        ("permissions that are none", &[R(b"\0"), S(b"C0999 1 a\n")]),
        ("times that are none", &[R(b"\0"), S(b"T1 2 3\n")]),
        ("more than was said", &[R(b"\0"), S(b"C0644 1 a\n"), R(b"\0"), S(b"xy")]),
        ("more after the end", &[R(b"\0"), S(b"C0644 1 a\n"), R(b"\0"), S(b"x\0C0644 1 b\n")]),
        ("a line without an end", &[R(b"\0"), S(&[b'C'; LONGEST_LINE + 1])]),
        ("an answer without an end", &[R(&[1; LONGEST_LINE + 2])]),
    ];
    for (case, said) in cases {
        assert!(followed(said, true, usize::MAX).is_err(), "{case}");
    }
    let mut scp = Scp::upload(0);
    assert_eq!(scp.from_client(b"x"), Err(ScpError::Order));
    assert_eq!(scp.from_target(b"\0"), Err(ScpError::Lost));
    let mut deep = Scp::upload(0);
    let line = [b"D0755 0 ".as_slice(), &[b'd'; 8000], b"\n"].concat();
    deep.from_target(b"\0").unwrap();
    let depth = (0..100).take_while(|_| deep.from_client(&line).is_ok() && deep.from_target(b"\0").is_ok()).count();
    assert_eq!(depth, 8);
}

#[test]
fn how_a_file_went_is_told_by_either_side() {
    let result = |said: &[Said<'_>]| {
        let events = followed(&[&[R(b"\0"), S(b"C0644 1 a\n"), R(b"\0")], said].concat(), true, 1).unwrap();
        events.iter().find_map(|event| if let Event::ScpDone(done) = event { Some(done.result) } else { None })
    };
    assert_eq!(result(&[S(b"x\0"), R(b"\0")]), Some(ScpResult::Ok));
    assert_eq!(result(&[S(b"x\0"), R(b"\x01disk full\n")]), Some(ScpResult::Failed));
    assert_eq!(result(&[S(b"x\x01cannot read\n"), R(b"\0")]), Some(ScpResult::Failed));
    assert_eq!(result(&[S(b"x\0")]), Some(ScpResult::Cut));
}

proptest! {
    #[test]
    fn the_chunks_do_not_matter(cut in 1usize..30, is_upload: bool) {
        prop_assert_eq!(followed(&A_TREE, is_upload, cut).unwrap(), followed(&A_TREE, is_upload, usize::MAX).unwrap());
    }

    #[test]
    fn hostile_bytes_are_followed_or_refused_whatever_their_chunks(at: prop::sample::Index, place: prop::sample::Index, byte: u8, cut in 1usize..9) {
        let mut bytes: Vec<Vec<u8>> = A_TREE.iter().map(|said| match said { S(bytes) | R(bytes) => bytes.to_vec() }).collect();
        let chosen = at.index(bytes.len() - 1);
        let place = place.index(bytes[chosen].len());
        bytes[chosen][place] = byte;
        let said: Vec<Said<'_>> = A_TREE.iter().zip(&bytes).map(|(said, bytes)| match said { S(_) => S(bytes), R(_) => R(bytes) }).collect();
        prop_assert_eq!(followed(&said, true, cut), followed(&said, true, usize::MAX));
    }
}
