//! A private certificate authority, as companies have one for their registry.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// An authority that is not trusted by default.
pub(crate) struct Authority {
    certificate: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate with its key.
pub(crate) struct Identity {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Authority {
    /// A new one.
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "pullproof tests");
        let key = KeyPair::generate().expect("ring makes keys");
        let certificate = params
            .self_signed(&key)
            .expect("the parameters are complete");
        Self {
            certificate,
            issuer: Issuer::new(params, key),
        }
    }

    /// Its certificate, as the setting `ca` takes it.
    pub(crate) fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// A certificate for these names, addresses among them.
    pub(crate) fn issue(&self, names: &[&str]) -> Identity {
        self.issue_with(names, |_| {})
    }

    /// A certificate for these names that is no longer valid.
    pub(crate) fn issue_expired(&self, names: &[&str]) -> Identity {
        self.issue_with(names, |params| {
            params.not_after = rcgen::date_time_ymd(2001, 1, 1);
        })
    }

    fn issue_with(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("they are names");
        change(&mut params);
        let key = KeyPair::generate().expect("ring makes keys");
        let certificate = params
            .signed_by(&key, &self.issuer)
            .expect("the parameters are complete");
        Identity { certificate, key }
    }

    /// A client that trusts it and no other.
    pub(crate) fn client(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots
            .add(self.certificate.der().clone())
            .expect("it is a certificate");
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        let builder = builder
            .with_safe_default_protocol_versions()
            .expect("ring has them");
        Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
    }
}

impl Identity {
    /// The certificate, as a server's configuration takes it.
    pub(crate) fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// The certificate in its binary form.
    pub(crate) fn der(&self) -> &CertificateDer<'static> {
        self.certificate.der()
    }

    /// The private key, as a server's configuration takes it.
    pub(crate) fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// The private key as PKCS#8.
    pub(crate) fn key_der(&self) -> Vec<u8> {
        self.key.serialize_der()
    }

    /// A server with it, which speaks HTTP/1.1.
    pub(crate) fn server(&self) -> Arc<ServerConfig> {
        Arc::new(self.configuration())
    }

    /// A server with it, which speaks HTTP/2 and nothing else.
    pub(crate) fn server_two(&self) -> Arc<ServerConfig> {
        let mut configuration = self.configuration();
        configuration.alpn_protocols = vec![b"h2".to_vec()];
        Arc::new(configuration)
    }

    fn configuration(&self) -> ServerConfig {
        let key = PrivateKeyDer::try_from(self.key_der()).expect("it is PKCS#8");
        let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
        let builder = builder
            .with_safe_default_protocol_versions()
            .expect("ring has them");
        let config = builder
            .with_no_client_auth()
            .with_single_cert(vec![self.der().clone()], key);
        config.expect("the key is the certificate's")
    }
}
