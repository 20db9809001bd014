//! Who may open what. Asked anew for every channel: a certificate that expired or was revoked since the login opens nothing more.

use crate::{
    authority::{Ask, PermittedSession},
    connection::{Connection, Entrance, Person},
};
use dayfly_core::{
    admission::admit,
    audit::Event,
    forward::Destination,
    name::{AccountName, TargetName},
    reason::{Reason, Refusal},
    target::{Mode, Target},
};
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

    /// What to ask the CA for a session channel, or for a connection that is forwarded from the target.
    pub fn admit_session(&self, entrance: &Entrance, person: &Person, forward: Option<&Destination>) -> Result<Ask, Refusal> {
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
        Ok(Ask { forward: forward.cloned(), ..self.ask(person, target, Some(&account))? })
    }

    /// Whether the user name says which target this connection is for: then what is forwarded goes through that target.
    pub fn is_routed(&self, person: &Person) -> bool {
        self.route(&person.user).is_ok()
    }

    /// What to ask the CA for a passthrough channel to `target`.
    pub fn admit_passthrough(&self, person: &Person, target: Target) -> Result<Ask, Refusal> {
        self.ask(person, target, None)
    }

    /// Asks the CA, if the bastion itself admits. Reports every no that the CA does not have in its log already.
    pub async fn permit(&self, admitted: Result<Ask, Refusal>, person: &Person) -> Result<PermittedSession, Refusal> {
        let asked = admitted.as_ref().ok().map(|ask| (ask.session, ask.target.name.clone()));
        let (refusal, in_log) = match admitted.and_then(|ask| self.check_open().map(|()| ask)) {
            Err(refusal) => (refusal, false),
            Ok(ask) => match self.bastion.authority.permit(ask).await {
                Ok(permitted) => return Ok(permitted),
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

    /// Whether sessions may begin at all.
    fn check_open(&self) -> Result<(), Refusal> {
        if self.bastion.life.is_running() {
            return self.bastion.journal.check_open();
        }
        Err(Refusal::new(Reason::LimitReached, "the bastion is being stopped, and no session begins any more", "connect again in a moment"))
    }

    fn ask(&self, person: &Person, target: Target, account: Option<&AccountName>) -> Result<Ask, Refusal> {
        let verified = self.verify(&person.certificate)?;
        let admission = admit(&verified, &target, account)?;
        Ok(Ask {
            session: Uuid::now_v7(),
            connection: self.id,
            admission,
            target,
            forward: None,
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
