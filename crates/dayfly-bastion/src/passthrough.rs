//! A passthrough session: bytes between a ProxyJump's channel and the target, counted, and cut when the certificate ends. The target's own `sshd` judges
//! everything else.

use crate::{
    authority::PermittedSession,
    connection::{Connection, Person},
    flow::{Gone, Piece, QueueReceiver},
    handler::{ClientMark, refuse},
    live::{Counts, LiveSession},
    recorded::{report::Report, timer::Timer},
    session::Ending,
    upstream,
};
use bytes::BytesMut;
use dayfly_core::{
    reason::{Reason, Refusal},
    target::Target,
};
use dayfly_recording::Outcome;
use russh::{
    ChannelWriteHalf,
    server::{ChannelOpenHandle, Msg},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::tcp::{OwnedReadHalf, OwnedWriteHalf},
};

/// How much is read at once, in bytes. Measured: a quarter of it costs a third of the speed.
const READ: usize = 32 * 1024;

/// How long what a client sent before it left has to arrive.
const LINGER: Duration = Duration::from_secs(5);

/// How long a client may take to hear of the end.
const PATIENCE: Duration = Duration::from_secs(3);

/// Carries one channel, from the question whether it may be opened to its report.
pub async fn run(
    connection: Arc<Connection>,
    person: Arc<Person>,
    target: Target,
    reply: ChannelOpenHandle,
    channel: ChannelWriteHalf<Msg>,
    queue: QueueReceiver<ClientMark>,
) {
    let _alive = connection.bastion.life.token();
    let (session, seat) = match connection.permit(connection.admit_passthrough(&person, target), &person).await {
        Ok(permitted) => permitted,
        Err(refusal) => return refuse(reply, &refusal).await,
    };
    let began = Instant::now();
    let dialled = upstream::forward(&session, connection.bastion.snapshot().inventory()).await;
    let ending = match connection.bastion.dialled(&session, began.elapsed(), dialled) {
        Ok(transport) => {
            reply.accept().await;
            let gone = queue.gone();
            let (reader, writer) = transport.into_split();
            let ending = carry(&connection, &session, &seat, Upload { queue, writer }, Download { reader, channel: &channel }).await;
            let _ = gone.or_gone(tokio::time::timeout(PATIENCE, channel.close())).await;
            ending
        }
        Err(refusal) => {
            refuse(reply, &refusal).await;
            Ending { outcome: Outcome::TargetGone, reason: refusal.message.clone(), refusal: Some(refusal) }
        }
    };
    let event = Report::default().ended(&connection, &session, &seat, ending.outcome, &ending.reason, ending.refusal.as_ref());
    connection.bastion.journal.note(event);
}

async fn carry(connection: &Connection, session: &PermittedSession, live: &LiveSession, upload: Upload, download: Download<'_>) -> Ending {
    let (bastion, counts) = (&connection.bastion, &live.counts);
    let mut timer = Timer::new(&bastion.limits(), session, counts.clone(), bastion.clock.now());
    let gone = upload.queue.gone();
    let mut snapshot = connection.bastion.snapshot.clone();
    let certificate = session.certificate();
    let revoked = async {
        loop {
            if let Some(by) = snapshot.borrow_and_update().revocations().cover(certificate) {
                return by;
            }
            if snapshot.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! {
        biased;
        () = tokio::time::sleep(time_left(connection, session)) => terminated(Reason::Expired, "the certificate has ended"),
        by = revoked => terminated(Reason::Revoked, &by.to_string()),
        () = bastion.life.stopping() => terminated(Reason::LimitReached, "the bastion is being stopped"),
        order = live.ending() => terminated(order.by.reason(), &order.message),
        (reason, message) = timer.end() => terminated(reason, &message),
        outcome = both(upload, download, counts) => Ending::new(outcome, "both sides have ended"),
        () = lingered(gone) => Ending::new(Outcome::ClientGone, "the person's connection ended"),
    }
}

/// By the monotonic clock from here on: setting the system's clock back prolongs nothing.
fn time_left(connection: &Connection, session: &PermittedSession) -> Duration {
    let left = session.permit().certificate_ends - connection.bastion.clock.now();
    Duration::try_from(left).unwrap_or(Duration::ZERO)
}

fn terminated(reason: Reason, message: &str) -> Ending {
    let refusal = Refusal::new(reason, message, "");
    Ending { outcome: Outcome::Terminated, reason: message.to_owned(), refusal: Some(refusal) }
}

/// A client that has left, and everything that it had sent had its time to arrive.
async fn lingered(gone: Gone) {
    gone.wait().await;
    tokio::time::sleep(LINGER).await;
}

/// Both directions, until the target has closed or the client has left. Either may end before the other.
async fn both(upload: Upload, download: Download<'_>, counts: &Counts) -> Outcome {
    tokio::select! {
        // A target that has closed takes nothing more, so the client's direction is over too.
        () = download.run(counts) => Outcome::Completed,
        outcome = upload.run(counts) => outcome,
    }
}

struct Upload {
    queue: QueueReceiver<ClientMark>,
    writer: OwnedWriteHalf,
}

impl Upload {
    /// Returns if the target takes nothing any more, or once the client has left and everything that it had sent is written.
    async fn run(mut self, counts: &Counts) -> Outcome {
        loop {
            let written = match self.queue.take().await {
                Some(Piece::Bytes(_, mut bytes)) => {
                    counts.add_up(bytes.len());
                    self.writer.write_all_buf(&mut bytes).await
                }
                Some(Piece::Mark(ClientMark::Eof)) => self.writer.shutdown().await,
                None => return Outcome::ClientGone,
            };
            if written.is_err() {
                return Outcome::TargetGone;
            }
        }
    }
}

struct Download<'a> {
    reader: OwnedReadHalf,
    channel: &'a ChannelWriteHalf<Msg>,
}

impl Download<'_> {
    /// Returns when the target has sent everything.
    async fn run(mut self, counts: &Counts) {
        let mut buffer = BytesMut::with_capacity(4 * READ);
        loop {
            buffer.reserve(READ);
            match self.reader.read_buf(&mut buffer).await {
                Ok(0) | Err(_) => break,
                Ok(count) => counts.add_down(count),
            }
            if self.channel.data_bytes(buffer.split().freeze()).await.is_err() {
                return;
            }
        }
        let _ = self.channel.eof().await;
    }
}
