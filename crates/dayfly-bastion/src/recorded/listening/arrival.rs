//! A connection that arrived where the target listens: judged, recorded, opened at the client, and only then at the target.

use super::{Caller, evidence};
use crate::{
    authority::PermittedSession,
    live::{Busy, Seat},
    recorded::{Control, Permitted, Task, report::Report},
    recorder::Recording,
    session::{Ending, Event, Rules, Session},
    upstream::{Offer, TargetConnection},
};
use dayfly_core::{
    forward::{Arrival, ListenAddress},
    reason::{Reason, Refusal},
};
use dayfly_recording::Outcome;
use std::sync::Arc;
use tokio::task::JoinSet;

pub(super) struct Arriving {
    pub(super) caller: Caller,
    /// Where it arrived.
    pub(super) at: ListenAddress,
    pub(super) arrival: Arrival,
    /// Keeps the session that listens from being idle.
    pub(super) busy: Busy,
}

impl Arriving {
    /// Carries the connection to its end. Until the offer is accepted, whatever goes wrong refuses it.
    pub(super) async fn carry(self, offer: Offer) {
        let Self { caller, at, arrival, busy: _busy } = self;
        let connection = caller.connection.clone();
        let _alive = connection.bastion.life.token();
        let report = Report::default();
        let Ok((session, seat)) = connection.permit(caller.admit(&at, Some(arrival)), &caller.person).await else { return };
        let Ok(recording) = evidence::begin(&connection, &session, &seat, &report).await else { return };
        let client = match judge(&session, &at) {
            Ok(()) => caller.side.open_forwarded(caller.address.clone(), at.port(), arrival.from).await.ok_or_else(not_taken),
            Err(refusal) => Err(refusal),
        };
        let client = match client {
            Ok(client) => client,
            Err(refusal) => {
                let outcome = if refusal.reason == Reason::NotAllowed { Outcome::Refused } else { Outcome::ClientGone };
                let ending = Ending { outcome, reason: refusal.message.clone(), refusal: Some(refusal) };
                return evidence::seal(&connection, &session, &seat, &recording, &report, &ending).await;
            }
        };
        let (control, outbox) = Control::new(Session::arrived(at, arrival.from));
        control.event(Event::Permitted(rules(&session)));
        let permitted = permitted(session, seat, recording, TargetConnection::arrived(offer).await);
        control.event(Event::TargetReady);
        let task = Task { connection, control, client, pumps: JoinSet::new(), report };
        Box::pin(task.carry(permitted, outbox)).await;
    }
}

fn judge(session: &PermittedSession, at: &ListenAddress) -> Result<(), Refusal> {
    let certificate = session.certificate();
    session.permit().rules.allows_listen(at, certificate.extensions(), certificate.force_command())
}

fn rules(session: &PermittedSession) -> Rules {
    let certificate = session.certificate();
    Rules::new(session.permit().rules.clone(), certificate.extensions().clone(), certificate.force_command().cloned())
}

fn permitted(session: PermittedSession, seat: Seat, recording: Arc<Recording>, target: TargetConnection) -> Permitted {
    Permitted { session, seat, recording, dialling: JoinSet::new(), target: Some(target) }
}

fn not_taken() -> Refusal {
    Refusal::new(Reason::TargetUnavailable, "the client does not take the connection", "check that something listens where it leads to")
}
