use super::*;
use dayfly_core::{
    certificate::UnsignedCertificate,
    signature::{sign_sshsig, verify},
    signer::SeedSigner,
};
use ssh_key::LineEnding;
use std::{
    io::Write,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, Stdio},
};
use tempfile::TempDir;

/// What `ssh-keygen -t … -b …` makes and a CA may use.
const ALGORITHMS: [(&str, &str); 5] = [("ed25519", "0"), ("ecdsa", "256"), ("ecdsa", "384"), ("ecdsa", "521"), ("rsa", "3072")];

fn ssh_keygen(directory: &TempDir, arguments: &[&str]) {
    let output = Command::new("ssh-keygen").current_dir(directory.path()).args(arguments).output().unwrap();
    assert!(output.status.success(), "ssh-keygen {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A key that `ssh-keygen` made.
fn key(directory: &TempDir, name: &str, (kind, bits): (&str, &str), passphrase: &str) -> PathBuf {
    let size: &[&str] = if bits == "0" { &[] } else { &["-b", bits] };
    ssh_keygen(directory, &[&["-q", "-t", kind, "-N", passphrase, "-C", "ca", "-f", name], size].concat());
    directory.path().join(name)
}

#[test]
fn every_algorithm_signs_what_we_and_openssh_verify() {
    for algorithm in ALGORITHMS {
        let directory = tempfile::tempdir().unwrap();
        let signer = FileSigner::load(&key(&directory, "ca", algorithm, ""), &Secrets::none()).unwrap();
        // Often enough to meet integers of every length.
        for message in 0..64_u8 {
            let signature = signer.sign(&[message]).unwrap();
            assert_eq!(verify(signer.public_key(), &[message], &signature), Ok(()), "{algorithm:?}");
            assert!(verify(signer.public_key(), &[message, 0], &signature).is_err(), "{algorithm:?}");
        }
        openssh_verifies_a_signature(&directory, &signer);
        openssh_verifies_a_certificate(&directory, &signer);
    }
}

fn openssh_verifies_a_signature(directory: &TempDir, signer: &FileSigner) {
    let sshsig = sign_sshsig(signer, "log-head@dayfly", b"message").unwrap().to_pem(LineEnding::LF).unwrap();
    std::fs::write(directory.path().join("signature"), sshsig).unwrap();
    let public = std::fs::read_to_string(directory.path().join("ca.pub")).unwrap();
    std::fs::write(directory.path().join("allowed"), format!("ca {public}")).unwrap();
    let arguments = ["-Y", "verify", "-f", "allowed", "-I", "ca", "-n", "log-head@dayfly", "-s", "signature"];
    let mut child = Command::new("ssh-keygen")
        .current_dir(directory.path())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"message").unwrap();
    assert!(child.wait().unwrap().success());
}

/// `ssh-keygen -L` refuses a certificate whose signature does not fit.
fn openssh_verifies_a_certificate(directory: &TempDir, signer: &FileSigner) {
    let key = SeedSigner::new(3).public_key().clone();
    let unsigned = UnsignedCertificate::inner_host(&"b1".parse().unwrap(), &"db1".parse().unwrap(), key.into(), 1_735_732_800, 1, [7; 32]);
    let certificate = unsigned.unwrap().sign(signer).unwrap().to_openssh().unwrap();
    std::fs::write(directory.path().join("db1-cert.pub"), certificate).unwrap();
    ssh_keygen(directory, &["-L", "-f", "db1-cert.pub"]);
}

#[test]
fn an_encrypted_key_wants_its_passphrase() {
    let directory = tempfile::tempdir().unwrap();
    let path = key(&directory, "ca", ("ed25519", "0"), "correct horse");
    assert!(FileSigner::load(&path, &Secrets::none()).unwrap_err().remedy.contains(VARIABLE));
    let wrong = FileSigner::load(&path, &Secrets::passphrase_is("battery staple")).unwrap_err();
    assert_eq!(wrong.cause, "cannot be decrypted with the passphrase");
    let signer = FileSigner::load(&path, &Secrets::passphrase_is("correct horse")).unwrap();
    let signature = signer.sign(b"message").unwrap();
    assert_eq!(verify(signer.public_key(), b"message", &signature), Ok(()));
}

#[test]
fn a_key_that_others_can_read_garbage_and_weak_keys_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = key(&directory, "ca", ("ed25519", "0"), "");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(FileSigner::load(&path, &Secrets::none()).unwrap_err().remedy.starts_with("chmod 600"));

    let garbage = directory.path().join("garbage");
    private_file::create(&garbage, b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n").unwrap();
    assert!(FileSigner::load(&garbage, &Secrets::none()).unwrap_err().remedy.starts_with("convert it"));

    let short = key(&directory, "short", ("rsa", "2048"), "");
    assert!(FileSigner::load(&short, &Secrets::none()).unwrap_err().cause.contains("2048"));
}

#[test]
fn row_28_nothing_prints_a_key() {
    let directory = tempfile::tempdir().unwrap();
    let signer = FileSigner::load(&key(&directory, "ca", ("ed25519", "0"), ""), &Secrets::none()).unwrap();
    assert_eq!(format!("{signer:?}"), format!("FileSigner({})", fingerprint(signer.public_key())));
}
