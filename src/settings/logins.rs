//! The logins for registries: those that were given, docker's configuration, GitHub's token.

use std::path::Path;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::Error;
use super::ci::{Facts, System};
use super::files::Disk;
use super::raw::Typed;
use super::suggest::nearest_of;
use super::value::SettingText;
use crate::oci::reference::DOCKER_HUB;
use crate::registry::logins::{Login, Logins, is_secret_user};
use crate::text::secret::Secret;

/// Docker's file may have padding or not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Gathers the logins, with a warning for each that is left out; `username` and `password` are for
/// `registry`.
///
/// # Errors
///
/// When a user has no password or a password no user, a value is not a list of logins, or a named
/// file cannot be read.
pub(super) fn logins(
    typed: &Typed,
    registry: &str,
    facts: &Facts<'_>,
    disk: &Disk<'_>,
    warnings: &mut Vec<String>,
) -> Result<Logins, Error> {
    let mut given = Vec::new();
    match (typed.username(), typed.password()) {
        (Some(username), Some(password)) => given.push(Login {
            registry: registry.to_owned(),
            username: username.text.to_owned(),
            password: Secret::new(password.text),
        }),
        (Some(username), None) => {
            return Err(username
                .error("there is no password for this user, or it is empty")
                .with_hint(
                    "a secret that does not exist arrives empty: set password, or leave out \
                     username",
                ));
        }
        (None, Some(password)) => {
            return Err(password.error("there is no username for this password, or it is empty"));
        }
        (None, None) => {}
    }
    let begins_with_username = !given.is_empty();
    if let Some(value) = typed.logins() {
        given.extend(login_list(&value, warnings)?);
    }
    Ok(Logins {
        anonymous: typed.anonymous().boolean()?,
        given,
        begins_with_username,
        docker_configs: match typed.docker_config() {
            Some(value) => vec![named_docker_config(&value, disk)?],
            None => default_docker_configs(facts, disk, warnings),
        },
        github: typed
            .github_token()
            .filter(|_| is_github(facts))
            .map(|value| Login {
                registry: "ghcr.io".into(),
                username: facts
                    .get("GITHUB_ACTOR")
                    .unwrap_or("x-access-token")
                    .to_owned(),
                password: Secret::new(value.text),
            }),
        in_github_actions: facts.system() == System::GithubActions,
    })
}

/// Whether `github_token` is GitHub's: Gitea and Forgejo pass their own token under the same name.
fn is_github(facts: &Facts<'_>) -> bool {
    facts
        .get("GITHUB_SERVER_URL")
        .is_none_or(|server| server.trim_end_matches('/') == "https://github.com")
}

/// The keys of a login.
const FIELDS: [&str; 3] = ["registry", "username", "password"];

