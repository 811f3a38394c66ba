//! How to rebuild, with what the pipeline we run in knows.

use url::Url;

use super::Error;
use super::ci::Facts;
use super::raw::Typed;
use super::value::{SettingText, or_empty};
use crate::http::is_loopback;
use crate::http::network::Hosts;
use crate::rebuild::plan::{
    HINT_DELAY, LOG_DELAY, Logs, Method, OwnPipeline, Plan, RepositoryName, Restart, STUCK_DELAY,
    variables_problem, workflow_name,
};
use crate::rebuild::woodpecker::Token;
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
) -> Result<Option<Plan>, Error> {
    let own = facts.own_pipeline();
    let given_server = typed
        .woodpecker_url()
        .map(|value| value.url("woodpecker_token"))
        .transpose()?;
    let same_server = given_server.as_ref().is_none_or(|given| own.runs_on(given));
    let (repository, at_branch) = repository(typed, &own, same_server)?;
    let is_own = repository
        .as_ref()
        .is_none_or(|name| same_server && is_own(name, &own));
    let method = method(typed, &own, is_own)?;
    let variables = or_empty(typed.variables(), SettingText::map)?;
    if let (Some(value), Some(problem)) = (typed.variables(), variables_problem(&variables, method))
    {
        return Err(value.error(problem));
    }
    let workflows = workflows(typed)?;
    let wait = typed.wait().boolean()?;
    let wait_timeout = typed.wait_timeout().duration()?;
    let poll_interval = typed.poll_interval().duration()?;
    let logs = match typed.logs().word()? {
        "none" => Logs::None,
        "all" => Logs::All,
        _ => Logs::Failed,
    };
    let max_rebuilds = typed.max_rebuilds().number()?;
    if !needed {
        return Ok(None);
    }
    Ok(Some(Plan {
        server: safe_server(given_server.or_else(|| own.server.clone()), insecure)?,
        token: token(typed.woodpecker_token())?,
        repository: repository.ok_or_else(|| {
            let path = "owner/name, or the repository's number on the server";
            missing("woodpecker_repo", path, KNOWN_INSIDE)
        })?,
        branch: typed
            .branch()
            .map(|value| value.text.to_owned())
            .or(at_branch),
        variables,
        method,
        workflows,
        wait,
        wait_timeout,
        poll_interval,
        logs,
        log_delay: LOG_DELAY,
        hint_delay: HINT_DELAY,
        stuck_delay: STUCK_DELAY,
        max_rebuilds,
        own,
    }))
}

/// Why a setting that a rebuild needs may be left out.
const KNOWN_INSIDE: &str = "inside Woodpecker it is known without the setting";

fn missing(setting: &str, what: &str, hint: &str) -> Error {
    Error::new(format!("a rebuild needs the setting {setting}: {what}")).with_hint(hint)
}

/// The address to which the token may be sent.
fn safe_server(server: Option<Url>, insecure: &Hosts) -> Result<Url, Error> {
    let server = server.ok_or_else(|| {
        let address = "the address of the Woodpecker server";
        missing("woodpecker_url", address, KNOWN_INSIDE)
    })?;
    let host = server.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let port = server.port_or_known_default().unwrap_or_default();
    if server.scheme() == "http" && !is_loopback(bare) && !insecure.contain(bare, port) {
        return Err(Error::new(format!(
            "woodpecker_url: the token would be sent over plain HTTP to {server}"
        ))
        .with_hint("use https, or name the host in the setting insecure"));
    }
    Ok(server)
}

fn token(value: Option<SettingText<'_>>) -> Result<Token, Error> {
    let Some(value) = value else {
        return Err(missing(
            "woodpecker_token",
            "a personal access token of a user who may push",
            "take it from a secret, and check that the secret exists: one that does not arrives \
             empty",
        ));
    };
    Token::new(&Secret::new(value.text)).ok_or_else(|| {
        value.error("the value has characters that no token has, such as a line break")
    })
}

/// The repository and its `@branch`; when it is not given, the one that the pipeline runs for.
fn repository(
    typed: &Typed,
    own: &OwnPipeline,
    same_server: bool,
) -> Result<(Option<RepositoryName>, Option<String>), Error> {
    if let Some(value) = typed.woodpecker_repo() {
        let expected = "owner/name, owner/name@branch, or the repository's number on the server";
        let (name, branch) = at_branch(value.text).ok_or_else(|| value.not(expected))?;
        return Ok((Some(name), branch));
    }
    // The number means another repository on another server; the name may be right.
    let number = own
        .repository
        .filter(|_| same_server)
        .map(RepositoryName::Number);
    let name = || RepositoryName::read(own.repository_name.as_deref()?);
    Ok((number.or_else(name), None))
}

