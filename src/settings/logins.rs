//! Who we are to a registry: given logins, docker's configuration, GitHub's token.

use std::path::PathBuf;

use super::ci::{Facts, System};
use super::files::Disk;
use super::raw::{Typed, Value};
use super::{Error, Login, Logins, Secret, parse};
use crate::reference::DOCKER_HUB;

/// Gathers the logins, with a warning for each that is left out.
///
/// # Errors
///
/// When a user has no password or a password no user, a list of logins is none, or a named file cannot be read.
pub(super) fn logins(
    typed: &Typed,
    facts: &Facts<'_>,
    disk: &Disk<'_>,
    warnings: &mut Vec<String>,
) -> Result<Logins, Error> {
    let mut given = Vec::new();
    match (typed.username(), typed.password()) {
        (Some(username), Some(password)) => given.push(Login {
            registry: typed.registry().map_or(DOCKER_HUB, |value| value.text).to_owned(),
            username: username.text.to_owned(),
            password: Secret::new(password.text),
        }),
        (Some(username), None) => {
            return Err(username
                .error("there is no password for this user, or it is empty")
                .with_hint("a secret that does not exist arrives empty: set password, or leave out the user"));
        }
        (None, Some(password)) => {
            return Err(password.error("there is no username for this password, or it is empty"));
        }
        (None, None) => {}
    }
    if let Some(value) = typed.logins() {
        given.extend(login_list(&value, warnings)?);
    }
    Ok(Logins {
        anonymous: typed
            .anonymous()
            .map(|value| value.read("true or false", parse::boolean))
            .transpose()?
            .unwrap_or(false),
        given,
        docker_config: match typed.docker_config() {
            Some(value) => Some(named_docker_config(&value, disk)?),
            None => default_docker_config(facts, disk, warnings),
        },
        github: typed.github_token().filter(|_| is_github(facts)).map(|value| Login {
            registry: "ghcr.io".into(),
            username: facts.get("GITHUB_ACTOR").unwrap_or("x-access-token").to_owned(),
            password: Secret::new(value.text),
        }),
        in_github_actions: facts.system() == System::GithubActions,
    })
}

/// Whether `github_token` is GitHub's: Gitea and Forgejo pass their own token under the same name.
fn is_github(facts: &Facts<'_>) -> bool {
    facts.get("GITHUB_SERVER_URL").is_none_or(|server| server.trim_end_matches('/') == "https://github.com")
}

/// `[{registry, username, password}]` as JSON or YAML; keys in any case, numbers as text.
fn login_list(value: &Value<'_>, warnings: &mut Vec<String>) -> Result<Vec<Login>, Error> {
    let expected = "a JSON or YAML list of {registry, username, password}";
    // JSON that is not valid YAML exists: tabs.
    let parsed = serde_json::from_str(value.text).ok().or_else(|| serde_norway::from_str(value.text).ok());
    let entries = match parsed {
        Some(serde_norway::Value::Sequence(entries)) => entries,
        Some(entry @ serde_norway::Value::Mapping(_)) => vec![entry],
        _ => return Err(value.refuse(expected)),
    };
    let mut logins = Vec::new();
    for (position, entry) in entries.iter().enumerate() {
        let number = position + 1;
        let serde_norway::Value::Mapping(entry) = entry else { return Err(value.refuse(expected)) };
        let field = |name: &str| -> Result<Option<String>, Error> {
            let found = entry.iter().find(|(key, _)| key.as_str().is_some_and(|key| key.eq_ignore_ascii_case(name)));
            match found.map(|(_, text)| text) {
                None | Some(serde_norway::Value::Null) => Ok(None),
                Some(serde_norway::Value::String(text)) => Ok(Some(text.trim().to_owned())),
                Some(serde_norway::Value::Number(number)) => Ok(Some(number.to_string())),
                Some(serde_norway::Value::Bool(claim)) => Ok(Some(claim.to_string())),
                Some(_) => Err(value.error(format!("the {name} of entry {number} is not a text"))),
            }
        };
        let registry = field("registry")?.filter(|text| !text.is_empty()).unwrap_or_else(|| DOCKER_HUB.to_owned());
        match (field("username")?, field("password")?) {
            (Some(username), Some(password)) if !username.is_empty() && !password.is_empty() => {
                logins.push(Login { registry, username, password: Secret::new(password) });
            }
            // The buildx plugin's entries for a mirror or for ECR.
            (None, None) => warnings.push(format!(
                "{}: entry {number}, for {}, has no username and no password and is not used",
                value.spelled,
                super::quoted(&registry)
            )),
            (username, _) => {
                let missing = if username.is_none_or(|text| text.is_empty()) { "username" } else { "password" };
                return Err(value
                    .error(format!(
                        "entry {number}, for {}, has no {missing}, or it is empty",
                        super::quoted(&registry)
                    ))
                    .with_hint("a secret that does not exist arrives empty"));
            }
        }
    }
    Ok(logins)
}

fn is_json_object(text: &str) -> bool {
    matches!(serde_json::from_str(text), Ok(serde_json::Value::Object(_)))
}

/// The configuration that the setting holds or names; a directory means the `config.json` in it.
fn named_docker_config(value: &Value<'_>, disk: &Disk<'_>) -> Result<String, Error> {
    let text = if value.text.starts_with('{') {
        value.text.to_owned()
    } else {
        disk.named(value).or_else(|error| {
            let inside = disk.resolve(value.text).join("config.json");
            (disk.files)(&inside).map_err(|_| error)
        })?
    };
    if is_json_object(&text) { Ok(text) } else { Err(value.error("the content is not a JSON object")) }
}

/// Docker's own file, else what GitLab passes on; a broken one is left out, as docker does.
fn default_docker_config(facts: &Facts<'_>, disk: &Disk<'_>, warnings: &mut Vec<String>) -> Option<String> {
    let path = facts
        .path("DOCKER_CONFIG")
        .or_else(|| facts.path("HOME").map(|home| home.join(".docker")))
        .map(|directory: PathBuf| disk.directory.join(directory).join("config.json"));
    if let Some(path) = path {
        let reason = match disk.optional(&path) {
            Ok(Some(text)) if is_json_object(&text) => return Some(text),
            Ok(Some(text)) if !text.trim().is_empty() => Some("it is not a JSON object".to_owned()),
            Ok(_) => None,
            Err(error) => Some(error.to_string()),
        };
        warnings.extend(reason.map(|reason| format!("docker_config: {} is left out: {reason}", path.display())));
    }
    let gitlab = facts.get("DOCKER_AUTH_CONFIG").filter(|_| facts.get("GITLAB_CI") == Some("true"))?;
    is_json_object(gitlab).then(|| gitlab.to_owned())
}