/// `[{registry, username, password}]` as JSON or YAML; keys in any case, numbers as text.
fn login_list(value: &SettingText<'_>, warnings: &mut Vec<String>) -> Result<Vec<Login>, Error> {
    // JSON with tabs is not valid YAML.
    let parsed = serde_json::from_str(value.text)
        .ok()
        .or_else(|| serde_norway::from_str(value.text).ok());
    let entries = match parsed {
        Some(serde_norway::Value::Sequence(entries)) => entries,
        Some(entry @ serde_norway::Value::Mapping(_)) => vec![entry],
        _ => return Err(value.refuse()),
    };
    let mut logins = Vec::new();
    for (position, entry) in entries.iter().enumerate() {
        let number = position + 1;
        let serde_norway::Value::Mapping(entry) = entry else {
            return Err(value.refuse());
        };
        let field = |name: &str| -> Result<Option<String>, Error> {
            let found = entry.iter().find(|(key, _)| {
                key.as_str()
                    .is_some_and(|key| key.eq_ignore_ascii_case(name))
            });
            match found.map(|(_, text)| text) {
                None | Some(serde_norway::Value::Null) => Ok(None),
                Some(serde_norway::Value::String(text)) => Ok(Some(text.trim().to_owned())),
                Some(serde_norway::Value::Number(number)) => Ok(Some(number.to_string())),
                Some(serde_norway::Value::Bool(claim)) => Ok(Some(claim.to_string())),
                Some(_) => Err(value.error(format!("the {name} of entry {number} is not text"))),
            }
        };
        // Other keys are a build plugin's, for a mirror or for ECR.
        for key in entry.keys().filter_map(serde_norway::Value::as_str) {
            let known = FIELDS.iter().any(|known| known.eq_ignore_ascii_case(key));
            if let Some(near) = nearest_of(&FIELDS, &key.to_ascii_lowercase()).filter(|_| !known) {
                warnings.push(format!(
                    "{}: {} of entry {number} is ignored; did you mean {near}?",
                    value.spelled,
                    crate::text::quote::quoted(key)
                ));
            }
        }
        let registry = field("registry")?
            .filter(|text| !text.is_empty())
            .unwrap_or_else(|| DOCKER_HUB.to_owned());
        match (field("username")?, field("password")?) {
            (Some(username), Some(password)) if !username.is_empty() && !password.is_empty() => {
                logins.push(Login {
                    registry,
                    username,
                    password: Secret::new(password),
                });
            }
            // The buildx plugin's entries for a mirror or for ECR.
            (None, None) => warnings.push(format!(
                "{}: entry {number}, for {}, has neither username nor password, so it is not used",
                value.spelled,
                crate::text::quote::quoted(&registry)
            )),
            (username, _) => {
                let missing = if username.is_none_or(|text| text.is_empty()) {
                    "username"
                } else {
                    "password"
                };
                return Err(value
                    .error(format!(
                        "entry {number}, for {}, has no {missing}, or it is empty",
                        crate::text::quote::quoted(&registry)
                    ))
                    .with_hint("a secret that does not exist arrives empty"));
            }
        }
    }
    Ok(logins)
}

impl Logins {
    /// Every password, every user that is a token, and every secret inside a larger text: what a CI
    /// system that masks its own secrets may not know.
    #[must_use]
    pub fn parsed_secrets(&self) -> Vec<Secret> {
        let given = |login: &Login| {
            let user = secret_user(&login.username, login.password.expose());
            std::iter::once(login.password.clone()).chain(user)
        };
        let mut secrets: Vec<Secret> = self.given.iter().flat_map(given).collect();
        let read = |text: &String| serde_json::from_str::<serde_json::Value>(unmarked(text)).ok();
        let configs: Vec<_> = self.docker_configs.iter().filter_map(read).collect();
        let entries = configs
            .iter()
            .filter_map(|config| config.get("auths")?.as_object())
            .flat_map(serde_json::Map::values);
        for entry in entries {
            for name in ["auth", "password", "identitytoken", "registrytoken"] {
                let Some(text) = entry.get(name).and_then(serde_json::Value::as_str) else {
                    continue;
                };
                secrets.push(Secret::new(text));
                let decoded = BASE64.decode(text).ok().filter(|_| name == "auth");
                if let Some((user, password)) = decoded
                    .as_deref()
                    .and_then(|text| str::from_utf8(text).ok()?.split_once(':'))
                {
                    secrets.push(Secret::new(password));
                    secrets.extend(secret_user(user, password));
                }
            }
            let user = entry.get("username").and_then(serde_json::Value::as_str);
            let password = entry.get("password").and_then(serde_json::Value::as_str);
            secrets.extend(user.and_then(|user| secret_user(user, password.unwrap_or("unknown"))));
        }
        secrets
    }
}

/// The user of a login, where it is a secret.
fn secret_user(username: &str, password: &str) -> Option<Secret> {
    is_secret_user(username, password).then(|| Secret::new(username))
}

/// The text without the byte order mark that some editors put before it.
fn unmarked(text: &str) -> &str {
    text.trim_start_matches('\u{feff}')
}

fn is_json_object(text: &str) -> bool {
    matches!(
        serde_json::from_str(unmarked(text)),
        Ok(serde_json::Value::Object(_))
    )
}

/// The configuration that the setting holds or names; a directory means the `config.json` in it.
fn named_docker_config(value: &SettingText<'_>, disk: &Disk<'_>) -> Result<String, Error> {
    let text = if value.text.starts_with('{') {
        value.text.to_owned()
    } else {
        disk.named(value).or_else(|error| {
            let inside = disk.resolve(value.text).join("config.json");
            (disk.files)(&inside).map_err(|_| error)
        })?
    };
    if is_json_object(&text) {
        Ok(text)
    } else {
        Err(value.error("the content is not a JSON object"))
    }
}

