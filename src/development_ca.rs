//! A certificate authority for development: https on loopback that a browser accepts once it trusts `ca.pem`.
//!
//! The CA can vouch for loopback names and addresses only (name constraints), so a stolen `ca.key` opens nothing else.

use std::fs::{self, File};
use std::io::Write as _;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use openssl::asn1::{Asn1Object, Asn1OctetString, Asn1Time};
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName, SubjectKeyIdentifier,
};
use openssl::x509::{X509, X509Builder, X509Extension, X509Name, X509Ref, X509VerifyResult};
use shared::clock;

const DAY: i64 = 86_400;
const CA_LIFE: i64 = 3650 * DAY;
/// Browsers refuse server certificates that live longer than 398 days.
const LEAF_LIFE: i64 = 396 * DAY;
/// A certificate with less than this left is renewed.
const RENEWAL: i64 = 30 * DAY;
/// Certificates begin this much earlier, for clocks that are behind.
const SKEW: i64 = 3600;
/// In every server certificate.
const ALWAYS: [&str; 3] = ["127.0.0.1", "::1", "localhost"];

/// Where the files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DevelopmentCertificates {
    /// What clients must trust, PEM.
    pub ca: PathBuf,
    /// The server's certificate, PEM.
    pub certificate: PathBuf,
    /// The server's private key, PEM, readable by its owner only.
    pub key: PathBuf,
    /// The CA is new: nothing trusts it yet.
    pub created: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum DevelopmentCaError {
    #[error("{path}: {source}")]
    File { path: String, source: std::io::Error },
    #[error(
        "{name:?} is no loopback name: the development CA vouches for localhost, *.localhost and loopback addresses"
    )]
    NotLoopback { name: String },
    #[error("{path} is not a usable PEM file: {source}")]
    Pem { path: String, source: ErrorStack },
    #[error(
        "{ca} has expired or does not belong to its key: delete it and ca.key to make a new CA, and trust that one"
    )]
    Unusable { ca: String },
    #[error("making certificates: {0}")]
    Make(#[from] ErrorStack),
}

/// Sees to it that `folder` holds a CA and a server certificate for the loopback addresses, `localhost` and `names`. What is
/// there stays, but a server certificate that expires within 30 days or lacks a name is renewed; the CA is never replaced.
pub fn ensure(folder: &Path, names: &[&str]) -> Result<DevelopmentCertificates, DevelopmentCaError> {
    ensure_at(folder, names, clock::now())
}

fn ensure_at(folder: &Path, names: &[&str], now: i64) -> Result<DevelopmentCertificates, DevelopmentCaError> {
    let mut all = Vec::from(ALWAYS);
    for &name in names {
        if !is_loopback(name) {
            return Err(DevelopmentCaError::NotLoopback { name: name.to_owned() });
        }
        if !all.contains(&name) {
            all.push(name);
        }
    }
    fs::create_dir_all(folder).map_err(file_error(folder))?;
    // Another process may be about the same; the lock goes with the handle.
    let lock = File::open(folder).map_err(file_error(folder))?;
    lock.lock().map_err(file_error(folder))?;

    let files = DevelopmentCertificates {
        ca: folder.join("ca.pem"),
        certificate: folder.join("server.pem"),
        key: folder.join("server.key"),
        created: !folder.join("ca.pem").exists(),
    };
    let ca_key_path = folder.join("ca.key");
    let ca = if files.created {
        // A key without its certificate goes on: who trusts the lost one trusts the new one too.
        let key = match read_key(&ca_key_path)? {
            Some(key) => key,
            None => {
                let key = new_key()?;
                write(&ca_key_path, &key.private_key_to_pem_pkcs8()?, 0o600)?;
                key
            }
        };
        let ca = new_ca(&key, now)?;
        write(&files.ca, &ca.to_pem()?, 0o644)?;
        ca
    } else {
        read_certificate(&files.ca)?.ok_or_else(|| unusable(&files.ca))?
    };
    if serves(&files, &ca, &all, now)? {
        return Ok(files);
    }
    let ca_key = read_key(&ca_key_path)?.ok_or_else(|| unusable(&files.ca))?;
    if !ca.public_key()?.public_eq(&ca_key) || ca.not_after() <= &*time(now + RENEWAL)? {
        return Err(unusable(&files.ca));
    }
    let key = new_key()?;
    let certificate = new_leaf(&ca, &ca_key, &key, &all, now)?;
    write(&files.key, &key.private_key_to_pem_pkcs8()?, 0o600)?;
    write(&files.certificate, &certificate.to_pem()?, 0o644)?;
    Ok(files)
}

