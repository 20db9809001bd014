//! The certificate that callers see: one that signs itself, and the pin that tells it from every other.

use crate::mistake::Mistake;
use base64::{Engine, prelude::BASE64_STANDARD};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};
use sha2::{Digest, Sha256};
use std::path::Path;
use time::{Duration, OffsetDateTime};
use x509_parser::{parse_x509_certificate, pem::parse_x509_pem};
use zeroize::Zeroizing;

/// How long a certificate that signs itself is valid. Callers pin its key, so its end protects nobody: it is replaced when the key is.
const LIFETIME: Duration = Duration::days(3650);

/// How far it is backdated, for callers whose clock runs late.
const BACKDATED: Duration = Duration::days(1);

/// A certificate and its private key, PEM.
pub struct SelfSigned {
    /// The certificate.
    pub certificate: String,
    /// The private key.
    pub key: Zeroizing<String>,
}

/// Makes a key (ECDSA P-256) and a certificate for `names`: host names and addresses.
pub fn self_signed(names: Vec<String>, now: OffsetDateTime) -> Result<SelfSigned, rcgen::Error> {
    let mut parameters = CertificateParams::new(names)?;
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, "dayfly-ca");
    parameters.not_before = now - BACKDATED;
    parameters.not_after = now + LIFETIME;
    parameters.is_ca = IsCa::ExplicitNoCa;
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let certificate = parameters.self_signed(&key)?.pem();
    Ok(SelfSigned { certificate, key: Zeroizing::new(key.serialize_pem()) })
}

/// The pin of the first certificate in a PEM file: `sha256//` and the Base64 of the SHA-256 of its public key (SubjectPublicKeyInfo, DER), as
/// curl's `--pinnedpubkey` takes it.
pub fn pin(path: &Path) -> Result<String, Mistake> {
    let mistake = |cause: String| Mistake::new(path, cause, "name a PEM file with the certificate, its chain behind it");
    let bytes = std::fs::read(path).map_err(|error| mistake(format!("cannot be read: {error}")))?;
    let (_, pem) = parse_x509_pem(&bytes).map_err(|error| mistake(format!("is no PEM file: {error}")))?;
    let (_, certificate) = parse_x509_certificate(&pem.contents).map_err(|error| mistake(format!("holds no certificate: {error}")))?;
    Ok(format!("sha256//{}", BASE64_STANDARD.encode(Sha256::digest(certificate.public_key().raw))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::PublicKeyData;
    use x509_parser::extensions::GeneralName;

    fn made() -> SelfSigned {
        let names = vec!["ca.example.org".to_owned(), "192.0.2.1".to_owned(), "2001:db8::1".to_owned()];
        self_signed(names, OffsetDateTime::now_utc()).unwrap()
    }

    #[test]
    fn the_pin_is_the_keys() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cert.pem");
        let made = made();
        std::fs::write(&path, &made.certificate).unwrap();
        let key = KeyPair::from_pem(&made.key).unwrap();
        let digest = Sha256::digest(key.subject_public_key_info());
        assert_eq!(pin(&path).unwrap(), format!("sha256//{}", BASE64_STANDARD.encode(digest)));
        std::fs::write(&path, "no certificate").unwrap();
        assert!(pin(&path).unwrap_err().cause.starts_with("is no PEM file"));
    }

    #[test]
    fn the_certificate_names_the_hosts_and_is_no_authority() {
        let (_, pem) = parse_x509_pem(made().certificate.as_bytes()).unwrap();
        let (_, certificate) = parse_x509_certificate(&pem.contents).unwrap();
        let names = &certificate.subject_alternative_name().unwrap().unwrap().value.general_names;
        let v6 = "2001:db8::1".parse::<std::net::Ipv6Addr>().unwrap().octets();
        assert_eq!(*names, [GeneralName::DNSName("ca.example.org"), GeneralName::IPAddress(&[192, 0, 2, 1]), GeneralName::IPAddress(&v6)]);
        assert!(!certificate.is_ca() && certificate.validity().is_valid());
    }
}
