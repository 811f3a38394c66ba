//! Which certificates are trusted.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::http::network::Network;

/// The roots of a run: the system's, else the ones compiled in, and the ones of the `ca` setting.
pub(super) struct Trust {
    roots: RootCertStore,
}

impl Trust {
    /// Reads the roots.
    ///
    /// # Errors
    /// When a certificate of the `ca` setting cannot be read. A system root that cannot be read is
    /// passed over.
    pub(super) fn load(network: &Network) -> anyhow::Result<Self> {
        let mut roots = RootCertStore::empty();
        let named = network.ssl_cert_file.is_some() || network.ssl_cert_dir.is_some();
        let system = if named {
            rustls_native_certs::load_certs_from_paths(
                network.ssl_cert_file.as_deref(),
                network.ssl_cert_dir.as_deref(),
            )
        } else {
            rustls_native_certs::load_native_certs()
        };
        roots.add_parsable_certificates(system.certs);
        if roots.is_empty() {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        for pem in &network.ca {
            add_pem(&mut roots, pem.as_bytes()).context("ca: cannot be used")?;
        }
        Ok(Self { roots })
    }

    /// The TLS settings for one host, with the roots docker keeps for it in `/etc/docker/certs.d`.
    ///
    /// # Errors
    /// When docker's certificate for this host is there and cannot be read.
    pub(super) fn config(
        &self,
        host: &str,
        port: u16,
        verify: bool,
    ) -> anyhow::Result<ClientConfig> {
        let builder = ClientConfig::builder_with_provider(provider());
        let builder = builder
            .with_safe_default_protocol_versions()
            .context("no TLS version is left")?;
        if !verify {
            let unchecked = Arc::new(Unchecked(provider()));
            let config = builder
                .dangerous()
                .with_custom_certificate_verifier(unchecked)
                .with_no_client_auth();
            return Ok(config);
        }
        let mut roots = self.roots.clone();
        for name in [format!("{host}:{port}"), host.to_owned()] {
            let path = Path::new("/etc/docker/certs.d").join(name).join("ca.crt");
            if let Ok(pem) = std::fs::read(&path) {
                add_pem(&mut roots, &pem)
                    .with_context(|| format!("{} cannot be used", path.display()))?;
            }
        }
        Ok(builder.with_root_certificates(roots).with_no_client_auth())
    }
}

/// TLS settings that trust no authority, for clients that speak plain HTTP.
pub(super) fn no_roots() -> ClientConfig {
    let builder = ClientConfig::builder_with_provider(provider());
    let builder = builder
        .with_safe_default_protocol_versions()
        .expect("ring supports the default versions");
    builder
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth()
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn add_pem(roots: &mut RootCertStore, pem: &[u8]) -> anyhow::Result<()> {
    let mut found = 0;
    for certificate in CertificateDer::pem_slice_iter(pem) {
        roots
            .add(certificate.context("not PEM")?)
            .context("not a certificate")?;
        found += 1;
    }
    anyhow::ensure!(
        found > 0,
        "it contains no certificate (expected PEM: -----BEGIN CERTIFICATE-----)"
    );
    Ok(())
}

/// `skip_tls_verify`: any certificate is accepted; the handshake itself must still be valid.
#[derive(Debug)]
struct Unchecked(Arc<CryptoProvider>);

impl ServerCertVerifier for Unchecked {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
