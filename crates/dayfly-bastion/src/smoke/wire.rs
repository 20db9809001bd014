//! The transport layer of SSH (RFC 4253), just enough of it to misbehave behind real encryption: curve25519-sha256, ssh-ed25519, AES-128-GCM.

use super::raw::{kexinit, message, packet, push};
use aws_lc_rs::{
    aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    agreement::{EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral},
    digest::{SHA256, digest},
    rand::SystemRandom,
};
use russh::keys::signature::Signer;
use ssh_key::{PrivateKey, Signature};
use std::io;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const IDENTIFICATION: &str = "SSH-2.0-mallory";

/// A server's end of a connection: in the clear, and encrypted once keys were exchanged.
pub(super) struct Wire {
    socket: TcpStream,
    client: Vec<u8>,
    sealing: Option<Sealer>,
    opening: Option<Sealer>,
}

/// A key of one direction, and the number of its next packet (RFC 5647 section 7.1).
struct Sealer {
    key: LessSafeKey,
    nonce: [u8; 12],
}

impl Sealer {
    fn next(&mut self) -> Nonce {
        let nonce = Nonce::assume_unique_for_key(self.nonce);
        let counter = u64::from_be_bytes(self.nonce[4..].try_into().unwrap()).wrapping_add(1);
        self.nonce[4..].copy_from_slice(&counter.to_be_bytes());
        nonce
    }
}

impl Wire {
    /// Exchanges identifications.
    pub(super) async fn greet(mut socket: TcpStream) -> Option<Self> {
        socket.write_all(format!("{IDENTIFICATION}\r\n").as_bytes()).await.ok()?;
        let mut client = Vec::new();
        loop {
            match socket.read_u8().await.ok()? {
                b'\n' => break,
                byte => client.push(byte),
            }
        }
        if client.last() == Some(&b'\r') {
            client.pop();
        }
        Some(Self { socket, client, sealing: None, opening: None })
    }

    /// Exchanges keys as the server of `host_key`, strictly or not; says `between` before its part of the exchange.
    pub(super) async fn exchange_keys(&mut self, host_key: &PrivateKey, is_strict: bool, between: &[&[u8]]) -> Option<()> {
        let offered = kexinit(
            if is_strict { "curve25519-sha256,kex-strict-s-v00@openssh.com" } else { "curve25519-sha256" },
            "ssh-ed25519",
            "aes128-gcm@openssh.com",
        );
        self.send(&offered).await.ok()?;
        let wanted = self.receive().await?;
        let theirs = self.receive().await?.get(5..)?.to_vec();
        for message in between {
            self.send(message).await.ok()?;
        }
        let own = EphemeralPrivateKey::generate(&X25519, &SystemRandom::new()).unwrap();
        let public = own.compute_public_key().unwrap();
        let secret = agree_ephemeral(own, UnparsedPublicKey::new(&X25519, &theirs), (), |secret| Ok(mpint(secret))).ok()?;
        let host = host_key.public_key().to_bytes().unwrap();
        let mut hashed = Vec::new();
        for part in [&self.client[..], IDENTIFICATION.as_bytes(), &wanted, &offered, &host, &theirs, public.as_ref()] {
            push(&mut hashed, part);
        }
        hashed.extend_from_slice(&secret);
        let hash = digest(&SHA256, &hashed);
        let signature: Signature = host_key.try_sign(hash.as_ref()).unwrap();
        let mut reply = vec![message::KEX_ECDH_REPLY];
        push(&mut reply, &host);
        push(&mut reply, public.as_ref());
        push(&mut reply, Vec::<u8>::try_from(signature).unwrap());
        self.send(&reply).await.ok()?;
        self.send(&[message::NEWKEYS]).await.ok()?;
        let derived = |letter: u8| digest(&SHA256, &[&secret[..], hash.as_ref(), &[letter], hash.as_ref()].concat());
        let sealer = |iv: u8, key: u8| Sealer {
            key: LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &derived(key).as_ref()[..16]).unwrap()),
            nonce: derived(iv).as_ref()[..12].try_into().unwrap(),
        };
        self.sealing = Some(sealer(b'B', b'D'));
        while self.receive().await?.first() != Some(&message::NEWKEYS) {}
        self.opening = Some(sealer(b'A', b'C'));
        Some(())
    }

    /// Sends a message.
    pub(super) async fn send(&mut self, payload: &[u8]) -> io::Result<()> {
        let Some(sealer) = &mut self.sealing else { return self.raw(&packet(payload)).await };
        let padding = 4 + (16 - (5 + payload.len()) % 16) % 16;
        let mut sealed = vec![u8::try_from(padding).unwrap()];
        sealed.extend_from_slice(payload);
        sealed.resize(sealed.len() + padding, 0);
        let length = u32::try_from(sealed.len()).unwrap().to_be_bytes();
        let nonce = sealer.next();
        sealer.key.seal_in_place_append_tag(nonce, Aad::from(length), &mut sealed).unwrap();
        let bytes = [&length[..], &sealed].concat();
        self.raw(&bytes).await
    }

    /// Sends bytes as they are.
    pub(super) async fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.write_all(bytes).await
    }

    /// The next message; none once the connection was ended.
    pub(super) async fn receive(&mut self) -> Option<Vec<u8>> {
        let length = self.socket.read_u32().await.ok()?;
        let tag = if self.opening.is_some() { 16 } else { 0 };
        let mut packet = vec![0; length as usize + tag];
        self.socket.read_exact(&mut packet).await.ok()?;
        if let Some(sealer) = &mut self.opening {
            let nonce = sealer.next();
            sealer.key.open_in_place(nonce, Aad::from(length.to_be_bytes()), &mut packet).ok()?;
            packet.truncate(length as usize);
        }
        let end = packet.len().checked_sub(usize::from(*packet.first()?))?;
        packet.get(1..end).map(<[u8]>::to_vec)
    }

    /// Reads until the connection is ended.
    pub(super) async fn ended(&mut self) {
        while self.receive().await.is_some() {}
    }
}

/// A positive number (RFC 4251 section 5).
fn mpint(number: &[u8]) -> Vec<u8> {
    let start = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
    let mut digits = number[start..].to_vec();
    if digits.first().is_some_and(|first| first & 0x80 != 0) {
        digits.insert(0, 0);
    }
    let mut field = Vec::new();
    push(&mut field, &digits);
    field
}
