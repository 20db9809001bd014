//! Evidence with everything that it can hold.

#![allow(clippy::unwrap_used)]

use super::{ENDS_AT, add, certificate, furnish, revocation, revoke};
use crate::store::{Certificate, Change, Revocation, Store};
use dayfly_core::{
    certificate::Revoked,
    device::{Device, Posture},
    identity::{Evidence, FactorMethod, Proof},
};

/// Everything that evidence can hold.
pub(super) fn evidence() -> Evidence {
    let proof =
        Proof::SignIn { issuer: "https://id.example.org".to_owned(), subject: "8c1e".to_owned(), fingerprint: "SHA256:key".to_owned() };
    let posture = Posture {
        reported_at: ENDS_AT - 310,
        disk_encrypted: Some(false),
        os_version: Some("14.2".parse().unwrap()),
        ..Posture::default()
    };
    Evidence {
        factors: [(FactorMethod::Totp, ENDS_AT - 320), (FactorMethod::Webauthn, ENDS_AT - 400)].into(),
        device: Some(Device {
            id: "laptop".parse().unwrap(),
            enrolled: true,
            owner: Some("alice".parse().unwrap()),
            last_seen: Some(ENDS_AT - 900),
            posture: Some(posture),
        }),
        client_version: Some("1.2.3".parse().unwrap()),
        claims: [("repository_id".to_owned(), "1296269".to_owned())].into(),
        ..Evidence::new(proof, ENDS_AT - 3600)
    }
}

pub(crate) async fn row_20_a_revoked_key_takes_what_it_asked_for_with_it(store: &impl Store) {
    furnish(store).await;
    let asked = Certificate { key_fingerprint: Some("SHA256:fresh".to_owned()), evidence: Some(evidence()), ..certificate(77, "alice") };
    add(store, Change::AddCertificate(asked.clone())).await;
    let covered = store.covered(&Revoked::Key("SHA256:key".to_owned()), ENDS_AT).await.unwrap();
    assert!(covered.iter().any(|certificate| certificate.serial == 77));
    assert!(!store.revoked_serials(asked.issued_at).await.unwrap().certificates.contains(&77));
    revoke(store, Revocation { revoked: Revoked::Key("SHA256:key".to_owned()), ..revocation("serial", "1", asked.issued_at, None) }).await;
    assert!(store.revoked_serials(asked.issued_at).await.unwrap().certificates.contains(&77));
}
