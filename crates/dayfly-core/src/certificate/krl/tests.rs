//! The format by itself: what is written is read back, the layout is the smallest there is, and no bytes are more than an error.
//! That OpenSSH reads the same out of it is in `tests/krl_agreement.rs`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::{
    layout::{LARGEST_BITMAP, smallest},
    *,
};
use crate::signer::{SeedSigner, Signer};
use proptest::{collection::vec, prelude::*};
use ssh_key::certificate::{Builder, CertType};

const BOUNDARIES: [u64; 8] = [1, 63, 64, 65, (1 << 53) - 1, 1 << 53, u64::MAX - 1, u64::MAX];

fn ca(seed: u8) -> KeyData {
    SeedSigner::new(seed).public_key().clone()
}

fn certificate(authority: u8, holder: u8, serial: u64, key_id: &str) -> Certificate {
    let mut builder = Builder::new(vec![7; 32], ca(holder), 0, 10).unwrap();
    builder.serial(serial).unwrap().cert_type(CertType::User).unwrap().key_id(key_id).unwrap().valid_principal("deploy@db1").unwrap();
    builder.sign(SeedSigner::new(authority).private_key()).unwrap()
}

fn with_serials(serials: &[u64]) -> Krl {
    let mut krl = Krl::new(7, 1_800_000_000, "test");
    krl.revoke_serials(Some(&ca(1)), serials.iter().copied()).unwrap();
    krl
}

fn header() -> Vec<u8> {
    Krl::new(7, 0, "").encode().unwrap()
}

/// A list with one section of this type and content.
fn with_section(kind: u8, section: &[u8]) -> Vec<u8> {
    [header(), vec![kind], string(section)].concat()
}

