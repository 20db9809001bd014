//! A row of the log as it is shown. Rows of events that are not known here are shown as well: an auditor must not miss what is new.

use crate::output::{Lines, Report};
use dayfly_api::log::LogRow;
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value};
use std::io;

/// The fields that every row has in JSON, `null` where the event does not say.
const FIELDS: [&str; 12] =
    ["time", "event", "subject", "role", "target", "serial", "session", "outcome", "reason", "detail", "reporter", "facts"];

/// A row, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its number.
    pub seq: u64,
    /// Its hash, in hexadecimal.
    pub hash: String,
    /// What happened; empty if the row is not JSON.
    event: Map<String, Value>,
}

impl Row {
    /// Reads a row, whatever it holds.
    pub fn new(row: &LogRow) -> Self {
        let event = match serde_json::from_str(&row.event) {
            Ok(Value::Object(event)) => event,
            _ => Map::new(),
        };
        Self { seq: row.seq, hash: row.hash.clone(), event }
    }

    /// One of the event's fields, if it is text.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.event.get(field).and_then(Value::as_str)
    }

    /// One of its numbers.
    pub fn number(&self, field: &str) -> Option<u64> {
        self.event.get(field).and_then(Value::as_u64)
    }

    /// One of its further facts.
    pub fn fact(&self, name: &str) -> Option<&str> {
        self.event.get("facts").and_then(|facts| facts.get(name)).and_then(Value::as_str)
    }

    /// All of its further facts.
    pub fn facts(&self) -> impl Iterator<Item = (&str, &str)> {
        let facts = self.event.get("facts").and_then(Value::as_object);
        facts.into_iter().flatten().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
    }

    /// The bastion that reports it, if one does.
    pub fn reporting_bastion(&self) -> Option<&str> {
        self.event.get("reporter").and_then(|reporter| reporter.get("bastion")).and_then(Value::as_str)
    }

    /// Whether the CA itself reports it.
    pub fn is_reported_by_ca(&self) -> bool {
        self.text("reporter") == Some("ca")
    }

    /// One line for people.
    pub fn summary(&self) -> String {
        let mut words = vec![
            format!("{:>6}", self.seq),
            self.text("time").unwrap_or("(no time)").to_owned(),
            format!("{:<22}", self.text("event").unwrap_or("(unreadable)")),
            match (self.text("outcome"), self.text("reason")) {
                (Some(outcome), Some(reason)) => format!("{outcome} ({reason})"),
                (outcome, _) => outcome.unwrap_or("-").to_owned(),
            },
        ];
        words.extend(self.text("subject").map(str::to_owned));
        words.extend(self.text("role").map(|role| format!("role={role}")));
        words.extend(self.text("target").map(|target| format!("target={target}")));
        words.extend(self.number("serial").map(|serial| format!("serial={serial}")));
        words.extend(self.text("session").map(|session| format!("session={session}")));
        words.extend(self.text("detail").map(|detail| format!("- {detail}")));
        words.join("  ")
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("seq", &self.seq)?;
        for field in FIELDS {
            map.serialize_entry(field, self.event.get(field).unwrap_or(&Value::Null))?;
        }
        for (field, value) in self.event.iter().filter(|(field, _)| !FIELDS.contains(&field.as_str())) {
            map.serialize_entry(field, value)?;
        }
        map.serialize_entry("hash", &self.hash)?;
        map.end()
    }
}

impl Report for Row {
    fn text(&self, lines: &mut Lines<'_>) -> io::Result<()> {
        lines.line(&self.summary())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use dayfly_core::audit::{AuditEvent, Event, Outcome, Reporter};
    use time::macros::datetime;

    fn row(event: &str) -> Row {
        Row::new(&LogRow { seq: 7, event: event.to_owned(), hash: "00".to_owned() })
    }

    #[test]
    fn every_field_is_there_also_where_the_event_says_nothing() {
        let event = AuditEvent::new(datetime!(2026-01-02 03:04:05 UTC), Event::CaStarted, Outcome::Done, Reporter::Ca);
        let json = serde_json::to_value(row(std::str::from_utf8(&event.canonical_bytes().unwrap()).unwrap())).unwrap();
        for field in [
            "seq", "time", "event", "subject", "role", "target", "serial", "session", "outcome", "reason", "detail", "reporter", "facts",
            "hash",
        ] {
            assert!(json.as_object().unwrap().contains_key(field), "{field}");
        }
        assert_eq!((&json["event"], &json["subject"], &json["seq"]), (&Value::from("ca.started"), &Value::Null, &Value::from(7)));
    }

    #[test]
    fn what_is_new_or_unreadable_is_shown_all_the_same() {
        assert!(row(r#"{"event":"moon.landed","outcome":"done","crew":3}"#).summary().contains("moon.landed"));
        assert_eq!(serde_json::to_value(row(r#"{"crew":3}"#)).unwrap()["crew"], 3);
        for unreadable in ["", "7", "{", "[]", r#"{"event":7,"facts":"x","reporter":[]}"#] {
            assert!(row(unreadable).summary().contains("unreadable"), "{unreadable}");
        }
    }

    #[test]
    fn reporters_are_told_apart() {
        let by_bastion = row(r#"{"event":"session.ended","reporter":{"bastion":"gate"}}"#);
        assert_eq!((by_bastion.reporting_bastion(), by_bastion.is_reported_by_ca()), (Some("gate"), false));
        let by_ca = row(r#"{"event":"session.started","reporter":"ca","facts":{"bastion":"gate"}}"#);
        assert_eq!((by_ca.reporting_bastion(), by_ca.is_reported_by_ca(), by_ca.fact("bastion")), (None, true, Some("gate")));
    }
}
