#![allow(clippy::unwrap_used)]

use std::os::unix::fs::PermissionsExt as _;

use openssl::stack::Stack;
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::X509VerifyParam;
use openssl::x509::{X509PurposeId, X509StoreContext};

use super::*;

const NOW: i64 = 1_800_000_000;

/// OpenSSL's verifier, as a TLS client would ask it: chain, purpose, time and name.
fn accepts(ca: &X509, certificate: &X509, host: &str, at: i64) -> Result<(), String> {
    let mut parameters = X509VerifyParam::new().unwrap();
    parameters.set_purpose(X509PurposeId::SSL_SERVER).unwrap();
    parameters.set_time(at);
    match host.parse::<IpAddr>() {
        Ok(address) => parameters.set_ip(address).unwrap(),
        Err(_) => parameters.set_host(host).unwrap(),
    }
    let mut store = X509StoreBuilder::new().unwrap();
    store.add_cert(ca.clone()).unwrap();
    store.set_param(&parameters).unwrap();
    let store = store.build();
    let mut context = X509StoreContext::new().unwrap();
    let (good, error) = context
        .init(&store, certificate, &Stack::new().unwrap(), |context| Ok((context.verify_cert()?, context.error())))
        .unwrap();
    if good { Ok(()) } else { Err(error.error_string().to_owned()) }
}

fn load(files: &DevelopmentCertificates) -> (X509, X509) {
    (read_certificate(&files.ca).unwrap().unwrap(), read_certificate(&files.certificate).unwrap().unwrap())
}

fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

#[test]
fn a_client_that_trusts_the_ca_accepts_the_server_under_each_of_its_names() {
    let folder = tempfile::tempdir().unwrap();
    let files = ensure_at(folder.path(), &["client.localhost", "auth.localhost"], NOW).unwrap();
    assert!(files.created);
    let (ca, certificate) = load(&files);
    for host in ["127.0.0.1", "::1", "localhost", "client.localhost", "auth.localhost"] {
        assert_eq!(accepts(&ca, &certificate, host, NOW), Ok(()), "{host}");
    }
    assert!(accepts(&ca, &certificate, "other.localhost", NOW).is_err());
    assert!(accepts(&ca, &certificate, "127.0.0.2", NOW).is_err());
    assert!(accepts(&ca, &certificate, "localhost", NOW + 397 * DAY).is_err());
    let key = read_key(&files.key).unwrap().unwrap();
    assert!(certificate.public_key().unwrap().public_eq(&key));
    let life = certificate.not_before().diff(certificate.not_after()).unwrap();
    assert!(life.days <= 397, "{} days", life.days);
}

#[test]
fn the_ca_vouches_for_loopback_names_only() {
    let folder = tempfile::tempdir().unwrap();
    let files = ensure_at(folder.path(), &[], NOW).unwrap();
    let (ca, _) = load(&files);
    let ca_key = read_key(&folder.path().join("ca.key")).unwrap().unwrap();
    for host in ["bank.example", "10.0.0.1", "2001:db8::1", "notlocalhost"] {
        let forged = new_leaf(&ca, &ca_key, &new_key().unwrap(), &[host], NOW).unwrap();
        assert_eq!(accepts(&ca, &forged, host, NOW), Err("permitted subtree violation".to_owned()), "{host}");
    }
}

#[test]
fn names_that_may_be_elsewhere_are_refused_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["example.org", "localhost.example.org", "10.0.0.1", "", "*.localhost", "a..localhost", "-.localhost"] {
        let refused = ensure_at(&folder.path().join("certs"), &[name], NOW).unwrap_err();
        assert!(matches!(refused, DevelopmentCaError::NotLoopback { .. }), "{name}: {refused}");
        assert!(refused.to_string().contains(name));
    }
    assert!(contents(folder.path()).is_empty());
}

