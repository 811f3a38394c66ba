//! Finds the credential for a repository; a credential helper runs once for each server.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use super::credentials::{self, Credential};
use super::docker_config::{self, Entry, Helper};
use crate::oci::reference::Repository;
use crate::registry::logins::Logins;
use crate::walk::known::{Access, GivenBy};

/// What a helper gave; a failure stays one for the whole run.
type Given = Result<Option<Credential>, String>;

/// By the helper's name and the server it is asked for.
type Helpers = HashMap<(String, String), Arc<OnceCell<Given>>>;

/// The logins of a run, and what its credential helpers gave.
pub(super) struct Lookup {
    logins: Logins,
    helpers: Mutex<Helpers>,
    warnings: Mutex<HashSet<String>>,
}

impl Lookup {
    pub(super) fn new(logins: Logins) -> Self {
        Self {
            logins,
            helpers: Mutex::default(),
            warnings: Mutex::default(),
        }
    }

    /// Whether no credentials may be sent at all.
    pub(super) fn is_anonymous(&self) -> bool {
        self.logins.anonymous
    }

    /// The credential for `repository`. A file or helper that fails is a warning, once.
    pub(super) async fn find(&self, repository: &Repository) -> Option<Credential> {
        match self.search(repository).await {
            Ok(credential) => credential,
            Err(why) => {
                let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
                if warnings.insert(why.clone()) {
                    log::warn!("{why}; continuing without credentials from it");
                }
                None
            }
        }
    }

    /// The most specific login of the first source that has one.
    async fn search(&self, repository: &Repository) -> Given {
        if self.logins.anonymous {
            return Ok(None);
        }
        if let Some(credential) = credentials::given(&self.logins, repository) {
            return Ok(Some(credential));
        }
        let stored = self.stored(repository).await?;
        Ok(stored.or_else(|| credentials::github(&self.logins, repository)))
    }

    /// The login of the first file that has one.
    async fn stored(&self, repository: &Repository) -> Given {
        let mut failure = None;
        for config in &self.logins.docker_configs {
            match self.stored_in(config, repository).await {
                Ok(None) => {}
                Ok(found) => return Ok(found),
                Err(why) => failure = failure.or(Some(why)),
            }
        }
        failure.map_or(Ok(None), Err)
    }

    /// The login that [`Lookup::find`] finds, and the setting that it is from.
    pub(super) async fn access(&self, repository: &Repository) -> Access {
        let by_place = |place: usize| match place {
            0 if self.logins.begins_with_username => GivenBy::Username,
            _ => GivenBy::Logins,
        };
        let given_by = if self.logins.anonymous {
            return Access::Anonymous;
        } else if let Some(place) = credentials::place_of_given(&self.logins, repository) {
            by_place(place)
        } else if credentials::github(&self.logins, repository).is_none()
            || matches!(self.stored(repository).await, Ok(Some(_)))
        {
            GivenBy::DockerConfig
        } else {
            GivenBy::GithubToken
        };
        match self.search(repository).await {
            Ok(Some(Credential::Password { username, .. })) => Access::Login {
                username: Some(username.into()),
                given_by,
            },
            Ok(Some(_)) => Access::Login {
                username: None,
                given_by,
            },
            Ok(None) | Err(_) => match self.logins.given.first() {
                Some(login) => Access::Elsewhere {
                    host: login.registry.as_str().into(),
                    given_by: by_place(0),
                },
                None => Access::Anonymous,
            },
        }
    }

    async fn stored_in(&self, config: &str, repository: &Repository) -> Given {
        match docker_config::entry_of(config, repository)? {
            Entry::None => Ok(None),
            Entry::Credential(credential) => Ok(Some(credential)),
            Entry::Helper(helper) => self.ask(helper).await,
        }
    }

