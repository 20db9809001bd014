//! A target: an SSH server that admits certificates of one authority, and does a few things on command.

use crate::{authority::double, flow::WINDOW};
use dayfly_core::{
    certificate::{Revocations, Verifier},
    name::TargetName,
    signer::{SeedSigner, Signer},
    target::{Mode, Target},
};
use russh::{
    Channel, ChannelId, ChannelMsg, Pty,
    server::{self, Auth, ChannelOpenHandle, Msg, Session},
};
use ssh_key::{Certificate, public::KeyData};
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

pub(super) struct TargetServer {
    address: SocketAddr,
    host_key: String,
    /// What came of the connections that it tried to hand over since it was asked to listen.
    pub(super) handed_over: Arc<Mutex<Vec<String>>>,
}

impl TargetServer {
    /// Listens on loopback; `authority` signs what it admits.
    pub(super) async fn start(authority: &SeedSigner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let host_key = double::fresh_key();
        let line = host_key.public_key().to_openssh().unwrap();
        let config = Arc::new(server::Config {
            keys: vec![host_key],
            inactivity_timeout: None,
            auth_rejection_time: std::time::Duration::ZERO,
            window_size: WINDOW,
            ..server::Config::default()
        });
        let authority = authority.public_key().clone();
        let handed_over = Arc::new(Mutex::default());
        let told = handed_over.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                socket.set_nodelay(true).unwrap();
                let handed_over = told.clone();
                let handler = TargetSide { authority: authority.clone(), channels: HashMap::new(), terminal: None, handed_over };
                let config = config.clone();
                tokio::spawn(async move {
                    if let Ok(session) = server::run_stream(config, socket, handler).await {
                        let _ = session.await;
                    }
                });
            }
        });
        Self { address, host_key: line, handed_over }
    }

    pub(super) fn target(&self, name: &str, mode: Mode) -> Target {
        Target {
            name: TargetName::new(name).unwrap(),
            address: self.address.ip().to_string(),
            port: self.address.port(),
            groups: Default::default(),
            host_keys: vec![self.host_key.clone()],
            host_ca: Vec::new(),
            mode,
            literal_principals: Default::default(),
            session: None,
        }
    }
}

struct TargetSide {
    authority: KeyData,
    channels: HashMap<ChannelId, Channel<Msg>>,
    terminal: Option<(u32, u32)>,
    handed_over: Arc<Mutex<Vec<String>>>,
}

impl server::Handler for TargetSide {
    type Error = russh::Error;

    async fn auth_openssh_certificate(&mut self, user: &str, certificate: &Certificate) -> Result<Auth, Self::Error> {
        let verifier = Verifier { authorities: std::slice::from_ref(&self.authority), revocations: &Revocations::default() };
        let verified = verifier.user(certificate, double::unix_now(), "127.0.0.1".parse().unwrap());
        let admitted = verified
            .is_ok_and(|verified| verified.principals().iter().any(|principal| principal.as_str().starts_with(&format!("{user}@"))));
        Ok(if admitted { Auth::Accept } else { Auth::reject() })
    }

    async fn channel_open_session(&mut self, channel: Channel<Msg>, reply: ChannelOpenHandle, _: &mut Session) -> Result<(), Self::Error> {
        self.channels.insert(channel.id(), channel);
        reply.accept().await;
        Ok(())
    }

    async fn pty_request(
        &mut self,
        id: ChannelId,
        term: &str,
        columns: u32,
        rows: u32,
        _: u32,
        _: u32,
        _: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        if term == "declined" {
            return session.channel_failure(id);
        }
        self.terminal = Some((columns, rows));
        session.channel_success(id)
    }

    /// Hands over what nobody asked for, and then one connection that was.
    async fn tcpip_forward(&mut self, address: &str, port: &mut u32, session: &mut Session) -> Result<bool, Self::Error> {
        if *port == 0 {
            *port = 40_123;
        }
        let (address, port, handle, told) = (address.to_owned(), *port, session.handle(), self.handed_over.clone());
        tokio::spawn(async move {
            let from = "203.0.113.9";
            for (address, port, from) in
                [(&*address, port + 1, from), ("0.0.0.0", port, from), (&address, port, "\u{1b}[2J"), (&address, port, from)]
            {
                let came_of_it = match handle.channel_open_forwarded_tcpip(address, port, from, 4711_u32).await {
                    Ok(channel) => echoed(channel, b"from the target").await,
                    Err(error) => error.to_string(),
                };
                told.lock().unwrap().push(came_of_it);
            }
        });
        Ok(true)
    }

