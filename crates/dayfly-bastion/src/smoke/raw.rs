//! A client that sends whatever it is told, in whatever order: the real callbacks behind it, and no encryption in between.

use super::House;
use crate::{
    authority::double,
    connection::{Connection, Entrance},
    handler::ClientHandler,
    serving::{serve, server_config},
    transport::ClientTransport,
};
use russh::{Preferred, cipher, compression, kex, keys::signature::Signer, mac};
use ssh_key::{Algorithm, Certificate, EcdsaCurve, PrivateKey, Signature};
use std::{borrow::Cow, sync::Arc, time::Duration};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// Message numbers (RFC 4250 section 4.1.2).
pub(super) mod message {
    pub(crate) const DISCONNECT: u8 = 1;
    pub(crate) const IGNORE: u8 = 2;
    pub(crate) const UNIMPLEMENTED: u8 = 3;
    pub(crate) const DEBUG: u8 = 4;
    pub(crate) const SERVICE_REQUEST: u8 = 5;
    pub(crate) const SERVICE_ACCEPT: u8 = 6;
    pub(crate) const EXT_INFO: u8 = 7;
    pub(crate) const KEXINIT: u8 = 20;
    pub(crate) const NEWKEYS: u8 = 21;
    pub(crate) const KEX_ECDH_INIT: u8 = 30;
    pub(crate) const KEX_ECDH_REPLY: u8 = 31;
    pub(crate) const USERAUTH_REQUEST: u8 = 50;
    pub(crate) const USERAUTH_FAILURE: u8 = 51;
    pub(crate) const USERAUTH_SUCCESS: u8 = 52;
    pub(crate) const USERAUTH_PK_OK: u8 = 60;
    pub(crate) const USERAUTH_INFO_RESPONSE: u8 = 61;
    pub(crate) const GLOBAL_REQUEST: u8 = 80;
    pub(crate) const CHANNEL_OPEN: u8 = 90;
    pub(crate) const CHANNEL_OPEN_CONFIRMATION: u8 = 91;
    pub(crate) const CHANNEL_OPEN_FAILURE: u8 = 92;
    pub(crate) const CHANNEL_WINDOW_ADJUST: u8 = 93;
    pub(crate) const CHANNEL_DATA: u8 = 94;
    pub(crate) const CHANNEL_EXTENDED_DATA: u8 = 95;
    pub(crate) const CHANNEL_EOF: u8 = 96;
    pub(crate) const CHANNEL_CLOSE: u8 = 97;
    pub(crate) const CHANNEL_REQUEST: u8 = 98;
    pub(crate) const CHANNEL_SUCCESS: u8 = 99;
}

/// How long a client waits that nobody reads from any more.
const MOMENT: Duration = Duration::from_millis(500);

const CERTIFICATE_ALGORITHM: &str = "ssh-ed25519-cert-v01@openssh.com";

/// The far end of a connection to the bastion, with its keys exchanged.
pub(super) struct RawClient(DuplexStream);

impl House {
    pub(super) async fn raw(&self) -> RawClient {
        let (near, far) = tokio::io::duplex(1 << 20);
        let (transport, answers, cut) = ClientTransport::new(near);
        let connection = Arc::new(Connection::new(self.bastion.clone(), "127.0.0.1:1".parse().unwrap()));
        let client = ClientHandler::new(connection, Entrance::Outer, answers);
        let mut config = server_config(double::fresh_key(), None);
        config.preferred = unencrypted();
        tokio::spawn(serve(Arc::new(config), transport, cut, client, self.bastion.limits().login_grace, || {}));
        let mut client = RawClient(far);
        client.exchange_keys().await;
        client
    }
}

fn unencrypted() -> Preferred {
    Preferred {
        kex: Cow::Borrowed(&[kex::NONE]),
        key: Cow::Borrowed(&[Algorithm::Ed25519, Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 }]),
        host_key_certificates: Cow::Borrowed(&[]),
        cipher: Cow::Borrowed(&[cipher::NONE]),
        mac: Cow::Borrowed(&[mac::NONE]),
        compression: Cow::Borrowed(&[compression::NONE]),
    }
}