fn string(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

/// A list with one part of a section of certificates of any CA.
fn with_part(kind: u8, part: &[u8]) -> Vec<u8> {
    with_section(tag::CERTIFICATES, &[string(b""), string(b""), vec![kind], string(part)].concat())
}

#[test]
fn an_empty_list_is_its_header() {
    let krl = Krl::new(3, 1_800_000_000, "dayfly");
    let bytes = krl.encode().unwrap();
    assert_eq!(bytes.len(), 8 + 4 + 3 * 8 + 4 + 4 + 6);
    assert_eq!(Krl::parse(&bytes).unwrap(), krl);
    assert_eq!(krl.revokes(&certificate(1, 2, 5, "alice")), None);
}

#[test]
fn each_kind_of_entry_revokes_what_it_says_and_nothing_else() {
    let (shown, other) = (certificate(1, 2, 5, "alice"), certificate(3, 4, 6, "bob"));
    let filled = |fill: &dyn Fn(&mut Krl)| {
        let mut krl = Krl::default();
        fill(&mut krl);
        let krl = Krl::parse(&krl.encode().unwrap()).unwrap();
        assert_eq!(krl.revokes(&other), None);
        krl.revokes(&shown)
    };
    assert_eq!(filled(&|krl| krl.revoke_serials(Some(&ca(1)), [5]).unwrap()), Some(ListedBy::Serial));
    assert_eq!(filled(&|krl| krl.revoke_serials(None, [5]).unwrap()), Some(ListedBy::Serial));
    assert_eq!(filled(&|krl| krl.revoke_serials(Some(&ca(3)), [5]).unwrap()), None);
    assert_eq!(filled(&|krl| krl.revoke_ranges(Some(&ca(1)), [(2, 5)]).unwrap()), Some(ListedBy::Serial));
    assert_eq!(filled(&|krl| krl.revoke_key_id(Some(&ca(1)), "alice").unwrap()), Some(ListedBy::KeyId));
    assert_eq!(filled(&|krl| krl.revoke_key_id(None, "alice").unwrap()), Some(ListedBy::KeyId));
    assert_eq!(filled(&|krl| krl.revoke_key_id(Some(&ca(3)), "alice").unwrap()), None);
    assert_eq!(filled(&|krl| krl.revoke_key(&ca(2))), Some(ListedBy::Key));
    assert_eq!(filled(&|krl| krl.revoke_key(&ca(1))), Some(ListedBy::Authority));
    assert_eq!(filled(&|krl| krl.revoke_fingerprint(sha256(&blob(&ca(2))))), Some(ListedBy::Key));
    assert_eq!(filled(&|krl| krl.revoke_fingerprint(sha256(&blob(&ca(1))))), Some(ListedBy::Authority));
    assert_eq!(filled(&|krl| assert!(krl.sha1.insert(sha1(&blob(&ca(2))).unwrap()))), Some(ListedBy::Key));
}

#[test]
fn the_first_and_the_last_serials_there_are() {
    for serial in BOUNDARIES {
        let krl = Krl::parse(&with_serials(&[serial]).encode().unwrap()).unwrap();
        for probe in BOUNDARIES {
            assert_eq!(krl.revokes(&certificate(1, 2, probe, "x")).is_some(), probe == serial, "{serial} {probe}");
        }
    }
    let mut all = Krl::default();
    all.revoke_ranges(Some(&ca(1)), [(1, u64::MAX)]).unwrap();
    let all = Krl::parse(&all.encode().unwrap()).unwrap();
    assert!(BOUNDARIES.iter().all(|serial| all.revokes(&certificate(1, 2, *serial, "x")).is_some()));
    assert_eq!(all.revokes(&certificate(1, 2, 0, "x")), None, "a certificate without a serial is not revoked by serial");
    assert_eq!(Krl::default().revoke_serials(None, [1, 0]), Err(KrlError::Serial));
    assert_eq!(Krl::default().revoke_ranges(None, [(6, 5)]), Err(KrlError::Serial));
}

#[test]
fn what_is_dense_is_a_bitmap_what_follows_a_range_and_what_is_sparse_a_list() {
    let every_other: Vec<(u64, u64)> = (0..200).map(|n| (1000 + 2 * n, 1000 + 2 * n)).collect();
    let layout = smallest(&every_other);
    assert_eq!((layout.listed.len(), layout.ranges.len(), layout.bitmaps.len()), (0, 0, 1));
    let sparse: Vec<(u64, u64)> = (1..200).map(|n| (n << 40, n << 40)).collect();
    assert_eq!(smallest(&sparse).listed, sparse);
    assert_eq!(smallest(&[(5, 5_000_000)]).ranges, [(5, 5_000_000)]);
    let wide = LARGEST_BITMAP * 3;
    let long: Vec<(u64, u64)> = (1..wide).step_by(2).map(|n| (n, n)).collect();
    let bitmaps = smallest(&long).bitmaps;
    assert_eq!(bitmaps.len(), 3);
    assert!(bitmaps.iter().all(|runs| runs.last().unwrap().1 - runs[0].0 < LARGEST_BITMAP));
}

#[test]
fn a_hundred_thousand_random_serials_stay_under_a_megabyte() {
    let mut serial = 0_u64;
    // Spread over what the CA draws from, as random ones are.
    let serials = (0..100_000).map(|n: u64| {
        serial = serial.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407 + n);
        (serial >> 11).max(1)
    });
    let krl = with_serials(&serials.collect::<Vec<_>>());
    let bytes = krl.encode().unwrap();
    assert!(bytes.len() < 1_000_000, "{} bytes", bytes.len());
    assert_eq!(Krl::parse(&bytes).unwrap(), krl);
}

