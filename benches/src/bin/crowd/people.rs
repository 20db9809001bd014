//! Everybody who logs in.

use super::People;
use anyhow::{Context, Result, bail, ensure};
use dayfly_benches::{
    Figure,
    process::{core_seconds_of_tree, memory_of_tree},
};
use russh::{
    Channel, ChannelMsg,
    client::{self, Handle, Handler},
    keys::PublicKeyOrCertificate,
};
use std::{
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{task::JoinSet, time::timeout};

/// Logins that are under way at a time.
const AT_A_TIME: usize = 16;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What everybody types at once, a few times.
const TYPED: [u8; 64] = [b'x'; 64];

pub(crate) async fn measure(people: &People) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let mut sessions: Vec<Session> = Vec::new();
    let empty = memory_of_tree(people.bastion_pid)?;
    for count in &people.sessions {
        let (start, before) = (Instant::now(), core_seconds_of_tree(people.bastion_pid)?);
        let joining = count.saturating_sub(sessions.len());
        join(people, joining, &mut sessions).await?;
        let (took, spent) = (start.elapsed().as_secs_f64(), core_seconds_of_tree(people.bastion_pid)? - before);
        let joining = f64::from(u32::try_from(joining)?);
        let count = f64::from(u32::try_from(*count)?);
        let each = |memory: f64| (memory - empty) / count;
        figures.push(Figure::new(format!("logins, {AT_A_TIME} at a time, up to {count} sessions"), joining / took, "logins/s"));
        figures.push(Figure::new(format!("a login, up to {count} sessions, core of the bastion"), spent * 1000.0 / joining, "ms"));
        figures.push(Figure::new(format!("memory a recorded session of {count}, idle"), each(memory_of_tree(people.bastion_pid)?), "KiB"));
        let slowest = type_everywhere(&mut sessions).await?;
        figures.push(Figure::new(
            format!("memory a recorded session of {count}, active"),
            each(memory_of_tree(people.bastion_pid)?),
            "KiB",
        ));
        figures.push(Figure::new(format!("{count} sessions type at once, the slowest echo"), slowest.as_secs_f64() * 1000.0, "ms"));
        figures.push(Figure::new(
            format!("memory of the bastion with {count} sessions"),
            memory_of_tree(people.bastion_pid)? / 1024.0,
            "MiB",
        ));
    }
    Ok(figures)
}

/// One of them.
struct Session {
    _connection: Handle<Trusting>,
    channel: Channel<client::Msg>,
}

async fn join(people: &People, count: usize, sessions: &mut Vec<Session>) -> Result<()> {
    let mut joining = JoinSet::new();
    for number in 0..count {
        // Certificates live a few minutes.
        if number % 500 == 0 {
            renew(people)?;
        }
        if joining.len() >= AT_A_TIME {
            sessions.push(joining.join_next().await.context("somebody is under way")???);
        }
        let (bastion, user) = (people.bastion.clone(), format!("{}@db1", people.account));
        let key = Arc::new(ssh_key::PrivateKey::read_openssh_file(people.home.join("certs/db1"))?);
        let certificate = ssh_key::Certificate::read_file(&people.home.join("certs/db1-cert.pub"))?;
        joining.spawn(async move { timeout(PATIENCE, log_in(&bastion, &user, key, certificate)).await.context("a login took too long")? });
    }
    while let Some(joined) = joining.join_next().await {
        sessions.push(joined??);
    }
    Ok(())
}

async fn log_in(bastion: &str, user: &str, key: Arc<ssh_key::PrivateKey>, certificate: ssh_key::Certificate) -> Result<Session> {
    let config = Arc::new(client::Config { nodelay: true, window_size: 1 << 16, ..client::Config::default() });
    let mut connection = client::connect(config, bastion, Trusting).await?;
    ensure!(connection.authenticate_openssh_cert(user, key, certificate).await?.success(), "the bastion lets nobody in");
    let mut channel = connection.channel_open_session().await?;
    channel.request_pty(false, "xterm", 80, 24, 0, 0, &[]).await?;
    channel.request_shell(true).await?;
    // The target's prompt.
    receive(&mut channel, 2).await?;
    Ok(Session { _connection: connection, channel })
}

/// Everybody types, and everybody waits for their echo; five times. The slowest of all.
async fn type_everywhere(sessions: &mut [Session]) -> Result<Duration> {
    let mut slowest = Duration::ZERO;
    for _ in 0..5 {
        let start = Instant::now();
        for session in sessions.iter() {
            session.channel.data(&TYPED[..]).await?;
        }
        for session in sessions.iter_mut() {
            timeout(PATIENCE, receive(&mut session.channel, TYPED.len())).await.context("an echo took too long")??;
        }
        slowest = slowest.max(start.elapsed());
    }
    Ok(slowest)
}

async fn receive(channel: &mut Channel<client::Msg>, bytes: usize) -> Result<()> {
    let mut seen = 0;
    while seen < bytes {
        match channel.wait().await {
            Some(ChannelMsg::Data { data }) => seen += data.len(),
            Some(ChannelMsg::ExtendedData { data, .. }) => bail!("the bastion says: {}", String::from_utf8_lossy(&data)),
            Some(ChannelMsg::Close) | None => bail!("the session ended"),
            Some(_) => {}
        }
    }
    Ok(())
}

fn renew(people: &People) -> Result<()> {
    let renewed = Command::new("sh").args(["-c", &people.renew]).stdout(Stdio::null()).status()?;
    ensure!(renewed.success(), "no fresh certificates: {}", people.renew);
    Ok(())
}

struct Trusting;

impl Handler for Trusting {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        Ok(true)
    }
}