impl RawClient {
    async fn exchange_keys(&mut self) {
        self.0.write_all(b"SSH-2.0-raw\r\n").await.unwrap();
        while self.0.read_u8().await.unwrap() != b'\n' {}
        self.send(&kexinit("none", "ssh-ed25519", "none")).await;
        assert_eq!(self.receive().await.unwrap()[0], message::KEXINIT);
        assert_eq!(self.receive().await.unwrap()[0], message::NEWKEYS);
        self.send(&[message::NEWKEYS]).await;
    }

    /// Sends a message as one packet (RFC 4253 section 6).
    pub(super) async fn send(&mut self, payload: &[u8]) {
        self.0.write_all(&packet(payload)).await.unwrap();
    }

    /// Sends a message over and over and reads nothing, until it was sent so often, nobody takes it for a moment, or the connection is ended. Whether it was ended.
    pub(super) async fn press(&mut self, payload: &[u8], times: usize) -> bool {
        let packet = packet(payload);
        for _ in 0..times {
            match tokio::time::timeout(MOMENT, self.0.write_all(&packet)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return true,
                Err(_) => return false,
            }
        }
        false
    }

    /// Reads until the connection is ended.
    pub(super) async fn ended(&mut self) {
        let _ = tokio::io::copy(&mut self.0, &mut tokio::io::sink()).await;
    }

    /// Opens a session channel and starts `command`. Returns the bastion's number for the channel.
    pub(super) async fn start(&mut self, command: &str) -> u32 {
        self.send(&session_channel()).await;
        let confirmation = self.receive().await.unwrap();
        assert_eq!(confirmation[0], message::CHANNEL_OPEN_CONFIRMATION);
        let channel = u32::from_be_bytes(confirmation[5..9].try_into().unwrap());
        self.send(&exec_request(channel, command)).await;
        channel
    }

    /// The next message that means something; none when the connection was ended.
    pub(super) async fn receive(&mut self) -> Option<Vec<u8>> {
        loop {
            let length = self.0.read_u32().await.ok()?;
            let mut packet = vec![0; length as usize];
            self.0.read_exact(&mut packet).await.ok()?;
            let payload = packet[1..packet.len() - usize::from(packet[0])].to_vec();
            if !matches!(payload[0], message::IGNORE | message::DEBUG | message::EXT_INFO) {
                return Some(payload);
            }
        }
    }

    /// Asks for the service that logs in. What comes before is answered before.
    pub(super) async fn begin_logins(&mut self) {
        let mut request = vec![message::SERVICE_REQUEST];
        push(&mut request, "ssh-userauth");
        self.send(&request).await;
        assert_eq!(self.receive().await.unwrap()[0], message::SERVICE_ACCEPT);
    }

    /// Shows a certificate without proof, and returns the answer's number.
    pub(super) async fn offer(&mut self, user: &str, certificate: &Certificate) -> u8 {
        self.send(&login_request(user, certificate, false)).await;
        self.receive().await.unwrap()[0]
    }

    /// Shows a certificate with a signature by `key`, and returns the answer's number.
    pub(super) async fn log_in(&mut self, user: &str, certificate: &Certificate, key: &PrivateKey) -> u8 {
        self.send_login(user, certificate, key).await;
        self.receive().await.unwrap()[0]
    }

    /// The same without waiting for an answer.
    pub(super) async fn send_login(&mut self, user: &str, certificate: &Certificate, key: &PrivateKey) {
        let mut request = login_request(user, certificate, true);
        // Without a key exchange the session's id is empty.
        let mut signed = Vec::new();
        push(&mut signed, "");
        signed.extend_from_slice(&request);
        let signature: Signature = key.try_sign(&signed).unwrap();
        push(&mut request, Vec::<u8>::try_from(signature).unwrap());
        self.send(&request).await;
    }

    /// A question for the methods there are. Its answer comes after those to everything before.
    pub(super) async fn ask_for_methods(&mut self) -> u8 {
        let mut request = vec![message::USERAUTH_REQUEST];
        for field in ["whoever", "ssh-connection", "none"] {
            push(&mut request, field);
        }
        self.send(&request).await;
        self.receive().await.unwrap()[0]
    }

    /// Opens a session channel, starts `command`, and returns what came on its error stream until it was closed.
    pub(super) async fn run(&mut self, command: &str) -> String {
        self.start(command).await;
        let mut errors = Vec::new();
        loop {
            let received = self.receive().await.unwrap();
            match received[0] {
                message::CHANNEL_EXTENDED_DATA => errors.extend_from_slice(&received[13..]),
                message::CHANNEL_CLOSE => return String::from_utf8(errors).unwrap(),
                _ => {}
            }
        }
    }
}

