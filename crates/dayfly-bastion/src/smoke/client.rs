//! A person with an SSH client.

use super::House;
use crate::authority::double::{self, AuthorityDouble};
use dayfly_core::{
    certificate::{Revocations, Verifier},
    signer::{SeedSigner, Signer},
};
use russh::{
    Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf,
    client::{self, ChannelOpenHandle, Handle, Msg},
    keys::PublicKeyOrCertificate,
};
use ssh_key::{Certificate, PrivateKey, certificate::Builder, public::KeyData};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

/// A key and a certificate.
#[derive(Clone)]
pub(super) struct Person {
    pub key: PrivateKey,
    pub certificate: Certificate,
}

impl Person {
    /// `subject` with `principals`, valid for five minutes, with a terminal.
    pub(super) fn certified(authority: &AuthorityDouble, subject: &str, principals: &[&str]) -> Self {
        Self::with(double::fresh_key(), authority, subject, principals, |_| {})
    }

    /// As [`Self::certified`], with a key of choice and something changed.
    pub(super) fn with(
        key: PrivateKey,
        authority: &AuthorityDouble,
        subject: &str,
        principals: &[&str],
        change: impl FnOnce(&mut Builder),
    ) -> Self {
        let now = double::unix_now();
        let certificate = certificate(&key, &authority.user_ca, (now - 30, now + 300), |builder| {
            let grant = "01890a5d-ac96-774b-bcce-b302099a8057";
            builder.serial(7).unwrap().key_id(format!("{subject} role=db-admin grant={grant}")).unwrap();
            for principal in principals {
                builder.valid_principal(*principal).unwrap();
            }
            builder.extension("permit-pty", "").unwrap().extension("grant@dayfly", format!("db-admin {grant}")).unwrap();
            change(builder);
        });
        Self { key, certificate }
    }

    /// As [`Self::certified`], until `ends` and without a terminal.
    pub(super) fn until(ends: u64, authority: &AuthorityDouble, subject: &str, principals: &[&str]) -> Self {
        let key = double::fresh_key();
        let certificate = certificate(&key, &authority.user_ca, (ends - 60, ends), |builder| {
            let grant = "01890a5d-ac96-774b-bcce-b302099a8057";
            builder.serial(7).unwrap().key_id(format!("{subject} role=db-admin grant={grant}")).unwrap();
            for principal in principals {
                builder.valid_principal(*principal).unwrap();
            }
            builder.extension("grant@dayfly", format!("db-admin {grant}")).unwrap();
        });
        Self { key, certificate }
    }
}

/// A certificate that says what it is told.
pub(super) fn certificate(
    key: &PrivateKey,
    authority: &SeedSigner,
    (after, before): (u64, u64),
    fill: impl FnOnce(&mut Builder),
) -> Certificate {
    let nonce: [u8; 32] = rand::random();
    let mut builder = Builder::new(nonce.to_vec(), key.public_key().key_data().clone(), after, before).unwrap();
    fill(&mut builder);
    builder.sign(authority.private_key()).unwrap()
}

/// Accepts host certificates of the test's authority for one name.
pub(super) struct Trust {
    authority: KeyData,
    name: String,
}

impl client::Handler for Trust {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        let Some(certificate) = shown.certificate() else { return Ok(false) };
        let verifier = Verifier { authorities: std::slice::from_ref(&self.authority), revocations: &Revocations::default() };
        Ok(verifier.host(certificate, double::unix_now(), &self.name).is_ok())
    }

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        channel: Channel<Msg>,
        at: &str,
        _: u32,
        from: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), Self::Error> {
        assert_eq!((at, from), ("LocalHost", "203.0.113.9"), "as it was asked for, and nothing else");
        reply.accept().await;
        tokio::spawn(echo(channel));
        Ok(())
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), Self::Error> {
        reply.accept().await;
        tokio::spawn(echo(channel));
        Ok(())
    }
}

/// Sends back what comes, and then ends.
async fn echo(channel: Channel<Msg>) {
    let (mut reader, mut writer) = tokio::io::split(channel.into_stream());
    tokio::io::copy(&mut reader, &mut writer).await.unwrap();
    writer.shutdown().await.unwrap();
}

