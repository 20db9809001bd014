//! The SSH server inside a ProxyJump: the bastion answers for a recorded target, with a host certificate for its name alone.

mod hosts;

pub use hosts::InnerHosts;

use crate::{
    connection::{Connection, Entrance, Person},
    flow::{ChannelStream, QueueReceiver},
    handler::{ClientHandler, ClientMark, refuse},
    metrics::Way,
    serving::{End, serve},
    transport::ClientTransport,
};
use dayfly_core::{audit::Event, name::TargetName, reason::Refusal};
use russh::{
    ChannelWriteHalf,
    server::{ChannelOpenHandle, Config, Msg},
};
use std::{sync::Arc, time::Duration};

/// How long a client may take to hear that its channel is closed.
const PATIENCE: Duration = Duration::from_secs(3);

/// Answers for `target` in a channel that `outer` opened.
pub async fn answer(
    connection: Arc<Connection>,
    outer: Arc<Person>,
    target: TargetName,
    reply: ChannelOpenHandle,
    channel: ChannelWriteHalf<Msg>,
    queue: QueueReceiver<ClientMark>,
) {
    let config = match prepare(&connection, &outer, &target).await {
        Ok(config) => config,
        Err(refusal) => return refuse(reply, &refusal).await,
    };
    reply.accept().await;
    let gone = queue.gone();
    let (transport, answers, cut) = ClientTransport::new(ChannelStream::new(queue, &channel));
    let grace = connection.bastion.limits().login_grace;
    let metrics = connection.bastion.metrics.clone();
    let client = ClientHandler::new(connection, Entrance::Inner { target, outer }, answers);
    let end = serve(config, transport, cut, client, grace, || metrics.handshake(Way::Inner, End::LoggedIn)).await;
    if end != End::LoggedIn {
        metrics.handshake(Way::Inner, end);
    }
    let _ = gone.or_gone(tokio::time::timeout(PATIENCE, channel.close())).await;
}

/// Whether the channel may be opened at all, and with what to answer in it. What is refused is reported.
async fn prepare(connection: &Connection, outer: &Person, target: &TargetName) -> Result<Arc<Config>, Refusal> {
    // A certificate that has expired since its login opens nothing more, whatever the inner one would say.
    let outcome = match connection.verify_again(outer) {
        Ok(_) => connection.bastion.inner_hosts.config(target).await,
        Err(refusal) => Err(refusal),
    };
    outcome.inspect_err(|refusal| {
        let event = connection.refused(Event::SessionRefused, refusal).target(target).serial(outer.verified.serial());
        connection.report(match outer.verified.subject() {
            Some(subject) => event.subject(subject),
            None => event,
        });
    })
}