/// `owner/name[@branch]` or `number[@branch]`.
fn at_branch(text: &str) -> Option<(RepositoryName, Option<String>)> {
    let (name, branch) = match text.split_once('@') {
        Some((_, "")) => return None,
        Some((name, branch)) => (name, Some(branch.to_owned())),
        None => (text, None),
    };
    Some((RepositoryName::read(name)?, branch))
}

/// Whether a repository may be the one that the pipeline runs for.
fn is_own(repository: &RepositoryName, own: &OwnPipeline) -> bool {
    match repository {
        RepositoryName::Number(number) => own.repository.is_none_or(|own| own == *number),
        RepositoryName::Path(path) => own.repository_name.as_ref().is_none_or(|own| own == path),
    }
}

fn workflows(typed: &Typed) -> Result<Vec<String>, Error> {
    let value = typed.workflow();
    let names = value.list()?;
    let name = |given: &String| {
        workflow_name(given)
            .ok_or_else(|| value.error(format!("{given:?} is not the name of a workflow's file")))
    };
    names
        .iter()
        .filter(|name| *name != "all")
        .map(name)
        .collect()
}

/// `method` with the pipeline to restart; the current one only if it is of the repository that is
/// meant.
fn method(typed: &Typed, own: &OwnPipeline, is_own_repository: bool) -> Result<Method, Error> {
    let restart = typed.method().word()? == "restart";
    let pipeline =
        Some(typed.pipeline()).filter(|value| !value.text.eq_ignore_ascii_case("current"));
    match pipeline {
        Some(value) if !restart => {
            Err(value.error("a pipeline is named, but method is create; set method to restart"))
        }
        Some(value) if value.text.eq_ignore_ascii_case("latest") => {
            Ok(Method::Restart(Restart::Latest))
        }
        Some(value) => {
            let number = value.text.parse().ok().filter(|number| *number != 0);
            number
                .map(|number| Method::Restart(Restart::Number(number)))
                .ok_or_else(|| value.not("a pipeline's number, latest or current"))
        }
        None if restart => current(own, is_own_repository),
        None => Ok(Method::Create),
    }
}

/// A restart of the pipeline that we run in.
fn current(own: &OwnPipeline, is_own_repository: bool) -> Result<Method, Error> {
    let Some(number) = own.number else {
        return Err(
            Error::new("pipeline: there is no current pipeline outside Woodpecker")
                .with_hint("set pipeline to a number or to latest"),
        );
    };
    if !is_own_repository {
        return Err(Error::new(
            "pipeline: the current pipeline is of another repository, or of another server",
        )
        .with_hint(
            "set pipeline to a number or to latest, or leave out woodpecker_repo and \
             woodpecker_url",
        ));
    }
    Ok(Method::Restart(Restart::Number(number)))
}

#[cfg(test)]
mod tests {
    use super::super::support::{Surroundings, given};
    use super::super::table::TABLE;
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

    /// The plan of a rebuild in this pipeline.
    fn planned(pairs: &[(&str, &str)]) -> Plan {
        in_pipeline(pairs).plan()
    }

    #[test]
    fn a_pipeline_rebuilds_its_own_repository_on_its_own_server() {
        let rebuild = planned(&[]);
        assert_eq!(rebuild.server.as_str(), "https://ci.example.org/woodpecker");
        assert_eq!(rebuild.repository, RepositoryName::Number(34));
        assert_eq!((rebuild.branch, rebuild.method), (None, Method::Create));
        assert_eq!(rebuild.own.number, Some(12));
    }

    #[test]
    fn on_another_server_only_the_name_can_be_right() {
        let rebuild = planned(&[("PLUGIN_SERVER", "https://other.example.org")]);
        assert_eq!(rebuild.repository, RepositoryName::Path("team/app".into()));
        assert_eq!(rebuild.server.as_str(), "https://other.example.org/");
        assert_eq!(rebuild.own(), None);
        assert_eq!(planned(&[]).own(), Some((34, 12)));
    }