pub(super) type Connection = Handle<Trust>;

fn config() -> Arc<client::Config> {
    let mut config = client::Config { nodelay: true, ..client::Config::default() };
    config.preferred.host_key_certificates = std::borrow::Cow::Borrowed(&[ssh_key::Algorithm::Ed25519]);
    Arc::new(config)
}

impl House {
    /// An SSH connection to the bastion, not logged in.
    pub(super) async fn connect(&self) -> Connection {
        self.try_connect().await.unwrap()
    }

    /// As [`Self::connect`]; the bastion may cut the handshake short.
    pub(super) async fn try_connect(&self) -> Result<Connection, russh::Error> {
        let socket = tokio::net::TcpStream::connect(self.address).await.unwrap();
        self.handshake(socket, "gate").await
    }

    async fn handshake(
        &self,
        transport: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        name: &str,
    ) -> Result<Connection, russh::Error> {
        let trust = Trust { authority: self.authority.host_ca.public_key().clone(), name: name.to_owned() };
        client::connect_stream(config(), transport, trust).await
    }

    /// Logged in at the bastion as `user`.
    pub(super) async fn log_in(&self, user: &str, person: &Person) -> Option<Connection> {
        let mut connection = self.connect().await;
        authenticate(&mut connection, user, person).await.then_some(connection)
    }

    /// As [`Self::log_in`], over a connection that somebody opened.
    pub(super) async fn log_in_over(&self, socket: tokio::net::TcpStream, user: &str, person: &Person) -> Option<Connection> {
        let mut connection = self.handshake(socket, "gate").await.unwrap();
        authenticate(&mut connection, user, person).await.then_some(connection)
    }

    /// As `ssh -J`: logged in at the bastion, and inside at `account@target`.
    pub(super) async fn jump(&self, outer: &Person, inner: &Person, account: &str, target: &str) -> Option<(Connection, Connection)> {
        let outside = self.log_in("whoever", outer).await.unwrap();
        let channel = outside.channel_open_direct_tcpip(target, 22, "127.0.0.1", 1).await.unwrap();
        let mut inside = self.handshake(channel.into_stream(), target).await.unwrap();
        authenticate(&mut inside, account, inner).await.then_some((outside, inside))
    }
}

pub(super) async fn authenticate(connection: &mut Connection, user: &str, person: &Person) -> bool {
    let answer = connection.authenticate_openssh_cert(user, Arc::new(person.key.clone()), person.certificate.clone()).await;
    answer.unwrap().success()
}

/// What came of a command.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub stdout: Vec<u8>,
    pub stderr: String,
    pub status: Option<u32>,
    pub eofs: u32,
    pub closed: bool,
}

/// Reads a channel to its end.
pub(super) async fn finish(mut reading: ChannelReadHalf) -> Outcome {
    let mut outcome = Outcome::default();
    let mut stderr = Vec::new();
    while let Some(message) = reading.wait().await {
        match message {
            ChannelMsg::Data { data } => outcome.stdout.extend_from_slice(&data),
            ChannelMsg::ExtendedData { data, .. } => stderr.extend_from_slice(&data),
            ChannelMsg::ExitStatus { exit_status } => outcome.status = Some(exit_status),
            ChannelMsg::Eof => outcome.eofs += 1,
            ChannelMsg::Close => outcome.closed = true,
            _ => {}
        }
    }
    outcome.stderr = String::from_utf8(stderr).unwrap();
    outcome
}

/// A command that was started.
pub(super) async fn start(connection: &Connection, command: &str) -> (ChannelReadHalf, ChannelWriteHalf<Msg>) {
    let channel = connection.channel_open_session().await.unwrap();
    channel.exec(true, command).await.unwrap();
    channel.split()
}

/// A command run to its end, with nothing to read.
pub(super) async fn run(connection: &Connection, command: &str) -> Outcome {
    let (reading, writing) = start(connection, command).await;
    writing.eof().await.unwrap();
    finish(reading).await
}

/// Accepts one host key.
pub(super) struct PinnedTrust(pub String);

impl client::Handler for PinnedTrust {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        Ok(shown.public_key().to_openssh().unwrap() == self.0)
    }
}
