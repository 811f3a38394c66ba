//! What a prune keeps, and what holds it back.

use std::path::PathBuf;

use url::Url;
use wildmatch::WildMatch;

use super::Error;
use super::command::AuditSettings;
use super::extent::patterns;
use super::files::Disk;
use super::metrics::is_plain;
use super::policy;
use super::raw::Typed;
use crate::prune::rules::{Brakes, Policy, Rules};

/// Where manifests go before they are deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backup {
    /// Into an image layout in this directory.
    Directory(PathBuf),
    /// Nowhere: `none`.
    None,
}

/// Reads the rules: those of the settings for every repository, or those of a policy.
///
/// # Errors
///
/// When there is no rule, when there are both, or when a value is not what its setting takes.
pub(super) fn policy(typed: &Typed, disk: &Disk<'_>, sweeps: bool) -> Result<Policy, Error> {
    let rules = Rules {
        keep: patterns(typed.keep())?,
        newest: typed
            .keep_newest()
            .map(|value| policy::newest(&value))
            .transpose()?
            .flatten(),
        younger: typed
            .keep_younger()
            .map(|value| value.duration())
            .transpose()?,
    };
    let Some(value) = typed.policy() else {
        if rules.is_empty() && !sweeps {
            return Err(
                Error::new("there is no rule that keeps anything").with_hint(
                    "name what stays: --keep 'v*,latest', --keep-newest 10, --keep-younger 14d; or \
                 --policy FILE; or --delete-broken for the broken tags alone",
                ),
            );
        }
        let entries = vec![(WildMatch::new("*"), rules)];
        return Ok(Policy { entries });
    };
    if !rules.is_empty() {
        return Err(value.error("keep, keep_newest and keep_younger stand in it, not beside it"));
    }
    policy::policy(&value, disk)
}

/// Reads what holds a run back.
///
/// # Errors
///
/// When a value is not what its setting takes.
pub(super) fn brakes(typed: &Typed) -> Result<Brakes, Error> {
    Ok(Brakes {
        min_age: typed.min_age().duration()?,
        max_deleted: typed.max_deleted().percentage()?,
        may_lose_all_tags: typed.allow_untagged_repository().boolean()?,
    })
}

/// Reads where the packages API is.
///
/// # Errors
///
/// When it is no URL, when others could read the login, or when there are several registries.
pub(super) fn packages_api(typed: &Typed, audit: &AuditSettings) -> Result<Option<Url>, Error> {
    let Some(value) = typed.packages_api() else {
        return Ok(None);
    };
    let url = value.url("username and password")?;
    if !audit.login.anonymous && is_plain(&url, &audit.network.insecure) {
        return Err(value
            .error(format!("the login would be sent over plain HTTP to {url}"))
            .with_hint("use https, or name the host in the setting insecure"));
    }
    let targets = &audit.extent.targets;
    let others = targets
        .iter()
        .filter(|one| one.registry != targets[0].registry);
    if others.count() > 0 {
        return Err(value.error("it is for one registry, and several are to be pruned"));
    }
    Ok(Some(url))
}

/// Reads where manifests go before they are deleted.
///
/// # Errors
///
/// When something is to be deleted, and nobody says.
pub(super) fn backup(
    typed: &Typed,
    disk: &Disk<'_>,
    applies: bool,
) -> Result<Option<Backup>, Error> {
    let Some(value) = typed.backup() else {
        if !applies {
            return Ok(None);
        }
        return Err(Error::new("apply needs backup").with_hint(
            "name a directory for the manifests that are deleted: --backup DIR; \"none\" does \
             without",
        ));
    };
    if value.text.eq_ignore_ascii_case("none") {
        return Ok(Some(Backup::None));
    }
    // As `from` names it, to bring the manifests back.
    let directory = value.text.strip_prefix("oci:").unwrap_or(value.text);
    let is_archive = ["oci-archive:", "docker-archive:"]
        .iter()
        .any(|archive| value.text.starts_with(archive));
    if directory.is_empty() || is_archive {
        return Err(value.not("a directory, oci:DIR or none"));
    }
    Ok(Some(Backup::Directory(disk.resolve(directory))))
}

#[cfg(test)]
mod tests {
    use super::super::support::typed;
    use super::*;

    #[test]
    fn a_backup_is_a_directory_with_or_without_oci_or_none() {
        let with = |backup: &str| {
            typed(&[
                "prune",
                "r.example",
                "--keep=v*",
                "--apply",
                "--backup",
                backup,
            ])
        };
        let directory = |path: &str| Some(Backup::Directory(path.into()));
        for (text, backup) in [
            ("/srv/backup", directory("/srv/backup")),
            ("backup", directory("/workspace/backup")),
            ("oci:/srv/backup", directory("/srv/backup")),
            ("oci:backup", directory("/workspace/backup")),
            ("none", Some(Backup::None)),
            ("None", Some(Backup::None)),
            ("NONE", Some(Backup::None)),
            ("./none", directory("/workspace/./none")),
        ] {
            assert_eq!(with(text).prune().backup, backup, "{text}");
        }
        for text in ["oci:", "oci-archive:out.tar", "docker-archive:out.tar"] {
            assert_eq!(
                with(text).error(),
                format!("--backup: {text:?} is not a directory, oci:DIR or none")
            );
        }
    }
}