/// The files that docker and podman keep, and what GitLab passes on; a broken file is left out, as
/// docker does.
fn default_docker_configs(
    facts: &Facts<'_>,
    disk: &Disk<'_>,
    warnings: &mut Vec<String>,
) -> Vec<String> {
    let home = facts.path("HOME");
    let in_home = |name| home.as_ref().map(|home| home.join(name));
    let named = facts.path("REGISTRY_AUTH_FILE");
    let docker = facts.path("DOCKER_CONFIG").or_else(|| in_home(".docker"));
    let gitlab = facts
        .get("DOCKER_AUTH_CONFIG")
        .filter(|text| facts.get("GITLAB_CI") == Some("true") && is_json_object(text));
    // As podman does: where a file is named, its own places do not count.
    let podman = match named {
        Some(_) => [None, None],
        None => [
            facts.path("XDG_RUNTIME_DIR"),
            facts.path("XDG_CONFIG_HOME").or_else(|| in_home(".config")),
        ],
    };
    let mut load = |path: &Path, is_named| stored_config(path, is_named, disk, warnings);
    let mut configs = Vec::new();
    configs.extend(named.and_then(|path| load(&path, true)));
    configs.extend(docker.and_then(|directory| load(&directory.join("config.json"), false)));
    configs.extend(gitlab.map(str::to_owned));
    for directory in podman.into_iter().flatten() {
        configs.extend(load(&directory.join("containers/auth.json"), false));
    }
    configs
}

/// The content of a file with logins. What is no such file is left out with a warning, as docker
/// does; one that is missing too, if it is named.
fn stored_config(
    path: &Path,
    is_named: bool,
    disk: &Disk<'_>,
    warnings: &mut Vec<String>,
) -> Option<String> {
    let path = disk.directory.join(path);
    let reason = match disk.optional(&path) {
        Ok(Some(text)) if is_json_object(&text) => return Some(text),
        Ok(Some(text)) if !text.trim().is_empty() => "it is not a JSON object".to_owned(),
        Ok(_) if is_named => "it is missing or empty".to_owned(),
        Ok(_) => return None,
        Err(error) => error.to_string(),
    };
    warnings.push(format!(
        "docker_config: {} is left out: {reason}",
        path.display()
    ));
    None
}

