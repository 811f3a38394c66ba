//! How to start a rebuild, with what the pipeline we run in knows.

use std::time::Duration;

use url::Url;

use super::ci::Facts;
use super::network::{duration, duration_from, number};
use super::raw::{Typed, Value};
use super::{Error, Hosts, Logs, Method, Rebuild, RepositoryName, Restart, Secret, parse, words};

/// Reads how to rebuild; when a rebuild is `needed`, what it cannot do without must be there.
///
/// # Errors
///
/// When a value is not what its setting takes, settings contradict each other, or something needed is missing.
pub(super) fn rebuild(typed: &Typed, facts: &Facts<'_>, insecure: &Hosts, needed: bool) -> Result<Rebuild, Error> {
    let own = facts.own_pipeline();
    let given_server = typed.woodpecker_url().map(|value| server(&value)).transpose()?;
    let same_server = given_server.is_none() || given_server == own.server;
    let server = given_server.or_else(|| own.server.clone());
    let (repository, at_branch) = if let Some(value) = typed.woodpecker_repo() {
        let expected = "owner/name, owner/name@branch, or the repository's number on the server";
        let (name, branch) = value.read(expected, repository)?;
        (Some(name), branch)
    } else {
        // The number means another repository on another server; the name may be right.
        let number = own.repository.filter(|_| same_server).map(RepositoryName::Number);
        (number.or_else(|| own.repository_name.clone().map(RepositoryName::Path)), None)
    };
    let token = typed.woodpecker_token().map(|value| Secret::new(value.text));
    if needed {
        require(server.as_ref(), "woodpecker_url", "the address of the Woodpecker server")?;
        require(token.as_ref(), "woodpecker_token", "a personal access token of a user who may push")?;
        require(repository.as_ref(), "woodpecker_repo", "owner/name, or the repository's number on the server")?;
        if let Some(server) = server.as_ref().filter(|server| is_open(server, insecure)) {
            return Err(Error::new(format!("woodpecker_url: the token would be sent over plain HTTP to {server}"))
                .with_hint("use https, or name the host in the setting insecure"));
        }
    }
    Ok(Rebuild {
        method: method(typed, own.number)?,
        server,
        token,
        repository,
        branch: typed.branch().map(|value| value.text.to_owned()).or(at_branch),
        variables: typed
            .variables()
            .map(|value| value.read("a JSON object or a list of NAME=value", parse::map))
            .transpose()?
            .unwrap_or_default(),
        workflows: typed
            .workflow()
            .map(|value| value.read("a list", parse::list))
            .transpose()?
            .unwrap_or_default()
            .into_iter()
            .filter(|name| name != "all")
            .collect(),
        wait: typed.wait().map(|value| value.read("true or false", parse::boolean)).transpose()?.unwrap_or(true),
        wait_timeout: duration(typed.wait_timeout(), Duration::from_secs(30 * 60))?,
        poll_interval: duration_from(typed.poll_interval(), Duration::from_millis(100), Duration::from_secs(5))?,
        logs: match words(typed.logs(), &["none", "failed", "all"])? {
            Some("none") => Logs::None,
            Some("all") => Logs::All,
            _ => Logs::Failed,
        },
        max_rebuilds: number(typed.max_rebuilds(), 1, 100, 1)?,
        own,
    })
}

fn require<T>(found: Option<&T>, setting: &str, what: &str) -> Result<(), Error> {
    match found {
        Some(_) => Ok(()),
        None => Err(Error::new(format!("a rebuild needs the setting {setting}: {what}"))
            .with_hint("a secret that does not exist arrives empty")),
    }
}

/// An address of a server: http or https, perhaps with a path, nothing else.
fn server(value: &Value<'_>) -> Result<Url, Error> {
    // The text is not shown: it may hold a password.
    let url: Url = value
        .text
        .parse()
        .map_err(|error| value.error(format!("the value is not a URL such as https://ci.example.org: {error}")))?;
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
    let (host, port) = (server.host_str().unwrap_or_default(), server.port_or_known_default().unwrap_or_default());
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
    let valid = |part: &str| !part.is_empty() && !part.contains(':') && !part.contains(char::is_whitespace);
    let is_path = name.contains('/') && name.split('/').all(valid);
    is_path.then(|| (RepositoryName::Path(name.to_owned()), branch))
}

fn method(typed: &Typed, current: Option<u64>) -> Result<Method, Error> {
    let restart = words(typed.method(), &["create", "restart"])? == Some("restart");
    if !restart {
        return match typed.pipeline() {
            Some(value) if !value.text.eq_ignore_ascii_case("current") => {
                Err(value.error("a pipeline is named, but method is create: set method to restart"))
            }
            _ => Ok(Method::Create),
        };
    }
    let Some(value) = typed.pipeline().filter(|value| !value.text.eq_ignore_ascii_case("current")) else {
        return current.map(|number| Method::Restart(Restart::Number(number))).ok_or_else(|| {
            Error::new("pipeline: there is no current pipeline outside Woodpecker")
                .with_hint("set pipeline to a number or to latest")
        });
    };
    if value.text.eq_ignore_ascii_case("latest") {
        return Ok(Method::Restart(Restart::Latest));
    }
    value
        .read("a pipeline's number, latest or current", |text| text.parse().ok().filter(|number| *number != 0))
        .map(|number| Method::Restart(Restart::Number(number)))
}
