//! The logins that the settings give.

use crate::text::secret::Secret;

/// The logins of a run.
#[derive(Clone, Default)]
pub struct Logins {
    /// `anonymous`: send no credentials at all.
    pub anonymous: bool,
    /// `username`/`password` for `registry`, then `logins`, in order; the first that matches wins.
    pub given: Vec<Login>,
    /// `docker_config` as text, read from where the user or docker keeps it.
    pub docker_config: Option<String>,
    /// `github_token` with the user it belongs to, for ghcr.io when nothing else matches.
    pub github: Option<Login>,
    /// Whether a GitHub Actions login made by `docker/login-action` may be what the user counts on.
    pub in_github_actions: bool,
}

impl std::fmt::Debug for Logins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Logins")
            .field("anonymous", &self.anonymous)
            .field("given", &self.given)
            .field(
                "docker_config",
                &self.docker_config.as_deref().map(Secret::new),
            )
            .field("github", &self.github)
            .field("in_github_actions", &self.in_github_actions)
            .finish()
    }
}

/// One login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The registry as it was written: a host, perhaps with a path.
    pub registry: String,
    /// The user.
    pub username: String,
    /// The password or token.
    pub password: Secret,
}