#[cfg(test)]
mod tests {
    use super::super::support::{Surroundings, given};
    use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};

    use super::*;

    fn woodpecker(pairs: &[(&str, &str)]) -> Surroundings {
        given(&[&[("CI", "woodpecker")], pairs].concat())
    }

    fn login(registry: &str, username: &str, password: &str) -> Login {
        Login {
            registry: registry.into(),
            username: username.into(),
            password: Secret::new(password),
        }
    }

    #[test]
    fn a_user_and_a_password_are_for_the_registry() {
        let given = |pairs: &[(&str, &str)]| woodpecker(pairs).settings().login.given;
        let pair = [("PLUGIN_USERNAME", "me"), ("PLUGIN_PASSWORD", " p ")];
        assert_eq!(given(&pair), [login("docker.io", "me", "p")]);
        assert_eq!(
            given(&[pair[0], pair[1], ("PLUGIN_REGISTRY", "https://r/v2/")]),
            [login("https://r/v2/", "me", "p")]
        );
        assert!(given(&[]).is_empty());
    }

    #[test]
    fn every_password_inside_a_larger_text_is_masked() {
        let auth = BASE64_STANDARD.encode("me:three:3");
        let config = format!(
            r#"{{"auths":{{"a":{{"auth":"{auth}"}},"b":{{"identitytoken":"four"}},"c":{{"registrytoken":"five"}},
               "d":{{"username":"u","password":"six"}},"e":5,"f":{{}}}},"credsStore":"x"}}"#
        );
        let login = woodpecker(&[
            ("PLUGIN_USERNAME", "me"),
            ("PLUGIN_PASSWORD", "one"),
            (
                "PLUGIN_LOGINS",
                r#"[{"registry":"r","username":"u","password":"two"}]"#,
            ),
            ("PLUGIN_DOCKER_CONFIG", &config),
        ])
        .settings()
        .login;
        let secrets = login.parsed_secrets();
        let shown: Vec<&str> = secrets.iter().map(Secret::expose).collect();
        assert_eq!(
            shown,
            ["one", "two", &auth, "three:3", "four", "five", "six"]
        );
    }

    #[test]
    fn a_user_that_is_a_token_is_masked_wherever_it_stands() {
        let auth = BASE64_STANDARD.encode("ghp_two:x-oauth-basic");
        let config = format!(
            r#"{{"auths":{{"a":{{"auth":"{auth}"}},"b":{{"username":"glpat-three","password":"p"}},
               "c":{{"username":"ci","password":"q"}},"d":{{"username":"me"}}}}}}"#
        );
        let login = woodpecker(&[
            ("PLUGIN_USERNAME", "ghp_one"),
            ("PLUGIN_PASSWORD", "one"),
            ("PLUGIN_DOCKER_CONFIG", &config),
        ])
        .settings()
        .login;
        let secrets = login.parsed_secrets();
        let shown: Vec<&str> = secrets.iter().map(Secret::expose).collect();
        let two = [&*auth, "x-oauth-basic", "ghp_two"];
        let all = [&["one", "ghp_one"][..], &two, &["p", "glpat-three", "q"]].concat();
        assert_eq!(shown, all);
    }

    #[test]
    fn a_password_is_masked_however_docker_wrote_it() {
        for auth in [
            BASE64_STANDARD.encode("me:three"),
            BASE64_STANDARD_NO_PAD.encode("me:three"),
        ] {
            let config = format!("\u{feff}{{\"auths\":{{\"a\":{{\"auth\":\"{auth}\"}}}}}}");
            let logins = Logins {
                docker_configs: vec![config],
                ..Logins::default()
            };
            assert!(
                logins
                    .parsed_secrets()
                    .iter()
                    .any(|secret| secret.expose() == "three"),
                "{auth}"
            );
        }
    }

    #[test]
    fn half_a_login_is_an_error() {
        assert_eq!(
            woodpecker(&[("PLUGIN_USERNAME", "me"), ("PLUGIN_PASSWORD", "")]).error(),
            "username: there is no password for this user, or it is empty"
        );
        let error = woodpecker(&[("PLUGIN_PASSWORD", "hunter2")]).error();
        assert_eq!(
            error,
            "password: there is no username for this password, or it is empty"
        );
    }

    #[test]
    fn several_logins_are_json_or_yaml() {
        let expected = [
            login("a.example.org", "me", "1234"),
            login("docker.io", "true", "p"),
        ];
        for text in [
            r#"[{"registry":"a.example.org","username":"me","password":1234},{"Username":true,"PASSWORD":"p"}]"#,
            "- registry: a.example.org\n  username: me\n  password: 1234\n- username: true\n  password: \
             p",
            "[{registry: a.example.org, username: me, password: 1234}, {username: true, \
             password: p, email: x}]",
            "[{\"registry\":\t\"a.example.org\",\"username\":\"me\",\"password\":1234},\n\t{\"username\":true,\"password\":\"p\"}]",
        ] {
            assert_eq!(
                woodpecker(&[("PLUGIN_LOGINS", text)])
                    .settings()
                    .login
                    .given,
                expected,
                "{text}"
            );
        }
        let single = woodpecker(&[(
            "PLUGIN_REGISTRY_AUTH",
            "registry: a\nusername: b\npassword: c",
        )])
        .settings();
        assert_eq!(single.login.given, [login("a", "b", "c")]);
    }

    #[test]
    fn the_first_login_is_the_one_for_the_registry() {
        let settings = woodpecker(&[
            ("PLUGIN_USERNAME", "me"),
            ("PLUGIN_PASSWORD", "p"),
            (
                "PLUGIN_LOGINS",
                r#"[{"registry":"r","username":"other","password":"q"}]"#,
            ),
        ])
        .settings();
        assert_eq!(
            settings.login.given,
            [login("docker.io", "me", "p"), login("r", "other", "q")]
        );
    }

    #[test]
    fn a_broken_list_of_logins_is_refused_without_showing_it() {
        for (text, expected) in [
            (
                "hunter2",
                "logins: the value is not a JSON or YAML list of {registry, username, password}",
            ),
            (
                "[hunter2]",
                "logins: the value is not a JSON or YAML list of {registry, username, password}",
            ),
            (
                "[{\"password\":\"hunter2\"",
                "logins: the value is not a JSON or YAML list of {registry, username, password}",
            ),
            (
                r#"[{"registry":"r","username":"u","password":""}]"#,
                "logins: entry 1, for \"r\", has no password, or it is empty",
            ),
            (
                r#"[{"registry":"r","username":"u"}]"#,
                "logins: entry 1, for \"r\", has no password, or it is empty",
            ),
            (
                r#"[{"username":"","password":"hunter2"}]"#,
                "logins: entry 1, for \"docker.io\", has no username, or it is empty",
            ),
            (
                r#"[{"password":"hunter2"}]"#,
                "logins: entry 1, for \"docker.io\", has no username, or it is empty",
            ),
            (
                r#"[{"username":"u","password":["hunter2"]}]"#,
                "logins: the password of entry 1 is not text",
            ),
        ] {
            assert_eq!(
                woodpecker(&[("PLUGIN_LOGINS", text)]).error(),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn an_entry_without_a_login_is_left_out_with_a_warning() {
        let (settings, warnings) = woodpecker(&[(
            "PLUGIN_LOGINS",
            r#"[{"registry":"r","mirrors":["m"],"aws_region":"x"}]"#,
        )])
        .run();
        assert!(settings.login.given.is_empty());
        assert_eq!(
            warnings,
            [r#"logins: entry 1, for "r", has neither username nor password, so it is not used"#]
        );
    }

    #[test]
    fn dockers_file_is_found_where_docker_keeps_it() {
        let config = |pairs: &[(&str, &str)]| {
            woodpecker(pairs)
                .and_file("/home/me/.docker/config.json", r#"{"home":1}"#)
                .and_file("/docker/config.json", r#"{"docker":1}"#)
                .and_file("/workspace/mine.json", r#"{"mine":1}"#)
                .and_file("/workspace/marked.json", "\u{feff}{}")
                .settings()
                .login
                .docker_configs
                .pop()
        };
        let home = ("HOME", "/home/me");
        assert_eq!(config(&[]), None);
        assert_eq!(config(&[home]).as_deref(), Some(r#"{"home":1}"#));
        assert_eq!(
            config(&[home, ("DOCKER_CONFIG", "/docker")]).as_deref(),
            Some(r#"{"docker":1}"#)
        );
        assert_eq!(config(&[home, ("DOCKER_CONFIG", "/nowhere")]), None);
        for (text, expected) in [
            ("mine.json", r#"{"mine":1}"#),
            ("/docker", r#"{"docker":1}"#),
            ("marked.json", "\u{feff}{}"),
            ("~/.docker/config.json", r#"{"home":1}"#),
            (r#"{"auths":{}}"#, r#"{"auths":{}}"#),
        ] {
            assert_eq!(
                config(&[home, ("PLUGIN_CONFIG", text)]).as_deref(),
                Some(expected),
                "{text}"
            );
        }
    }

    #[test]
    fn a_named_docker_file_must_be_there_and_json() {
        let error = |text: &str| {
            woodpecker(&[("PLUGIN_DOCKER_CONFIG", text)])
                .and_file("/workspace/bad.json", "hunter2")
                .error()
        };
        assert_eq!(
            error("none/config.json"),
            r#"docker_config: cannot read "/workspace/none/config.json": entity not found"#
        );
        assert_eq!(
            error("bad.json"),
            "docker_config: the content is not a JSON object"
        );
        assert_eq!(
            error("{hunter2"),
            "docker_config: the content is not a JSON object"
        );
        assert_eq!(
            error("aHVudGVyMg"),
            "docker_config: the value is neither JSON nor the path of a readable file"
        );
    }

    #[test]
    fn a_broken_default_file_is_left_out_with_a_warning() {
        let surroundings = woodpecker(&[("HOME", "/home/me")]);
        let broken = surroundings
            .clone()
            .and_file("/home/me/.docker/config.json", "{hunter2");
        assert_eq!(broken.settings().login.docker_configs, [""; 0]);
        assert_eq!(
            broken.warnings(),
            ["docker_config: /home/me/.docker/config.json is left out: it is not a JSON object"]
        );
        let denied = surroundings
            .clone()
            .and_broken_file("/home/me/.docker/config.json", 13);
        assert_eq!(denied.warnings().len(), 1);
        assert!(
            surroundings
                .clone()
                .and_file("/home/me/.docker/config.json", " ")
                .warnings()
                .is_empty()
        );
        assert!(
            surroundings
                .and_broken_file("/home/me/.docker/config.json", 20)
                .warnings()
                .is_empty()
        );
    }

    #[test]
    fn podmans_files_follow_dockers_unless_one_is_named() {
        let surroundings = |pairs: &[(&str, &str)]| {
            given(&[&[("HOME", "/home/me")], pairs].concat())
                .and_file("/home/me/.docker/config.json", r#"{"docker":1}"#)
                .and_file("/home/me/.config/containers/auth.json", r#"{"config":1}"#)
                .and_file("/run/user/1/containers/auth.json", r#"{"runtime":1}"#)
                .and_file("/etc/x/containers/auth.json", r#"{"elsewhere":1}"#)
                .and_file("/named.json", r#"{"named":1}"#)
        };
        let runtime = ("XDG_RUNTIME_DIR", "/run/user/1");
        let named = ("REGISTRY_AUTH_FILE", "/named.json");
        let (docker, config) = (r#"{"docker":1}"#, r#"{"config":1}"#);
        for (pairs, expected) in [
            (&[][..], &[docker, config][..]),
            (&[runtime], &[docker, r#"{"runtime":1}"#, config]),
            (
                &[("XDG_CONFIG_HOME", "/etc/x")],
                &[docker, r#"{"elsewhere":1}"#],
            ),
            (&[runtime, named], &[r#"{"named":1}"#, docker]),
            (&[runtime, named, ("PLUGIN_CONFIG", "{}")], &["{}"]),
        ] {
            let configs = surroundings(pairs).settings().login.docker_configs;
            assert_eq!(configs, expected, "{pairs:?}");
        }
        let missing = surroundings(&[runtime, ("REGISTRY_AUTH_FILE", "none.json")]);
        assert_eq!(missing.settings().login.docker_configs, [docker]);
        assert_eq!(
            missing.warnings(),
            ["docker_config: /workspace/none.json is left out: it is missing or empty"]
        );
    }

    #[test]
    fn gitlab_passes_dockers_configuration_in_a_variable() {
        let pair = ("DOCKER_AUTH_CONFIG", r#"{"gitlab":1}"#);
        let config = |pairs: &[(&str, &str)]| given(pairs).settings().login.docker_configs.pop();
        assert_eq!(
            config(&[("GITLAB_CI", "true"), pair]).as_deref(),
            Some(pair.1)
        );
        assert_eq!(config(&[pair]), None);
        assert_eq!(config(&[("GITLAB_CI", "true"), (pair.0, "hunter2")]), None);
    }

    #[test]
    fn githubs_token_is_for_its_own_registry() {
        let github = |pairs: &[(&str, &str)]| {
            given(
                &[
                    &[("GITHUB_ACTIONS", "true"), ("INPUT_GITHUB-TOKEN", "t")],
                    pairs,
                ]
                .concat(),
            )
            .settings()
            .login
            .github
        };
        assert_eq!(
            github(&[("GITHUB_ACTOR", "me")]),
            Some(login("ghcr.io", "me", "t"))
        );
        assert_eq!(
            github(&[("GITHUB_SERVER_URL", "https://github.com")]),
            Some(login("ghcr.io", "x-access-token", "t"))
        );
        assert_eq!(
            github(&[("GITHUB_SERVER_URL", "https://gitea.example.org")]),
            None
        );
        assert!(
            given(&[("GITHUB_ACTIONS", "true")])
                .settings()
                .login
                .in_github_actions
        );
        assert!(
            !given(&[("CI", "woodpecker")])
                .settings()
                .login
                .in_github_actions
        );
    }

    #[test]
    fn anonymous_leaves_logins_unused() {
        let settings = woodpecker(&[
            ("PLUGIN_PUBLIC", "yes"),
            ("PLUGIN_USERNAME", "me"),
            ("PLUGIN_PASSWORD", "p"),
        ])
        .settings();
        assert!(settings.login.anonymous);
        assert!(
            woodpecker(&[("PLUGIN_ANONYMOUS", "maybe")])
                .error()
                .starts_with("anonymous: ")
        );
    }
}
