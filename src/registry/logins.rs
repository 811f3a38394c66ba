//! The logins that the settings give.

use crate::text::secret::Secret;

/// The logins of a run.
#[derive(Clone, Default)]
pub struct Logins {
    /// `anonymous`: send no credentials at all.
    pub anonymous: bool,
    /// `username`/`password` for `registry`, then `logins`, in order; the first that matches wins.
    pub given: Vec<Login>,
    /// Whether the first of them is `username` and `password`.
    pub begins_with_username: bool,
    /// `docker_config` as text, or the files that docker and podman keep, in order; the first that
    /// has a login for a repository wins.
    pub docker_configs: Vec<String>,
    /// `github_token` with the user it belongs to, for ghcr.io when nothing else matches.
    pub github: Option<Login>,
    /// Whether a GitHub Actions login made by `docker/login-action` may be what the user counts on.
    pub in_github_actions: bool,
}

impl std::fmt::Debug for Logins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let configs: Vec<Secret> = self.docker_configs.iter().map(Secret::new).collect();
        f.debug_struct("Logins")
            .field("anonymous", &self.anonymous)
            .field("given", &self.given)
            .field("begins_with_username", &self.begins_with_username)
            .field("docker_configs", &configs)
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

/// What stands in the place of a password where the token is the user, as GitHub, GitLab and others
/// allow.
const NO_PASSWORDS: [&str; 4] = ["", "x", "x-oauth-basic", "x-token"];

/// How the tokens begin that are known by that.
const TOKEN_PREFIXES: [&str; 16] = [
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "gldt-",
    "gloas-",
    "glcbt-",
    "dckr_pat_",
    "dckr_oat_",
    "dop_v1_",
    "doo_v1_",
    "cmVmdGtu",
    "eyJ",
];

/// From how many characters on a user can be a token by its looks alone.
const SHORTEST_TOKEN: usize = 20;

/// Whether a user is a token itself: where there is no real password, where it begins as tokens do,
/// or where it is long, of letters, digits, `_` and `-` alone, and has several digits. A user like
/// `ci`, `robot$team+build` or `me@example.org` is a name, which a report may show.
#[must_use]
pub(crate) fn is_secret_user(username: &str, password: &str) -> bool {
    const DIGITS: usize = 3;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    let digits = username.bytes().filter(u8::is_ascii_digit).count();
    username != "<token>"
        && (NO_PASSWORDS.contains(&password)
            || TOKEN_PREFIXES
                .iter()
                .any(|prefix| username.starts_with(prefix))
            || (username.len() >= SHORTEST_TOKEN
                && digits >= DIGITS
                && username.bytes().all(is_plain)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_a_secret_where_it_is_a_token() {
        for (username, password) in [
            ("ghp_x", "anything"),
            ("github_pat_11AAAAAAA0", "x-oauth-basic"),
            ("glpat-aB3dE", "p"),
            ("dckr_pat_abc", "p"),
            ("eyJhbGciOiJSUzI1NiJ9.e30.c2ln", "p"),
            ("0123456789abcdef0123456789abcdef01234567", "p"),
            ("AbCdEfGhIjKlMnOpQr123", "p"),
            ("whatever", "x-oauth-basic"),
            ("whatever", ""),
        ] {
            assert!(is_secret_user(username, password), "{username} {password}");
        }
        for username in [
            "ci",
            "team",
            "oauth2accesstoken",
            "_json_key_base64",
            "x-access-token",
            "AWS",
            "$oauthtoken",
            "<token>",
            "robot$platform-team+build-2024-01",
            "builder@project-123456.iam.gserviceaccount.com",
            "the-continuous-integration-user",
            "the-user-of-the-build-of-2",
        ] {
            assert!(!is_secret_user(username, "hunter2"), "{username}");
        }
        assert!(!is_secret_user("<token>", ""));
    }
}
