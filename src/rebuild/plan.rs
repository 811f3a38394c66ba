//! What a rebuild will do, decided before anything is asked of a server.

use std::collections::BTreeMap;
use std::time::Duration;

use url::Url;

use super::guard::Loop;
use crate::http::is_loopback;
use crate::http::network::Network;
use crate::rebuild::settings::{Method, Rebuild, RepositoryName};
use crate::rebuild::woodpecker::{Client, bearer};
use crate::text::secret::Secret;

/// The variable that finds our pipeline again after a lost answer.
pub const RUN_VARIABLE: &str = "PULLPROOF_RUN";

/// The variable that counts how many rebuilds led to a pipeline; absent from those that a person or a push started.
pub const COUNT_VARIABLE: &str = "PULLPROOF_REBUILD";

/// Query parameters that mean something else to a restart than a variable.
const RESERVED: [&str; 5] = ["access_token", "deploy_task", "deploy_to", "event", "fork"];

/// A setting that is missing, or that cannot be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {problem}")]
pub struct Misconfigured {
    /// The setting's name.
    pub setting: &'static str,
    /// What is wrong with it, and what is accepted.
    pub problem: String,
}

fn wrong(setting: &'static str, problem: impl Into<String>) -> Misconfigured {
    Misconfigured {
        setting,
        problem: problem.into(),
    }
}

/// A rebuild whose settings are all there.
#[derive(Clone, Debug)]
pub struct Plan<'a> {
    server: Url,
    token: &'a Secret,
    /// Which repository.
    pub repository: RepositoryName,
    /// The names of the workflows whose state decides, as the server has them; empty is the whole pipeline.
    pub workflows: Vec<String>,
    /// What needs no checking.
    pub settings: &'a Rebuild,
    /// How much later than its step ends the end of a log may arrive: an agent sends what it has when nothing new came
    /// for a second.
    pub log_delay: Duration,
}

/// Checks what a rebuild needs.
///
/// # Errors
/// The first setting that is missing or wrong: `woodpecker_url`, `woodpecker_token`, `woodpecker_repo`, `workflow`, `variables`.
pub fn plan<'a>(settings: &'a Rebuild, network: &Network) -> Result<Plan<'a>, Misconfigured> {
    let server = settings.server.clone().ok_or_else(|| {
        wrong(
            "woodpecker_url",
            "missing: the address of the Woodpecker server, https://ci.example",
        )
    })?;
    check_server(&server, network)?;
    let token = settings
        .token
        .as_ref()
        .filter(|token| !token.expose().trim().is_empty())
        .ok_or_else(|| {
            wrong(
                "woodpecker_token",
                "missing: a personal access token of a user who may push",
            )
        })?;
    bearer(token).map_err(|invalid| wrong("woodpecker_token", invalid.to_string()))?;
    let repository = repository(settings, &server)?;
    let workflows = settings
        .workflows
        .iter()
        .map(|name| workflow_name(name))
        .collect::<Result<_, _>>()?;
    check_variables(settings)?;
    Ok(Plan {
        server,
        token,
        repository,
        workflows,
        settings,
        log_delay: Duration::from_millis(1500),
    })
}

impl Plan<'_> {
    /// A client for the server; `http` must not follow redirects, `patience` is as for [`Client::new`].
    ///
    /// # Errors
    /// When the token is none.
    pub fn client(
        &self,
        http: reqwest::Client,
        patience: Duration,
    ) -> Result<Client, Misconfigured> {
        Client::new(http, self.server.clone(), self.token, patience)
            .map_err(|invalid| wrong("woodpecker_token", invalid.to_string()))
    }

    /// Where the Woodpecker server is.
    #[must_use]
    pub fn server(&self) -> &Url {
        &self.server
    }

    /// The pipeline that this program runs in, if it can be read from the server of the plan.
    #[must_use]
    pub fn own(&self) -> Option<(u64, u64)> {
        let own = &self.settings.own;
        own.runs_on(&self.server).then_some(())?;
        Some((own.repository?, own.number?))
    }

    /// Why the pipeline that this program runs in cannot be read.
    #[must_use]
    pub fn elsewhere(&self) -> Loop {
        match &self.settings.own.server {
            Some(own) if !self.settings.own.runs_on(&self.server) => Loop::Elsewhere {
                own: own.to_string(),
                server: self.server.to_string(),
            },
            _ => Loop::Unknown("it does not say which pipeline it is".to_owned()),
        }
    }

    /// The variables to send: the user's and our two, which win.
    #[must_use]
    pub fn variables(&self, run: &str, count: u32) -> BTreeMap<String, String> {
        let mut variables = self.settings.variables.clone();
        variables.insert(RUN_VARIABLE.to_owned(), run.to_owned());
        variables.insert(COUNT_VARIABLE.to_owned(), count.to_string());
        variables
    }
}

