#![allow(clippy::unwrap_used)]
use super::*;
use crate::{Mode, examples};
use proptest::{collection::vec, option, prelude::*};
use serde_json::json;
use std::net::{Ipv6Addr, SocketAddr};

fn json_of(event: Event) -> serde_json::Value {
    serde_json::to_value(EventLine { seq: 3, time_ms: 1500, event }).unwrap()
}

#[test]
fn lines_look_as_documented() {
    assert_eq!(json_of(Event::Shell { channel: 0 }), json!({"seq": 3, "time_ms": 1500, "event": "shell", "channel": 0}));
    assert_eq!(
        json_of(Event::chunk(1, Stream::Stderr, 4, *b"\0\xff")),
        json!({"seq": 3, "time_ms": 1500, "event": "stderr", "channel": 1, "offset": 4, "data": "AP8="})
    );
    let digest = crate::StreamTap::new().finish();
    assert_eq!(
        json_of(Event::stream_end(1, Stream::Stdin, digest)),
        json!({"seq": 3, "time_ms": 1500, "event": "stream_end", "channel": 1, "stream": "stdin", "bytes": 0, "recorded": 0, "sha256": digest.sha256.to_string()})
    );
    let start = json_of(Event::Start { format: 1, started_at: examples::STARTED_AT, session: examples::facts().into() });
    assert_eq!(start["started_at"], "2025-10-05T11:33:20.5Z");
    assert_eq!(start["session"]["certificate_serial"], json!(9007199254740991u64));
    assert_eq!(start["session"]["peer"], "192.0.2.7:50022");
}

#[test]
fn a_command_is_text_if_it_can_be() {
    let exec = |exec| json_of(Event::Exec(exec));
    assert_eq!(
        exec(Exec::new(0, *b"ls \x1b[m")),
        json!({"seq": 3, "time_ms": 1500, "event": "exec", "channel": 0, "command": "ls \u{1b}[m", "forced": false})
    );
    assert_eq!(
        exec(Exec::forced(0, *b"backup", Some(b"rm \xff".to_vec()))),
        json!({"seq": 3, "time_ms": 1500, "event": "exec", "channel": 0, "command": "backup", "forced": true, "asked_base64": "cm0g/w=="})
    );
}