#[test]
fn what_openssh_refuses_is_refused() {
    let (zero, five, six) = (0_u64.to_be_bytes(), 5_u64.to_be_bytes(), 6_u64.to_be_bytes());
    let last = u64::MAX.to_be_bytes();
    let long_bitmap = [&five[..], &string(&[1; 2049])].concat();
    let cases: &[(Vec<u8>, KrlError)] = &[
        (b"SSHKRL\n".to_vec(), KrlError::NotAKrl),
        (b"ssh-ed25519 AAAA".to_vec(), KrlError::NotAKrl),
        (header()[..20].to_vec(), KrlError::Truncated),
        ([&header()[..8], &2_u32.to_be_bytes(), &header()[12..]].concat(), KrlError::Format(2)),
        (with_section(9, b""), KrlError::Section(9)),
        (with_section(tag::SHA256, &string(&[0; 20])), KrlError::Value),
        (with_section(tag::SHA1, &string(&[0; 32])), KrlError::Value),
        (with_section(tag::CERTIFICATES, &[string(b"no key"), string(b"")].concat()), KrlError::Authority),
        (with_part(0x30, b""), KrlError::Section(0x30)),
        (with_part(tag::SERIAL_LIST, &zero), KrlError::Serial),
        (with_part(tag::SERIAL_LIST, &five[..7]), KrlError::Truncated),
        (with_part(tag::SERIAL_RANGE, &[six, five].concat()), KrlError::Serial),
        (with_part(tag::SERIAL_RANGE, &[zero, five].concat()), KrlError::Serial),
        (with_part(tag::SERIAL_RANGE, &[five, six, six].concat()), KrlError::Leftover),
        (with_part(tag::SERIAL_BITMAP, &[&zero[..], &string(&[1])].concat()), KrlError::Serial),
        (with_part(tag::SERIAL_BITMAP, &[&last[..], &string(&[2])].concat()), KrlError::Serial),
        (with_part(tag::SERIAL_BITMAP, &[&five[..], &string(&[0x80])].concat()), KrlError::Serial),
        (with_part(tag::SERIAL_BITMAP, &long_bitmap), KrlError::Serial),
        (with_part(tag::KEY_ID, &string(b"a\0b")), KrlError::Value),
    ];
    for (bytes, error) in cases {
        assert_eq!(Krl::parse(bytes).as_ref(), Err(error), "{}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn an_extension_that_must_be_understood_is_not_passed_over() {
    let extension = |is_critical: u8| [string(b"more@example.org"), vec![is_critical], string(b"contents")].concat();
    let demanded = Err(KrlError::CriticalExtension("more@example.org".to_owned()));
    assert_eq!(Krl::parse(&with_section(tag::EXTENSION, &extension(1))), demanded);
    assert_eq!(Krl::parse(&with_part(tag::CERTIFICATE_EXTENSION, &extension(1))), demanded);
    for passed in [with_section(tag::EXTENSION, &extension(0)), with_part(tag::CERTIFICATE_EXTENSION, &extension(0))] {
        assert_eq!(Krl::parse(&passed), Ok(Krl::new(7, 0, "")));
    }
}

#[test]
fn a_signature_is_passed_over_and_what_stands_around_it_counts() {
    let key = [vec![tag::KEY], string(&string(&blob(&ca(2))))].concat();
    let signature = [vec![tag::SIGNATURE], string(&blob(&ca(1))), string(b"whatever")].concat();
    let krl = Krl::parse(&[header(), signature, key].concat()).unwrap();
    assert!(krl.revokes_key(&ca(2)) && !krl.revokes_key(&ca(1)));
}

#[test]
fn bitmaps_cannot_unfold_without_bound() {
    let dense = [&1_u64.to_be_bytes()[..], &string(&[0x55; 2048])].concat();
    let parts = [vec![tag::SERIAL_BITMAP], string(&dense)].concat().repeat(300);
    let section = [string(b""), string(b""), parts].concat();
    assert_eq!(Krl::parse(&with_section(tag::CERTIFICATES, &section)), Err(KrlError::TooLarge));
    assert_eq!(Krl::parse(&[b"SSHKRL\n\0".to_vec(), vec![0; LARGEST_KRL]].concat()), Err(KrlError::TooLarge));
}

/// What each layout costs, tried one by one.
fn cheapest_by_trial(runs: &[(u64, u64)]) -> u64 {
    fn from(runs: &[(u64, u64)], has_list: bool) -> u64 {
        let Some(((first, last), rest)) = runs.split_first() else { return 0 };
        let listed = 8 * (last - first + 1) + if has_list { 0 } else { 5 } + from(rest, true);
        let range = 21 + from(rest, has_list);
        let reaching = (1..=runs.len()).filter(|count| runs[count - 1].1 - first < LARGEST_BITMAP);
        let bitmap = reaching.map(|count| 18 + (runs[count - 1].1 - first + 1) / 8 + from(&runs[count..], has_list));
        bitmap.chain([listed, range]).min().unwrap()
    }
    from(runs, false)
}

fn serials() -> impl Strategy<Value = Vec<u64>> {
    let near = |base: u64| (0_u64..400).prop_map(move |offset| base.saturating_add(offset).max(1));
    vec(prop_oneof![near(1), near(1 << 20), near((1 << 53) - 200), near(u64::MAX - 399), 1..=u64::MAX], 0..120)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_written_is_read_back(
        of_one in serials(), of_any in serials(), ranges in vec((1_u64..1 << 40, 0_u64..1 << 30), 0..8), ids in vec("[ -~é]{0,20}", 0..4), seeds in vec(2_u8.., 0..4),
    ) {
        let mut krl = Krl::new(9, 8, "a comment");
        krl.revoke_serials(Some(&ca(1)), of_one.iter().copied()).unwrap();
        krl.revoke_ranges(Some(&ca(1)), ranges.iter().map(|(first, more)| (*first, first + more))).unwrap();
        krl.revoke_serials(None, of_any.iter().copied()).unwrap();
        ids.iter().for_each(|id| krl.revoke_key_id(None, id).unwrap());
        for seed in seeds {
            krl.revoke_key(&ca(seed));
            krl.revoke_fingerprint(sha256(&blob(&ca(seed.wrapping_add(1)))));
        }
        krl.certificates.retain(|_, revoked| !revoked.serials.is_empty() || !revoked.key_ids.is_empty());
        let bytes = krl.encode().unwrap();
        let read = Krl::parse(&bytes).unwrap();
        prop_assert_eq!(&read, &krl);
        prop_assert_eq!(read.encode().unwrap(), bytes);
        for serial in of_one.iter().chain(&of_any) {
            for probe in [serial.saturating_sub(1), *serial, serial.saturating_add(1)].into_iter().filter(|probe| *probe > 0) {
                let in_range = ranges.iter().any(|(first, more)| (*first..=first + more).contains(&probe));
                let is_listed = of_one.contains(&probe) || of_any.contains(&probe) || in_range;
                let found = krl.certificates.values().any(|revoked| revoked.serials.contains(probe));
                prop_assert_eq!(found, is_listed);
            }
        }
    }

    #[test]
    fn no_layout_is_smaller(starts in vec((1_u64..60, 1_u64..30), 0..7)) {
        let mut next = 1;
        let runs: Vec<(u64, u64)> = starts.iter().map(|(gap, length)| {
            let first = next + gap;
            next = first + length;
            (first, next - 1)
        }).collect();
        let mut krl = Krl::default();
        krl.revoke_ranges(Some(&ca(1)), runs.clone()).unwrap();
        // A run that touches the one before is one with it.
        let merged = krl.certificates.values().next().map(|revoked| revoked.serials.runs().to_vec()).unwrap_or_default();
        let without = Krl::default().encode().unwrap().len() + 5 + 4 + blob(&ca(1)).len() + 4;
        if !merged.is_empty() {
            prop_assert_eq!((krl.encode().unwrap().len() - without) as u64, cheapest_by_trial(&merged));
        }
    }

    #[test]
    fn no_bytes_are_more_than_an_error(mut bytes in vec(any::<u8>(), 0..300), cut in any::<prop::sample::Index>(), flips in vec((any::<prop::sample::Index>(), any::<u8>()), 0..6)) {
        let mut krl = with_serials(&[1, 2, 3, 5, 8, 1 << 40]);
        krl.revoke_key(&ca(3));
        krl.revoke_key_id(None, "alice").unwrap();
        let good = krl.encode().unwrap();
        let mut damaged = good[..cut.index(good.len())].to_vec();
        damaged.append(&mut bytes);
        for (place, value) in flips {
            if !damaged.is_empty() {
                let place = place.index(damaged.len());
                damaged[place] = value;
            }
        }
        if let Ok(read) = Krl::parse(&damaged) {
            prop_assert_eq!(Krl::parse(&read.encode().unwrap()), Ok(read));
        }
    }
}
