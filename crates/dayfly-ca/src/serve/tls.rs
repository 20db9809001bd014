//! TLS 1.3 and nothing older, by one certificate and its key.

use crate::{config::TlsFiles, mistake::Mistake, private_file};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    version::TLS13,
};
use std::{path::Path, sync::Arc};
use tokio_rustls::TlsAcceptor;

/// The ALPN name of HTTP/2 (RFC 9113 § 3.1).
pub(super) const HTTP2: &[u8] = b"h2";

/// The ALPN name of HTTP/1.1 (RFC 7301 § 6).
const HTTP1: &[u8] = b"http/1.1";

/// Reads certificate and key, and checks that they belong together.
pub fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, Mistake> {
    let certificates = certificates(&files.certificate)?;
    let key = private_file::read(&files.key)?;
    let key = PrivateKeyDer::from_pem_slice(&key)
        .map_err(|error| Mistake::new(&files.key, format!("holds no private key: {error}"), "name a PEM file with one private key"))?;
    let unfit = |error: rustls::Error| {
        let cause = format!("cannot be used with its key: {error}");
        Mistake::new(&files.certificate, cause, "name a certificate, and the key that it is for")
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .map_err(unfit)?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(unfit)?;
    config.alpn_protocols = vec![HTTP2.to_vec(), HTTP1.to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Mistake> {
    let mistake = |cause: String| Mistake::new(path, cause, "name a PEM file with the certificate, its chain behind it");
    let pem = std::fs::read(path).map_err(|error| mistake(format!("cannot be read: {error}")))?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let certificates = certificates.map_err(|error| mistake(format!("cannot be read as PEM: {error}")))?;
    if certificates.is_empty() { Err(mistake("holds no certificate".to_owned())) } else { Ok(certificates) }
}
