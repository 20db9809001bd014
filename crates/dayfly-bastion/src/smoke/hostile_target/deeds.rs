//! What targets do that were taken over, each with a name.

use crate::{
    authority::double,
    smoke::{
        raw::{about, channel_open_with, channel_request, kexinit, message, numbers, push},
        wire::Wire,
    },
};
use ssh_key::PrivateKey;
use std::pin::Pin;

/// What a target does with a connection of the bastion's.
pub(super) type Deed = fn(Wire, PrivateKey) -> Pin<Box<dyn Future<Output = Option<()>> + Send>>;

/// What is to come of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Words of the bastion, and a status of its own.
    Told,
    /// An end, with words or without.
    Ended,
    /// What was said is what the person gets.
    Completed,
}

/// A deed, in words for whoever reads that a test failed.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) outcome: Outcome,
    pub(super) deed: Deed,
}

macro_rules! case {
    ($name:literal, $outcome:ident, |$wire:ident, $key:ident| $deed:expr) => {
        Case {
            name: $name,
            outcome: Outcome::$outcome,
            deed: |$wire: Wire, $key: PrivateKey| {
                Box::pin(async move {
                    #[allow(unused_mut)]
                    let mut $wire = $wire;
                    $deed
                })
            },
        }
    };
}

impl Wire {
    /// Up to the command that the person runs: logged in, a channel open, the start accepted. The bastion's number for the channel.
    pub(super) async fn until_started(&mut self, key: &PrivateKey) -> Option<u32> {
        let channel = self.until_opened(key, 1 << 20, 32768).await?;
        loop {
            let received = self.receive().await?;
            if received.first() == Some(&message::CHANNEL_REQUEST) {
                self.send(&about(message::CHANNEL_SUCCESS, channel)).await.ok()?;
                if received.windows(4).any(|word| word == b"exec") {
                    return Some(channel);
                }
            }
        }
    }

    /// Up to the channel, with this window and these packets.
    async fn until_opened(&mut self, key: &PrivateKey, window: u32, packet: u32) -> Option<u32> {
        self.exchange_keys(key, false, &[]).await?;
        loop {
            let received = self.receive().await?;
            match *received.first()? {
                message::SERVICE_REQUEST => {
                    let mut accept = vec![message::SERVICE_ACCEPT];
                    push(&mut accept, "ssh-userauth");
                    self.send(&accept).await.ok()?;
                }
                message::USERAUTH_REQUEST => self.send(&[message::USERAUTH_SUCCESS]).await.ok()?,
                message::CHANNEL_OPEN => {
                    // Behind "session".
                    let channel = u32::from_be_bytes(received.get(12..16)?.try_into().ok()?);
                    self.send(&numbers(message::CHANNEL_OPEN_CONFIRMATION, &[channel, 0, window, packet])).await.ok()?;
                    return Some(channel);
                }
                _ => {}
            }
        }
    }

    async fn data(&mut self, channel: u32, data: &[u8]) -> Option<()> {
        let mut message = about(message::CHANNEL_DATA, channel);
        push(&mut message, data);
        self.send(&message).await.ok()
    }

    /// The same message so often, or until nobody takes it any more.
    async fn flood(&mut self, payload: &[u8], times: usize) {
        for _ in 0..times {
            if self.send(payload).await.is_err() {
                break;
            }
        }
        self.ended().await;
    }

    /// An honest end: an exit, no more output, closed.
    async fn end(&mut self, channel: u32) -> Option<()> {
        let mut exit = channel_request(channel, "exit-status", false);
        exit.extend(0u32.to_be_bytes());
        self.send(&exit).await.ok()?;
        self.send(&about(message::CHANNEL_EOF, channel)).await.ok()?;
        self.send(&about(message::CHANNEL_CLOSE, channel)).await.ok()?;
        self.ended().await;
        Some(())
    }
}