fn check_server(server: &Url, network: &Network) -> Result<(), Misconfigured> {
    let wrong = |problem: String| Err(wrong("woodpecker_url", problem));
    if !matches!(server.scheme(), "http" | "https") {
        return wrong(format!(
            "expected https://…, found the scheme {}",
            server.scheme()
        ));
    }
    if !server.username().is_empty() || server.password().is_some() {
        return wrong(
            "expected no user and no password in it: the token goes into woodpecker_token".into(),
        );
    }
    let (Some(host), Some(port)) = (server.host_str(), server.port_or_known_default()) else {
        return wrong("expected a host in it".into());
    };
    let bare = host.trim_matches(['[', ']']);
    if server.scheme() == "http" && !is_loopback(bare) && !network.insecure.contain(bare, port) {
        return wrong(format!(
            "expected https: the token would be readable on the way (`insecure: {host}` allows it for this host)"
        ));
    }
    Ok(())
}

fn repository(settings: &Rebuild, server: &Url) -> Result<RepositoryName, Misconfigured> {
    let own = &settings.own;
    let number = own
        .repository
        .filter(|_| own.runs_on(server))
        .map(RepositoryName::Number);
    let name = settings
        .repository
        .clone()
        .or(number)
        .or_else(|| own.repository_name.clone().map(RepositoryName::Path))
        .ok_or_else(|| {
            wrong(
                "woodpecker_repo",
                "missing: owner/name, or the repository's number in Woodpecker",
            )
        })?;
    if let RepositoryName::Path(path) = &name {
        let parts: Vec<&str> = path.split('/').collect();
        if parts.len() < 2 || parts.iter().any(|part| matches!(*part, "" | "." | "..")) {
            return Err(wrong(
                "woodpecker_repo",
                format!("expected owner/name or a number, found {path:?}"),
            ));
        }
    }
    Ok(name)
}

/// The server's name for a workflow that may have been given as its file: no folder, no extension, no leading dot.
fn workflow_name(given: &str) -> Result<String, Misconfigured> {
    let file = given.rsplit('/').next().unwrap_or_default();
    let stem = file
        .strip_suffix(".yaml")
        .or_else(|| file.strip_suffix(".yml"))
        .unwrap_or(file);
    let name = stem.trim_start_matches('.');
    if name.is_empty() {
        return Err(wrong(
            "workflow",
            format!("expected the name of a workflow's file, found {given:?}"),
        ));
    }
    Ok(name.to_owned())
}

