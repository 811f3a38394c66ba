//! What the walk follows, and how much each kind of content matters.

use super::Error;
use super::command::CommandName;
use super::raw::Typed;
use super::value::{SettingText, or_empty};
use crate::oci::client::{Client, Clients};
use crate::oci::platform::Platform;
use crate::walk::rules::{AllowMissing, Concern, Depth, Rules};

/// Reads the rules of the walk.
///
/// # Errors
///
/// When a value is not what its setting takes, or a platform is both required and allowed to be
/// absent.
pub(super) fn rules(typed: &Typed, command: CommandName) -> Result<Rules, Error> {
    let platforms = or_empty(typed.platforms(), SettingText::platforms)?;
    let artifacts = typed.artifacts();
    let allow_missing = allow_missing(typed.allow_missing())?;
    if let (Some(required), Some(allowed)) = (typed.platforms(), typed.allow_missing()) {
        contradiction(&required, &platforms, &allowed, &allow_missing)?;
    }
    Ok(Rules {
        platforms,
        only_platforms: or_empty(typed.only_platforms(), SettingText::platforms)?,
        clients: clients(typed.clients())?,
        accept_artifacts: match artifacts.word()? {
            _ if !artifacts.is_given => command == CommandName::Audit,
            word => word == "pass",
        },
        attestations: concern(&typed.attestations())?,
        allow_missing,
        referrers: concern(&typed.referrers())?,
        depth: depth(&typed.depth(), command)?,
    })
}

/// Reads how deep the look at blobs is.
///
/// # Errors
///
/// When it is no depth, or not one of this command.
pub(super) fn depth(value: &SettingText<'_>, command: CommandName) -> Result<Depth, Error> {
    Ok(match value.word()? {
        "head" => Depth::Head,
        "full" => Depth::Full,
        "manifests" if command == CommandName::Audit => Depth::Manifests,
        "manifests" => {
            let error = value.error("\"manifests\" is a depth of audit alone");
            return Err(error.with_hint("take head, tail or full"));
        }
        _ => Depth::Tail,
    })
}

fn allow_missing(value: Option<SettingText<'_>>) -> Result<AllowMissing, Error> {
    let Some(value) = value else {
        return Ok(AllowMissing::default());
    };
    let platforms = value.platforms_or_all()?;
    Ok(platforms.map_or(AllowMissing::All, AllowMissing::Platforms))
}

/// The clients whose word counts; containerd's where nobody says.
fn clients(value: Option<SettingText<'_>>) -> Result<Clients, Error> {
    let named = or_empty(value, SettingText::words)?;
    let is_named = |client: &Client| named.contains(&client.as_str());
    let clients: Vec<Client> = Client::ALL.into_iter().filter(is_named).collect();
    Ok(match &*clients {
        [] => Clients::CONTAINERD,
        some => Clients::of(some),
    })
}

fn concern(value: &SettingText<'_>) -> Result<Concern, Error> {
    Ok(match value.word()? {
        "check" => Concern::Check,
        "warn" => Concern::Warn,
        _ => Concern::Ignore,
    })
}

/// A platform cannot be both required and allowed to be absent; to allow some of its variants to be
/// absent does not allow it for the platform itself.
fn contradiction(
    required: &SettingText<'_>,
    platforms: &[Platform],
    allowed: &SettingText<'_>,
    allow_missing: &AllowMissing,
) -> Result<(), Error> {
    let both = match allow_missing {
        AllowMissing::All | AllowMissing::Fetched => platforms
            .first()
            .map(|platform| (platform, "every platform".to_owned())),
        AllowMissing::Platforms(allowed) => platforms.iter().find_map(|platform| {
            let absent = allowed.iter().find(|it| platform.satisfies(it))?;
            Some((platform, absent.to_string()))
        }),
    };
    let Some((platform, absent)) = both else {
        return Ok(());
    };
    Err(allowed
        .error(format!(
            "{absent} may be absent, but {} says that {platform} must be there",
            required.spelled
        ))
        .with_hint("take it out of one of them"))
}

#[cfg(test)]
mod tests {
    use super::super::support::{given, typed};
    use super::*;

