//! Which of the logins in the settings is for a repository.

use crate::oci::reference::{DOCKER_HUB, Repository, is_docker_hub};
use crate::registry::logins::{Login, Logins, is_secret_user};
use crate::text::secret::Secret;

/// What a registry or its token server accepts as a login.
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

impl Credential {
    /// The secrets in it, in the forms that are sent.
    pub(super) fn secrets(&self) -> Vec<String> {
        match self {
            Self::Password { username, password } => {
                let password = password.expose();
                let user = is_secret_user(username, password).then(|| username.clone());
                let both = format!("{username}:{password}");
                [password.to_owned(), both]
                    .into_iter()
                    .chain(user)
                    .collect()
            }
            Self::Identity(token) => {
                let token = token.expose();
                vec![token.to_owned(), format!("<token>:{token}")]
            }
            Self::Token(token) => vec![token.expose().to_owned()],
        }
    }
}

/// The most specific login for `repository` that the user gave; the first of equals.
pub(super) fn given(logins: &Logins, repository: &Repository) -> Option<Credential> {
    place_of_given(logins, repository).map(|place| from_login(&logins.given[place]))
}

/// Which of the logins that the user gave is for `repository`.
pub(super) fn place_of_given(logins: &Logins, repository: &Repository) -> Option<usize> {
    let entries = logins.given.iter().enumerate();
    let places = entries.map(|(place, login)| (login.registry.as_str(), place));
    best(places, repository)
}

/// The GitHub token, where `repository` is on the registry that it is for.
pub(super) fn github(logins: &Logins, repository: &Repository) -> Option<Credential> {
    let login = logins.github.as_ref();
    login
        .filter(|login| matches(&login.registry, repository).is_some())
        .map(from_login)
}

fn from_login(login: &Login) -> Credential {
    Credential::Password {
        username: login.username.clone(),
        password: login.password.clone(),
    }
}

/// The entry whose key fits `repository` with the longest path; the first of equals.
pub(super) fn best<'a, T>(
    entries: impl Iterator<Item = (&'a str, T)>,
    repository: &Repository,
) -> Option<T> {
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

/// How well the key of a login fits: `None` not at all, else the length of the path that fits.
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
