//! The far end: an SSH server that lets everybody in and echoes.

use anyhow::Result;
use russh::{
    Channel, ChannelId, Pty,
    server::{self, Auth, ChannelOpenHandle, Config, Handler, Msg, Session},
};
use std::{io::Write, path::Path, sync::Arc, time::Duration};
use tokio::net::TcpListener;

/// Serves for ever.
pub(crate) async fn serve(host_key: &Path) -> Result<()> {
    let key = ssh_key::PrivateKey::read_openssh_file(host_key)?;
    let config = Arc::new(Config {
        keys: vec![key],
        inactivity_timeout: None,
        auth_rejection_time: Duration::ZERO,
        nodelay: true,
        ..Config::default()
    });
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?.port())?;
    loop {
        let (socket, _) = listener.accept().await?;
        let config = Arc::clone(&config);
        tokio::spawn(async move {
            if let Ok(session) = server::run_stream(config, socket, Echo).await {
                let _ = session.await;
            }
        });
    }
}

struct Echo;

impl Handler for Echo {
    type Error = russh::Error;

    async fn auth_openssh_certificate(&mut self, _: &str, _: &ssh_key::Certificate) -> Result<Auth, Self::Error> {
        Ok(Auth::Accept)
    }

    async fn channel_open_session(&mut self, _: Channel<Msg>, reply: ChannelOpenHandle, _: &mut Session) -> Result<(), Self::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn pty_request(
        &mut self,
        id: ChannelId,
        _: &str,
        _: u32,
        _: u32,
        _: u32,
        _: u32,
        _: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_success(id)
    }

    async fn shell_request(&mut self, id: ChannelId, session: &mut Session) -> Result<(), Self::Error> {
        session.channel_success(id)?;
        session.data(id, "$ ")
    }

    async fn data(&mut self, id: ChannelId, data: &[u8], session: &mut Session) -> Result<(), Self::Error> {
        session.data(id, data.to_vec())
    }
}
