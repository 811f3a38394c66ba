//! What is deployed: where the list of it is, and what it calls the registry.

use std::path::Path;

use super::Error;
use super::ci::Facts;
use super::extent::Extent;
use super::files::Disk;
use super::list_source::ListSource;
use super::raw::Typed;
use super::value::{SettingText, or_empty};
use crate::cluster::Account;
use crate::oci::reference::is_host;
use crate::text::quote::quoted;

/// Where a pod finds its service account.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// `in_use` and `in_use_host`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InUseSettings {
    /// Where the list is.
    pub source: InUseSource,
    /// Other names of the registry in it, as `host[:port]`.
    pub hosts: Vec<String>,
}

/// Where a list of what is deployed is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InUseSource {
    /// In a file, or on standard input.
    List(ListSource),
    /// In the cluster that this runs in.
    Cluster(Account),
}

/// Reads what says what is deployed, if something does.
///
/// # Errors
///
/// When a value is not what its setting takes, or does not fit the others.
pub(super) fn in_use(
    typed: &Typed,
    facts: &Facts<'_>,
    disk: &Disk<'_>,
    extent: &Extent,
) -> Result<Option<InUseSettings>, Error> {
    let hosts = or_empty(typed.in_use_host(), SettingText::list)?;
    let Some(list) = typed.in_use() else {
        let needs =
            |value: &SettingText<'_>| value.error("it needs in_use, the list of what is deployed");
        if let Some(value) = typed.in_use_host() {
            return Err(needs(&value));
        }
        if typed.fail_on().word()? == "in_use" {
            return Err(needs(&typed.fail_on()));
        }
        return Ok(None);
    };
    if let Some(value) = typed.in_use_host() {
        check_hosts(&value, &hosts, extent)?;
    }
    Ok(Some(InUseSettings {
        source: source(list.text, facts, disk),
        hosts,
    }))
}

fn check_hosts(value: &SettingText<'_>, hosts: &[String], extent: &Extent) -> Result<(), Error> {
    let unusable = |host: &&String| !is_host(host) || host.contains('/');
    if let Some(host) = hosts.iter().find(unusable) {
        return Err(value.error(format!(
            "{} is not a host as references name it: host.example or host:port",
            quoted(host)
        )));
    }
    let mut registries = extent.targets.iter().map(|target| &target.registry);
    let first = registries.next();
    if registries.any(|other| Some(other) != first) {
        return Err(value.error("several registries are named: it is not clear whose name it is"));
    }
    Ok(())
}

fn source(text: &str, facts: &Facts<'_>, disk: &Disk<'_>) -> InUseSource {
    let directory = match text.split_once(':') {
        None if text == "cluster" => Path::new(ACCOUNT).to_owned(),
        Some(("cluster", directory)) => disk.resolve(directory),
        _ => return InUseSource::List(ListSource::named(text, disk)),
    };
    let variable = |name| facts.get(name).map(str::to_owned);
    InUseSource::Cluster(Account {
        directory,
        host: variable("KUBERNETES_SERVICE_HOST"),
        port: variable("KUBERNETES_SERVICE_PORT").and_then(|port| port.parse().ok()),
    })
}

#[cfg(test)]
mod tests {
    use super::super::support::{Surroundings, given, typed};
    use super::*;

    fn source(surroundings: &Surroundings) -> InUseSource {
        surroundings.audit().in_use.unwrap().source
    }

    #[test]
    fn a_list_is_a_file_standard_input_or_the_cluster() {
        let of = |text: &str| source(&typed(&["audit", "r.example", "--in-use", text]));
        let file = |path: &str| InUseSource::List(ListSource::File(path.into()));
        assert_eq!(of("-"), InUseSource::List(ListSource::StandardInput));
        assert_eq!(of("a/b"), file("/workspace/a/b"));
        assert_eq!(of("./cluster"), file("/workspace/./cluster"));
        let InUseSource::Cluster(account) = of("cluster") else {
            panic!("it is not the cluster");
        };
        assert_eq!(account.directory, Path::new(ACCOUNT));
        assert_eq!((account.host, account.port), (None, None));
        let elsewhere = given(&[
            ("KUBERNETES_SERVICE_HOST", "10.0.0.1"),
            ("KUBERNETES_SERVICE_PORT", "6443"),
        ]);
        let arguments = ["audit", "r.example", "--in-use=cluster:/run/secrets/audit"];
        let InUseSource::Cluster(account) = source(&elsewhere.and_arguments(&arguments)) else {
            panic!("it is not the cluster");
        };
        assert_eq!(account.directory, Path::new("/run/secrets/audit"));
        assert_eq!(account.host.as_deref(), Some("10.0.0.1"));
        assert_eq!(account.port, Some(6443));
    }

    #[test]
    fn what_needs_a_list_says_so() {
        let error = |flags: &[&str]| typed(&[&["audit", "r.example"], flags].concat()).error();
        for (flags, message) in [
            (
                &["--in-use-host=m.example"][..],
                "--in-use-host: it needs in_use, the list of what is deployed",
            ),
            (
                &["--fail-on=in_use"],
                "--fail-on: it needs in_use, the list of what is deployed",
            ),
            (
                &["--in-use=-", "--in-use-host=https://m.example"],
                "--in-use-host: \"https://m.example\" is not a host as references name it: \
                 host.example or host:port",
            ),
            (
                &["--in-use=-", "--in-use-host=mirror"],
                "--in-use-host: \"mirror\" is not a host as references name it: host.example or \
                 host:port",
            ),
            (
                &["other.example", "--in-use=-", "--in-use-host=m.example"],
                "--in-use-host: several registries are named: it is not clear whose name it is",
            ),
        ] {
            assert_eq!(error(flags), message);
        }
        let several = ["audit", "r.example/a", "r.example/b", "--in-use=-"];
        let several = typed(&[&several[..], &["--in-use-host=m.example:5000,docker.io"]].concat());
        assert_eq!(
            several.audit().in_use.unwrap().hosts,
            ["m.example:5000", "docker.io"]
        );
    }

    #[test]
    fn only_an_audit_can_fail_for_what_is_in_use() {
        let verify = typed(&["verify", "app", "--fail-on=in_use"]);
        assert_eq!(
            verify.error(),
            "--fail-on: \"in_use\" is for audit; verify takes broken and never"
        );
        let ignored = given(&[("CI", "woodpecker"), ("PLUGIN_REPO", "app")])
            .and_arguments(&["verify", "--in-use=-"]);
        assert_eq!(
            ignored.error(),
            "--in-use is a setting of audit and prune; verify does not take it"
        );
    }
}
