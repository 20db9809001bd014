//! The bastion: an SSH jump host that admits the CA's certificates only, and keeps evidence of every session.
//!
//! The way of a session: [`listener`] → [`handler`] → [`session`] (decides) → [`recorded`] (performs) → [`recorder`], [`upstream`], [`journal`].
//!
//! | Module | What it is |
//! |---|---|
//! | [`args`], [`commands`], [`config`], [`trace`] | the program: what it is told, and what it prints |
//! | [`assemble`], [`run`] | the one place that names concrete adapters; the process and its signals |
//! | [`listener`], [`transport`], [`serving`], [`life`], [`busy`] | connections: accepted, limited, penalised, cut |
//! | [`settings`], [`service`] | what SIGHUP reads anew; what systemd is told |
//! | [`live`] | the sessions that run: how many there may be, and how each is reached |
//! | [`continuous`] | asks the CA whether sessions may go on, where their role says so |
//! | [`operator`] | what somebody on the bastion's own host may ask: list, end, watch, how targets are |
//! | [`metrics`], [`readiness`], [`vitals`], [`monitor`] | what operators see: counted, judged, read, served |
//! | [`connection`], [`door`] | who logged in, and who may open what; asked anew for every channel |
//! | [`handler`] | the SSH library's callbacks → events. Decides nothing, waits for nothing |
//! | [`session`] | the state machine of a recorded session: events → actions. No I/O |
//! | [`recorded`], [`passthrough`] | the two kinds of session as tasks |
//! | [`host_identity`] | what the bastion shows of itself |
//! | [`inner`] | the SSH server that answers for a recorded target inside a ProxyJump |
//! | [`upstream`], [`targets`] | dials, and takes nothing but a permitted session; how each target was when it was last dialled |
//! | [`flow`] | bytes between two connections, without a deadlock and in bounded memory |
//! | [`authority`], [`watch`] | the port to the CA; what changed there |
//! | [`recorder`], [`interrupted`], [`journal`], [`spool`] | evidence: of what happens inside sessions, and of sessions in the CA's log |
//!
//! Invariants:
//! - Nothing is dialled without an [`authority::PermittedSession`], which only an admission here and a yes of the CA make together.
//! - Nothing of a recorded session is forwarded that its [`recorder::Recording`] has not taken before.
//! - No callback of the SSH library waits for anything but its own connection. One does, for a bounded time: the answer to a target that is to listen.

pub mod algorithms;
pub mod args;
pub mod assemble;
pub mod authority;
pub mod bastion;
pub mod busy;
pub mod clock;
pub mod commands;
pub mod config;
pub mod connection;
pub mod continuous;
pub mod door;
pub mod files;
pub mod flow;
pub mod handler;
pub mod host_identity;
pub mod inner;
pub mod interrupted;
pub mod journal;
pub mod life;
pub mod listener;
pub mod live;
pub mod metrics;
pub mod monitor;
pub mod operator;
pub mod passthrough;
pub mod readiness;
pub mod recorded;
pub mod recorder;
pub mod run;
pub mod service;
pub mod serving;
pub mod session;
pub mod settings;
pub mod signal;
pub mod spool;
pub mod targets;
pub mod trace;
pub mod transport;
pub mod upstream;
pub mod vitals;
pub mod watch;

#[cfg(test)]
mod smoke;

/// How the bastion introduces itself to either side (RFC 4253 section 4.2). Without a version: that is nobody's business before the login.
pub(crate) fn identification() -> russh::SshId {
    russh::SshId::Standard(std::borrow::Cow::Borrowed("SSH-2.0-dayfly"))
}
