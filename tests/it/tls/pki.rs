//! Authorities, and the certificates they issue.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256,
    PKCS_RSA_SHA256, RsaKeySize,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use selvedge::{CertificateFiles, Profile, Tls, TlsSettings};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

pub const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Somebody who signs certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub certificate: CertificateDer<'static>,
    pub pem: String,
}

/// A certificate and its key.
pub struct Issued {
    pub certificate: CertificateDer<'static>,
    pub pem: String,
    pub key: KeyPair,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Ecdsa,
    Rsa,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut parameters = CertificateParams::new([]).expect("no names");
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = parameters.self_signed(&key).expect("signed");
        Authority {
            pem: certificate.pem(),
            certificate: certificate.der().clone(),
            issuer: Issuer::new(parameters, key),
        }
    }

    /// A certificate for `names`, good for a year, unless `configure` says otherwise.
    pub fn issue(&self, names: &[&str], configure: impl FnOnce(&mut CertificateParams)) -> Issued {
        self.issue_with(Kind::Ecdsa, names, configure)
    }

    pub fn issue_with(
        &self,
        kind: Kind,
        names: &[&str],
        configure: impl FnOnce(&mut CertificateParams),
    ) -> Issued {
        let key = match kind {
            Kind::Ecdsa => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
            Kind::Rsa => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048),
        };
        let key = key.expect("a key");
        let names: Vec<String> = names.iter().map(|&name| name.into()).collect();
        let mut parameters = CertificateParams::new(names).expect("names");
        lasts(&mut parameters, -1, 365);
        configure(&mut parameters);
        let certificate = parameters.signed_by(&key, &self.issuer).expect("signed");
        Issued { pem: certificate.pem(), certificate: certificate.der().clone(), key }
    }
}

/// A certificate that is good from `first` days from now to `last` days from now, and half a day longer.
pub fn lasts(parameters: &mut CertificateParams, first: i32, last: i32) {
    let day = |days: i32| {
        let span = DAY * days.unsigned_abs();
        let now = SystemTime::now() + DAY / 2;
        if days < 0 { now - span } else { now + span }
    };
    parameters.not_before = (day(first) - DAY).into();
    parameters.not_after = day(last).into();
}

impl Issued {
    pub fn key_der(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::try_from(self.key.serialize_der()).expect("a key")
    }

    /// Written to files `NAME.pem` and `NAME.key`.
    pub fn files(&self, folder: &Folder, name: &str) -> CertificateFiles {
        let key = folder.write(&format!("{name}.key"), self.key.serialize_pem());
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("our own file");
        CertificateFiles { certificate: folder.write(&format!("{name}.pem"), &self.pem), key }
    }

    pub fn tls(&self, profile: Profile) -> Tls {
        Tls::from_der(vec![self.certificate.to_vec()], self.key.serialize_der(), profile).expect("usable")
    }
}

/// A folder for the files of one test, gone with it.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("tls-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a place to write");
        Folder(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).expect("written");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The authority that the clients of the tests trust.
pub fn authority() -> &'static Authority {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    AUTHORITY.get_or_init(|| Authority::new("Authority of the tests"))
}

/// A certificate for localhost.
pub fn localhost(kind: Kind) -> &'static Issued {
    static ISSUED: [OnceLock<Issued>; 2] = [const { OnceLock::new() }; 2];
    ISSUED[kind as usize].get_or_init(|| authority().issue_with(kind, &["localhost"], |_| ()))
}

/// TLS for localhost.
pub fn tls() -> Tls {
    localhost(Kind::Ecdsa).tls(Profile::Intermediate)
}

/// What to load for localhost, with files in `folder`.
pub fn settings(folder: &Folder) -> TlsSettings {
    let files = localhost(Kind::Ecdsa).files(folder, "localhost");
    TlsSettings::new(files.certificate, files.key)
}
