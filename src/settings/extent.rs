//! What an audit covers: registries or their disks, which repositories and tags, and which part of
//! them.

use wildmatch::WildMatch;

use super::Error;
use super::command::CommandName;
use super::raw::Typed;
use super::value::{SettingText, or_empty};
use crate::oci::digest::sha256;
use crate::oci::in_layout::directory_of;
use crate::oci::reference::{Reference, is_directory, is_host, is_name, presentable};

/// What an audit covers.
#[derive(Clone, Debug, Default)]
pub struct Extent {
    /// Where it looks; never none.
    pub targets: Vec<Target>,
    /// `tags`: those that count; all where there are none.
    pub tags: Vec<WildMatch>,
    /// `exclude`, on `repository` and on `repository:tag`.
    pub exclude: Vec<WildMatch>,
    /// `shard`.
    pub shard: Option<Shard>,
    /// `allow_empty`.
    pub allow_empty: bool,
    /// Whether the targets are directories: the disks of registries.
    pub is_disk: bool,
    /// Whether every tag of a covered repository is looked at, whatever else is said of tags.
    pub has_all_tags: bool,
}

/// A registry, and which of its repositories.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// `host[:port]`; the directory as it was typed, where it is a registry's disk.
    pub registry: String,
    /// The names of its repositories.
    pub repositories: WildMatch,
}

impl Target {
    /// The name of the one repository, where this is no pattern: then no catalog is needed.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        let pattern = self.repositories.to_string();
        (!pattern.contains(['*', '?'])).then_some(pattern)
    }
}

/// A part of the repositories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which part, from 1.
    pub number: u32,
    /// How many parts there are.
    pub of: u32,
}

impl Shard {
    fn read(text: &str) -> Option<Self> {
        let (number, of) = text.split_once('/')?;
        let read = |text: &str| text.trim().parse().ok();
        let (number, of) = (read(number)?, read(of)?);
        (1..=of).contains(&number).then_some(Self { number, of })
    }

    /// Whether a repository is in it: by a hash of its name, so that it stays where it is.
    #[must_use]
    pub fn has(self, name: &str) -> bool {
        let hash = sha256(name.as_bytes());
        let start = u64::from_str_radix(&hash.digest()[..16], 16).unwrap_or_default();
        start % u64::from(self.of) == u64::from(self.number - 1)
    }
}

impl Extent {
    /// Whether everything is covered that there is.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let all = WildMatch::new("*");
        let is_all = |target: &Target| target.repositories == all;
        self.targets.iter().all(is_all)
            && self.exclude.is_empty()
            && self.tags.is_empty()
            && self.shard.is_none()
    }

    /// Whether a repository of a registry is covered.
    #[must_use]
    pub fn covers(&self, registry: &str, name: &str) -> bool {
        let is_meant =
            |target: &Target| target.registry == registry && target.repositories.matches(name);
        self.targets.iter().any(is_meant)
            && !self.exclude.iter().any(|pattern| pattern.matches(name))
            && self.shard.is_none_or(|shard| shard.has(name))
    }

    /// Whether a tag of a covered repository is.
    #[must_use]
    pub fn covers_tag(&self, name: &str, tag: &str) -> bool {
        self.has_all_tags || self.names_tag(name, tag)
    }

    /// Whether `tags` and `exclude` mean a tag of a covered repository.
    #[must_use]
    pub fn names_tag(&self, name: &str, tag: &str) -> bool {
        let is_meant = self.tags.is_empty() || self.tags.iter().any(|tags| tags.matches(tag));
        is_meant && !self.is_excluded(&format!("{name}:{tag}"))
    }

    fn is_excluded(&self, name: &str) -> bool {
        self.exclude.iter().any(|pattern| pattern.matches(name))
    }
}

