//! The SSH library's callbacks of a connection to a target. Bytes go into a queue, nothing here waits.

use super::{host_key::HostKeyCheck, inbound::Inbound};
use crate::{
    clock::SystemClock,
    flow::{Lane, QueueSender, queue::Overflow},
    session::Exit,
};
use dayfly_core::clock::Clock;
use russh::{
    Channel, ChannelId, ChannelOpenFailure, Sig,
    client::{self, ChannelOpenHandle, Msg, Session},
    keys::PublicKeyOrCertificate,
};

/// Something that the target said between its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetMark {
    /// The answer to the next request that wanted one.
    Answer(bool),
    /// It sends no more.
    Eof,
    /// What ran ended.
    Exit(Exit),
    /// It closed the channel.
    Close,
    /// It opened a channel of this kind, which nobody had asked for. It was refused.
    Opened(&'static str),
}

/// Extended data of this type is the error stream (RFC 4254 section 5.2).
const STDERR: u32 = 1;

/// Receives what a target sends.
pub(crate) struct TargetHandler {
    check: HostKeyCheck,
    queue: QueueSender<TargetMark>,
    inbound: Inbound,
}

impl TargetHandler {
    pub(super) fn new(check: HostKeyCheck, queue: QueueSender<TargetMark>, inbound: Inbound) -> Self {
        Self { check, queue, inbound }
    }

    /// Where a channel's bytes go: one that the target opened has its own queue, every other is the session's.
    fn queue(&self, channel: ChannelId) -> &QueueSender<TargetMark> {
        self.inbound.queue(channel).unwrap_or(&self.queue)
    }

    /// Told in its place among everything else that the target says on a session's own channel.
    fn unasked(&mut self, what: &'static str) -> Result<(), TargetError> {
        if self.inbound.unasked(what) { Ok(self.queue.mark(TargetMark::Opened(what))?) } else { Ok(()) }
    }

    fn mark(&self, channel: ChannelId, mark: TargetMark) -> Result<(), TargetError> {
        Ok(self.queue(channel).mark(mark)?)
    }
}

/// Why the connection to a target ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TargetError {
    /// The SSH library's reason.
    #[error(transparent)]
    Ssh(#[from] russh::Error),
    /// The target does not keep to its window.
    #[error(transparent)]
    Overflow(#[from] Overflow),
}

impl client::Handler for TargetHandler {
    type Error = TargetError;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, TargetError> {
        Ok(self.check.accept(shown, SystemClock.unix_seconds()))
    }

    async fn data(&mut self, channel: ChannelId, data: &[u8], _: &mut Session) -> Result<(), TargetError> {
        Ok(self.queue(channel).bytes(Lane::Main, data)?)
    }

    async fn extended_data(&mut self, channel: ChannelId, kind: u32, data: &[u8], _: &mut Session) -> Result<(), TargetError> {
        // Other types are not defined, and nobody could be shown them.
        if kind == STDERR { Ok(self.queue(channel).bytes(Lane::Stderr, data)?) } else { Ok(()) }
    }

    async fn channel_success(&mut self, channel: ChannelId, _: &mut Session) -> Result<(), TargetError> {
        self.mark(channel, TargetMark::Answer(true))
    }

    async fn channel_failure(&mut self, channel: ChannelId, _: &mut Session) -> Result<(), TargetError> {
        self.mark(channel, TargetMark::Answer(false))
    }

    async fn channel_eof(&mut self, channel: ChannelId, _: &mut Session) -> Result<(), TargetError> {
        self.mark(channel, TargetMark::Eof)
    }

    async fn channel_close(&mut self, channel: ChannelId, _: &mut Session) -> Result<(), TargetError> {
        self.mark(channel, TargetMark::Close)?;
        self.inbound.close(channel);
        Ok(())
    }

    /// To a target that takes back a channel it had opened, the library says nothing more, and tells its user no end. Where the channel was never opened, nobody
    /// takes the mark.
    async fn channel_open_failure(
        &mut self,
        channel: ChannelId,
        _: ChannelOpenFailure,
        _: &str,
        _: &str,
        _: &mut Session,
    ) -> Result<(), TargetError> {
        self.mark(channel, TargetMark::Close)
    }

    async fn exit_status(&mut self, channel: ChannelId, status: u32, _: &mut Session) -> Result<(), TargetError> {
        self.mark(channel, TargetMark::Exit(Exit::Status(status)))
    }

    async fn exit_signal(
        &mut self,
        channel: ChannelId,
        signal: Sig,
        core_dumped: bool,
        message: &str,
        _: &str,
        _: &mut Session,
    ) -> Result<(), TargetError> {
        let message = message.chars().take(1024).collect();
        self.mark(channel, TargetMark::Exit(Exit::Signal { name: crate::signal::name(&signal), core_dumped, message }))
    }

    // A target may open what it was asked for, and nothing else. The library would accept each of these; a reply that is dropped refuses.

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        channel: Channel<Msg>,
        address: &str,
        port: u32,
        from_address: &str,
        from_port: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), TargetError> {
        if self.inbound.connection(channel, reply, (address, port), (from_address, from_port)) {
            Ok(())
        } else {
            self.unasked("forwarded-tcpip")
        }
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), TargetError> {
        if self.inbound.agent(channel, reply) { Ok(()) } else { self.unasked("auth-agent@openssh.com") }
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), TargetError> {
        self.unasked("forwarded-streamlocal@openssh.com")
    }

    async fn server_channel_open_session(&mut self, _: Channel<Msg>, _: ChannelOpenHandle, _: &mut Session) -> Result<(), TargetError> {
        self.unasked("session")
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), TargetError> {
        self.unasked("direct-tcpip")
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), TargetError> {
        self.unasked("direct-streamlocal@openssh.com")
    }

    async fn server_channel_open_x11(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), TargetError> {
        self.unasked("x11")
    }
}
