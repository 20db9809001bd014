//! A session to test with, and a stand-in for signatures.

#![allow(clippy::unwrap_used)]

use crate::{Event, FinishedRecording, Mode, Outcome, RecordingWriter, SessionFacts, Sha256Digest, Stream, StreamTap, event::Exec};
use std::{collections::BTreeMap, fs, net::SocketAddr, path::Path, time::Duration};
use time::{OffsetDateTime, macros::datetime};
use uuid::Uuid;

pub(crate) const STARTED_AT: OffsetDateTime = datetime!(2025-10-05 11:33:20.5 UTC);
pub(crate) const ENDED_AT: OffsetDateTime = datetime!(2025-10-05 11:34:20 UTC);

pub(crate) fn facts() -> SessionFacts {
    SessionFacts {
        session_id: Uuid::from_u128(0x0199_b2c4_7a00_7000_8000_0000_0000_0001),
        connection_id: Uuid::from_u128(0x0199_b2c4_79ff_7000_8000_0000_0000_0003),
        subject: "alice".into(),
        role: "db-admin".into(),
        grant: "0199b2c4-0000-7000-8000-000000000002".into(),
        certificate_serial: (1 << 53) - 1,
        key_fingerprint: "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU".into(),
        session_certificate_serial: Some(7),
        account: "deploy".into(),
        target: "db1".into(),
        bastion: "bastion1".into(),
        mode: Mode::Record,
        peer: SocketAddr::from(([192, 0, 2, 7], 50022)),
        record_input: true,
    }
}

/// Has the one property of a signature that matters here: it fits one manifest only.
pub(crate) fn sign(manifest: &[u8]) -> Result<String, String> {
    Ok(format!("signature of {}\n", Sha256Digest::of(manifest)))
}

pub(crate) fn check(manifest: &[u8], signature: &str) -> Result<(), String> {
    if sign(manifest).as_deref() == Ok(signature) { Ok(()) } else { Err("it is of something else".into()) }
}

pub(crate) fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

pub(crate) fn writer(root: &Path) -> RecordingWriter {
    RecordingWriter::create(root, facts(), STARTED_AT).unwrap()
}

/// Every kind of thing that happens in a session, all times told by a clock that ticks.
pub(crate) fn play(writer: &mut RecordingWriter) -> Result<(), crate::RecordingError> {
    let terminal = writer.open_terminal(ms(10), 0, "xterm-256color", 80, 24)?;
    writer.write(ms(11), &Event::Shell { channel: 0 })?;
    writer.terminal_output(terminal, ms(20), b"$ \xe2\x82")?;
    writer.terminal_output(terminal, ms(21), b"\xac")?;
    writer.terminal_input(terminal, ms(30), b"ls\r")?;
    writer.terminal_output(terminal, ms(31), b"ls\r\n")?;
    writer.sync()?;
    writer.resize(terminal, ms(40), 132, 43)?;
    writer.write(ms(50), &Event::Exec(Exec::new(1, *b"cat /etc/motd")))?;
    let mut tap = StreamTap::with_limit(4);
    let part = tap.observe(b"hello").unwrap();
    writer.write(ms(51), &Event::chunk(1, Stream::Stdout, part.offset, part.data))?;
    writer.write(ms(52), &Event::stream_end(1, Stream::Stdout, tap.finish()))?;
    writer.write(ms(53), &Event::ExitStatus { channel: 1, status: 7 })?;
    writer.open_terminal(ms(60), 2, "dumb", 0, 0)?;
    writer.close_terminal(terminal, ms(70))
}

pub(crate) fn finish(writer: RecordingWriter) -> Result<FinishedRecording, crate::RecordingError> {
    writer.finish(ms(80), ENDED_AT, Outcome::Completed, "the person left", sign)
}

/// A finished recording of [`play`].
pub(crate) fn finished(root: &Path) -> FinishedRecording {
    let mut writer = writer(root);
    play(&mut writer).unwrap();
    finish(writer).unwrap()
}

/// A recording of [`play`] whose process was killed.
pub(crate) fn cut_off(root: &Path) -> std::path::PathBuf {
    let mut writer = writer(root);
    play(&mut writer).unwrap();
    writer.dir().to_owned()
}

/// Everything in a directory.
pub(crate) fn contents(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
}