/// Reads what an audit covers.
///
/// # Errors
///
/// When nothing is named, or a value is not what its setting takes.
pub(super) fn extent(typed: &Typed, command: CommandName) -> Result<Extent, Error> {
    let target = |item: &str, registry: Option<&str>| {
        target(item, registry).map_err(|why| {
            let (text, done) = (presentable(item), participle(command));
            format!("{text} cannot be {done}: {why}")
        })
    };
    let registry = typed.registry().if_given();
    let registry = registry.map(|value| value.text.trim_end_matches('/').to_owned());
    let mut targets = Vec::new();
    if let Some(value) = typed.images() {
        for item in value.list()? {
            // As in a verification: without a `/` it may be an official image of Docker Hub.
            let registry = registry.as_deref().filter(|_| item.contains('/'));
            targets.push(target(&item, registry).map_err(|why| value.error(why))?);
        }
    }
    if let Some(value) = typed.repo() {
        for item in value.list()? {
            let target = target(&item, registry.as_deref());
            targets.push(target.map_err(|why| value.error(why))?);
        }
    } else if let Some(host) = registry.filter(|_| targets.is_empty()) {
        let value = typed.registry();
        targets.push(target(&host, None).map_err(|why| value.error(why))?);
    }
    if targets.is_empty() {
        let message = format!("there is nothing to {command}: no registry is named");
        return Err(Error::new(message).with_hint(format!(
            "name a registry, a repository or a pattern: pullproof {command} {}, or the setting \
             registry; or the directory of a registry's storage, as /var/lib/registry",
            match command {
                CommandName::Prune => "registry.example.org/team/app --keep-newest 10",
                _ => "registry.example.org",
            }
        )));
    }
    let disks = targets.iter().filter(|target| is_local(&target.registry));
    let disks = disks.count();
    if disks > 0 && disks < targets.len() {
        let done = participle(command);
        let message = format!("registries and directories cannot be {done} in one run");
        return Err(Error::new(message).with_hint(format!(
            "run pullproof {command} once for the registries, and once for the directories"
        )));
    }
    Ok(Extent {
        is_disk: disks > 0,
        has_all_tags: false,
        targets,
        tags: patterns(typed.tags())?,
        exclude: patterns(typed.exclude())?,
        shard: typed
            .shard()
            .map(|value| {
                Shard::read(value.text)
                    .ok_or_else(|| value.error("it is not a part such as 3/8, the third of eight"))
            })
            .transpose()?,
        allow_empty: typed.allow_empty().boolean()?,
    })
}

fn participle(command: CommandName) -> &'static str {
    match command {
        CommandName::Prune => "pruned",
        CommandName::Repair => "repaired",
        _ => "audited",
    }
}

pub(super) fn patterns(value: Option<SettingText<'_>>) -> Result<Vec<WildMatch>, Error> {
    let list = or_empty(value, SettingText::list)?;
    Ok(list.iter().map(|text| WildMatch::new(text)).collect())
}

/// Whether a target is an OCI image layout: `oci:path`.
pub(super) fn is_layout(text: &str) -> bool {
    directory_of(text).is_some_and(|path| !path.is_empty() && !path.starts_with("//"))
}

/// Whether a target is in files: a directory, or a layout.
fn is_local(text: &str) -> bool {
    is_layout(text) || is_directory(text)
}

/// Reads a directory, `host[:port]`, `host/name` or `host/pattern`; without a host it is of
/// `registry`.
fn target(text: &str, registry: Option<&str>) -> Result<Target, String> {
    if is_directory(text) && !is_layout(text) {
        return directory(text).map_err(str::to_owned);
    }
    if is_layout(text) {
        return Ok(Target {
            registry: text.to_owned(),
            repositories: WildMatch::new("*"),
        });
    }
    if text.contains("://") || text.starts_with('.') || text == "oci:" {
        return Err(
            "it is neither a registry (host[:port]), nor a repository in one, nor a directory \
             (/path, ./path)"
                .to_owned(),
        );
    }
    if let Some(directory) = registry.filter(|registry| is_local(registry)) {
        return within(directory, text);
    }
    let (host, name) = match (text.trim_end_matches('/').split_once('/'), registry) {
        (Some((host, name)), _) if is_host(host) => (host, name),
        (None, _) if is_host(text.trim_end_matches('/')) => (text.trim_end_matches('/'), "*"),
        (_, Some(registry)) => (registry, text),
        (_, None) => {
            return Err(
                "it names no registry: set registry, or write the host before the name, docker.io \
                 for Docker Hub"
                    .to_owned(),
            );
        }
    };
    // A host is read as in a reference, and so is a name: a pattern stands for letters.
    let example = name.replace(['*', '?'], "x");
    let reference: Reference = format!("{host}/{example}")
        .parse()
        .map_err(|why| format!("{why}"))?;
    if example.contains([':', '@']) {
        return Err(
            "it names a tag or a digest: give the repository, and its tags as tags".to_owned(),
        );
    }
    let name = if name.contains(['*', '?']) {
        name.to_owned()
    } else {
        reference.repository.name
    };
    Ok(Target {
        registry: reference.repository.registry,
        repositories: WildMatch::new(&name),
    })
}