/// Before the bastion has a channel.
pub(super) fn before_the_login() -> Vec<Case> {
    vec![
        case!("is gone at once", Told, |_wire, _key| None),
        case!("sends bytes", Told, |wire, _key| wire.raw(&[0xff; 65536]).await.ok()),
        case!("sends the longest packet", Told, |wire, _key| {
            wire.raw(&u32::MAX.to_be_bytes()).await.ok()?;
            wire.ended().await;
            None
        }),
        case!("knows no algorithm", Told, |wire, _key| {
            wire.send(&kexinit("diffie-hellman-group1-sha1", "ssh-dss", "3des-cbc")).await.ok()?;
            wire.ended().await;
            None
        }),
        case!("is another host", Told, |wire, _key| {
            wire.exchange_keys(&double::fresh_key(), true, &[]).await?;
            wire.ended().await;
            None
        }),
        case!("says that somebody is logged in before the keys are new", Told, |wire, key| {
            wire.exchange_keys(&key, false, &[&[message::USERAUTH_SUCCESS]]).await?;
            wire.ended().await;
            None
        }),
        case!("slips something in before the keys are new", Told, |wire, key| {
            wire.exchange_keys(&key, true, &[&[message::IGNORE, 0, 0, 0, 0]]).await?;
            wire.ended().await;
            None
        }),
        case!("refuses the login for ever", Told, |wire, key| {
            wire.exchange_keys(&key, true, &[]).await?;
            loop {
                let answer = match *wire.receive().await?.first()? {
                    message::SERVICE_REQUEST => {
                        let mut accept = vec![message::SERVICE_ACCEPT];
                        push(&mut accept, "ssh-userauth");
                        accept
                    }
                    message::USERAUTH_REQUEST => {
                        let mut failure = vec![message::USERAUTH_FAILURE];
                        push(&mut failure, "publickey,password");
                        failure.push(1);
                        failure
                    }
                    _ => continue,
                };
                wire.send(&answer).await.ok()?;
            }
        }),
        case!("opens no channel", Told, |wire, key| {
            wire.exchange_keys(&key, true, &[]).await?;
            loop {
                let received = wire.receive().await?;
                match *received.first()? {
                    message::SERVICE_REQUEST => {
                        let mut accept = vec![message::SERVICE_ACCEPT];
                        push(&mut accept, "ssh-userauth");
                        wire.send(&accept).await.ok()?;
                    }
                    message::USERAUTH_REQUEST => wire.send(&[message::USERAUTH_SUCCESS]).await.ok()?,
                    message::CHANNEL_OPEN => {
                        let channel = u32::from_be_bytes(received.get(12..16)?.try_into().ok()?);
                        let mut failure = numbers(message::CHANNEL_OPEN_FAILURE, &[channel, 1]);
                        push(&mut failure, "\u{1b}]0;owned\u{7}");
                        push(&mut failure, "");
                        wire.send(&failure).await.ok()?;
                    }
                    _ => {}
                }
            }
        }),
        case!("confirms a channel that nobody opened", Told, |wire, key| {
            wire.exchange_keys(&key, true, &[]).await?;
            wire.send(&numbers(message::CHANNEL_OPEN_CONFIRMATION, &[77, 0, 1, 1])).await.ok()?;
            wire.send(&[message::DISCONNECT, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0]).await.ok()
        }),
        case!("confirms with packets of no bytes", Ended, |wire, key| {
            wire.until_opened(&key, 1 << 20, 0).await?;
            wire.ended().await;
            None
        }),
    ]
}