fn unusable(ca: &Path) -> DevelopmentCaError {
    DevelopmentCaError::Unusable { ca: ca.display().to_string() }
}

/// Names that can only mean this machine (RFC 6761, 6.3).
fn is_loopback(name: &str) -> bool {
    if let Ok(address) = name.parse::<IpAddr>() {
        return address.is_loopback();
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(label) && name.rsplit('.').next() == Some("localhost")
}

/// Whether the server's files are there, belong together and to the CA, hold every name and last a while.
fn serves(files: &DevelopmentCertificates, ca: &X509Ref, names: &[&str], now: i64) -> Result<bool, DevelopmentCaError> {
    let (Some(certificate), Some(key)) = (read_certificate(&files.certificate)?, read_key(&files.key)?) else {
        return Ok(false);
    };
    let (mut hosts, mut addresses) = (Vec::new(), Vec::new());
    if let Some(alternatives) = certificate.subject_alt_names() {
        for alternative in &alternatives {
            hosts.extend(alternative.dnsname().map(str::to_owned));
            addresses.extend(alternative.ipaddress().map(<[u8]>::to_vec));
        }
    }
    let held = |name: &&str| match name.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => addresses.iter().any(|held| *held == address.octets()),
        Ok(IpAddr::V6(address)) => addresses.iter().any(|held| *held == address.octets()),
        Err(_) => hosts.iter().any(|held| held == name),
    };
    Ok(names.iter().all(held)
        && certificate.public_key()?.public_eq(&key)
        && ca.issued(&certificate) == X509VerifyResult::OK
        && certificate.verify(&*ca.public_key()?)?
        && certificate.not_after() > &*time(now + RENEWAL)?)
}

fn new_key() -> Result<PKey<Private>, ErrorStack> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    PKey::from_ec_key(EcKey::generate(&group)?)
}

fn time(seconds: i64) -> Result<Asn1Time, ErrorStack> {
    Asn1Time::from_unix(seconds)
}

/// The parts that every certificate has: X.509 version 3, a random serial number, subject, key and life.
fn builder(subject: &str, key: &PKey<Private>, now: i64, until: i64) -> Result<(X509Builder, X509Name), ErrorStack> {
    let mut name = X509Name::builder()?;
    name.append_entry_by_nid(Nid::ORGANIZATIONNAME, "Evergate development")?;
    name.append_entry_by_nid(Nid::COMMONNAME, subject)?;
    let name = name.build();
    let mut serial = BigNum::new()?;
    // 20 octets with the sign bit clear at most (RFC 5280, 4.1.2.2).
    serial.rand(159, MsbOption::MAYBE_ZERO, false)?;
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    builder.set_serial_number(&*serial.to_asn1_integer()?)?;
    builder.set_subject_name(&name)?;
    builder.set_pubkey(key)?;
    builder.set_not_before(&*time(now - SKEW)?)?;
    builder.set_not_after(&*time(until)?)?;
    Ok((builder, name))
}

fn new_ca(key: &PKey<Private>, now: i64) -> Result<X509, ErrorStack> {
    let (mut builder, name) = builder("Evergate development CA", key, now, now + CA_LIFE)?;
    builder.set_issuer_name(&name)?;
    builder.append_extension(BasicConstraints::new().critical().ca().pathlen(0).build()?)?;
    builder.append_extension(KeyUsage::new().critical().key_cert_sign().crl_sign().build()?)?;
    builder.append_extension(loopback_only()?)?;
    let identifier = SubjectKeyIdentifier::new().build(&builder.x509v3_context(None, None))?;
    builder.append_extension(identifier)?;
    builder.sign(key, MessageDigest::sha256())?;
    Ok(builder.build())
}

