#![allow(clippy::unwrap_used)]
use super::*;
use dayfly_core::{
    signature::sign_sshsig,
    signer::{SeedSigner, Signer as _},
};
use ssh_key::LineEnding;

const KEY: u8 = 7;

fn log(events: &[&str]) -> Vec<LogRow> {
    let mut chain = Chain::default();
    let row = |event: &&str| {
        let (seq, hash) = chain.append(event.as_bytes());
        LogRow { seq, event: (*event).to_owned(), hash: hex(&hash) }
    };
    events.iter().map(row).collect()
}

fn long_log(rows: u64, change: Option<u64>) -> Vec<LogRow> {
    let events: Vec<String> = (1..=rows).map(|seq| if change == Some(seq) { "x".to_owned() } else { seq.to_string() }).collect();
    log(&events.iter().map(String::as_str).collect::<Vec<_>>())
}

fn head_by(key: u8, rows: &[LogRow]) -> SignedHead {
    let (seq, hash) = rows.last().map_or((0, hex(&GENESIS)), |row| (row.seq, row.hash.clone()));
    let time = "2026-01-02T03:04:05Z".to_owned();
    let message = head_message(seq, &parse_hash(&hash).unwrap(), &time);
    let signature = sign_sshsig(&SeedSigner::new(key), HEAD_NAMESPACE, &message).unwrap().to_pem(LineEnding::LF).unwrap();
    SignedHead { seq, hash, time, signature }
}

fn verify_with(head: &SignedHead, rows: &[LogRow], before: &Witness) -> Result<Witness, Defect> {
    let head = Head::check(head, SeedSigner::new(KEY).public_key())?;
    let mut verification = Verification::begin(head, before)?;
    rows.iter().try_for_each(|row| verification.follow(row))?;
    verification.finish()
}

fn verify(rows: &[LogRow], before: &Witness) -> Result<Witness, Defect> {
    verify_with(&head_by(KEY, rows), rows, before)
}

#[test]
fn a_log_that_grows_verifies_again_and_again() {
    let events = ["a", "b", "c", "d", "e"];
    let mut witness = Witness::default();
    for rows in 0..=events.len() {
        witness = verify(&log(&events[..rows]), &witness).unwrap();
    }
    assert_eq!(witness.newest().unwrap().seq, 5);
}

#[test]
fn row_27_an_edit_a_gap_and_a_reordering_name_the_row() {
    let rows = log(&["a", "b", "c", "d"]);
    let head = head_by(KEY, &rows);
    let with = |change: fn(&mut Vec<LogRow>)| {
        let mut rows = rows.clone();
        change(&mut rows);
        verify_with(&head, &rows, &Witness::default()).unwrap_err()
    };
    assert!(matches!(with(|rows| rows[1].event = "B".to_owned()), Defect::Changed { seq: 2, .. }));
    assert!(matches!(with(|rows| rows[2].hash = rows[1].hash.clone()), Defect::Changed { seq: 3, .. }));
    assert!(matches!(with(|rows| rows[2].hash = "zz".to_owned()), Defect::Changed { seq: 3, .. }));
    assert_eq!(with(|rows| drop(rows.remove(1))), Defect::Gap { seq: 2, found: 3 });
    assert_eq!(with(|rows| rows.swap(0, 1)), Defect::Gap { seq: 1, found: 2 });
    assert_eq!(with(|rows| rows.truncate(2)), Defect::Short { seq: 3, head: 4 });
    assert_eq!(with(|rows| *rows = log(&["a", "B", "c", "d"])), Defect::HeadMismatch { seq: 4 });
}

#[test]
fn row_27_a_head_that_the_log_key_did_not_sign() {
    let rows = log(&["a", "b"]);
    let good = head_by(KEY, &rows);
    let forged = [
        head_by(8, &rows),
        SignedHead { seq: 3, ..good.clone() },
        SignedHead { hash: rows[0].hash.clone(), ..good.clone() },
        SignedHead { time: "2027-01-02T03:04:05Z".to_owned(), ..good.clone() },
        SignedHead { signature: String::new(), ..good.clone() },
        SignedHead { hash: "zz".to_owned(), ..good.clone() },
    ];
    for head in forged {
        assert!(matches!(verify_with(&head, &rows, &Witness::default()), Err(Defect::HeadSignature { .. })), "{head:?}");
    }
}

#[test]
fn row_27_truncation_and_rewriting_by_whoever_holds_the_log_key() {
    let witness = verify(&log(&["a", "b", "c", "d"]), &Witness::default()).unwrap();
    assert_eq!(verify(&log(&["a", "b"]), &witness), Err(Defect::Truncated { seq: 2, seen: 4 }));
    assert_eq!(verify(&log(&[]), &witness), Err(Defect::Truncated { seq: 0, seen: 4 }));
    assert_eq!(verify(&log(&["a", "B", "c", "d", "e"]), &witness), Err(Defect::Rewritten { seq: 1, until: 4 }));
    assert!(verify(&log(&["a", "b", "c", "d", "e"]), &witness).is_ok());
}

#[test]
fn row_27_a_rewriting_is_narrowed_down() {
    let witness = verify(&long_log(3000, None), &Witness::default()).unwrap();
    assert_eq!(verify(&long_log(3001, Some(1500)), &witness), Err(Defect::Rewritten { seq: 1025, until: 2048 }));
    assert_eq!(verify(&long_log(3001, Some(3001)), &witness).map(|witness| witness.newest().unwrap().seq), Ok(3001));
}

#[test]
fn an_export_may_be_older_than_what_was_seen_and_must_agree_with_it() {
    let witness = verify(&long_log(3000, None), &Witness::default()).unwrap();
    let export = |rows: &[LogRow]| {
        let head = Head::check(&head_by(KEY, rows), SeedSigner::new(KEY).public_key())?;
        let mut verification = Verification::begin_anywhere(head, &witness);
        rows.iter().try_for_each(|row| verification.follow(row))?;
        verification.finish().map(drop)
    };
    assert_eq!(export(&long_log(1100, None)), Ok(()));
    assert_eq!(export(&long_log(1100, Some(1000))), Err(Defect::Rewritten { seq: 1, until: 1024 }));
}
