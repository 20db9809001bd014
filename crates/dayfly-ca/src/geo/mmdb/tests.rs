//! Databases that another program wrote, `databases/generate.py`: under the names of MaxMind (`nested`), of the free lists (`flat`) and of IPinfo (`texts`).

#![allow(clippy::unwrap_used)]

use super::*;
use std::path::PathBuf;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/geo/mmdb/databases").join(name)
}

fn databases(name: &str) -> Databases {
    let read = |purpose| Some(Database::read(&file(name), purpose).unwrap());
    Databases { countries: read(Purpose::Country), systems: read(Purpose::System) }
}

#[test]
fn every_makers_names_are_understood() {
    for name in ["nested.mmdb", "flat.mmdb", "texts.mmdb"] {
        let told = databases(name);
        let of = |address: &str| {
            let address = address.parse().unwrap();
            (told.country(address).map(|country| country.to_string()), told.asn(address))
        };
        assert_eq!(of("192.0.2.7"), (Some("DE".to_owned()), Some(64_496)), "{name}");
        assert_eq!(of("::ffff:192.0.2.7"), (Some("DE".to_owned()), Some(64_496)), "{name}");
        assert_eq!(of("2001:db8::1"), (Some("FR".to_owned()), Some(64_497)), "{name}");
        for unknown in ["198.51.100.7", "127.0.0.1", "::1", "2001:db9::1"] {
            assert_eq!(of(unknown), (None, None), "{name} on {unknown}");
        }
    }
}

#[test]
fn an_ipv4_database_knows_no_ipv6_address() {
    let told = Databases { countries: Some(Database::read(&file("ipv4.mmdb"), Purpose::Country).unwrap()), systems: None };
    assert_eq!(told.country("192.0.2.7".parse().unwrap()).unwrap().as_str(), "DE");
    assert_eq!(told.country("2001:db8::1".parse().unwrap()), None);
}

#[test]
fn a_file_that_does_not_serve_is_noticed_when_it_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let good = std::fs::read(file("nested.mmdb")).unwrap();
    let read = |bytes: &[u8], purpose| {
        let path = directory.path().join("some.mmdb");
        std::fs::write(&path, bytes).unwrap();
        Database::read(&path, purpose)
    };
    assert!(read(&good, Purpose::Country).is_ok());
    for broken in [&good[..good.len() / 2], &[][..], b"not a database"] {
        assert!(matches!(read(broken, Purpose::Country), Err(DatabaseError::Broken(_))), "{} bytes", broken.len());
    }
    let country_alone = std::fs::read(file("ipv4.mmdb")).unwrap();
    assert!(matches!(read(&country_alone, Purpose::System), Err(DatabaseError::TellsNothing(_))));
    assert!(matches!(Database::read(&directory.path().join("gone.mmdb"), Purpose::Country), Err(DatabaseError::Unreadable(_))));
}