/// Name constraints (RFC 5280, 4.2.1.10): `localhost` and below, 127.0.0.0/8, ::1.
fn loopback_only() -> Result<X509Extension, ErrorStack> {
    const SEQUENCE: u8 = 0x30;
    const PERMITTED: u8 = 0xa0;
    const DNS_NAME: u8 = 0x82;
    const ADDRESS: u8 = 0x87;
    fn element(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u8::try_from(content.len()).expect("the constraints are 65 bytes long");
        [&[tag, length], content].concat()
    }
    let subtree = |tag, content: &[u8]| element(SEQUENCE, &element(tag, content));
    let mut one_v6_address = [0xff; 32];
    one_v6_address[..16].copy_from_slice(&std::net::Ipv6Addr::LOCALHOST.octets());
    let subtrees = [
        subtree(DNS_NAME, b"localhost"),
        subtree(ADDRESS, &[127, 0, 0, 0, 255, 0, 0, 0]),
        subtree(ADDRESS, &one_v6_address),
    ];
    let constraints = element(SEQUENCE, &element(PERMITTED, &subtrees.concat()));
    let oid = Asn1Object::from_str("2.5.29.30")?;
    X509Extension::new_from_der(&oid, true, &*Asn1OctetString::new_from_bytes(&constraints)?)
}

fn new_leaf(
    ca: &X509Ref,
    ca_key: &PKey<Private>,
    key: &PKey<Private>,
    names: &[&str],
    now: i64,
) -> Result<X509, ErrorStack> {
    let (mut builder, _) = builder("localhost", key, now, now + LEAF_LIFE)?;
    builder.set_issuer_name(ca.subject_name())?;
    let mut alternatives = SubjectAlternativeName::new();
    for name in names {
        if name.parse::<IpAddr>().is_ok() {
            alternatives.ip(name);
        } else {
            alternatives.dns(name);
        }
    }
    let extensions = {
        let context = builder.x509v3_context(Some(ca), None);
        [
            BasicConstraints::new().critical().build()?,
            KeyUsage::new().critical().digital_signature().build()?,
            ExtendedKeyUsage::new().server_auth().build()?,
            SubjectKeyIdentifier::new().build(&context)?,
            AuthorityKeyIdentifier::new().keyid(true).build(&context)?,
            alternatives.build(&context)?,
        ]
    };
    for extension in extensions {
        builder.append_extension(extension)?;
    }
    builder.sign(ca_key, MessageDigest::sha256())?;
    Ok(builder.build())
}

fn file_error(path: &Path) -> impl Fn(std::io::Error) -> DevelopmentCaError {
    move |source| DevelopmentCaError::File { path: path.display().to_string(), source }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, DevelopmentCaError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(file_error(path)(error)),
    }
}

fn read_certificate(path: &Path) -> Result<Option<X509>, DevelopmentCaError> {
    let pem = |source| DevelopmentCaError::Pem { path: path.display().to_string(), source };
    read(path)?.map(|bytes| X509::from_pem(&bytes).map_err(pem)).transpose()
}

fn read_key(path: &Path) -> Result<Option<PKey<Private>>, DevelopmentCaError> {
    let pem = |source| DevelopmentCaError::Pem { path: path.display().to_string(), source };
    read(path)?.map(|bytes| PKey::private_key_from_pem(&bytes).map_err(pem)).transpose()
}

/// Whole or not at all: a server that starts meanwhile never reads half a file.
fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), DevelopmentCaError> {
    let fresh = path.with_extension("new");
    let written = fs::remove_file(&fresh)
        .or_else(|error| if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
        .and_then(|()| fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&fresh))
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        });
    written.and_then(|()| fs::rename(&fresh, path)).map_err(file_error(path))
}

#[cfg(test)]
mod tests;