fn check_variables(settings: &Rebuild) -> Result<(), Misconfigured> {
    if let Some(name) = settings
        .variables
        .keys()
        .find(|name| name.is_empty() || name.contains(['=', '\0']))
    {
        return Err(wrong(
            "variables",
            format!("{name:?} cannot be the name of a variable"),
        ));
    }
    if settings.method == Method::Create {
        return Ok(());
    }
    match settings
        .variables
        .keys()
        .find(|name| RESERVED.contains(&name.as_str()))
    {
        Some(name) => Err(wrong(
            "variables",
            format!("`{name}` means something else to `method: restart`: rename it"),
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::network::Hosts;
    use crate::rebuild::settings::{Logs, OwnPipeline, Restart};

    fn settings() -> Rebuild {
        Rebuild {
            server: Some("https://ci.example/wood/".parse().unwrap()),
            token: Some(Secret::new("t0ken")),
            repository: Some(RepositoryName::Number(7)),
            branch: None,
            variables: BTreeMap::new(),
            method: Method::Create,
            workflows: Vec::new(),
            wait: true,
            wait_timeout: Duration::from_secs(60),
            poll_interval: Duration::from_secs(5),
            logs: Logs::Failed,
            max_rebuilds: 1,
            own: OwnPipeline::default(),
        }
    }

    fn inside(server: &str) -> OwnPipeline {
        OwnPipeline {
            event: Some("push".into()),
            number: Some(12),
            parent: None,
            repository: Some(3),
            repository_name: Some("me/app".into()),
            branch: Some("trunk".into()),
            server: Some(server.parse().unwrap()),
        }
    }

    fn refused(change: impl FnOnce(&mut Rebuild)) -> Misconfigured {
        let mut settings = settings();
        change(&mut settings);
        plan(&settings, &Network::default()).unwrap_err()
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(
            refused(|settings| settings.server = None).setting,
            "woodpecker_url"
        );
        assert_eq!(
            refused(|settings| settings.token = None).setting,
            "woodpecker_token"
        );
        assert_eq!(
            refused(|settings| settings.token = Some(Secret::new(" "))).setting,
            "woodpecker_token"
        );
        assert_eq!(
            refused(|settings| settings.repository = None).setting,
            "woodpecker_repo"
        );
    }

    #[test]
    fn an_address_that_would_give_the_token_away_is_refused() {
        for address in [
            "http://ci.example",
            "ftp://ci.example",
            "https://me@ci.example",
            "https://me:pw@ci.example",
        ] {
            let refused = refused(|settings| settings.server = Some(address.parse().unwrap()));
            assert_eq!(refused.setting, "woodpecker_url", "{address}");
            assert!(!refused.problem.contains("pw"), "{refused}");
        }
    }

    #[test]
    fn plain_http_is_for_loopback_and_hosts_that_insecure_names() {
        let mut settings = settings();
        for address in [
            "http://localhost:8000",
            "http://127.0.0.1",
            "http://[::1]:8000",
        ] {
            settings.server = Some(address.parse().unwrap());
            assert!(plan(&settings, &Network::default()).is_ok(), "{address}");
        }
        settings.server = Some("http://ci.internal:8000".parse().unwrap());
        let insecure = Hosts::Only(vec!["ci.internal".into()]);
        assert!(
            plan(
                &settings,
                &Network {
                    insecure,
                    ..Network::default()
                }
            )
            .is_ok()
        );
        let other = Hosts::Only(vec!["registry.internal".into()]);
        assert!(
            plan(
                &settings,
                &Network {
                    insecure: other,
                    ..Network::default()
                }
            )
            .is_err()
        );
    }

    #[test]
    fn without_a_name_it_is_the_repository_that_the_pipeline_runs_for() {
        let mut settings = settings();
        settings.repository = None;
        settings.own = inside("https://ci.example/wood");
        let number = plan(&settings, &Network::default()).unwrap();
        assert_eq!(
            (number.repository.clone(), number.own()),
            (RepositoryName::Number(3), Some((3, 12)))
        );

        settings.own = inside("https://other.example");
        let name = plan(&settings, &Network::default()).unwrap();
        assert_eq!(
            (name.repository.clone(), name.own()),
            (RepositoryName::Path("me/app".into()), None)
        );
    }

    #[test]
    fn a_path_that_would_lead_elsewhere_is_no_repository() {
        for path in ["app", "", "me/", "/app", "me/../../user", "me/."] {
            let refused =
                refused(|settings| settings.repository = Some(RepositoryName::Path(path.into())));
            assert_eq!(refused.setting, "woodpecker_repo", "{path:?}");
        }
    }

    #[test]
    fn a_workflow_may_be_given_as_its_file() {
        let mut settings = settings();
        settings.workflows = [
            "build",
            "build.yaml",
            ".woodpecker/build.yml",
            ".woodpecker.yml",
        ]
        .map(Into::into)
        .into();
        let names = plan(&settings, &Network::default())
            .unwrap()
            .workflows
            .clone();
        assert_eq!(names, ["build", "build", "build", "woodpecker"]);
        assert_eq!(
            refused(|settings| settings.workflows = vec![".yml".into()]).setting,
            "workflow"
        );
    }

    #[test]
    fn a_variable_that_would_change_the_restart_itself_is_refused() {
        let variables = BTreeMap::from([("event".to_owned(), "deployment".to_owned())]);
        let restart = |settings: &mut Rebuild| {
            settings.variables = variables.clone();
            settings.method = Method::Restart(Restart::Latest);
        };
        assert_eq!(refused(restart).setting, "variables");
        let mut settings = settings();
        settings.variables = variables;
        assert!(plan(&settings, &Network::default()).is_ok());
    }

    #[test]
    fn the_users_variables_cannot_replace_the_count() {
        let mut settings = settings();
        let given = [
            ("DEPTH", "full"),
            (COUNT_VARIABLE, "0"),
            (RUN_VARIABLE, "x"),
        ];
        settings.variables = given
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        let variables = plan(&settings, &Network::default())
            .unwrap()
            .variables("abc", 2);
        let variables: Vec<_> = variables
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(
            variables,
            ["DEPTH=full", "PULLPROOF_REBUILD=2", "PULLPROOF_RUN=abc"]
        );
    }
}
