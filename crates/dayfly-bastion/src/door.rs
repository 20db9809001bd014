//! Who may open what. Asked anew for every channel: a certificate that expired or was revoked since the login opens nothing more.

use crate::{
    authority::{Ask, AuthorityError, PermittedSession},
    connection::{Connection, Entrance, Person},
    live::{LiveFacts, Place, Seat},
};
use dayfly_api::session::RunningSession;
use dayfly_core::{
    admission::admit,
    audit::Event,
    name::{AccountName, TargetName},
    reason::{Reason, Refusal},
    target::{Mode, Target},
};
use std::time::Instant;
use tracing::{Span, field::display};
use uuid::Uuid;

/// The port that stands for SSH, wherever a target really listens.
const SSH_PORT: u32 = 22;

impl Connection {
    /// The target that a `direct-tcpip` channel names. Opening an inventory target by its name is not port forwarding, and nothing else is opened.
    pub fn find_target(&self, host: &str, port: u32) -> Result<Target, Refusal> {
        let snapshot = self.bastion.snapshot();
        let found = snapshot.inventory().get(host).filter(|target| port == SSH_PORT || port == u32::from(target.port));
        found.cloned().ok_or_else(|| unknown_target(&format!("{}:{port}", shortened(host))))
    }

    /// What to ask the CA for a session at a recorded target. Whoever forwards something adds that.
    pub fn admit_session(&self, entrance: &Entrance, person: &Person) -> Result<Ask, Refusal> {
        let (account, target) = match entrance {
            Entrance::Outer => self.route(&person.user)?,
            Entrance::Inner { target, .. } => (person.user.as_str(), self.known_target(target)?),
        };
        if target.mode == Mode::Passthrough {
            return Err(Refusal::new(
                Reason::WrongMode,
                format!("{} is reached end to end, so the bastion cannot log in there for you", target.name),
                format!("use: ssh -J BASTION {}@{}", shortened(account), target.name),
            ));
        }
        let account = AccountName::new(account)
            .map_err(|error| Refusal::new(Reason::BadRequest, error.to_string(), "name an account of the target as it is written there"))?;
        self.ask(person, target, Some(&account))
    }

    /// Whether the user name says which target this connection is for: then what is forwarded goes through that target.
    pub fn is_routed(&self, person: &Person) -> bool {
        self.route(&person.user).is_ok()
    }

    /// What to ask the CA for a passthrough channel to `target`.
    pub fn admit_passthrough(&self, person: &Person, target: Target) -> Result<Ask, Refusal> {
        self.ask(person, target, None)
    }

    /// Asks the CA, if the bastion itself admits and has a place. Reports every no that the CA does not have in its log already.
    pub async fn permit(&self, admitted: Result<Ask, Refusal>, person: &Person) -> Result<(PermittedSession, Seat), Refusal> {
        let asked = admitted.as_ref().ok().map(|ask| (ask.session, ask.target.name.clone()));
        if let Some((session, target)) = &asked {
            Span::current().record("id", display(session)).record("target", display(target));
        }
        let (refusal, in_log) = match admitted.and_then(|ask| Ok((self.check_open(&ask)?, ask))) {
            Err(refusal) => (refusal, false),
            Ok((place, ask)) => match self.ask_authority(ask).await {
                Ok(permitted) => {
                    let seat = self.seat(place, &permitted);
                    return Ok((permitted, seat));
                }
                Err(error) => {
                    tracing::info!(%error, "a session was not permitted");
                    (error.refusal(), error.is_in_log())
                }
            },
        };
        if !in_log {
            let mut event = self.refused(Event::SessionRefused, &refusal).serial(person.verified.serial()).fact("user", &person.user);
            if let Some(subject) = person.verified.subject() {
                event = event.subject(subject);
            }
            if let Some((session, target)) = asked {
                event = event.session(session).target(&target);
            }
            self.report(event);
        }
        Err(refusal)
    }

