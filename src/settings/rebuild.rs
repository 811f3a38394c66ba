//! How to start a rebuild, with what the pipeline we run in knows.

use url::Url;

use super::Error;
use super::ci::Facts;
use super::raw::Typed;
use super::value::{SettingText, or_empty};
use crate::http::network::Hosts;
use crate::rebuild::settings::{Logs, Method, OwnPipeline, Rebuild, RepositoryName, Restart};
use crate::text::secret::Secret;

/// Reads how to rebuild, if a rebuild is `needed`. What is given must be right in any case.
///
/// # Errors
///
/// When a value is not what its setting takes, settings contradict each other, or something needed
/// is missing.
pub(super) fn rebuild(
    typed: &Typed,
    facts: &Facts<'_>,
    insecure: &Hosts,
    needed: bool,
) -> Result<Option<Rebuild>, Error> {
    let own = facts.own_pipeline();
    let given_server = typed
        .woodpecker_url()
        .map(|value| server(&value))
        .transpose()?;
    let same_server = given_server.as_ref().is_none_or(|given| own.runs_on(given));
    let server = given_server.or_else(|| own.server.clone());
    let (repository, at_branch) = if let Some(value) = typed.woodpecker_repo() {
        let expected = "owner/name, owner/name@branch, or the repository's number on the server";
        let (name, branch) = repository(value.text).ok_or_else(|| value.not(expected))?;
        (Some(name), branch)
    } else {
        // The number means another repository on another server; the name may be right.
        let number = own
            .repository
            .filter(|_| same_server)
            .map(RepositoryName::Number);
        (
            number.or_else(|| own.repository_name.clone().map(RepositoryName::Path)),
            None,
        )
    };
    let token = typed
        .woodpecker_token()
        .map(|value| Secret::new(value.text));
    if needed {
        let inside = "inside Woodpecker it is known by itself";
        require(
            server.as_ref(),
            "woodpecker_url",
            "the address of the Woodpecker server",
            inside,
        )?;
        let secret =
            "take it from a secret, and look that secret up: one that does not exist arrives empty";
        require(
            token.as_ref(),
            "woodpecker_token",
            "a personal access token of a user who may push",
            secret,
        )?;
        let path = "owner/name, or the repository's number on the server";
        require(repository.as_ref(), "woodpecker_repo", path, inside)?;
        if let Some(server) = server.as_ref().filter(|server| is_open(server, insecure)) {
            return Err(Error::new(format!(
                "woodpecker_url: the token would be sent over plain HTTP to {server}"
            ))
            .with_hint("use https, or name the host in the setting insecure"));
        }
    }
    let is_own_repository = match &repository {
        Some(RepositoryName::Number(number)) => {
            same_server && own.repository.is_none_or(|own| own == *number)
        }
        Some(RepositoryName::Path(path)) => {
            same_server && own.repository_name.as_ref().is_none_or(|own| own == path)
        }
        None => true,
    };
    let rebuild = Rebuild {
        method: method(typed, &own, is_own_repository)?,
        server,
        token,
        repository,
        branch: typed
            .branch()
            .map(|value| value.text.to_owned())
            .or(at_branch),
        variables: or_empty(typed.variables(), SettingText::map)?,
        workflows: typed
            .workflow()
            .list()?
            .into_iter()
            .filter(|name| name != "all")
            .collect(),
        wait: typed.wait().boolean()?,
        wait_timeout: typed.wait_timeout().duration()?,
        poll_interval: typed.poll_interval().duration()?,
        logs: match typed.logs().word()? {
            "none" => Logs::None,
            "all" => Logs::All,
            _ => Logs::Failed,
        },
        max_rebuilds: typed.max_rebuilds().number()?,
        own,
    };
    Ok(needed.then_some(rebuild))
}

fn require<T>(found: Option<&T>, setting: &str, what: &str, hint: &str) -> Result<(), Error> {
    match found {
        Some(_) => Ok(()),
        None => Err(
            Error::new(format!("a rebuild needs the setting {setting}: {what}")).with_hint(hint),
        ),
    }
}

