use super::*;
use crate::{
    config::{Calls, Custody},
    private_file,
    signer::{
        open as open_key,
        suite::{CALLS, P11Kit, SoftHsm, in_process_of_its_own, key},
    },
};
use dayfly_core::{signature::verify, signer::Signer};
use std::thread;

const KIND: (&str, &str) = ("ecdsa", "256");

fn signs(signer: &dyn Signer) -> bool {
    signer.sign(b"message").is_ok_and(|signature| verify(signer.public_key(), b"message", &signature).is_ok())
}

/// Until it signs again: a module is started anew once a second at most.
fn comes_back(signer: &dyn Signer) {
    let start = Instant::now();
    while !signs(signer) {
        assert!(start.elapsed() < Duration::from_secs(30), "{:?}", signer.sign(b"message"));
        thread::yield_now();
    }
}

#[test]
fn an_unplugged_token_fails_by_name_and_signs_again_once_it_is_back() {
    in_process_of_its_own("signer::pkcs11::tests::an_unplugged_token_fails_by_name_and_signs_again_once_it_is_back", || {
        let token = SoftHsm::make();
        token.make_key("ca", KIND);
        let signer = open_key(&key(token.custody("ca", CALLS)), &Secrets::none()).unwrap();
        for _ in 0..2 {
            // One session may have found the token again, and the other may have to wait for the module to be started anew.
            comes_back(signer.as_ref());
            token.unplug();
            let start = Instant::now();
            let error = loop {
                match signer.sign(b"message") {
                    Err(error) => break error,
                    Ok(_) => assert!(start.elapsed() < Duration::from_secs(30), "the module never notices"),
                }
            };
            assert!(error.key.starts_with("user_ca (SHA256:") && error.cause.contains("pkcs11-tool --module"), "{error}");
            token.plug_in();
            comes_back(signer.as_ref());
        }
    });
}

#[test]
fn a_token_whose_process_is_killed_is_found_again() {
    in_process_of_its_own("signer::pkcs11::tests::a_token_whose_process_is_killed_is_found_again", || {
        let token = SoftHsm::make();
        token.make_key("ca", KIND);
        let mut server = P11Kit::start();
        let at = token.key(&P11Kit::module(), "ca", CALLS);
        let signer = open_key(&key(Custody::Token(at)), &Secrets::none()).unwrap_or_else(|mistake| panic!("{mistake}"));
        assert!(signs(signer.as_ref()));
        server.kill();
        assert!(!signs(signer.as_ref()));
        server.start_again();
        comes_back(signer.as_ref());
        // Under the hands of several threads, too.
        let load: Vec<_> = (0..4)
            .map(|_| {
                let signer = std::sync::Arc::clone(&signer);
                thread::spawn(move || (0..50).filter(|_| signs(signer.as_ref())).count())
            })
            .collect();
        server.kill();
        server.start_again();
        for thread in load {
            thread.join().unwrap();
        }
        comes_back(signer.as_ref());
    });
}

#[test]
fn a_token_that_hangs_is_given_up_and_served_by_again_when_it_goes_on() {
    in_process_of_its_own("signer::pkcs11::tests::a_token_that_hangs_is_given_up_and_served_by_again_when_it_goes_on", || {
        let token = SoftHsm::make();
        token.make_key("ca", KIND);
        let server = P11Kit::start();
        let at = token.key(&P11Kit::module(), "ca", Calls { timeout: Duration::from_secs(2), sessions: 2 });
        let signer = open_key(&key(Custody::Token(at.clone())), &Secrets::none()).unwrap_or_else(|mistake| panic!("{mistake}"));
        assert!(signs(signer.as_ref()));
        server.signal("-STOP");
        let start = Instant::now();
        let error = signer.sign(b"message").unwrap_err();
        assert!(error.cause.contains("within 2s") && error.cause.contains("pkcs11-tool"), "{error}");
        assert!(start.elapsed() < Duration::from_secs(10));
        // A start meanwhile is not held either.
        let brief = TokenKey { calls: Calls { timeout: Duration::from_millis(100), sessions: 1 }, ..at };
        assert!(open_key(&key(Custody::Token(brief)), &Secrets::none()).is_err());
        server.signal("-CONT");
        comes_back(signer.as_ref());
    });
}

#[test]
fn a_refused_pin_is_tried_once() {
    in_process_of_its_own("signer::pkcs11::tests::a_refused_pin_is_tried_once", || {
        let token = SoftHsm::make();
        token.make_key("ca", KIND);
        let Custody::Token(good) = token.custody("ca", CALLS) else { unreachable!() };
        let wrong = good.pin_file.as_ref().unwrap().with_extension("wrong");
        private_file::create(&wrong, b"battery-staple").unwrap();
        let bad = TokenKey { pin_file: Some(wrong), ..good.clone() };
        let mistake = |at: TokenKey| open_key(&key(Custody::Token(at)), &Secrets::none()).err().expect("a mistake").to_string();
        let first = mistake(bad.clone());
        assert!(first.starts_with("ca.toml:7: user_ca: the token \"dayfly\" of "), "{first}");
        assert!(first.contains("it refused the PIN, which is not tried again"), "{first}");
        // The second of the two does not reach the token: it would be counted there.
        assert_eq!(mistake(bad), first);
        assert!(signs(open_key(&key(Custody::Token(good)), &Secrets::none()).unwrap().as_ref()));
    });
}

#[test]
fn mistakes_tell_the_line_and_what_to_look_at() {
    in_process_of_its_own("signer::pkcs11::tests::mistakes_tell_the_line_and_what_to_look_at", || {
        let token = SoftHsm::make();
        token.make_key("ca", KIND);
        token.make_key("twice", KIND);
        token.make_key("twice", KIND);
        let Custody::Token(good) = token.custody("ca", CALLS) else { unreachable!() };
        let mistake = |at: TokenKey| open_key(&key(Custody::Token(at)), &Secrets::none()).err().expect("a mistake").to_string();
        let expected = [
            (TokenKey { module: "/nonexistent.so".into(), ..good.clone() }, "cannot be loaded"),
            (TokenKey { token: "another".to_owned(), ..good.clone() }, "it is not there"),
            (TokenKey { label: Some("absent".to_owned()), ..good.clone() }, "no such private key"),
            (TokenKey { label: Some("twice".to_owned()), ..good.clone() }, "several such private keys"),
            (TokenKey { pin_file: None, ..good.clone() }, "nobody knows the PIN"),
            (TokenKey { pin_file: Some("/nonexistent.pin".into()), ..good }, "cannot be opened"),
        ];
        for (at, cause) in expected {
            let told = mistake(at);
            assert!(told.contains(cause), "{cause}: {told}");
        }
    });
}

#[test]
fn row_28_nothing_prints_a_pin() {
    let secrets = Secrets::passphrase_is("correct horse");
    assert!(!format!("{secrets:?}").contains("horse"));
}
