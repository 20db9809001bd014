use super::*;
use crate::store::{Change, sqlite::SqliteStore};
use dayfly_core::{
    audit::{AuditEvent, Event, Outcome, Reporter},
    log_link::Chain,
    signature::verify_sshsig,
    signer::SeedSigner,
};
use ssh_key::SshSig;
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2026-01-02 03:04:05.678 UTC);

async fn store_of(facts: impl IntoIterator<Item = String>) -> (tempfile::TempDir, SqliteStore) {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::create(&directory.path().join("ca.db")).unwrap();
    for fact in facts {
        let parts = fact.as_bytes().chunks(4000).map(|part| String::from_utf8_lossy(part).into_owned()).enumerate();
        let event = AuditEvent::new(NOW, Event::LogRead, Outcome::Done, Reporter::Ca);
        let event = parts.fold(event, |event, (index, part)| event.fact(&index.to_string(), part));
        store.commit(Change::None, event).await.unwrap();
    }
    (directory, store)
}

fn log_key() -> Arc<dyn Signer> {
    Arc::new(SeedSigner::new(5))
}

/// What somebody does who has the log key's public half and nothing else.
fn assert_signed(head: &SignedHead, key: &Arc<dyn Signer>) {
    let hash: Vec<u8> = (0..64).step_by(2).map(|index| u8::from_str_radix(&head.hash[index..index + 2], 16).unwrap()).collect();
    let message = head_message(head.seq, &hash.try_into().unwrap(), &head.time);
    let sshsig: SshSig = head.signature.parse().unwrap();
    assert_eq!(verify_sshsig(&sshsig, HEAD_NAMESPACE, &message).unwrap(), key.public_key());
}

#[tokio::test]
async fn row_27_an_export_verifies_without_the_store() {
    let (_directory, store) = store_of((0..1203).map(|n| n.to_string())).await;
    let (key, mut out) = (log_key(), Vec::new());
    export(&store, &key, NOW, &mut out).await.unwrap();
    let text = String::from_utf8(out).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    let head: SignedHead = serde_json::from_str(lines.pop().unwrap()).unwrap();
    assert_signed(&head, &key);
    let mut chain = Chain::default();
    for line in lines {
        let row: LogRow = serde_json::from_str(line).unwrap();
        let (seq, hash) = chain.append(row.event.as_bytes());
        assert_eq!((row.seq, row.hash), (seq, hex(&hash)));
    }
    assert_eq!((head.seq, head.hash), (1203, hex(chain.hash())));
}

#[tokio::test]
async fn an_empty_log_has_a_head() {
    let (_directory, store) = store_of([]).await;
    let key = log_key();
    let head = signed_head(&store, &key, NOW).await.unwrap();
    assert_eq!((head.seq, head.hash.as_str(), head.time.as_str()), (0, hex(&GENESIS).as_str(), "2026-01-02T03:04:05Z"));
    assert_signed(&head, &key);
}

#[tokio::test]
async fn a_page_is_bounded_by_rows_and_by_bytes() {
    let (_directory, store) = store_of((0..80).map(|_| "x".repeat(60_000))).await;
    let seqs = async |after, limit| page(&store, after, limit).await.unwrap().rows.into_iter().map(|row| row.seq).collect::<Vec<_>>();
    assert_eq!(seqs(3, 2).await, [4, 5]);
    let first = seqs(0, 500).await;
    assert!((60..80).contains(&first.len()), "{}", first.len());
    let rest = seqs(first.len() as u64, 500).await;
    assert_eq!(first.len() + rest.len(), 80);
    assert!(seqs(80, 500).await.is_empty());
}