/// A message as one packet in the clear (RFC 4253 section 6).
pub(super) fn packet(payload: &[u8]) -> Vec<u8> {
    let padding = 16 - (5 + payload.len()) % 8;
    let length = u32::try_from(1 + payload.len() + padding).unwrap();
    let mut packet = length.to_be_bytes().to_vec();
    packet.push(u8::try_from(padding).unwrap());
    packet.extend_from_slice(payload);
    packet.resize(packet.len() + padding, 0);
    packet
}

/// What algorithms one would like, the same both ways (RFC 4253 section 7.1).
pub(super) fn kexinit(exchanges: &str, host_keys: &str, cipher: &str) -> Vec<u8> {
    let mac = if cipher == "none" { "none" } else { "hmac-sha2-256-etm@openssh.com" };
    let mut offer = vec![message::KEXINIT];
    offer.extend([0; 16]);
    for names in [exchanges, host_keys, cipher, cipher, mac, mac, "none", "none", "", ""] {
        push(&mut offer, names);
    }
    offer.extend([0; 5]);
    offer
}

fn login_request(user: &str, certificate: &Certificate, signed: bool) -> Vec<u8> {
    let mut request = vec![message::USERAUTH_REQUEST];
    for field in [user, "ssh-connection", "publickey"] {
        push(&mut request, field);
    }
    request.push(u8::from(signed));
    push(&mut request, CERTIFICATE_ALGORITHM);
    push(&mut request, certificate.to_bytes().unwrap());
    request
}

/// A message that opens a session channel, number 0 on this side.
pub(super) fn session_channel() -> Vec<u8> {
    channel_open("session")
}

/// A message that opens a channel to `host`, port 22.
pub(super) fn forwarding_channel(host: &str) -> Vec<u8> {
    let mut open = channel_open("direct-tcpip");
    for name in [host, "127.0.0.1"] {
        push(&mut open, name);
        open.extend(22u32.to_be_bytes());
    }
    open
}

fn channel_open(kind: &str) -> Vec<u8> {
    channel_open_with(kind, 1 << 20, 32768)
}

/// A message that opens a channel with this window and these packets, number 0 on this side.
pub(super) fn channel_open_with(kind: &str, window: u32, packet: u32) -> Vec<u8> {
    let mut open = vec![message::CHANNEL_OPEN];
    push(&mut open, kind);
    for number in [0u32, window, packet] {
        open.extend(number.to_be_bytes());
    }
    open
}

/// A message that starts a command on a channel.
pub(super) fn exec_request(channel: u32, command: &str) -> Vec<u8> {
    let mut request = channel_request(channel, "exec", true);
    push(&mut request, command);
    request
}

/// The beginning of a message that asks for something on a channel.
pub(super) fn channel_request(channel: u32, kind: &str, wants_answer: bool) -> Vec<u8> {
    let mut request = about(message::CHANNEL_REQUEST, channel);
    push(&mut request, kind);
    request.push(u8::from(wants_answer));
    request
}

/// A message that begins with numbers: a channel's, or one and more.
pub(super) fn numbers(kind: u8, numbers: &[u32]) -> Vec<u8> {
    let mut message = vec![kind];
    numbers.iter().for_each(|number| message.extend(number.to_be_bytes()));
    message
}

/// A message about a channel, and nothing else yet.
pub(super) fn about(kind: u8, channel: u32) -> Vec<u8> {
    numbers(kind, &[channel])
}

/// A message that asks for a remote port forwarding.
pub(super) fn forwarding_request() -> Vec<u8> {
    let mut request = vec![message::GLOBAL_REQUEST];
    push(&mut request, "tcpip-forward");
    request.push(1);
    push(&mut request, "127.0.0.1");
    request.extend(0u32.to_be_bytes());
    request
}

/// A `string` (RFC 4251 section 5).
pub(super) fn push(message: &mut Vec<u8>, field: impl AsRef<[u8]>) {
    let field = field.as_ref();
    message.extend(u32::try_from(field.len()).unwrap().to_be_bytes());
    message.extend_from_slice(field);
}