#[test]
fn a_command_in_two_forms_or_none_is_refused() {
    for rest in [r#""forced":false"#, r#""command":"a","command_base64":"YQ==""#, r#""command_base64":"?""#] {
        let line = format!(r#"{{"seq":0,"time_ms":0,"event":"exec","channel":0,{rest}}}"#);
        assert!(serde_json::from_str::<EventLine>(&line).is_err(), "{line}");
    }
}

#[test]
fn an_event_nobody_knows_is_refused() {
    assert!(serde_json::from_str::<EventLine>(r#"{"seq":0,"time_ms":0,"event":"x11","channel":0}"#).is_err());
}

fn stream() -> impl Strategy<Value = Stream> {
    prop_oneof![Just(Stream::Stdin), Just(Stream::Stdout), Just(Stream::Stderr)]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    use Outcome::*;
    prop::sample::select(vec![Completed, ClientGone, TargetGone, Terminated, Refused, RecordingFailed, Interrupted])
}

fn session() -> impl Strategy<Value = SessionFacts> {
    let numbers = (any::<u128>(), any::<u64>(), option::of(any::<u64>()), any::<u16>(), any::<u128>(), any::<bool>());
    (vec(any::<String>(), 7), numbers).prop_map(|(texts, (id, serial, session_serial, port, address, flag))| SessionFacts {
        session_id: uuid::Uuid::from_u128(id),
        connection_id: uuid::Uuid::from_u128(!id),
        subject: texts[0].clone(),
        role: texts[1].clone(),
        grant: texts[2].clone(),
        certificate_serial: serial,
        key_fingerprint: texts[3].clone(),
        session_certificate_serial: session_serial,
        account: texts[4].clone(),
        target: texts[5].clone(),
        bastion: texts[6].clone(),
        mode: if flag { Mode::Record } else { Mode::Passthrough },
        peer: SocketAddr::from((Ipv6Addr::from(address), port)),
        record_input: flag,
    })
}

fn event() -> impl Strategy<Value = Event> {
    let (channel, text, bytes) = (any::<u32>, any::<String>, || vec(any::<u8>(), 0..200));
    let nanoseconds = 0..253_402_300_799_000_000_000i128;
    prop_oneof![
        (any::<u32>(), nanoseconds, session()).prop_map(|(format, nanoseconds, session)| Event::Start {
            format,
            started_at: OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).unwrap(),
            session: session.into()
        }),
        (channel(), any::<u32>(), text(), any::<u32>(), any::<u32>()).prop_map(|(channel, terminal, term, columns, rows)| Event::Pty {
            channel,
            terminal,
            term,
            columns,
            rows
        }),
        (channel(), text(), proptest::option::of(text())).prop_map(|(channel, name, value)| Event::Env {
            channel,
            name,
            accepted: value.is_some(),
            value
        }),
        channel().prop_map(|channel| Event::Shell { channel }),
        (channel(), bytes(), any::<bool>(), option::of(bytes())).prop_map(|(channel, command, forced, asked)| Event::Exec(Exec {
            channel,
            command,
            forced,
            asked
        })),
        (channel(), text()).prop_map(|(channel, name)| Event::Subsystem { channel, name }),
        (channel(), text(), any::<u16>()).prop_map(|(channel, host, port)| Event::Forward { channel, host, port }),
        (channel(), text(), any::<u16>()).prop_map(|(channel, host, port)| Event::Listen { channel, host, port }),
        (channel(), text(), any::<u16>(), any::<(std::net::IpAddr, u16)>()).prop_map(|(channel, host, port, from)| Event::Arrival {
            channel,
            host,
            port,
            from: from.into()
        }),
        channel().prop_map(|channel| Event::AgentForwarding { channel }),
        (channel(), any::<u64>(), any::<u64>(), any::<u64>()).prop_map(|(channel, connections, asked, answered)| Event::AgentUse {
            channel,
            connections,
            asked,
            answered
        }),
        (channel(), any::<u32>(), any::<u32>()).prop_map(|(channel, columns, rows)| Event::WindowChange { channel, columns, rows }),
        (channel(), text()).prop_map(|(channel, name)| Event::Signal { channel, name }),
        (channel(), stream(), any::<u64>(), bytes())
            .prop_map(|(channel, stream, offset, data)| Event::chunk(channel, stream, offset, data)),
        (channel(), stream()).prop_map(|(channel, stream)| Event::Eof { channel, stream }),
        (channel(), any::<u32>()).prop_map(|(channel, status)| Event::ExitStatus { channel, status }),
        (channel(), text(), any::<bool>(), text()).prop_map(|(channel, name, core_dumped, message)| Event::ExitSignal {
            channel,
            name,
            core_dumped,
            message
        }),
        (option::of(channel()), text(), text()).prop_map(|(channel, what, why)| Event::Refused { channel, what, why }),
        (channel(), stream(), any::<u64>(), any::<u64>(), bytes()).prop_map(|(channel, stream, bytes, recorded, data)| {
            Event::stream_end(channel, stream, StreamDigest { bytes, recorded, sha256: Sha256Digest::of(&data) })
        }),
        (outcome(), text()).prop_map(|(outcome, reason)| Event::End { outcome, reason }),
    ]
}

proptest! {
    #[test]
    fn every_event_survives_its_line(seq: u64, time_ms: u64, event in event()) {
        let line = EventLine { seq, time_ms, event };
        let text = serde_json::to_string(&line).unwrap();
        prop_assert!(!text.contains('\n') && line.event.length() == serde_json::to_string(&line.event).unwrap().len());
        prop_assert_eq!(serde_json::from_str::<EventLine>(&text).unwrap(), line);
    }
}
