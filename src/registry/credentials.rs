//! Who we are to a registry: the settings, docker's own credential file, the GitHub token.

use std::collections::BTreeMap;
use std::time::Duration;

use docker_credential::{CredentialRetrievalError, DockerCredential};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::oci::reference::{DOCKER_HUB, Repository, is_docker_hub};
use crate::registry::logins::{Login, Logins};
use crate::text::secret::Secret;

/// How long a credential helper may take.
const HELPER_TIMEOUT: Duration = Duration::from_secs(30);

/// The name docker's tools keep Docker Hub's login under.
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";

/// Something to show a registry or its token server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Credential {
    /// A user with a password or an access token.
    Password {
        /// The user.
        username: String,
        /// The password.
        password: Secret,
    },
    /// An OAuth2 refresh token, to be exchanged at the token server.
    Identity(Secret),
    /// A bearer token for the registry itself.
    Token(Secret),
}

/// Finds the credential for `repository`; the most specific login of the first source that has one wins.
///
/// # Errors
/// When a credential helper cannot be run or the credential file cannot be understood, as a fragment.
pub(super) async fn find(
    logins: &Logins,
    repository: &Repository,
) -> Result<Option<Credential>, String> {
    if logins.anonymous {
        return Ok(None);
    }
    if let Some(login) = best(
        logins
            .given
            .iter()
            .map(|login| (login.registry.as_str(), login)),
        repository,
    ) {
        return Ok(Some(from_login(login)));
    }
    if let Some(config) = &logins.docker_config
        && let Some(credential) = from_docker_config(config, repository).await?
    {
        return Ok(Some(credential));
    }
    let github = logins
        .github
        .as_ref()
        .filter(|login| matches(&login.registry, repository).is_some());
    Ok(github.map(from_login))
}

fn from_login(login: &Login) -> Credential {
    Credential::Password {
        username: login.username.clone(),
        password: login.password.clone(),
    }
}

/// How well a key of a credential file fits: `None` not at all, else the length of the path that fits.
fn matches(key: &str, repository: &Repository) -> Option<usize> {
    let key = key.trim();
    let key = key
        .split_once("://")
        .map_or(key, |(_, rest)| rest)
        .trim_end_matches('/');
    let (host, path) = key.split_once('/').unwrap_or((key, ""));
    let host = if is_docker_hub(host) {
        DOCKER_HUB
    } else {
        host
    };
    let path = if matches!(path, "v1" | "v2") {
        ""
    } else {
        path
    };
    let without_default_port = |host: &str| {
        host.strip_suffix(":443")
            .unwrap_or(host)
            .to_ascii_lowercase()
    };
    let fits_host = without_default_port(host) == without_default_port(&repository.registry);
    let fits_path = path.is_empty()
        || repository
            .name
            .strip_prefix(path)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    (fits_host && fits_path).then_some(path.len())
}

fn best<'a, T>(entries: impl Iterator<Item = (&'a str, T)>, repository: &Repository) -> Option<T> {
    let mut found: Option<(usize, T)> = None;
    for (key, entry) in entries {
        if let Some(length) = matches(key, repository)
            && found.as_ref().is_none_or(|(longest, _)| length > *longest)
        {
            found = Some((length, entry));
        }
    }
    found.map(|(_, entry)| entry)
}

/// Docker's `config.json`, as far as it is about credentials.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct DockerConfig {
    auths: Option<BTreeMap<String, Value>>,
    creds_store: Option<String>,
    cred_helpers: Option<BTreeMap<String, String>>,
}

async fn from_docker_config(
    text: &str,
    repository: &Repository,
) -> Result<Option<Credential>, String> {
    match entry_of(text, repository)? {
        Entry::None => Ok(None),
        Entry::Credential(credential) => Ok(Some(credential)),
        Entry::Helper {
            config,
            server,
            helper,
        } => ask_helper(config, server, &helper).await,
    }
}