/// An address of a server: http or https, perhaps with a path, nothing else.
fn server(value: &SettingText<'_>) -> Result<Url, Error> {
    // The text is not shown: it may hold a password.
    let url: Url = value.text.parse().map_err(|error| {
        value.error(format!(
            "the value is not a URL such as https://ci.example.org: {error}"
        ))
    })?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(value.error("the value is not a URL such as https://ci.example.org"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(value.error("the URL must not hold a user or password; use woodpecker_token"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(value.error("the URL must end after its path"));
    }
    Ok(url)
}

/// Whether the address would show the token to the network.
fn is_open(server: &Url, insecure: &Hosts) -> bool {
    let (host, port) = (
        server.host_str().unwrap_or_default(),
        server.port_or_known_default().unwrap_or_default(),
    );
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let loopback = match server.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    };
    server.scheme() == "http" && !loopback && !insecure.contain(bare, port)
}

/// `owner/name[@branch]` or `number[@branch]`; GitLab's groups may be nested.
fn repository(text: &str) -> Option<(RepositoryName, Option<String>)> {
    let (name, branch) = match text.split_once('@') {
        Some((_, "")) => return None,
        Some((name, branch)) => (name, Some(branch.to_owned())),
        None => (text, None),
    };
    if let Ok(number) = name.parse::<u64>() {
        return (number != 0).then_some((RepositoryName::Number(number), branch));
    }
    let valid =
        |part: &str| !part.is_empty() && !part.contains(':') && !part.contains(char::is_whitespace);
    let is_path = name.contains('/') && name.split('/').all(valid);
    is_path.then(|| (RepositoryName::Path(name.to_owned()), branch))
}

/// `method` with the pipeline to restart; the current one only if it is of the right repository.
fn method(typed: &Typed, own: &OwnPipeline, is_own_repository: bool) -> Result<Method, Error> {
    let restart = typed.method().word()? == "restart";
    let pipeline =
        Some(typed.pipeline()).filter(|value| !value.text.eq_ignore_ascii_case("current"));
    match pipeline {
        Some(value) if !restart => Err(value.error("a pipeline is named, but method is create; set method to restart")),
        Some(value) if value.text.eq_ignore_ascii_case("latest") => Ok(Method::Restart(Restart::Latest)),
        Some(value) => {
            let number = value.text.parse().ok().filter(|number| *number != 0);
            number
                .map(|number| Method::Restart(Restart::Number(number)))
                .ok_or_else(|| value.not("a pipeline's number, latest or current"))
        }
        None if !restart => Ok(Method::Create),
        None if own.number.is_some() && !is_own_repository => {
            Err(Error::new("pipeline: the current pipeline is of another repository, or of another server")
                .with_hint("set pipeline to a number or to latest, or leave out woodpecker_repo and woodpecker_url"))
        }
        None => own.number.map(|number| Method::Restart(Restart::Number(number))).ok_or_else(|| {
            Error::new("pipeline: there is no current pipeline outside Woodpecker")
                .with_hint("set pipeline to a number or to latest")
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::support::{Surroundings, given};
    use super::*;

    const PIPELINE: [(&str, &str); 6] = [
        ("CI", "woodpecker"),
        ("CI_SYSTEM_URL", "https://ci.example.org/woodpecker"),
        (
            "CI_PIPELINE_URL",
            "https://ci.example.org/woodpecker/repos/34/pipeline/12",
        ),
        ("CI_PIPELINE_NUMBER", "12"),
        ("CI_REPO", "team/app"),
        ("PLUGIN_WOODPECKER_TOKEN", "t"),
    ];

    fn in_pipeline(pairs: &[(&str, &str)]) -> Surroundings {
        given(&[&PIPELINE[..], pairs].concat())
    }

    #[test]
    fn a_pipeline_rebuilds_its_own_repository_on_its_own_server() {
        let rebuild = in_pipeline(&[("PLUGIN_MODE", "rebuild")]).rebuild();
        assert_eq!(
            rebuild.server.unwrap().as_str(),
            "https://ci.example.org/woodpecker"
        );
        assert_eq!(rebuild.repository, Some(RepositoryName::Number(34)));
        assert_eq!((rebuild.branch, rebuild.method), (None, Method::Create));
        assert_eq!(rebuild.own.number, Some(12));
    }

    #[test]
    fn on_another_server_only_the_name_can_be_right() {
        let rebuild = in_pipeline(&[("PLUGIN_SERVER", "https://other.example.org")]).rebuild();
        assert_eq!(
            rebuild.repository,
            Some(RepositoryName::Path("team/app".into()))
        );
        assert_eq!(
            rebuild.server.unwrap().as_str(),
            "https://other.example.org/"
        );
    }

    #[test]
    fn the_repository_may_carry_a_branch() {
        let read = |pairs: &[(&str, &str)]| {
            let rebuild = in_pipeline(pairs).rebuild();
            (rebuild.repository.unwrap(), rebuild.branch)
        };
        let path = |text: &str| RepositoryName::Path(text.into());
        let repo = |text| ("PLUGIN_WOODPECKER_REPO", text);
        assert_eq!(read(&[repo("a/b")]), (path("a/b"), None));
        assert_eq!(
            read(&[repo("a/b/c@release/1.x")]),
            (path("a/b/c"), Some("release/1.x".into()))
        );
        assert_eq!(
            read(&[repo("a/b@x"), ("PLUGIN_BRANCH", "y")]),
            (path("a/b"), Some("y".into()))
        );
        assert_eq!(
            read(&[repo("7@x")]),
            (RepositoryName::Number(7), Some("x".into()))
        );
        for text in [
            "b",
            "a/",
            "/b",
            "a/b@",
            "0",
            "https://ci/a/b",
            "a b/c",
            "@x",
        ] {
            let expected =
                "owner/name, owner/name@branch, or the repository's number on the server";
            assert_eq!(
                in_pipeline(&[repo(text)]).error(),
                format!("woodpecker_repo: {text:?} is not {expected}")
            );
        }
    }

    #[test]
    fn what_a_rebuild_needs_is_named_before_anything_is_started() {
        let complete = [
            ("PLUGIN_WOODPECKER_URL", "https://ci.example.org"),
            ("PLUGIN_WOODPECKER_TOKEN", "t"),
            ("PLUGIN_WOODPECKER_REPO", "a/b"),
        ];
        for starter in [("PLUGIN_MODE", "rebuild"), ("PLUGIN_ON_BROKEN", "rebuild")] {
            assert!(
                given(&[&complete[..], &[starter]].concat())
                    .command()
                    .is_ok()
            );
            for (left_out, name) in [
                (0, "woodpecker_url"),
                (1, "woodpecker_token"),
                (2, "woodpecker_repo"),
            ] {
                let mut pairs = vec![starter];
                pairs.extend(
                    complete
                        .iter()
                        .enumerate()
                        .filter(|(at, _)| *at != left_out)
                        .map(|(_, pair)| *pair),
                );
                let error = given(&pairs).error();
                assert!(
                    error.starts_with(&format!("a rebuild needs the setting {name}: ")),
                    "{error}"
                );
            }
        }
        assert!(given(&[("PLUGIN_IMAGES", "app")]).command().is_ok());
    }

    #[test]
    fn no_variable_without_prefix_names_the_server_outside_woodpecker() {
        let pairs = [
            ("CI", "true"),
            ("CI_SYSTEM_URL", "https://evil.example.org"),
            ("CI_REPO", "a/b"),
            ("PLUGIN_TOKEN", "t"),
        ];
        let mode = ("PLUGIN_MODE", "rebuild");
        assert_eq!(
            given(&[&pairs[..], &[mode]].concat()).error(),
            "a rebuild needs the setting woodpecker_url: the address of the Woodpecker server"
        );
    }

    #[test]
    fn a_token_is_not_sent_over_plain_http() {
        let error = |url: &str, insecure: &str| {
            in_pipeline(&[
                ("PLUGIN_MODE", "rebuild"),
                ("PLUGIN_SERVER", url),
                ("PLUGIN_INSECURE", insecure),
            ])
            .command()
            .err()
        };
        assert_eq!(
            error("http://ci.internal:8000", "").unwrap().to_string(),
            "woodpecker_url: the token would be sent over plain HTTP to http://ci.internal:8000/"
        );
        assert!(error("http://ci.internal:8000", "other").is_some());
        for (url, insecure) in [
            ("http://ci.internal:8000", "ci.internal:8000"),
            ("http://ci.internal", "ci.internal"),
            ("http://ci.internal", "true"),
            ("http://localhost:8000", ""),
            ("http://127.0.0.1:8000", ""),
            ("http://[::1]:8000", ""),
            ("https://ci.internal", ""),
        ] {
            assert_eq!(error(url, insecure), None, "{url}");
        }
    }

    #[test]
    fn a_server_is_an_address_without_extras() {
        for (text, expected) in [
            (
                "ci.example.org",
                "server: the value is not a URL such as https://ci.example.org: relative URL without a base",
            ),
            (
                "ftp://ci",
                "server: the value is not a URL such as https://ci.example.org",
            ),
            (
                "https://me:hunter2@ci",
                "server: the URL must not hold a user or password; use woodpecker_token",
            ),
            (
                "https://ci/?access_token=hunter2",
                "server: the URL must end after its path",
            ),
            ("https://ci/#x", "server: the URL must end after its path"),
        ] {
            assert_eq!(in_pipeline(&[("PLUGIN_SERVER", text)]).error(), expected);
        }
    }

    #[test]
    fn a_restart_needs_to_know_which() {
        let method = |pairs: &[(&str, &str)]| in_pipeline(pairs).rebuild().method;
        let restart = ("PLUGIN_METHOD", "restart");
        assert_eq!(method(&[restart]), Method::Restart(Restart::Number(12)));
        assert_eq!(
            method(&[restart, ("PLUGIN_PIPELINE", "Current")]),
            Method::Restart(Restart::Number(12))
        );
        assert_eq!(
            method(&[restart, ("PLUGIN_PIPELINE", "latest")]),
            Method::Restart(Restart::Latest)
        );
        assert_eq!(
            method(&[restart, ("PLUGIN_PIPELINE", "7")]),
            Method::Restart(Restart::Number(7))
        );
        assert_eq!(
            method(&[restart, ("PLUGIN_WOODPECKER_REPO", "team/app")]),
            Method::Restart(Restart::Number(12))
        );
        assert_eq!(method(&[("PLUGIN_PIPELINE", "current")]), Method::Create);
        assert_eq!(
            in_pipeline(&[restart, ("PLUGIN_PIPELINE", "0")]).error(),
            r#"pipeline: "0" is not a pipeline's number, latest or current"#
        );
        assert_eq!(
            in_pipeline(&[("PLUGIN_PIPELINE", "7")]).error(),
            "pipeline: a pipeline is named, but method is create; set method to restart"
        );
        assert_eq!(
            given(&[restart]).error(),
            "pipeline: there is no current pipeline outside Woodpecker"
        );
        let elsewhere = [
            ("PLUGIN_WOODPECKER_REPO", "team/other"),
            ("PLUGIN_WOODPECKER_REPO", "35"),
            ("PLUGIN_SERVER", "https://other.example.org"),
            ("PLUGIN_SERVER", "https://ci.example.org"),
        ];
        for elsewhere in elsewhere {
            assert_eq!(
                in_pipeline(&[restart, elsewhere]).error(),
                "pipeline: the current pipeline is of another repository, or of another server"
            );
        }
        let same = ("PLUGIN_SERVER", "https://ci.example.org/woodpecker/");
        assert_eq!(
            method(&[restart, same]),
            Method::Restart(Restart::Number(12))
        );
    }

    #[test]
    fn the_rest_is_read_as_its_type_says() {
        let rebuild = in_pipeline(&[
            ("PLUGIN_PARAMS", r#"{"TAG":1.5,"FORCE":true}"#),
            ("PLUGIN_WORKFLOW", "build,test"),
            ("PLUGIN_FOLLOW", "no"),
            ("PLUGIN_WAIT_TIMEOUT", "1h"),
            ("PLUGIN_POLL_INTERVAL", "100ms"),
            ("PLUGIN_LOGS", "all"),
            ("PLUGIN_MAX_REBUILDS", "3"),
        ])
        .rebuild();
        assert_eq!(
            (
                rebuild.variables["TAG"].as_str(),
                rebuild.variables["FORCE"].as_str()
            ),
            ("1.5", "true")
        );
        assert_eq!(rebuild.workflows, ["build", "test"]);
        assert_eq!(
            (rebuild.wait, rebuild.logs, rebuild.max_rebuilds),
            (false, Logs::All, 3)
        );
        assert_eq!(
            (
                rebuild.wait_timeout.as_secs(),
                rebuild.poll_interval.as_millis()
            ),
            (3600, 100)
        );
        assert_eq!(
            in_pipeline(&[("PLUGIN_VARIABLES", "hunter2")]).error(),
            "variables: the value is not a JSON object or a list of NAME=value"
        );
        assert!(
            in_pipeline(&[("PLUGIN_POLL_INTERVAL", "0")])
                .error()
                .contains("too short")
        );
        assert!(
            in_pipeline(&[("PLUGIN_MAX_REBUILDS", "0")])
                .error()
                .contains("from 1 to 100")
        );
        assert!(
            in_pipeline(&[("PLUGIN_WORKFLOW", "all")])
                .rebuild()
                .workflows
                .is_empty()
        );
    }
}