    #[test]
    fn the_repository_may_carry_a_branch() {
        let read = |pairs: &[(&str, &str)]| {
            let rebuild = planned(pairs);
            (rebuild.repository, rebuild.branch)
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
            "a/../b",
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
        let space = [&complete[..], &[("PLUGIN_WOODPECKER_TOKEN", " ")]].concat();
        let error = given(&[&space[..], &[("PLUGIN_MODE", "rebuild")]].concat()).error();
        assert!(error.starts_with("a rebuild needs the setting woodpecker_token"));
    }

    #[test]
    fn a_verification_alone_has_no_plan() {
        assert!(in_pipeline(&[]).settings().rebuild().is_none());
        let on_broken = ("PLUGIN_ON_BROKEN", "rebuild");
        assert!(in_pipeline(&[on_broken]).settings().rebuild().is_some());
    }

    #[test]
    fn the_defaults_are_those_of_the_table() {
        let unset = format!("{:?}", planned(&[]));
        let names = [
            "method",
            "wait",
            "wait_timeout",
            "poll_interval",
            "logs",
            "max_rebuilds",
        ];
        for name in names {
            let setting = TABLE.iter().find(|setting| setting.name == name).unwrap();
            let variable = format!("PLUGIN_{}", name.to_uppercase());
            let default = setting.default.words().unwrap();
            let given = planned(&[(&variable, default)]);
            assert_eq!(format!("{given:?}"), unset, "{name}");
        }
    }

    #[test]
    fn no_secret_shows_in_the_debug_form_of_a_plan() {
        let plan = planned(&[
            ("PLUGIN_WOODPECKER_TOKEN", "hunter2"),
            ("PLUGIN_VARIABLES", "A=hunter2"),
        ]);
        assert!(!format!("{plan:?}").contains("hunter2"), "{plan:?}");
    }

    #[test]
    fn names_and_tokens_that_cannot_be_right_are_refused() {
        let restart = ("PLUGIN_METHOD", "restart");
        let event = ("PLUGIN_VARIABLES", "event=deployment");
        assert_eq!(
            in_pipeline(&[restart, event]).error(),
            "variables: `event` has another meaning for `method: restart`; rename the variable"
        );
        assert!(in_pipeline(&[event]).command().is_ok());
        assert_eq!(
            in_pipeline(&[("PLUGIN_WORKFLOW", ".woodpecker/.yml")]).error(),
            r#"workflow: ".woodpecker/.yml" is not the name of a workflow's file"#
        );
        let workflows = planned(&[("PLUGIN_WORKFLOW", ".woodpecker/build.yml")]).workflows;
        assert_eq!(workflows, ["build"]);
        let token = ("PLUGIN_WOODPECKER_TOKEN", "two\nlines");
        assert_eq!(
            in_pipeline(&[("PLUGIN_MODE", "rebuild"), token]).error(),
            "woodpecker_token: the value has characters that no token has, such as a line break"
        );
    }

    #[test]
    fn outside_woodpecker_no_plain_variable_names_the_server() {
        let pairs = [
            ("CI", "true"),
            ("CI_SYSTEM_URL", "https://evil.example.org"),
            ("CI_REPO", "a/b"),
            ("PLUGIN_TOKEN", "t"),
        ];
        let rebuild = |more| given(&[&pairs[..], &[("PLUGIN_MODE", "rebuild")], more].concat());
        for (more, name) in [
            (&[][..], "woodpecker_url"),
            (
                &[("PLUGIN_SERVER", "https://ci.example")][..],
                "woodpecker_repo",
            ),
        ] {
            let error = rebuild(more).error();
            let start = format!("a rebuild needs the setting {name}: ");
            assert!(error.starts_with(&start), "{error}");
        }
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
                "server: the value is not a URL such as https://ci.example.org: \
                 relative URL without a base",
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
        let method = |pairs: &[(&str, &str)]| planned(pairs).method;
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
        let rebuild = planned(&[
            ("PLUGIN_PARAMS", r#"{"TAG":1.5,"FORCE":true}"#),
            ("PLUGIN_WORKFLOW", "build,test"),
            ("PLUGIN_FOLLOW", "no"),
            ("PLUGIN_WAIT_TIMEOUT", "1h"),
            ("PLUGIN_POLL_INTERVAL", "100ms"),
            ("PLUGIN_LOGS", "all"),
            ("PLUGIN_MAX_REBUILDS", "3"),
        ]);
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
        assert!(planned(&[("PLUGIN_WORKFLOW", "all")]).workflows.is_empty());
    }
}