    /// Runs a helper, unless it has run for this server; lookups that come meanwhile wait for it.
    async fn ask(&self, helper: Helper) -> Given {
        let key = (helper.name.clone(), helper.server.clone());
        let cell = {
            let mut helpers = self.helpers.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(helpers.entry(key).or_default())
        };
        cell.get_or_init(|| helper.run()).await.clone()
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;
    use serde_json::json;

    use super::*;
    use crate::registry::logins::Login;
    use crate::text::secret::Secret;

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

    async fn search(logins: &Logins, image: &str) -> Given {
        Lookup::new(logins.clone()).search(&repository(image)).await
    }

    async fn find_in(logins: &Logins, image: &str) -> String {
        match search(logins, image).await.unwrap() {
            Some(Credential::Password { username, .. }) => username,
            Some(Credential::Identity(token)) => format!("identity {}", token.expose()),
            Some(Credential::Token(token)) => format!("token {}", token.expose()),
            None => "none".into(),
        }
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
        assert_eq!(find_in(&logins, "quay.io/team/app").await, "none");
    }

    #[tokio::test]
    async fn a_login_says_which_setting_it_is_from() {
        let auths = json!({"auths": {"quay.io": {"username": "stored", "password": "p"}}});
        let logins = Logins {
            given: vec![login("ghcr.io", "first"), login("r.example", "second")],
            begins_with_username: true,
            docker_configs: vec![auths.to_string()],
            github: Some(login("ghcr.io", "actor")),
            ..Logins::default()
        };
        let access = async |logins: &Logins, image: &str| {
            let lookup = Lookup::new(logins.clone());
            lookup.access(&repository(image)).await
        };
        let by = |username: &str, given_by| Access::Login {
            username: Some(username.into()),
            given_by,
        };
        for (image, expected) in [
            ("ghcr.io/app", by("first", GivenBy::Username)),
            ("r.example/app", by("second", GivenBy::Logins)),
            ("quay.io/app", by("stored", GivenBy::DockerConfig)),
            (
                "other.example/app",
                Access::Elsewhere {
                    host: "ghcr.io".into(),
                    given_by: GivenBy::Username,
                },
            ),
        ] {
            assert_eq!(access(&logins, image).await, expected, "{image}");
        }
        let github = Logins {
            given: Vec::new(),
            ..logins
        };
        let by_token = by("actor", GivenBy::GithubToken);
        assert_eq!(access(&github, "ghcr.io/app").await, by_token);
        assert_eq!(
            access(&github, "other.example/app").await,
            Access::Anonymous
        );
        let anonymous = Logins {
            anonymous: true,
            ..github
        };
        assert_eq!(access(&anonymous, "ghcr.io/app").await, Access::Anonymous);
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
            assert_eq!(find_in(&logins, "ghcr.io/a/b").await, "none", "{name}");
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
        assert_eq!(find_in(&logins, "registry.example/app").await, "none");
        assert_eq!(find_in(&logins, "other.example/app").await, "b");
    }

    #[tokio::test]
    async fn an_anonymous_run_uses_no_login() {
        let logins = Logins {
            given: vec![login("ghcr.io", "any")],
            anonymous: true,
            ..Logins::default()
        };
        assert_eq!(find_in(&logins, "ghcr.io/team/app").await, "none");
    }

    #[tokio::test]
    async fn the_github_token_is_for_ghcr_when_nothing_else_fits() {
        let github = Some(login("ghcr.io", "actor"));
        let logins = Logins {
            github: github.clone(),
            ..Logins::default()
        };
        assert_eq!(find_in(&logins, "ghcr.io/team/app").await, "actor");
        assert_eq!(find_in(&logins, "quay.io/team/app").await, "none");
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
            (json!({}), "none"),
            (json!({ "auth": "" }), "none"),
        ] {
            for key in [
                "registry.example",
                "https://registry.example/",
                "https://registry.example/v2/",
            ] {
                let config = format!("\u{feff}{}", json!({ "auths": { key: entry } }));
                let logins = Logins {
                    docker_configs: vec![config],
                    ..Logins::default()
                };
                assert_eq!(
                    find_in(&logins, "registry.example/app").await,
                    expected,
                    "{key} {entry}"
                );
                assert_eq!(find_in(&logins, "other.example/app").await, "none");
            }
        }
    }

    #[tokio::test]
    async fn the_longest_path_of_a_file_wins_and_the_first_file_that_has_one() {
        let auth = |user: &str| json!({ "auth": BASE64_STANDARD.encode(format!("{user}:p")) });
        // As containers-auth.json(5) has it.
        let podman = json!({ "auths": {
            "registry.example": auth("host"),
            "registry.example/team": auth("team"),
            "registry.example/team/app": auth("app"),
            "docker.io/library": auth("library"),
        } });
        let docker = json!({ "auths": {
            "registry.example/team/app/private": auth("docker"),
            "other.example": auth("other"),
            "broken.example": { "auth": "hunter2!" },
        } });
        let logins = Logins {
            docker_configs: vec![podman.to_string(), docker.to_string()],
            ..Logins::default()
        };
        for (image, user) in [
            ("registry.example/app", "host"),
            ("registry.example/teams/app", "host"),
            ("registry.example/team/other", "team"),
            ("registry.example/team/app:1", "app"),
            ("registry.example/team/app/private", "app"),
            ("registry.example/team/application", "team"),
            ("alpine", "library"),
            ("team/app", "none"),
            ("other.example/app", "other"),
        ] {
            assert_eq!(find_in(&logins, image).await, user, "{image}");
        }
        assert!(search(&logins, "broken.example/app").await.is_err());
        let broken_first = Logins {
            docker_configs: vec!["{".to_owned(), docker.to_string()],
            ..Logins::default()
        };
        assert_eq!(find_in(&broken_first, "other.example/app").await, "other");
    }

    #[tokio::test]
    async fn an_unusable_file_or_helper_is_an_error_without_secrets() {
        for config in [
            "not json hunter2".to_owned(),
            json!({ "auths": { "registry.example": { "auth": "hunter2!" } } }).to_string(),
            json!({ "credsStore": "no-such-helper-anywhere" }).to_string(),
            json!({ "credHelpers": { "registry.example": "no-such-helper-anywhere" } }).to_string(),
        ] {
            let logins = Logins {
                docker_configs: vec![config],
                ..Logins::default()
            };
            let why = search(&logins, "registry.example/app").await.unwrap_err();
            assert!(
                why.starts_with("docker_config:") && !why.contains("hunter2"),
                "{why}"
            );
        }
    }
}
