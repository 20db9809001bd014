//! Sessions, joined from what the log says of them.

use super::row::Row;
use serde::Serialize;
use std::collections::BTreeMap;

/// What the log tells of one session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Session {
    /// Its id.
    pub session: String,
    /// Whose it is, as far as was proven.
    pub subject: Option<String>,
    /// Under which role.
    pub role: Option<String>,
    /// At which target.
    pub target: Option<String>,
    /// As which account.
    pub account: Option<String>,
    /// By which of the person's certificates.
    pub serial: Option<u64>,
    /// Through which bastion.
    pub bastion: Option<String>,
    /// `record` or `passthrough`.
    pub mode: Option<String>,
    /// When it started, or was refused.
    pub started: Option<String>,
    /// When it ended.
    pub ended: Option<String>,
    /// `running`, `refused`, or how it ended.
    pub state: String,
    /// Why it was refused.
    pub reason: Option<String>,
    /// The sentence that goes with it.
    pub detail: Option<String>,
    /// SHA-256 of its recording's manifest, as the bastion reported it.
    pub manifest_sha256: Option<String>,
    /// The rows of the log that tell of it.
    pub rows: Vec<u64>,
}

/// Joins rows to sessions. The order of their starts is kept.
#[derive(Debug, Default)]
pub struct Sessions {
    sessions: Vec<Session>,
    by_id: BTreeMap<String, usize>,
}

impl Sessions {
    /// Takes the next row.
    pub fn take(&mut self, row: &Row) {
        let (Some(id), Some(event)) = (row.text("session"), row.text("event")) else { return };
        // Only the CA says which session there is, and only the bastion that carries it how it ended. Another's word on it stays a row of the log.
        let known = self.by_id.get(id).and_then(|index| self.sessions.get_mut(*index));
        match (event, known) {
            ("session.started", None) if row.is_reported_by_ca() => self.add(begun(row, id, "running")),
            ("session.refused", None) => self.add(Session {
                reason: row.text("reason").map(str::to_owned),
                detail: row.text("detail").map(str::to_owned),
                ..begun(row, id, "refused")
            }),
            ("session.ended", Some(session)) if session.bastion.as_deref() == row.reporting_bastion() && session.ended.is_none() => {
                session.end(row);
            }
            ("session.refused", Some(session)) if row.is_reported_by_ca() || session.bastion.as_deref() == row.reporting_bastion() => {
                session.rows.push(row.seq);
            }
            _ => {}
        }
    }

    fn add(&mut self, session: Session) {
        self.by_id.insert(session.session.clone(), self.sessions.len());
        self.sessions.push(session);
    }

    /// All of them, oldest first.
    pub fn into_vec(self) -> Vec<Session> {
        self.sessions
    }
}

fn begun(row: &Row, id: &str, state: &str) -> Session {
    let text = |field| row.text(field).map(str::to_owned);
    let fact = |name| row.fact(name).map(str::to_owned);
    Session {
        session: id.to_owned(),
        subject: text("subject"),
        role: text("role"),
        target: text("target"),
        account: fact("account"),
        serial: row.number("serial"),
        bastion: fact("bastion").or_else(|| row.reporting_bastion().map(str::to_owned)),
        mode: fact("mode"),
        started: text("time"),
        state: state.to_owned(),
        rows: vec![row.seq],
        ..Session::default()
    }
}

impl Session {
    fn end(&mut self, row: &Row) {
        self.ended = row.text("time").map(str::to_owned);
        self.state = row.fact("ending").or(row.text("outcome")).unwrap_or("ended").to_owned();
        self.reason = row.text("reason").map(str::to_owned);
        self.detail = row.text("detail").map(str::to_owned);
        self.manifest_sha256 = row.fact("manifest_sha256").map(str::to_owned);
        self.account = self.account.take().or_else(|| row.fact("account").map(str::to_owned));
        self.rows.push(row.seq);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dayfly_api::log::LogRow;

    const ID: &str = "0199b2c4-7a00-7000-8000-000000000001";

    fn sessions(events: &[&str]) -> Vec<Session> {
        let mut sessions = Sessions::default();
        for (event, seq) in events.iter().zip(1..) {
            let event = event.replace("ID", ID);
            sessions.take(&Row::new(&LogRow { seq, event, hash: String::new() }));
        }
        sessions.into_vec()
    }

    const STARTED: &str = r#"{"time":"t1","event":"session.started","outcome":"done","reporter":"ca","subject":"alice","role":"db-admin","target":"db1","serial":7,"session":"ID","facts":{"bastion":"gate","account":"root","mode":"record"}}"#;
    const ENDED: &str = r#"{"time":"t2","event":"session.ended","outcome":"done","reporter":{"bastion":"gate"},"session":"ID","facts":{"ending":"completed","manifest_sha256":"ab"}}"#;

    #[test]
    fn a_session_is_joined_by_its_id() {
        let joined = sessions(&[STARTED, r#"{"event":"ca.started"}"#, ENDED]);
        assert_eq!(joined.len(), 1);
        let session = &joined[0];
        assert_eq!(
            (session.subject.as_deref(), session.account.as_deref(), session.state.as_str()),
            (Some("alice"), Some("root"), "completed")
        );
        assert_eq!(
            (session.ended.as_deref(), session.manifest_sha256.as_deref(), &session.rows[..]),
            (Some("t2"), Some("ab"), &[1, 3][..])
        );
        assert_eq!(sessions(&[STARTED])[0].state, "running");
    }

    #[test]
    fn another_bastion_can_neither_end_nor_invent_a_session() {
        let by_another = ENDED.replace("gate", "mallory");
        assert_eq!(sessions(&[STARTED, &by_another])[0].state, "running");
        assert!(sessions(&[ENDED]).is_empty());
        assert!(sessions(&[&STARTED.replace(r#""ca""#, r#"{"bastion":"mallory"}"#)]).is_empty());
        let again = ENDED.replace("completed", "terminated");
        assert_eq!(sessions(&[STARTED, ENDED, &again])[0].state, "completed");
    }

    #[test]
    fn a_refusal_is_a_session_that_never_was() {
        let refused = r#"{"time":"t1","event":"session.refused","outcome":"refused","reporter":"ca","subject":"bob","target":"db1","session":"ID","reason":"policy_denied","detail":"no","facts":{"bastion":"gate"}}"#;
        let joined = sessions(&[refused]);
        assert_eq!((joined[0].state.as_str(), joined[0].reason.as_deref()), ("refused", Some("policy_denied")));
    }
}
