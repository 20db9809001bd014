//! The corpus of bad certificates (`tests/corpus`) shown to the bastion as bytes, each by whoever holds its key where anybody does.

use super::{
    raw::{message, push},
    *,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use dayfly_api::bastion::Inventory;
use dayfly_core::certificate::Revocations;
use dayfly_corpus::{Entry, REVOKED_SERIAL, REVOKED_SUBJECT, committed, keys::Authority, wire::Fields};
use ssh_key::{PrivateKey, Signature};
use std::collections::BTreeSet;

/// The SSH library reads a certificate from the front of its bytes, and what stands behind it reaches nobody: what is judged here, and what the CA is
/// sent, is the certificate that was read, which is a good one.
const READ_OVER: [&str; 3] = ["signature_trailing_byte", "trailing_byte", "trailing_certificate"];

impl House {
    /// Trusts the authorities of the corpus, and knows what it says is revoked.
    fn trust_the_corpus(&self) {
        let revocations = Revocations {
            serials: BTreeSet::from([REVOKED_SERIAL]),
            subjects: BTreeSet::from([REVOKED_SUBJECT.parse().unwrap()]),
            ..Revocations::default()
        };
        let user_ca = Authority::TRUSTED.iter().map(|authority| authority.line().unwrap()).collect();
        let inventory = Inventory { user_ca, revocations, ..self.authority.answer() };
        self.snapshot.send_replace(Arc::new(Snapshot::new(&self.authority.bastion, inventory).unwrap()));
    }

    /// What the bastion says of a certificate: nothing, and a session with a command in it; or no, perhaps with words.
    async fn shown(&self, entry: &Entry) -> Result<(), String> {
        let bytes = STANDARD.decode(entry.line.split_ascii_whitespace().nth(1).unwrap_or_default()).unwrap_or_default();
        let holders = dayfly_corpus::keys::holders().unwrap();
        let algorithm = first_string(&bytes);
        let key = holders.iter().find(|(name, _)| Some(*name) == algorithm).or(holders.first()).map(|(_, key)| key).unwrap();
        let mut client = self.raw().await;
        client.begin_logins().await;
        // RSA has other names for what signs than for what is signed with (RFC 8332).
        let algorithm = algorithm.unwrap_or("ssh-ed25519-cert-v01@openssh.com").replace("ssh-rsa-cert", "rsa-sha2-512-cert");
        client.send(&login(&algorithm, &bytes, key)).await;
        match client.receive().await.as_deref() {
            Some([message::USERAUTH_SUCCESS, ..]) => {}
            Some([message::USERAUTH_FAILURE, ..]) => return Err(String::new()),
            // Whatever cannot be read at all ends the connection.
            None | Some([message::DISCONNECT, ..]) => return Err(String::new()),
            Some(other) => panic!("{}: {other:?}", entry.name),
        }
        let said = client.run("say 0").await;
        // "err" is what the target's command says.
        if said == "err\n" { Ok(()) } else { Err(said) }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_certificate_of_the_corpus_is_refused_for_its_reason_or_admitted() {
    let house = House::open().await;
    house.trust_the_corpus();
    let mut wrong = Vec::new();
    for entry in committed().unwrap().iter().filter(|entry| !entry.line_only) {
        let expected = entry.reason.as_deref().filter(|_| !READ_OVER.contains(&entry.name.as_str()));
        match (house.shown(entry).await, expected) {
            (Ok(()), None) => {}
            (Err(said), None) => wrong.push(format!("{}: refused: {said}", entry.name)),
            (Ok(()), Some(reason)) => wrong.push(format!("{}: admitted, in spite of {reason}", entry.name)),
            // Where nothing is said, the transport refused it, or it is no certificate of ours.
            (Err(said), Some(reason)) if said.is_empty() || said.contains(&format!("({reason})")) => {}
            (Err(said), Some(reason)) => wrong.push(format!("{}: {reason} expected, {said:?} said", entry.name)),
        }
    }
    assert!(wrong.is_empty(), "{} certificates:\n{}", wrong.len(), wrong.join("\n"));
}

/// Certificates in certificates, each in the place of the key that signed the one around it: whoever reads them goes as deep as they nest. Nobody
/// needs a key to send this.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_10_certificates_that_nest_end_no_bastion() {
    let house = House::open().await;
    house.trust_the_corpus();
    let mut nested = Authority::Ed25519.blob().unwrap();
    while nested.len() < 240 * 1024 {
        let around =
            Fields { nonce: Vec::new(), key_id: Vec::new(), principals: Vec::new(), extensions: Vec::new(), ..Fields::good().unwrap() };
        nested = Fields { authority: nested, ..around }.signed_part();
    }
    let mut client = house.raw().await;
    client.begin_logins().await;
    client.send(&login(dayfly_corpus::wire::ED25519, &nested, &dayfly_corpus::keys::ed25519(dayfly_corpus::keys::HOLDER))).await;
    assert_ne!(client.receive().await.map(|message| message[0]), Some(message::USERAUTH_SUCCESS));
    let entries = committed().unwrap();
    assert_eq!(house.shown(entries.iter().find(|entry| entry.name == "good").unwrap()).await, Ok(()));
}

/// A request to log in as deploy@db1 with a certificate as it is, signed by `key` (RFC 4252 section 7).
fn login(algorithm: &str, certificate: &[u8], key: &PrivateKey) -> Vec<u8> {
    let mut request = vec![message::USERAUTH_REQUEST];
    for field in [dayfly_corpus::PRINCIPAL, "ssh-connection", "publickey"] {
        push(&mut request, field);
    }
    request.push(1);
    push(&mut request, algorithm);
    push(&mut request, certificate);
    // Without a key exchange the session's id is empty.
    let signed = [&[0; 4][..], &request].concat();
    let signature: Signature = signature::Signer::try_sign(key, &signed).unwrap();
    push(&mut request, Vec::<u8>::try_from(signature).unwrap());
    request
}

fn first_string(bytes: &[u8]) -> Option<&str> {
    let length = usize::try_from(u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?)).ok()?;
    std::str::from_utf8(bytes.get(4..length.checked_add(4)?)?).ok()
}
