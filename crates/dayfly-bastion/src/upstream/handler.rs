//! The SSH library's callbacks of a connection to a target. Bytes go into a queue, nothing here waits.

use super::host_key::HostKeyCheck;
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
}

/// Extended data of this type is the error stream (RFC 4254 section 5.2).
const STDERR: u32 = 1;

/// Receives what a target sends.
pub(crate) struct TargetHandler {
    check: HostKeyCheck,
    queue: QueueSender<TargetMark>,
}

impl TargetHandler {
    pub(super) fn new(check: HostKeyCheck, queue: QueueSender<TargetMark>) -> Self {
        Self { check, queue }
    }

    fn mark(&self, mark: TargetMark) -> Result<(), TargetError> {
        Ok(self.queue.mark(mark)?)
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

    async fn data(&mut self, _: ChannelId, data: &[u8], _: &mut Session) -> Result<(), TargetError> {
        Ok(self.queue.bytes(Lane::Main, data)?)
    }

    async fn extended_data(&mut self, _: ChannelId, kind: u32, data: &[u8], _: &mut Session) -> Result<(), TargetError> {
        // Other types are not defined, and nobody could be shown them.
        if kind == STDERR { Ok(self.queue.bytes(Lane::Stderr, data)?) } else { Ok(()) }
    }

    async fn channel_success(&mut self, _: ChannelId, _: &mut Session) -> Result<(), TargetError> {
        self.mark(TargetMark::Answer(true))
    }

    async fn channel_failure(&mut self, _: ChannelId, _: &mut Session) -> Result<(), TargetError> {
        self.mark(TargetMark::Answer(false))
    }

    async fn channel_eof(&mut self, _: ChannelId, _: &mut Session) -> Result<(), TargetError> {
        self.mark(TargetMark::Eof)
    }

    async fn channel_close(&mut self, _: ChannelId, _: &mut Session) -> Result<(), TargetError> {
        self.mark(TargetMark::Close)
    }

    /// To a target that takes back a channel it had opened, the library says nothing more, and tells its user no end. Where the channel was never opened, nobody
    /// takes the mark.
    async fn channel_open_failure(
        &mut self,
        _: ChannelId,
        _: ChannelOpenFailure,
        _: &str,
        _: &str,
        _: &mut Session,
    ) -> Result<(), TargetError> {
        self.mark(TargetMark::Close)
    }

    async fn exit_status(&mut self, _: ChannelId, status: u32, _: &mut Session) -> Result<(), TargetError> {
        self.mark(TargetMark::Exit(Exit::Status(status)))
    }

    async fn exit_signal(
        &mut self,
        _: ChannelId,
        signal: Sig,
        core_dumped: bool,
        message: &str,
        _: &str,
        _: &mut Session,
    ) -> Result<(), TargetError> {
        let message = message.chars().take(1024).collect();
        self.mark(TargetMark::Exit(Exit::Signal { name: crate::signal::name(&signal), core_dumped, message }))
    }

    // A target may open no channel: nothing was forwarded, and its bytes would be taken for the session's. The library would accept each of these; a reply
    // that is dropped refuses.

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), TargetError> {
        Ok(())
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), TargetError> {
        Ok(())
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        _: Channel<Msg>,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), TargetError> {
        Ok(())
    }

    async fn server_channel_open_session(&mut self, _: Channel<Msg>, _: ChannelOpenHandle, _: &mut Session) -> Result<(), TargetError> {
        Ok(())
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
        Ok(())
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), TargetError> {
        Ok(())
    }

    async fn server_channel_open_x11(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), TargetError> {
        Ok(())
    }
}