/// While the command runs.
pub(super) fn after_the_start() -> Vec<Case> {
    vec![
        case!("closes without an exit", Ended, |wire, key| {
            let channel = wire.until_started(&key).await?;
            wire.send(&about(message::CHANNEL_CLOSE, channel)).await.ok()?;
            wire.ended().await;
            None
        }),
        case!("is gone", Told, |wire, key| wire.until_started(&key).await.map(drop)),
        case!("takes its channel back", Ended, |wire, key| {
            let channel = wire.until_started(&key).await?;
            wire.send(&numbers(message::CHANNEL_OPEN_FAILURE, &[channel, 1, 0, 0])).await.ok()?;
            wire.ended().await;
            None
        }),
        case!("speaks of other channels", Completed, |wire, key| {
            let channel = wire.until_started(&key).await?;
            for other in [channel + 1, 77, u32::MAX] {
                wire.data(other, b"hidden").await?;
                wire.send(&numbers(message::CHANNEL_WINDOW_ADJUST, &[other, u32::MAX])).await.ok()?;
                wire.send(&about(message::CHANNEL_EOF, other)).await.ok()?;
                wire.send(&about(message::CHANNEL_CLOSE, other)).await.ok()?;
            }
            wire.end(channel).await
        }),
        case!("grants more than any window", Completed, |wire, key| {
            let channel = wire.until_started(&key).await?;
            for _ in 0..100 {
                wire.send(&numbers(message::CHANNEL_WINDOW_ADJUST, &[channel, u32::MAX])).await.ok()?;
            }
            wire.end(channel).await
        }),
        case!("goes on after its end", Completed, |wire, key| {
            let channel = wire.until_started(&key).await?;
            let mut exit = channel_request(channel, "exit-status", false);
            exit.extend(0u32.to_be_bytes());
            wire.send(&exit).await.ok()?;
            wire.send(&about(message::CHANNEL_EOF, channel)).await.ok()?;
            wire.send(&about(message::CHANNEL_EOF, channel)).await.ok()?;
            wire.data(channel, b"late").await?;
            wire.send(&exit).await.ok()?;
            wire.end(channel).await
        }),
        case!("opens channels of its own", Completed, |wire, key| {
            let channel = wire.until_started(&key).await?;
            // With an address, an address and where from, and with nothing.
            for (kind, addresses) in
                [("session", 0), ("auth-agent@openssh.com", 0), ("x11", 1), ("forwarded-tcpip", 2), ("nobody@knows", 0)]
            {
                let mut open = channel_open_with(kind, 1 << 20, 32768);
                for _ in 0..addresses {
                    push(&mut open, "127.0.0.1");
                    open.extend(22u32.to_be_bytes());
                }
                wire.send(&open).await.ok()?;
            }
            wire.end(channel).await
        }),
        case!("asks for what only servers are asked", Completed, |wire, key| {
            let channel = wire.until_started(&key).await?;
            let mut exec = channel_request(channel, "exec", true);
            push(&mut exec, "id");
            for asked in [exec, channel_request(channel, "shell", true), channel_request(channel, "eow@openssh.com", false)] {
                wire.send(&asked).await.ok()?;
            }
            wire.end(channel).await
        }),
        case!("ends by a signal that would change the title", Ended, |wire, key| {
            let channel = wire.until_started(&key).await?;
            let mut exit = channel_request(channel, "exit-signal", false);
            push(&mut exit, "\u{1b}]0;owned\u{7}");
            exit.push(0);
            push(&mut exit, "\u{1b}]52;c;b3duZWQ=\u{7}".repeat(1000));
            push(&mut exit, "");
            wire.send(&exit).await.ok()?;
            wire.end(channel).await
        }),
        case!("says goodbye in the middle", Told, |wire, key| {
            let channel = wire.until_started(&key).await?;
            wire.data(channel, b"half a li").await?;
            wire.send(&[message::DISCONNECT, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0]).await.ok()?;
            wire.ended().await;
            None
        }),
        case!("changes a packet on its way", Told, |wire, key| {
            wire.until_started(&key).await?;
            wire.raw(&[0, 0, 0, 32]).await.ok()?;
            wire.raw(&[7; 48]).await.ok()?;
            wire.ended().await;
            None
        }),
        case!("sends messages cut short", Told, |wire, key| {
            let channel = wire.until_started(&key).await?;
            for kind in [message::CHANNEL_DATA, message::CHANNEL_EXTENDED_DATA, message::CHANNEL_REQUEST, message::CHANNEL_WINDOW_ADJUST] {
                wire.send(&about(kind, channel)[..4]).await.ok()?;
            }
            wire.ended().await;
            None
        }),
        case!("wants new keys without end", Told, |wire, key| {
            wire.until_started(&key).await?;
            let offer = kexinit("curve25519-sha256", "ssh-ed25519", "aes128-gcm@openssh.com");
            wire.flood(&offer, 1000).await;
            None
        }),
        case!("asks without end whether anybody is there", Ended, |wire, key| {
            wire.until_started(&key).await?;
            let mut ask = vec![message::GLOBAL_REQUEST];
            push(&mut ask, "keepalive@openssh.com");
            ask.push(1);
            for _ in 0..20_000 {
                wire.send(&ask).await.ok()?;
            }
            None
        }),
    ]
}

/// These send more than any honest peer would, and would fill a memory without bounds.
pub(super) fn floods() -> Vec<Case> {
    vec![
        case!("sends what nobody has a name for", Ended, |wire, key| {
            let channel = wire.until_started(&key).await?;
            let mut data = numbers(message::CHANNEL_EXTENDED_DATA, &[channel, 9]);
            push(&mut data, vec![b'x'; 32 * 1024]);
            for _ in 0..2000 {
                wire.send(&data).await.ok()?;
            }
            None
        }),
        case!("ends its output without end", Told, |wire, key| {
            let channel = wire.until_started(&key).await?;
            for _ in 0..20_000 {
                wire.send(&about(message::CHANNEL_EOF, channel)).await.ok()?;
            }
            None
        }),
        case!("exits without end", Ended, |wire, key| {
            let channel = wire.until_started(&key).await?;
            let mut exit = channel_request(channel, "exit-status", false);
            exit.extend(3u32.to_be_bytes());
            for _ in 0..20_000 {
                wire.send(&exit).await.ok()?;
            }
            None
        }),
    ]
}