    async fn ask_authority(&self, ask: Ask) -> Result<PermittedSession, AuthorityError> {
        let asked = Instant::now();
        let answer = self.bastion.authority.permit(ask).await;
        let outcome = match &answer {
            Ok(_) => "permitted",
            Err(AuthorityError::Refused(_)) => "refused",
            Err(AuthorityError::Unavailable { .. }) => "unavailable",
        };
        self.bastion.metrics.authority_answered(asked.elapsed(), outcome);
        answer
    }

    /// Whether one more session may begin, and a place for it.
    fn check_open(&self, ask: &Ask) -> Result<Place, Refusal> {
        let bastion = &self.bastion;
        if !bastion.life.is_running() {
            let message = "the bastion is being stopped, and no session begins any more";
            return Err(Refusal::new(Reason::LimitReached, message, "connect again in a moment"));
        }
        bastion.journal.check_open()?;
        if ask.target.mode == Mode::Record && bastion.disk.is_reached() {
            return Err(Refusal::new(
                Reason::RecordingUnavailable,
                "the disk for recordings is nearly full, so no recorded session starts",
                "tell whoever runs the bastion",
            ));
        }
        // Whom the certificate does not name is told so by the CA.
        let person = ask.admission.certificate().subject().map(ToString::to_string).unwrap_or_default();
        bastion.live.take_place(&person, &ask.target.name, &bastion.limits())
    }

    fn seat(&self, place: Place, session: &PermittedSession) -> Seat {
        let permit = session.permit();
        let facts = LiveFacts {
            id: session.session(),
            person: permit.subject.clone(),
            role: permit.role.clone(),
            account: session.ask().admission.account().map(ToString::to_string),
            target: session.target_name().clone(),
            mode: permit.mode,
            peer: self.peer,
            since: self.bastion.clock.now(),
            review: permit.rules.continuous.then(|| RunningSession {
                session: session.session(),
                account: session.ask().admission.account().cloned(),
                forward: session.ask().forward.clone(),
                listen: session.ask().listen.as_ref().map(|listening| listening.at.clone()),
                peer: session.ask().peer,
            }),
        };
        place.begin(facts, self.bastion.metrics.counts(permit.mode))
    }

    fn ask(&self, person: &Person, target: Target, account: Option<&AccountName>) -> Result<Ask, Refusal> {
        let verified = self.verify_again(person)?;
        let admission = admit(&verified, &target, account)?;
        Ok(Ask {
            session: Uuid::now_v7(),
            connection: self.id,
            admission,
            target,
            forward: None,
            listen: None,
            certificate: person.line.clone(),
            peer: self.address(),
        })
    }

    /// `deploy@db1` at the bastion itself, for clients without ProxyJump: split at the last `@`.
    fn route<'a>(&self, user: &'a str) -> Result<(&'a str, Target), Refusal> {
        let Some((account, target)) = user.rsplit_once('@') else {
            return Err(Refusal::new(
                Reason::UnknownTarget,
                "this is a bastion, and no target was named",
                "use: ssh -J BASTION ACCOUNT@TARGET, or ssh ACCOUNT@TARGET@BASTION",
            ));
        };
        let snapshot = self.bastion.snapshot();
        let found = snapshot.inventory().get(target).cloned().ok_or_else(|| unknown_target(&shortened(target)))?;
        Ok((account, found))
    }

    /// The target may have left the inventory, or changed its mode, since the channel around this connection was opened.
    fn known_target(&self, name: &TargetName) -> Result<Target, Refusal> {
        self.bastion.snapshot().inventory().get(name.as_str()).cloned().ok_or_else(|| unknown_target(name.as_str()))
    }
}

fn unknown_target(name: &str) -> Refusal {
    Refusal::new(
        Reason::UnknownTarget,
        format!("there is no target {name:?} here: targets go by their names, with port 22, and nothing else is forwarded to"),
        "see which targets you may reach: dayfly roles",
    )
}

/// What clients send may be long.
fn shortened(text: &str) -> String {
    text.chars().take(100).collect()
}
