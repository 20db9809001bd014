#![allow(clippy::unwrap_used, clippy::panic)]
use super::*;
use crate::{
    Sha256Digest,
    event::{Extent, Name, OpenFlag, SftpClosed},
};
use packet::kind as k;
use proptest::prelude::*;

fn string(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

fn packet(kind: u8, fields: &[&[u8]]) -> Vec<u8> {
    string([&[kind], fields.concat().as_slice()].concat())
}

/// A request or answer under number `id`.
fn p(kind: u8, id: u32, fields: &[&[u8]]) -> Vec<u8> {
    packet(kind, &[&id.to_be_bytes(), fields.concat().as_slice()])
}

fn no_attributes() -> [u8; 4] {
    [0; 4]
}

fn status(id: u32, code: u32) -> Vec<u8> {
    p(k::STATUS, id, &[&code.to_be_bytes(), &string("why"), &string("en")])
}

fn open(id: u32, path: &str, flags: u32) -> Vec<u8> {
    p(k::OPEN, id, &[&string(path), &flags.to_be_bytes(), &no_attributes()])
}

fn write(id: u32, handle: &str, offset: u64, data: &[u8]) -> Vec<u8> {
    p(k::WRITE, id, &[&string(handle), &offset.to_be_bytes(), &string(data)])
}

fn read(id: u32, handle: &str, offset: u64, most: u32) -> Vec<u8> {
    p(k::READ, id, &[&string(handle), &offset.to_be_bytes(), &most.to_be_bytes()])
}

/// Packets of either side, in turn.
#[derive(Clone, Debug)]
enum Said {
    Client(Vec<u8>),
    Target(Vec<u8>),
}
use Said::{Client as C, Target as T};

fn greeted() -> Vec<Said> {
    vec![
        C(packet(k::INIT, &[&3u32.to_be_bytes()])),
        T(packet(k::VERSION, &[&3u32.to_be_bytes(), &string("posix-rename@openssh.com"), &string("1")])),
    ]
}

/// What comes of it, each side's bytes cut after every `cut` of them.
fn followed(said: &[Said], cut: usize) -> Result<Vec<Event>, SftpError> {
    let mut sftp = Sftp::new(0);
    let mut events = Vec::new();
    for said in said {
        match said {
            C(bytes) => bytes.chunks(cut).try_for_each(|part| sftp.from_client(part).map(|found| events.extend(found)))?,
            T(bytes) => bytes.chunks(cut).try_for_each(|part| sftp.from_target(part).map(|found| events.extend(found)))?,
        }
    }
    events.extend(sftp.finish());
    Ok(events)
}

fn after_greeting(said: Vec<Said>) -> Result<Vec<Event>, SftpError> {
    followed(&[greeted(), said].concat(), usize::MAX)
}

fn closed(events: &[Event]) -> Vec<SftpClosed> {
    events.iter().filter_map(|event| if let Event::SftpClosed(closed) = event { Some(closed.clone()) } else { None }).collect()
}

/// Uploads and downloads a file, and does one of everything else.
fn a_session() -> Vec<Said> {
    let mut said = greeted();
    let ok = |id| T(status(id, 0));
    said.extend([
        C(open(1, "/srv/up", 0x1a)),
        T(p(k::HANDLE, 1, &[&string("h")])),
        C([write(2, "h", 0, b"hello "), write(3, "h", 6, b"world")].concat()),
        T([status(2, 0), status(3, 0)].concat()),
        C(p(k::EXTENDED, 4, &[&string("fsync@openssh.com"), &string("h")])),
        ok(4),
        C(p(k::CLOSE, 5, &[&string("h")])),
        ok(5),
        C(open(6, "/etc/passwd", 0x1)),
        T(p(k::HANDLE, 6, &[&string("h")])),
        C([read(7, "h", 0, 4), read(8, "h", 4, 4), read(9, "h", 6, 4)].concat()),
        T([p(k::DATA, 7, &[&string("root")]), p(k::DATA, 8, &[&string(":x")]), status(9, 1)].concat()),
        C(p(k::CLOSE, 10, &[&string("h")])),
        ok(10),
        C(p(k::OPENDIR, 11, &[&string("/srv")])),
        T(p(k::HANDLE, 11, &[&string("d")])),
        C(p(k::READDIR, 12, &[&string("d")])),
        T(p(k::NAME, 12, &[&2u32.to_be_bytes(), b"whatever"])),
        C(p(k::CLOSE, 13, &[&string("d")])),
        ok(13),
        C(p(k::EXTENDED, 14, &[&string("posix-rename@openssh.com"), &string("a\n"), &string("b")])),
        T(status(14, 3)),
        C(p(k::SYMLINK, 15, &[&string("points-to"), &string("link")])),
        ok(15),
        C(p(k::SETSTAT, 16, &[&string("f"), &4u32.to_be_bytes(), &0o4755u32.to_be_bytes()])),
        ok(16),
        C(p(k::STAT, 17, &[&string("f")])),
        T(p(k::ATTRS, 17, &[&no_attributes()])),
        C(p(k::REMOVE, 18, &[&string("gone")])),
    ]);
    said
}

#[test]
fn what_is_done_is_told() {
    let events = followed(&a_session(), usize::MAX).unwrap();
    let text: Vec<String> = events.iter().map(|event| serde_json::to_string(event).unwrap()).collect();
    let text = text.join("\n");
    for part in [
        r#"{"event":"sftp","channel":0,"request":0,"operation":"open","path":"/srv/up","flags":["write","create","truncate"],"attributes":{}}"#,
        r#"{"event":"sftp_answer","channel":0,"request":0,"status":"ok"}"#,
        r#""operation":"rename","path":"a\\x0a","to":"b","replace":true}"#,
        r#""status":"permission_denied"}"#,
        r#""operation":"symlink","path":"link","to":"points-to"}"#,
        r#""attributes":{"permissions":2541},"follow":true}"#,
        r#"{"event":"sftp_end","channel":0,"requests":{"close":3,"fsync":1,"open":2,"open_directory":1,"read":3,"read_directory":1,"remove":1,"rename":1,"set_attributes":1,"stat":1,"symlink":1,"write":2}}"#,
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(!text.contains("hello"), "contents are not kept");
    let closed = closed(&events);
    let written = closed[0].written.clone().unwrap();
    assert_eq!((written.bytes, written.extent, written.sha256), (11, Extent::Whole, Sha256Digest::of(b"hello world")));
    let read = closed[1].read.clone().unwrap();
    assert_eq!((read.bytes, read.extent, read.sha256), (6, Extent::Whole, Sha256Digest::of(b"root:x")));
    assert_eq!(closed[2].entries, Some(2));
    let answered = events.iter().filter(|event| matches!(event, Event::SftpAnswer(answer) if answer.request == 6)).count();
    assert_eq!(answered, 0, "what was not answered has no answer");
}

#[test]
fn a_request_is_told_before_its_last_byte_is_passed_on() {
    let mut sftp = Sftp::new(0);
    sftp.from_client(&packet(k::INIT, &[&3u32.to_be_bytes()])).unwrap();
    sftp.from_target(&packet(k::VERSION, &[&3u32.to_be_bytes()])).unwrap();
    let remove = p(k::REMOVE, 1, &[&string("f")]);
    let (last, before) = remove.split_last().unwrap();
    assert_eq!(sftp.from_client(before).unwrap(), []);
    assert_eq!(sftp.from_client(&[*last]).unwrap().len(), 1);
}

#[test]
fn only_what_is_whole_is_called_so() {
    let carried = |flags, said: Vec<Said>| {
        let all = [vec![C(open(1, "f", flags)), T(p(k::HANDLE, 1, &[&string("h")]))], said].concat();
        let closed = closed(&after_greeting(all).unwrap()).remove(0);
        (closed.read.map(|read| read.extent), closed.written.map(|written| written.extent))
    };
    let one = |offset| C(write(2, "h", offset, b"ab"));
    assert_eq!(carried(0x1a, vec![one(0)]), (None, Some(Extent::Whole)));
    assert_eq!(carried(0x0a, vec![one(0)]), (None, Some(Extent::Part)), "what was there before may be longer");
    assert_eq!(carried(0x1e, vec![one(0)]), (None, Some(Extent::Part)), "appended");
    assert_eq!(carried(0x1a, vec![one(7)]), (None, Some(Extent::Part)), "from the middle");
    assert_eq!(carried(0x1a, vec![one(0), T(status(2, 4))]), (None, Some(Extent::Part)), "the target did not take it");
    assert_eq!(carried(0x1a, vec![one(0), C(write(3, "h", 0, b"b"))]), (None, Some(Extent::Scattered)));
    let shorter = C(p(k::FSETSTAT, 3, &[&string("h"), &1u32.to_be_bytes(), &1u64.to_be_bytes()]));
    assert_eq!(carried(0x1a, vec![one(0), shorter]), (None, Some(Extent::Scattered)), "cut");
    let exact = C(p(k::FSETSTAT, 3, &[&string("h"), &1u32.to_be_bytes(), &2u64.to_be_bytes()]));
    assert_eq!(carried(0x0a, vec![one(0), exact.clone(), T(status(3, 0))]), (None, Some(Extent::Whole)), "overwritten, and cut to that");
    assert_eq!(carried(0x0a, vec![one(0), exact, T(status(3, 4))]), (None, Some(Extent::Part)), "the target did not cut it");
    let piece = [C(read(2, "h", 0, 9)), T(p(k::DATA, 2, &[&string("ab")]))];
    assert_eq!(carried(1, piece.to_vec()), (Some(Extent::Part), None), "nobody saw its end");
    let end = |offset| [C(read(3, "h", offset, 9)), T(status(3, 1))];
    assert_eq!(carried(1, [piece.clone(), end(2)].concat()), (Some(Extent::Whole), None));
    assert_eq!(carried(1, [piece, end(9)].concat()), (Some(Extent::Part), None));
}

#[test]
fn row_12_what_cannot_be_followed_is_an_error_and_stays_one() {
    let handle = || vec![C(open(1, "f", 1)), T(p(k::HANDLE, 1, &[&string("h")]))];
    let long = [0x00, 0x04, 0x00, 0x01, k::REMOVE];
    let cases: Vec<(&str, Vec<Said>)> = vec![
        ("too long", vec![C(long.to_vec())]),
        ("empty", vec![C(vec![0; 4])]),
        ("unknown request", vec![C(p(21, 1, &[]))]),
        ("an answer from the client", vec![C(status(1, 0))]),
        ("unknown extension", vec![C(p(k::EXTENDED, 1, &[&string("md5-hash@openssh.com")]))]),
        ("trailing bytes", vec![C(p(k::REMOVE, 1, &[&string("f"), b"x"]))]),
        ("missing field", vec![C(p(k::RENAME, 1, &[&string("f")]))]),
        ("a name past its packet", vec![C(p(k::REMOVE, 1, &[&[0xff; 4]]))]),
        ("flags of a later version", vec![C(open(1, "f", 0x40))]),
        ("number in use", vec![C([p(k::STAT, 1, &[&string("f")]), p(k::STAT, 1, &[&string("f")])].concat())]),
        ("greeting again", vec![C(packet(k::INIT, &[&3u32.to_be_bytes()]))]),
        ("version again", vec![T(packet(k::VERSION, &[&3u32.to_be_bytes()]))]),
        ("answer to nothing", vec![T(status(1, 0))]),
        ("another kind of answer", vec![C(p(k::REMOVE, 1, &[&string("f")])), T(p(k::HANDLE, 1, &[&string("h")]))]),
        ("open without a handle", vec![C(open(1, "f", 1)), T(status(1, 0))]),
        ("a handle that is unknown", vec![C(read(1, "h", 0, 1))]),
        ("a handle twice", [handle(), vec![C(open(2, "g", 1)), T(p(k::HANDLE, 2, &[&string("h")]))]].concat()),
        ("a handle that is being closed", [handle(), vec![C([p(k::CLOSE, 2, &[&string("h")]), read(3, "h", 0, 1)].concat())]].concat()),
        ("more data than asked for", [handle(), vec![C(read(2, "h", 0, 1)), T(p(k::DATA, 2, &[&string("ab")]))]].concat()),
        ("data that does not fit", [handle(), vec![C(p(k::WRITE, 2, &[&string("h"), &[0; 8], &string("ab"), b"c"]))]].concat()),
        ("too many questions", vec![C((0..=MOST_OUTSTANDING as u32).flat_map(|id| p(k::STAT, id, &[&string("f")])).collect())]),
        ("too many files", vec![C((0..=4095u32).flat_map(|id| open(id, "f", 1)).collect()), C(open(4096, "f", 1))]),
        ("a name that is too long", vec![C(p(k::REMOVE, 1, &[&string(vec![b'a'; LONGEST_NAME + 1])]))]),
    ];
    for (case, said) in cases {
        assert!(after_greeting(said).is_err(), "{case}");
    }
    for version in [2u32, 4, 6] {
        let said = [C(packet(k::INIT, &[&6u32.to_be_bytes()])), T(packet(k::VERSION, &[&version.to_be_bytes()]))];
        assert_eq!(followed(&said, usize::MAX), Err(SftpError::Version(version)));
    }
    let mut sftp = Sftp::new(0);
    assert!(sftp.from_client(&p(k::REMOVE, 1, &[&string("f")])).is_err(), "before the greeting");
    assert_eq!(sftp.from_client(&packet(k::INIT, &[&3u32.to_be_bytes()])), Err(SftpError::Lost));
}

#[test]
fn a_handle_comes_again_after_its_file_is_closed() {
    let handle = |id| T(p(k::HANDLE, id, &[&string("h")]));
    let pipelined = [C(open(1, "f", 1)), handle(1), C([p(k::CLOSE, 2, &[&string("h")]), open(3, "g", 1)].concat())];
    for answers in [vec![T(status(2, 0)), handle(3)], vec![handle(3), T(status(2, 0))]] {
        let closed = closed(&after_greeting([pipelined.to_vec(), answers].concat()).unwrap());
        assert_eq!(closed.iter().map(|closed| closed.path.to_string()).collect::<Vec<_>>(), ["f", "g"]);
    }
}

#[test]
fn flags_have_names() {
    let events = after_greeting(vec![C(open(1, "f", 0x3f))]).unwrap();
    let Event::Sftp(SftpRequest { operation: SftpOperation::Open { path, flags, .. }, .. }) = &events[0] else { panic!("{events:?}") };
    use OpenFlag::*;
    assert_eq!((path, flags.as_slice()), (&Name::new(*b"f"), [Read, Write, Append, Create, Truncate, Exclusive].as_slice()));
}

proptest! {
    #[test]
    fn the_chunks_do_not_matter(cut in 1usize..40) {
        prop_assert_eq!(followed(&a_session(), cut).unwrap(), followed(&a_session(), usize::MAX).unwrap());
    }

    #[test]
    fn hostile_bytes_are_followed_or_refused_whatever_their_chunks(
        said in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in 1usize..20,
    ) {
        let mut session = a_session();
        for (grow, at, byte) in said {
            let at = at.index(session.len());
            let (C(bytes) | T(bytes)) = &mut session[at];
            if grow { bytes.push(byte) } else { let at = usize::from(byte) % bytes.len(); bytes[at] = byte.wrapping_mul(7) }
        }
        prop_assert_eq!(followed(&session, cut).is_ok(), followed(&session, usize::MAX).is_ok());
        if let (Ok(cut), Ok(whole)) = (followed(&session, cut), followed(&session, usize::MAX)) {
            prop_assert_eq!(cut, whole);
        }
    }
}