#[test]
fn a_second_call_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let first = ensure_at(folder.path(), &["client.localhost"], NOW).unwrap();
    let before = contents(folder.path());
    let second = ensure_at(folder.path(), &["client.localhost"], NOW + 300 * DAY).unwrap();
    assert_eq!(second, DevelopmentCertificates { created: false, ..first });
    assert_eq!(contents(folder.path()), before);
    let names: Vec<_> = before.iter().map(|(path, _)| path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["ca.key", "ca.pem", "server.key", "server.pem"]);
}

#[test]
fn a_certificate_near_its_end_or_without_a_name_is_renewed_under_the_same_ca() {
    let folder = tempfile::tempdir().unwrap();
    let files = ensure_at(folder.path(), &[], NOW).unwrap();
    let (ca, first) = load(&files);

    ensure_at(folder.path(), &["client.localhost"], NOW).unwrap();
    let (same_ca, named) = load(&files);
    assert_eq!(same_ca.to_der().unwrap(), ca.to_der().unwrap());
    assert!(accepts(&ca, &first, "client.localhost", NOW).is_err());
    assert_eq!(accepts(&ca, &named, "client.localhost", NOW), Ok(()));

    let late = NOW + 370 * DAY;
    ensure_at(folder.path(), &["client.localhost"], late).unwrap();
    let (same_ca, renewed) = load(&files);
    assert_eq!(same_ca.to_der().unwrap(), ca.to_der().unwrap());
    assert_eq!(accepts(&ca, &renewed, "client.localhost", late + 60 * DAY), Ok(()));
    assert_ne!(renewed.serial_number().to_bn().unwrap(), named.serial_number().to_bn().unwrap());
}

#[test]
fn a_lost_or_foreign_server_key_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let files = ensure_at(folder.path(), &[], NOW).unwrap();
    for spoil in [None, Some(new_key().unwrap().private_key_to_pem_pkcs8().unwrap())] {
        fs::remove_file(&files.key).unwrap();
        if let Some(foreign) = spoil {
            fs::write(&files.key, foreign).unwrap();
        }
        ensure_at(folder.path(), &[], NOW).unwrap();
        let (ca, certificate) = load(&files);
        let key = read_key(&files.key).unwrap().unwrap();
        assert!(certificate.public_key().unwrap().public_eq(&key));
        assert_eq!(accepts(&ca, &certificate, "localhost", NOW), Ok(()));
    }
}

#[test]
fn a_ca_that_lost_its_certificate_keeps_its_key_and_one_that_lost_its_key_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let files = ensure_at(folder.path(), &[], NOW).unwrap();
    let (trusted, _) = load(&files);
    fs::remove_file(&files.ca).unwrap();
    assert!(ensure_at(folder.path(), &["x.localhost"], NOW).unwrap().created);
    let (_, certificate) = load(&files);
    assert_eq!(accepts(&trusted, &certificate, "x.localhost", NOW), Ok(()));

    fs::remove_file(folder.path().join("ca.key")).unwrap();
    ensure_at(folder.path(), &["x.localhost"], NOW).unwrap();
    let refused = ensure_at(folder.path(), &["y.localhost"], NOW).unwrap_err().to_string();
    assert!(refused.contains("ca.pem") && refused.contains("delete it"), "{refused}");
}

#[test]
fn a_file_that_is_no_pem_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let files = ensure_at(folder.path(), &[], NOW).unwrap();
    fs::write(&files.ca, "nonsense").unwrap();
    let refused = ensure_at(folder.path(), &[], NOW).unwrap_err().to_string();
    assert!(refused.contains("ca.pem is not a usable PEM file"), "{refused}");
}

#[test]
fn private_keys_are_readable_by_their_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    let files = ensure_at(folder.path(), &[], NOW).unwrap();
    for path in [&files.key, &folder.path().join("ca.key")] {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
    }
}

#[test]
fn calls_at_the_same_time_end_with_one_ca() {
    let folder = tempfile::tempdir().unwrap();
    let created = std::thread::scope(|scope| {
        let calls: Vec<_> =
            (0..8).map(|_| scope.spawn(|| ensure_at(folder.path(), &[], NOW).unwrap().created)).collect();
        calls.into_iter().map(|call| call.join().unwrap()).filter(|created| *created).count()
    });
    assert_eq!(created, 1);
}