/// The whole storage in a directory.
fn directory(text: &str) -> Result<Target, &'static str> {
    if text.contains(['*', '?']) {
        return Err("a directory is no pattern: give it as --registry, and the pattern as --repo");
    }
    let path = match text.trim_end_matches('/') {
        "" => "/",
        path => path,
    };
    Ok(Target {
        registry: path.to_owned(),
        repositories: WildMatch::new("*"),
    })
}

/// A repository, or those that a pattern names, of the storage in a directory.
fn within(directory: &str, name: &str) -> Result<Target, String> {
    let example = name.replace(['*', '?'], "x");
    if !is_name(&example) {
        return Err("it is no name of a repository".to_owned());
    }
    Ok(Target {
        registry: directory.to_owned(),
        repositories: WildMatch::new(name),
    })
}

#[cfg(test)]
mod tests {
    use super::super::support::{given, typed};
    use super::*;

    fn read(text: &str) -> Result<(String, String), String> {
        let target = target(text, None)?;
        Ok((target.registry, target.repositories.to_string()))
    }

    #[test]
    fn a_target_is_a_registry_a_repository_or_a_pattern() {
        for (text, registry, name) in [
            ("registry.example", "registry.example", "*"),
            ("registry.example/", "registry.example", "*"),
            ("localhost:5000", "localhost:5000", "*"),
            ("[::1]:5000", "[::1]:5000", "*"),
            ("registry.example/infra/*", "registry.example", "infra/*"),
            ("registry.example/*-ci", "registry.example", "*-ci"),
            ("registry.example/team/app", "registry.example", "team/app"),
            ("docker.io/team/app", "docker.io", "team/app"),
            ("index.docker.io/alpine", "docker.io", "library/alpine"),
        ] {
            assert_eq!(read(text), Ok((registry.into(), name.into())), "{text}");
        }
        for text in [
            "https://registry.example",
            "registry.example/Team",
            "registry.example/team/app:1",
            "/var/lib/reg*",
            ".hidden/registry",
            "oci:",
            "oci://somewhere",
            "registry example",
            "registry.example:0",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn targets_come_from_the_command_line_or_from_registry_and_repo() {
        let of = |extent: Extent| -> Vec<String> {
            let targets = extent.targets.iter();
            targets
                .map(|target| format!("{}/{}", target.registry, target.repositories))
                .collect()
        };
        let line = typed(&["audit", "r.example/a", "r.example/b*"])
            .audit()
            .extent;
        assert_eq!(of(line), ["r.example/a", "r.example/b*"]);
        let mode = ("PLUGIN_MODE", "audit");
        let whole = given(&[mode, ("PLUGIN_REGISTRY", "r.example:5000")]);
        assert_eq!(of(whole.audit().extent), ["r.example:5000/*"]);
        let some = [
            mode,
            ("PLUGIN_REGISTRY", "r.example"),
            ("PLUGIN_REPO", "a,b/*"),
        ];
        assert_eq!(
            of(given(&some).audit().extent),
            ["r.example/a", "r.example/b/*"]
        );
        assert_eq!(
            given(&[mode]).error(),
            "there is nothing to audit: no registry is named"
        );
    }

    #[test]
    fn a_name_without_a_registry_is_refused() {
        let why = "it names no registry: set registry, or write the host before the name, \
                   docker.io for Docker Hub";
        let keep = ("PLUGIN_KEEP_NEWEST", "9");
        for (mode, done) in [
            ("audit", "audited"),
            ("prune", "pruned"),
            ("repair", "repaired"),
        ] {
            let repo = [("PLUGIN_MODE", mode), ("PLUGIN_REPO", "team/web"), keep];
            assert_eq!(
                given(&repo).error(),
                format!("PLUGIN_REPO: \"team/web\" cannot be {done}: {why}")
            );
            let line = given(&[keep]).and_arguments(&[mode, "team/app"]);
            assert_eq!(
                line.error(),
                format!("the command line: \"team/app\" cannot be {done}: {why}")
            );
        }
        for name in ["alpine", "team/*", "*"] {
            assert!(typed(&["audit", name]).error().ends_with(why), "{name}");
        }
        let named = typed(&["audit", "team/app", "--registry=r.example"]).audit();
        assert_eq!(named.extent.targets[0].registry, "r.example");
        assert_eq!(named.extent.targets[0].name().as_deref(), Some("team/app"));
        let official = typed(&["audit", "alpine", "--registry=r.example"]);
        assert!(official.error().ends_with(why));
    }

    #[test]
    fn what_cannot_be_taken_is_said_of_the_command() {
        let said = |arguments: &[&str]| {
            let error = typed(arguments).command().unwrap_err();
            format!("{error}; {}", error.hint().unwrap_or_default())
        };
        let nothing = said(&["prune", "--keep=v*"]);
        assert!(nothing.starts_with("there is nothing to prune: no registry is named; "));
        assert!(nothing.contains("pullproof prune registry.example.org/team/app"));
        assert!(said(&["audit"]).contains("pullproof audit registry.example.org,"));
        let tag = "it names a tag or a digest: give the repository, and its tags as tags; ";
        assert_eq!(
            said(&["prune", "r.example/app:v1.1", "--keep=v*"]),
            format!("the command line: \"r.example/app:v1.1\" cannot be pruned: {tag}")
        );
        assert_eq!(
            said(&["audit", "r.example/app:v1.1"]),
            format!("the command line: \"r.example/app:v1.1\" cannot be audited: {tag}")
        );
        assert_eq!(
            said(&["prune", "/disk", "r.example", "--keep=v*"]),
            "registries and directories cannot be pruned in one run; run pullproof prune once for \
             the registries, and once for the directories"
        );
    }

    #[test]
    fn a_directory_is_a_target_with_all_or_some_of_its_repositories() {
        for (text, path) in [
            ("/var/lib/registry", "/var/lib/registry"),
            ("/var/lib/registry/", "/var/lib/registry"),
            ("./registry", "./registry"),
            ("../a/registry", "../a/registry"),
            (".", "."),
            ("..", ".."),
            ("/", "/"),
        ] {
            assert_eq!(read(text), Ok((path.into(), "*".into())), "{text}");
            let extent = typed(&["audit", text]).audit().extent;
            assert!(extent.is_disk && extent.is_whole(), "{text}");
        }
        let some = typed(&["audit", "--registry=/disk/", "--repo=team/*,app"]);
        let extent = some.audit().extent;
        assert!(extent.is_disk && !extent.is_whole());
        assert!(extent.covers("/disk", "team/app") && extent.covers("/disk", "app"));
        assert!(!extent.covers("/disk", "other") && !extent.covers("/", "app"));
        assert!(!typed(&["audit", "r.example"]).audit().extent.is_disk);
        assert_eq!(
            typed(&["audit", "/disk", "r.example"]).error(),
            "registries and directories cannot be audited in one run"
        );
        let state = typed(&["audit", "/disk", "--state=folder"]).audit();
        assert_eq!(state.state, None);
    }

    #[test]
    fn patterns_include_and_exclude() {
        let extent = typed(&[
            "audit",
            "r.example/team/*",
            "--tags=v*,latest",
            "--exclude=team/cache*,team/app:v0.?",
        ])
        .audit()
        .extent;
        for (name, covered) in [
            ("team/app", true),
            ("team/deep/app", true),
            ("team/cache-1", false),
            ("other/app", false),
        ] {
            assert_eq!(extent.covers("r.example", name), covered, "{name}");
        }
        assert!(!extent.covers("other.example", "team/app"));
        for (tag, covered) in [
            ("latest", true),
            ("v1", true),
            ("v0.1", false),
            ("dev", false),
        ] {
            assert_eq!(extent.covers_tag("team/app", tag), covered, "{tag}");
        }
    }

    #[test]
    fn shards_cover_every_repository_once() {
        let names: Vec<String> = (0..1000)
            .map(|number| format!("team/app{number}"))
            .collect();
        let shards: Vec<Shard> = (1..=8).map(|number| Shard { number, of: 8 }).collect();
        for name in &names {
            assert_eq!(shards.iter().filter(|shard| shard.has(name)).count(), 1);
        }
        for shard in &shards {
            let has = names.iter().filter(|name| shard.has(name)).count();
            assert!((80..170).contains(&has), "{shard:?} has {has}");
        }
        // What a repository's part is must not change with a version.
        let parts: Vec<u32> = ["team/app", "infra/ci", "library/alpine"]
            .map(|name| shards.iter().find(|shard| shard.has(name)).unwrap().number)
            .into();
        assert_eq!(parts, [3, 1, 8]);
        for text in ["0/8", "9/8", "8", "a/b", "1/0", ""] {
            assert_eq!(Shard::read(text), None, "{text}");
        }
        assert_eq!(Shard::read("3/8"), Some(Shard { number: 3, of: 8 }));
    }
}