    #[test]
    fn the_rules_say_what_matters() {
        let rules = typed(&[
            "--platforms",
            "linux/amd64,linux/ARM64,linux/amd64",
            "--allow-missing=linux/arm/v7",
            "--attestations=warn",
            "--referrers=check",
            "--depth=full",
        ])
        .settings()
        .rules;
        assert_eq!(
            rules.platforms,
            [
                "linux/amd64".parse().unwrap(),
                "linux/arm64".parse().unwrap()
            ]
        );
        assert_eq!(
            rules.allow_missing,
            AllowMissing::Platforms(vec!["linux/arm/v7".parse().unwrap()])
        );
        assert_eq!(
            (rules.attestations, rules.referrers, rules.depth),
            (Concern::Warn, Concern::Check, Depth::Full)
        );
        assert_eq!(
            typed(&["--platform", "linux"]).error(),
            r#"--platform: "linux" is not os/arch or os/arch/variant"#
        );
        assert_eq!(
            typed(&["--platform", "[linux"]).error(),
            r#"--platform: "[linux" is not a list of platforms"#
        );
    }

    #[test]
    fn an_audit_alone_may_leave_out_the_blobs() {
        for arguments in [
            &["verify", "r.example/app:1"][..],
            &["repair", "r.example/app:1"],
            &["prune", "r.example/app", "--keep=v*"],
        ] {
            assert_eq!(
                typed(&[arguments, &["--depth=manifests"]].concat()).error(),
                "--depth: \"manifests\" is a depth of audit alone",
                "{arguments:?}"
            );
        }
        let audit = typed(&["audit", "r.example/app", "--depth=manifests"]).audit();
        assert_eq!(audit.rules.depth, Depth::Manifests);
    }

    #[test]
    fn all_platforms_may_be_absent_by_one_word() {
        let allowed = |flags: &[&str]| typed(flags).settings().rules.allow_missing;
        for flags in [
            &["--allow-missing=all"][..],
            &["--allow-missing", "ALL", "--allow-missing=linux/arm64"],
        ] {
            assert_eq!(allowed(flags), AllowMissing::All, "{flags:?}");
        }
        assert_eq!(allowed(&[]), AllowMissing::Platforms(Vec::new()));
        let both = typed(&["--allow-missing=all", "--platforms=linux/amd64"]);
        assert_eq!(
            both.error(),
            "--allow-missing: every platform may be absent, but --platforms says that linux/amd64 \
             must be there"
        );
    }

    #[test]
    fn containerd_counts_unless_other_clients_are_named() {
        let clients = |arguments: &[&str]| typed(arguments).settings().rules.clients;
        assert_eq!(clients(&[]), Clients::CONTAINERD);
        assert_eq!(
            clients(&["--clients", "Podman", "--clients=docker"]),
            Clients::of(&[Client::Docker, Client::Podman])
        );
        assert_eq!(
            typed(&["--clients", "docker,crio"]).error(),
            "--clients: \"crio\" is not one of containerd, docker, podman"
        );
    }

    #[test]
    fn a_platform_is_not_both_required_and_allowed_to_be_absent() {
        let settings = |required: &str, allowed: &str| {
            typed(&[
                "verify",
                "app",
                "--platforms",
                required,
                "--allow-missing",
                allowed,
            ])
        };
        assert_eq!(
            settings("linux/amd64,linux/arm64", "linux/arm64").error(),
            "--allow-missing: linux/arm64 may be absent, but --platforms says that linux/arm64 \
             must be there"
        );
        for (required, allowed) in [
            ("linux/arm/v6", "linux/arm"),
            ("linux/arm64", "linux/aarch64/v8"),
            ("linux/armhf", "linux/arm/7"),
        ] {
            assert!(
                settings(required, allowed)
                    .error()
                    .contains("may be absent"),
                "{required} {allowed}"
            );
        }
        for (required, allowed) in [
            ("linux/arm", "linux/arm/v6"),
            ("linux/amd64", "linux/arm64"),
            ("linux/arm/v7", "linux/arm/v6"),
        ] {
            assert!(
                settings(required, allowed).command().is_ok(),
                "{required} {allowed}"
            );
        }
        let rebuild = given(&[
            ("PLUGIN_MODE", "rebuild"),
            ("PLUGIN_SERVER", "https://ci"),
            ("PLUGIN_TOKEN", "t"),
            ("PLUGIN_WOODPECKER_REPO", "a/b"),
            ("PLUGIN_PLATFORMS", "linux/arm64"),
            ("PLUGIN_ALLOW_MISSING", "linux/arm64"),
        ]);
        assert!(rebuild.command().is_ok());
    }
}