    async fn cancel_tcpip_forward(&mut self, address: &str, port: u32, _: &mut Session) -> Result<bool, Self::Error> {
        self.handed_over.lock().unwrap().push(format!("cancelled {address}:{port}"));
        Ok(true)
    }

    async fn shell_request(&mut self, id: ChannelId, session: &mut Session) -> Result<(), Self::Error> {
        session.channel_success(id)?;
        let Some(channel) = self.channels.remove(&id) else { return Ok(()) };
        tokio::spawn(shell(channel, self.terminal));
        Ok(())
    }

    async fn subsystem_request(&mut self, id: ChannelId, _: &str, session: &mut Session) -> Result<(), Self::Error> {
        session.channel_failure(id)
    }

    async fn exec_request(&mut self, id: ChannelId, command: &[u8], session: &mut Session) -> Result<(), Self::Error> {
        session.channel_success(id)?;
        let Some(channel) = self.channels.remove(&id) else { return Ok(()) };
        let words: Vec<String> = String::from_utf8_lossy(command).split(' ').map(str::to_owned).collect();
        let handle = session.handle();
        tokio::spawn(async move {
            let (mut reading, writing) = channel.split();
            let status = {
                let mut reader = reading.make_reader();
                let mut writer = writing.make_writer();
                match words[0].as_str() {
                    "cat" => {
                        let _ = tokio::io::copy(&mut reader, &mut writer).await;
                        0
                    }
                    "sink" => {
                        let mut bytes = 0u64;
                        let mut buffer = vec![0; 65536];
                        while let Ok(count @ 1..) = reader.read(&mut buffer).await {
                            bytes += count as u64;
                        }
                        let _ = writer.write_all(format!("{bytes}\n").as_bytes()).await;
                        0
                    }
                    "source" => {
                        let mut left: usize = words[1].parse().unwrap();
                        let buffer = vec![b'x'; 65536];
                        while left > 0 {
                            let count = left.min(buffer.len());
                            if writer.write_all(&buffer[..count]).await.is_err() {
                                break;
                            }
                            left -= count;
                        }
                        0
                    }
                    "say" => {
                        let _ = writer.write_all(b"out\n").await;
                        let _ = writing.extended_data_bytes(1, "err\n").await;
                        words[1].parse().unwrap()
                    }
                    "ask-agent" => {
                        let answer = match handle.channel_open_agent().await {
                            Ok(channel) => echoed(channel, b"who are you?").await,
                            Err(_) => "refused".to_owned(),
                        };
                        let _ = writer.write_all(answer.as_bytes()).await;
                        0
                    }
                    "attack" => {
                        let forwarded = handle.channel_open_forwarded_tcpip("localhost", 8080, "203.0.113.9", 1).await;
                        let socket = handle.channel_open_forwarded_streamlocal("/run/x").await;
                        let others = [
                            handle.channel_open_agent().await,
                            handle.channel_open_x11("127.0.0.1", 1).await,
                            handle.channel_open_session().await,
                            handle.channel_open_direct_tcpip("169.254.169.254", 80, "127.0.0.1", 1).await,
                            handle.channel_open_direct_streamlocal("/run/x").await,
                        ];
                        let opened = [forwarded, socket].into_iter().chain(others).filter(Result::is_ok).count();
                        let _ = writer.write_all(format!("{opened} opened").as_bytes()).await;
                        0
                    }
                    "hang" => std::future::pending().await,
                    _ => 127,
                }
            };
            let _ = handle.exit_status_request(writing.id(), status).await;
            let _ = writing.eof().await;
            let _ = writing.close().await;
        });
        Ok(())
    }
}

/// What comes back of `words`.
async fn echoed(channel: Channel<Msg>, words: &[u8]) -> String {
    let mut stream = channel.into_stream();
    stream.write_all(words).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// Says its size, echoes what is typed, says a new size, and exits at `q`.
async fn shell(mut channel: Channel<Msg>, terminal: Option<(u32, u32)>) {
    if let Some((columns, rows)) = terminal {
        let _ = channel.data_bytes(format!("{columns}x{rows}\r\n")).await;
    }
    while let Some(message) = channel.wait().await {
        match message {
            ChannelMsg::Data { data } if data.starts_with(b"q") => break,
            ChannelMsg::Data { data } => drop(channel.data_bytes(data).await),
            ChannelMsg::WindowChange { col_width, row_height, .. } => {
                drop(channel.data_bytes(format!("{col_width}x{row_height}\r\n")).await)
            }
            ChannelMsg::Signal { signal } => drop(channel.data_bytes(format!("{signal:?}\r\n")).await),
            _ => {}
        }
    }
    let _ = channel.exit_status(0).await;
    let _ = channel.eof().await;
    let _ = channel.close().await;
}
