//! The events of a recording as lines of text: what was run, what it read and wrote, how it ended.

use super::files;
use crate::output::Lines;
use dayfly_recording::{
    Event, EventLine,
    event::{Chunk, Side},
};
use std::io;

/// Writes one event. What the session's streams carried is shown line by line, as text.
pub fn write(line: &EventLine, lines: &mut Lines<'_>) -> io::Result<()> {
    let at = format!("[{:>9}.{:03}]", line.time_ms / 1000, line.time_ms % 1000);
    match &line.event {
        Event::Stdin(chunk) => stream(lines, &at, "stdin ", chunk),
        Event::Stdout(chunk) => stream(lines, &at, "stdout", chunk),
        Event::Stderr(chunk) => stream(lines, &at, "stderr", chunk),
        event => lines.line(&format!("{at} {}", in_words(event))),
    }
}

fn stream(lines: &mut Lines<'_>, at: &str, name: &str, chunk: &Chunk) -> io::Result<()> {
    let text = String::from_utf8_lossy(&chunk.data);
    text.split_terminator('\n').try_for_each(|part| lines.line(&format!("{at} {name} | {part}")))
}

fn in_words(event: &Event) -> String {
    match event {
        Event::Start { session, .. } => format!("{} as {}@{} from {}", session.subject, session.account, session.target, session.peer),
        Event::Pty { term, columns, rows, .. } => format!("terminal {term} {columns}x{rows}"),
        Event::Env { name, value: Some(value), .. } => format!("environment {name}={value}"),
        Event::Env { name, .. } => format!("environment {name}, refused"),
        Event::Shell { .. } => "login shell".to_owned(),
        Event::Exec(exec) => {
            let command = String::from_utf8_lossy(&exec.command);
            match (&exec.asked, exec.forced) {
                (Some(asked), true) => format!("forced command: {command} (asked for: {})", String::from_utf8_lossy(asked)),
                (None, true) => format!("forced command: {command}"),
                _ => format!("command: {command}"),
            }
        }
        Event::Subsystem { name, .. } => format!("subsystem {name}"),
        Event::Forward { host, port, .. } => format!("connection onwards to {host} port {port}"),
        Event::Listen { host, port, .. } => format!("the target listens at {} port {port}", every(host)),
        Event::Arrival { host, port, from, .. } => format!("connection from {from}, arrived at {} port {port}", every(host)),
        Event::AgentForwarding { .. } => "the agent may be used".to_owned(),
        Event::AgentUse { connections, asked, answered, .. } => {
            format!("the agent was connected to {connections} times, asked in {asked} bytes and answered in {answered}")
        }
        Event::WindowChange { columns, rows, .. } => format!("terminal resized to {columns}x{rows}"),
        Event::Signal { name, .. } => format!("signal {name}"),
        Event::Eof { stream, .. } => format!("end of {stream}"),
        Event::ExitStatus { status, .. } => format!("exit status {status}"),
        Event::ExitSignal { name, message, .. } => format!("killed by signal {name} {message}"),
        Event::Refused { what, why, .. } => format!("refused {what}: {why}"),
        Event::Unseen { bytes, sealed: Some(_), .. } => format!("{bytes} bytes typed unseen, sealed"),
        Event::Unseen { bytes, sealed: None, .. } => format!("{bytes} bytes typed unseen, not kept"),
        Event::Sftp(asked) => files::asked(asked),
        Event::SftpAnswer(answer) => files::answered(answer),
        Event::SftpClosed(closed) => files::closed(closed),
        Event::SftpEnd(end) => files::ended(end),
        Event::Scp(item) => files::offered(item),
        Event::ScpDone(done) => files::taken(done),
        Event::ScpMessage(message) => format!("scp, {} says: {}", side(message.side), message.text),
        Event::Rsync(rsync) => files::rsync(rsync),
        Event::StreamEnd(end) => {
            format!("{}: {} bytes, {} of them recorded, SHA-256 {}", end.stream, end.digest.bytes, end.digest.recorded, end.sha256())
        }
        Event::End { outcome, reason } => format!("ended: {outcome}, {reason}"),
        // The streams' own lines are written above.
        Event::Stdin(_) | Event::Stdout(_) | Event::Stderr(_) => String::new(),
    }
}

/// No address stands for all of them.
fn every(host: &str) -> &str {
    if host.is_empty() { "every address" } else { host }
}

fn side(side: Side) -> &'static str {
    match side {
        Side::Client => "the client",
        Side::Target => "the target",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use dayfly_recording::{
        Sha256Digest, Stream,
        event::{Carried, Exec, Extent, Name, SftpClosed, SftpOperation, SftpRequest, SftpStatus},
    };

    fn written(event: Event) -> String {
        let mut out = Vec::new();
        write(&EventLine { seq: 1, time_ms: 1500, event }, &mut Lines::new(&mut out)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn events_are_told_in_words() {
        assert_eq!(written(Event::Exec(Exec::new(0, *b"ls -l"))), "[        1.500] command: ls -l\n");
        let forced = Exec::forced(0, *b"backup", Some(b"rm".to_vec()));
        assert!(written(Event::Exec(forced)).contains("forced command: backup (asked for: rm)"));
        assert_eq!(written(Event::chunk(0, Stream::Stderr, 0, *b"a\nb\n")).lines().count(), 2);
    }

    #[test]
    fn files_are_told_in_words() {
        let rename = SftpOperation::Rename { path: Name::new(*b"a"), to: Name::new(*b"b"), replace: true };
        let rename = Event::Sftp(SftpRequest { channel: 0, request: 7, operation: rename });
        assert!(written(rename).ends_with("sftp 7: rename a to b, in the place of whatever is there\n"));
        let read = Carried { bytes: 3, extent: Extent::Whole, sha256: Sha256Digest::of(b"abc"), failed: 0 };
        let closed = SftpClosed {
            channel: 0,
            request: 2,
            path: Name::new(*b"f"),
            status: Some(SftpStatus::OK),
            read: Some(read),
            written: None,
            entries: None,
        };
        let words = written(Event::SftpClosed(closed));
        assert!(words.contains("sftp 2: f closed; read 3 bytes, the whole file, SHA-256 ba7816bf"), "{words}");
    }

    #[test]
    fn row_25_commands_and_output_are_shown_and_not_obeyed() {
        let hostile = b"\x1b]52;c;ZXZpbA==\x07\r\xe2\x80\xae\xff\nx";
        for event in [
            Event::Exec(Exec::new(0, *hostile)),
            Event::chunk(0, Stream::Stdout, 0, *hostile),
            Event::Subsystem { channel: 0, name: String::from_utf8_lossy(hostile).into_owned() },
            Event::Sftp(SftpRequest { channel: 0, request: 0, operation: SftpOperation::Remove { path: Name::new(*hostile) } }),
            Event::ExitSignal { channel: 0, name: "TERM".to_owned(), core_dumped: false, message: "\u{9b}6n".to_owned() },
        ] {
            let text = written(event);
            assert!(!text.chars().any(|c| c != '\n' && (c.is_control() || c == '\u{202e}')), "{text:?}");
        }
    }
}
