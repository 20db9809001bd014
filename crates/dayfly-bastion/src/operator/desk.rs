//! Answers one operator.

use super::protocol::{Answer, LONGEST_LINE, Listed, ListedTarget, Request, SessionList, TargetList};
use crate::{
    bastion::Bastion,
    live::{LiveSession, Order, OrderedBy},
};
use dayfly_core::{
    audit::{Event, Outcome},
    target::{Mode, Target},
};
use std::{io, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
    sync::broadcast::error::RecvError,
};
use uuid::Uuid;

/// How long an operator's program may take to ask, and to take what it is told.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest message for a person, in characters.
const LONGEST_MESSAGE: usize = 500;

/// Where who watches missed something, having been too slow.
const MISSED: &[u8] = b"\r\n[dayfly: some output was missed here]\r\n";

/// Takes one request, and answers it.
pub(super) async fn serve(bastion: &Bastion, socket: UnixStream, uid: u32) -> io::Result<()> {
    let (reader, mut writer) = socket.into_split();
    let mut line = String::new();
    let mut reader = BufReader::new(reader.take(LONGEST_LINE));
    within_patience(reader.read_line(&mut line)).await?;
    let request = match serde_json::from_str(&line) {
        Ok(request) => request,
        Err(error) => return say(&mut writer, &Answer::Refused(format!("the request cannot be read: {error}"))).await,
    };
    match request {
        Request::Sessions => {
            let sessions = bastion.live.sessions().iter().map(|session| listed(session)).collect();
            say(&mut writer, &Answer::Sessions(SessionList { sessions })).await
        }
        Request::Targets => say(&mut writer, &Answer::Targets(targets(bastion))).await,
        Request::End { session, message } => say(&mut writer, &end(bastion, session, message, uid)).await,
        Request::Watch { session } => {
            let (answer, session) = match watchable(bastion, session) {
                Ok(session) => (Answer::Done, Some(session)),
                Err(refused) => (Answer::Refused(refused), None),
            };
            // Whoever is told that it is done sees everything from then on.
            let output = session.as_ref().map(|session| session.watch());
            if let Some(session) = &session {
                bastion.journal.note(watched(bastion, session, uid));
                tracing::info!(session = %session.facts.id, uid, "a session is being watched");
            }
            drop(session);
            say(&mut writer, &answer).await?;
            let Some(mut output) = output else { return Ok(()) };
            let mut hung_up = [0];
            loop {
                tokio::select! {
                    piece = output.recv() => match piece {
                        Ok(bytes) => within_patience(writer.write_all(&bytes)).await?,
                        Err(RecvError::Lagged(_)) => within_patience(writer.write_all(MISSED)).await?,
                        Err(RecvError::Closed) => return Ok(()),
                    },
                    // Nothing more is said by who watches: what comes is the end.
                    _ = reader.read(&mut hung_up) => return Ok(()),
                }
            }
        }
    }
}

fn targets(bastion: &Bastion) -> TargetList {
    let snapshot = bastion.snapshot();
    let listed = |target: &Target| ListedTarget {
        name: target.name.clone(),
        address: target.address.clone(),
        port: target.port,
        mode: target.mode,
        last: bastion.targets.last(&target.name),
    };
    TargetList { targets: snapshot.inventory().iter().map(listed).collect() }
}

fn listed(session: &LiveSession) -> Listed {
    let (facts, counts) = (&session.facts, &session.counts);
    let elapsed = counts.elapsed();
    Listed {
        id: facts.id,
        person: facts.person.clone(),
        role: facts.role.clone(),
        account: facts.account.clone(),
        target: facts.target.clone(),
        mode: facts.mode,
        peer: facts.peer,
        since: facts.since,
        seconds: elapsed.as_secs(),
        idle_seconds: elapsed.saturating_sub(counts.moved()).as_secs(),
        bytes_up: counts.up(),
        bytes_down: counts.down(),
    }
}

fn end(bastion: &Bastion, id: Uuid, message: Option<String>, uid: u32) -> Answer {
    let Some(session) = bastion.live.find(id) else { return Answer::Refused(unknown(id)) };
    let mut words = "whoever runs the bastion ended the session".to_owned();
    if let Some(message) = message {
        words.push_str(": ");
        words.extend(message.chars().take(LONGEST_MESSAGE));
    }
    tracing::info!(session = %id, uid, "a session is being ended by its operator");
    if session.end(Order { message: words, by: OrderedBy::Operator(uid) }) {
        Answer::Done
    } else {
        Answer::Refused(format!("session {id} is being ended already"))
    }
}

/// Only what is recorded in any case is shown, and only while the log can hold that it was.
fn watchable(bastion: &Bastion, id: Uuid) -> Result<Arc<LiveSession>, String> {
    let session = bastion.live.find(id).ok_or_else(|| unknown(id))?;
    if session.facts.mode == Mode::Passthrough {
        return Err(format!("session {id} is passthrough: what it carries is encrypted between the person and {}", session.facts.target));
    }
    bastion.journal.check_open().map_err(|refusal| format!("that it is watched could not be kept for the log: {}", refusal.remedy))?;
    Ok(session)
}

fn watched(bastion: &Bastion, session: &LiveSession, uid: u32) -> dayfly_core::audit::AuditEvent {
    let facts = &session.facts;
    bastion
        .event(Event::SessionWatched, Outcome::Done)
        .subject(&facts.person)
        .role(&facts.role)
        .target(&facts.target)
        .session(facts.id)
        .detail("somebody on the bastion's host watches the session")
        .fact("uid", uid)
}

fn unknown(id: Uuid) -> String {
    format!("there is no session {id} here now: `dayfly-bastion sessions` lists those that there are")
}

async fn say(writer: &mut (impl AsyncWriteExt + Unpin), answer: &Answer) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer).map_err(io::Error::other)?;
    line.push(b'\n');
    within_patience(writer.write_all(&line)).await
}

async fn within_patience<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(PATIENCE, work).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}