/// What docker's file has for a repository.
#[derive(Debug)]
pub(crate) enum Entry {
    /// Nothing.
    None,
    /// The credential itself.
    Credential(Credential),
    /// The name of the helper that may have one, and what to ask it for.
    Helper {
        /// The configuration that leads to the helper and to nothing else.
        config: Value,
        /// What to ask for.
        server: String,
        /// The name behind `docker-credential-`.
        helper: String,
    },
}

/// Reads docker's file without asking anybody.
///
/// # Errors
/// When the file or its entry cannot be understood, as a fragment.
pub(crate) fn entry_of(text: &str, repository: &Repository) -> Result<Entry, String> {
    let config: DockerConfig =
        serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| {
            // The reason itself is not told: it shows the value that is of another type than expected.
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
        let config = json!({ "credHelpers": { key: helper } });
        return Ok(Entry::Helper {
            config,
            server: key.clone(),
            helper: helper.clone(),
        });
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
        Some(helper) => Entry::Helper {
            config: json!({ "credsStore": helper }),
            server,
            helper,
        },
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
    // What is passed on is what docker would use: `auth` wins over a user and password beside it, and empty is absent.
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
            format!("docker_config: the entry for {server} cannot be read (expected auth: base64 of user:password)")
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

/// Runs `docker-credential-<helper>` away from the async threads.
async fn ask_helper(
    config: Value,
    server: String,
    helper: &str,
) -> Result<Option<Credential>, String> {
    let asked = tokio::task::spawn_blocking(move || {
        docker_credential::get_credential_from_reader(config.to_string().as_bytes(), &server)
    });
    let program = format!("docker-credential-{helper}");
    match tokio::time::timeout(HELPER_TIMEOUT, asked).await {
        Err(_) => Err(format!(
            "docker_config: {program} did not answer within {} s",
            HELPER_TIMEOUT.as_secs()
        )),
        Ok(Err(_)) => Err(format!("docker_config: {program} could not be run")),
        Ok(Ok(Ok(credential))) => Ok(Some(from_docker(credential))),
        // A helper that runs and has nothing for this server is as good as no helper.
        Ok(Ok(Err(
            CredentialRetrievalError::HelperFailure { .. }
            | CredentialRetrievalError::NoCredentialConfigured,
        ))) => Ok(None),
        Ok(Ok(Err(_))) => Err(format!(
            "docker_config: {program} could not be run; credential helpers must be in PATH, which they are not in a container"
        )),
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;

    use super::*;

    fn repository(text: &str) -> Repository {
        text.parse::<crate::oci::reference::Reference>()
            .unwrap()
            .repository
    }

    fn login(registry: &str, username: &str) -> Login {
        Login {
            registry: registry.into(),
            username: username.into(),
            password: Secret::new("p"),
        }
    }

    fn user(found: Option<Credential>) -> String {
        match found {
            Some(Credential::Password { username, .. }) => username,
            Some(Credential::Identity(token)) => format!("identity {}", token.expose()),
            Some(Credential::Token(token)) => format!("token {}", token.expose()),
            None => "nobody".into(),
        }
    }

    async fn find_in(logins: &Logins, image: &str) -> String {
        user(find(logins, &repository(image)).await.unwrap())
    }

    #[tokio::test]
    async fn the_most_specific_login_wins() {
        let given = vec![
            login("ghcr.io", "any"),
            login("https://ghcr.io/team/", "team"),
            login("ghcr.io/te", "te"),
        ];
        let logins = Logins {
            given,
            ..Logins::default()
        };
        assert_eq!(find_in(&logins, "ghcr.io/team/app").await, "team");
        assert_eq!(find_in(&logins, "ghcr.io/team2/app").await, "any");
        assert_eq!(find_in(&logins, "ghcr.io/te/app").await, "te");
        assert_eq!(find_in(&logins, "quay.io/team/app").await, "nobody");
    }

    #[tokio::test]
    async fn docker_hub_has_many_names() {
        for name in [
            "docker.io",
            "index.docker.io",
            "https://index.docker.io/v1/",
            "registry-1.docker.io",
        ] {
            let logins = Logins {
                given: vec![login(name, "hub")],
                ..Logins::default()
            };
            assert_eq!(find_in(&logins, "alpine").await, "hub", "{name}");
            assert_eq!(
                find_in(&logins, "registry-1.docker.io/library/alpine").await,
                "hub",
                "{name}"
            );
            assert_eq!(find_in(&logins, "ghcr.io/a/b").await, "nobody", "{name}");
        }
    }

    #[tokio::test]
    async fn a_port_is_part_of_the_host() {
        let logins = Logins {
            given: vec![
                login("registry.example:5000", "a"),
                login("other.example:443", "b"),
            ],
            ..Logins::default()
        };
        assert_eq!(find_in(&logins, "registry.example:5000/app").await, "a");
        assert_eq!(find_in(&logins, "registry.example/app").await, "nobody");
        assert_eq!(find_in(&logins, "other.example/app").await, "b");
    }

    #[tokio::test]
    async fn anonymous_knows_nobody() {
        let logins = Logins {
            given: vec![login("ghcr.io", "any")],
            anonymous: true,
            ..Logins::default()
        };
        assert_eq!(find_in(&logins, "ghcr.io/team/app").await, "nobody");
    }

    #[tokio::test]
    async fn the_github_token_is_for_ghcr_when_nothing_else_fits() {
        let github = Some(login("ghcr.io", "actor"));
        let logins = Logins {
            github: github.clone(),
            ..Logins::default()
        };
        assert_eq!(find_in(&logins, "ghcr.io/team/app").await, "actor");
        assert_eq!(find_in(&logins, "quay.io/team/app").await, "nobody");
        let logins = Logins {
            github,
            given: vec![login("ghcr.io", "me")],
            ..Logins::default()
        };
        assert_eq!(find_in(&logins, "ghcr.io/team/app").await, "me");
    }

    #[tokio::test]
    async fn every_form_of_dockers_entries_is_read() {
        let auth = BASE64_STANDARD.encode("u:p:q");
        for (entry, expected) in [
            (json!({ "auth": auth }), "u"),
            (
                json!({ "auth": auth, "username": "other", "password": "x" }),
                "u",
            ),
            (json!({ "username": "v", "password": "x" }), "v"),
            (
                json!({ "auth": BASE64_STANDARD.encode("<token>:"), "identitytoken": "i" }),
                "identity i",
            ),
            (json!({ "registrytoken": "r" }), "token r"),
            (json!({}), "nobody"),
            (json!({ "auth": "" }), "nobody"),
        ] {
            for key in [
                "registry.example",
                "https://registry.example/",
                "https://registry.example/v2/",
            ] {
                let config = format!("\u{feff}{}", json!({ "auths": { key: entry } }));
                let logins = Logins {
                    docker_config: Some(config),
                    ..Logins::default()
                };
                assert_eq!(
                    find_in(&logins, "registry.example/app").await,
                    expected,
                    "{key} {entry}"
                );
                assert_eq!(find_in(&logins, "other.example/app").await, "nobody");
            }
        }
    }

    #[tokio::test]
    async fn a_bad_file_or_helper_is_an_error_that_tells_no_secret() {
        for config in [
            "not json hunter2".to_owned(),
            json!({ "auths": { "registry.example": { "auth": "hunter2!" } } }).to_string(),
            json!({ "credsStore": "no-such-helper-anywhere" }).to_string(),
            json!({ "credHelpers": { "registry.example": "no-such-helper-anywhere" } }).to_string(),
        ] {
            let logins = Logins {
                docker_config: Some(config),
                ..Logins::default()
            };
            let why = find(&logins, &repository("registry.example/app"))
                .await
                .unwrap_err();
            assert!(
                why.starts_with("docker_config:") && !why.contains("hunter2"),
                "{why}"
            );
        }
    }
}
