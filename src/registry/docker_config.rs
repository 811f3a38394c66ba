//! Docker's `config.json`: the entry for a repository, and the helper that it may name.

use std::collections::BTreeMap;
use std::time::Duration;

use docker_credential::{CredentialRetrievalError, DockerCredential};
use serde::Deserialize;
use serde_json::{Value, json};

use super::credentials::{Credential, best};
use crate::oci::reference::{DOCKER_HUB, Repository};
use crate::text::secret::Secret;

/// How long a credential helper may take.
const HELPER_TIMEOUT: Duration = Duration::from_secs(30);

/// The name docker's tools keep Docker Hub's login under.
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";

/// Docker's `config.json`, as far as it is about credentials.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct DockerConfig {
    auths: Option<BTreeMap<String, Value>>,
    creds_store: Option<String>,
    cred_helpers: Option<BTreeMap<String, String>>,
}

/// What docker's file has for a repository.
#[derive(Debug)]
pub(crate) enum Entry {
    /// Nothing.
    None,
    /// The credential itself.
    Credential(Credential),
    /// A helper that may have one.
    Helper(Helper),
}

/// A credential helper, and what it is asked for.
#[derive(Debug)]
pub(crate) struct Helper {
    /// The name behind `docker-credential-`.
    pub(crate) name: String,
    /// The server whose login is asked for.
    pub(super) server: String,
    /// A configuration that names this helper and nothing else.
    config: Value,
}

/// Reads docker's file; runs no helper.
///
/// # Errors
/// When the file or its entry cannot be understood, as a fragment.
pub(crate) fn entry_of(text: &str, repository: &Repository) -> Result<Entry, String> {
    let config: DockerConfig =
        serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| {
            // The reason itself may quote a value of the file.
            format!(
                "docker_config: not a docker config.json (line {}, column {})",
                error.line(),
                error.column()
            )
        })?;
    let server = if repository.registry == DOCKER_HUB {
        DOCKER_HUB_KEY.to_owned()
    } else {
        repository.registry.clone()
    };
    let helpers = config.cred_helpers.unwrap_or_default();
    if let Some((key, helper)) = best(
        helpers
            .iter()
            .map(|(key, helper)| (key.as_str(), (key, helper))),
        repository,
    ) {
        return Ok(Entry::Helper(Helper {
            name: helper.clone(),
            server: key.clone(),
            config: json!({ "credHelpers": { key: helper } }),
        }));
    }
    let auths = config.auths.unwrap_or_default();
    if let Some(entry) = best(
        auths.iter().map(|(key, entry)| (key.as_str(), entry)),
        repository,
    ) && let Some(credential) = from_entry(entry, &server)?
    {
        return Ok(Entry::Credential(credential));
    }
    Ok(match config.creds_store.filter(|store| !store.is_empty()) {
        Some(name) => Entry::Helper(Helper {
            config: json!({ "credsStore": name }),
            server,
            name,
        }),
        None => Entry::None,
    })
}

fn from_entry(entry: &Value, server: &str) -> Result<Option<Credential>, String> {
    let field = |name: &str| {
        entry
            .get(name)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    if let Some(token) = field("registrytoken") {
        return Ok(Some(Credential::Token(Secret::new(token))));
    }
    // As docker does: `auth` wins over a user and password beside it, and empty is absent.
    let mut used = serde_json::Map::new();
    let names: &[&str] = if field("auth").is_some() {
        &["auth", "identitytoken"]
    } else {
        &["username", "password", "identitytoken"]
    };
    for name in names {
        if let Some(text) = field(name) {
            used.insert((*name).to_owned(), text.into());
        }
    }
    if used.is_empty() {
        return Ok(None);
    }
    let config = json!({ "auths": { server: used } }).to_string();
    docker_credential::get_credential_from_reader(config.as_bytes(), server)
        .map(|credential| Some(from_docker(credential)))
        .map_err(|_| {
            format!(
                "docker_config: the entry for {server} cannot be read \
                 (expected auth: base64 of user:password)"
            )
        })
}

fn from_docker(credential: DockerCredential) -> Credential {
    match credential {
        DockerCredential::IdentityToken(token) => Credential::Identity(Secret::new(token)),
        // Helpers hand over identity tokens as the password of a user of this name.
        DockerCredential::UsernamePassword(user, token) if user == "<token>" => {
            Credential::Identity(Secret::new(token))
        }
        DockerCredential::UsernamePassword(username, password) => Credential::Password {
            username,
            password: Secret::new(password),
        },
    }
}

impl Helper {
    /// Runs `docker-credential-<name>`, away from the threads that wait for answers.
    ///
    /// # Errors
    /// When it cannot be run or does not answer, as a fragment.
    pub(super) async fn run(self) -> Result<Option<Credential>, String> {
        let program = format!("docker-credential-{}", self.name);
        let run = tokio::task::spawn_blocking(move || {
            let config = self.config.to_string();
            docker_credential::get_credential_from_reader(config.as_bytes(), &self.server)
        });
        let given = match tokio::time::timeout(HELPER_TIMEOUT, run).await {
            Ok(Ok(given)) => given,
            Ok(Err(_)) => return Err(format!("docker_config: {program} could not be run")),
            Err(_) => {
                let seconds = HELPER_TIMEOUT.as_secs();
                return Err(format!(
                    "docker_config: {program} did not answer within {seconds} s"
                ));
            }
        };
        match given {
            Ok(credential) => Ok(Some(from_docker(credential))),
            // A helper that runs and has nothing for this server counts as no helper.
            Err(
                CredentialRetrievalError::HelperFailure { .. }
                | CredentialRetrievalError::NoCredentialConfigured,
            ) => Ok(None),
            Err(_) => Err(format!(
                "docker_config: {program} could not be run; credential helpers must be in PATH, \
                 which they are not in a container"
            )),
        }
    }
}
