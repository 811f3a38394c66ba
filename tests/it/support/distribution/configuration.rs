//! What distribution reads when it starts, for each form, and the token server that one of them
//! needs.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::{Value, json};

use super::Form;
use crate::support::authority::Identity;
use crate::support::fake::guard::{basic_credentials, refusal};
use crate::support::http::{Reply, Request, Server};

/// The user of a registry that wants a login.
pub(crate) const USERNAME: &str = "tester";
/// With this password.
pub(crate) const PASSWORD: &str = "correct horse";
/// Who may only pull from a registry with a token server, with the same password.
pub(crate) const READER: &str = "reader";
/// The same password, as `htpasswd -B -C 4` writes it.
const HASH: &str = "$2y$04$acG.uL5XJr9Y.wotLa7nyOeD7lU5wCrums9//Hjn7aMklDYYgaHnC";

const SERVICE: &str = "registry.test";
const ISSUER: &str = "tokens.test";

/// Where a process listens.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Port {
    /// On the registry's own port, in its form.
    Own,
    /// On any port, without a login: to push.
    Any,
}

/// Writes the configuration, and says where.
pub(super) fn write(directory: &Path, form: &Form, own: u16, port: Port) -> PathBuf {
    let file = |name: &str| directory.join(name).display().to_string();
    let mut configuration = json!({
        "version": "0.1",
        "log": {"level": "info", "accesslog": {"disabled": true}},
        "storage": {
            "filesystem": {"rootdirectory": file("storage")},
            "delete": {"enabled": true},
            "cache": {"blobdescriptor": "inmemory"},
            "maintenance": {"uploadpurging": {"enabled": false}},
        },
        "http": {"addr": "127.0.0.1:0", "secret": "tests", "relativeurls": true},
    });
    if port == Port::Own {
        configuration["http"]["addr"] = format!("127.0.0.1:{own}").into();
        let login = json!({"htpasswd": {"realm": "tests", "path": file("htpasswd")}});
        let tls = json!({"certificate": file("certificate.pem"), "key": file("key.pem")});
        match form {
            Form::Open => {}
            Form::Htpasswd => configuration["auth"] = login,
            Form::Tls(_) => configuration["http"]["tls"] = tls,
            Form::Private(_) => {
                configuration["auth"] = login;
                configuration["http"]["tls"] = tls;
            }
            Form::Token(server) => {
                configuration["auth"] = json!({"token": {
                    "realm": server.url("/token"),
                    "service": SERVICE,
                    "issuer": ISSUER,
                    "rootcertbundle": file("token-root.pem"),
                }});
            }
        }
    }
    // JSON is YAML.
    let path = directory.join(if port == Port::Own {
        "own.yml"
    } else {
        "push.yml"
    });
    fs::write(&path, configuration.to_string()).expect("the directory is ours");
    path
}

pub(super) fn write_htpasswd(directory: &Path) {
    fs::write(directory.join("htpasswd"), format!("{USERNAME}:{HASH}\n"))
        .expect("the directory is ours");
}

pub(super) fn write_identity(directory: &Path, identity: &Identity) {
    fs::write(directory.join("certificate.pem"), identity.pem()).expect("the directory is ours");
    fs::write(directory.join("key.pem"), identity.key_pem()).expect("the directory is ours");
}

pub(super) fn write_token_root(directory: &Path, certificate: &str) {
    fs::write(directory.join("token-root.pem"), certificate).expect("the directory is ours");
}

/// A token server as <https://distribution.github.io/distribution/spec/auth/jwt/> describes it.
pub(super) fn token_server(identity: Identity) -> Server {
    Server::start(move |request| {
        let is = |user: &str| {
            request.header("Authorization") == Some(&basic_credentials(user, PASSWORD))
        };
        if !is(USERNAME) && !is(READER) {
            return refusal(&["Basic realm=\"tokens\"".to_owned()]);
        }
        let is_allowed = |action: &str| is(USERNAME) || action == "pull";
        let token = token(&identity, request, is_allowed);
        Reply::json(&json!({"token": token, "expires_in": 300}))
    })
}

/// A signed token for everything that is asked, and allowed.
fn token(identity: &Identity, request: &Request, is_allowed: impl Fn(&str) -> bool) -> String {
    let scopes =
        url::form_urlencoded::parse(request.query.as_bytes()).filter(|(key, _)| key == "scope");
    let access: Vec<Value> = scopes
        .flat_map(|(_, scopes)| scopes.split(' ').map(str::to_owned).collect::<Vec<_>>())
        .filter_map(|scope| {
            let (kind, rest) = scope.split_once(':')?;
            let (name, actions) = rest.rsplit_once(':')?;
            let actions = actions.split(',').filter(|action| is_allowed(action));
            Some(json!({"type": kind, "name": name, "actions": actions.collect::<Vec<_>>()}))
        })
        .collect();
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("it is after 1970")
        .as_secs();
    let header = json!({"typ": "JWT", "alg": "ES256", "x5c": [STANDARD.encode(identity.der())]});
    let claims = json!({
        "iss": ISSUER, "sub": USERNAME, "aud": SERVICE, "jti": "1",
        "iat": now, "nbf": now - 10, "exp": now + 300, "access": access,
    });
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let signed = format!("{}.{}", part(&header), part(&claims));
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::from_pkcs8(
        &ECDSA_P256_SHA256_FIXED_SIGNING,
        &identity.key_der(),
        &random,
    )
    .expect("rcgen makes P-256 keys");
    let signature = key
        .sign(&random, signed.as_bytes())
        .expect("the system has randomness");
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}
