//! Which references to verify, and what each must resolve to.

pub(crate) use std::collections::{HashMap, HashSet};

use oci_spec::image::Digest;

use super::layouts;
use super::metadata::{self, Built};
use crate::oci::in_layout::is_meant;
use crate::oci::reference::{
    DOCKER_HUB, InvalidReference, Reference, Repository, is_bare, is_docker_hub, is_host,
    presentable,
};
use crate::oci::transport::refuse_elsewhere;
use crate::registry::logins::{Login, Logins};
use crate::settings::{Error, Metadata, Wanted};

/// One image to verify.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where it is.
    pub reference: Reference,
    /// What it must resolve to.
    pub expected: Option<Digest>,
    /// What it must not resolve to any more: the digest that was wrong before a rebuild.
    pub unwanted: Option<Digest>,
    /// Whether all such targets of one repository must be the same digest.
    pub alike: bool,
}

impl Target {
    /// Whether it is in a registry, and not in a directory.
    pub(super) fn is_in_a_registry(&self) -> bool {
        layouts::directory(&self.reference.repository).is_none()
    }
}

impl Target {
    /// An image of which nothing is expected but that it is whole.
    pub(crate) fn of(reference: Reference) -> Self {
        Self {
            reference,
            expected: None,
            unwanted: None,
            alike: false,
        }
    }
}

/// Everything that was asked for, each reference once, in the order in which it was named; `listed`
/// is what `images_file` has.
///
/// With `dry_run` nothing needs to be named.
///
/// # Errors
///
/// When something is not a reference, expectations contradict each other, or no image is named at
/// all.
pub fn targets(wanted: &Wanted, listed: Vec<Reference>) -> Result<Vec<Target>, Error> {
    let mut targets = Targets::default();
    let alike = wanted.same_digest.unwrap_or(false);
    for text in &wanted.images {
        if let Some(reference) = layouts::named(text)? {
            targets.add(reference, None, alike)?;
            continue;
        }
        refuse_elsewhere(text).map_err(|error| no_image(&error, "images"))?;
        targets.add(reference(&placed(text, wanted), "images")?, None, alike)?;
    }
    for reference in listed {
        targets.add(reference, None, alike)?;
    }
    for repository in &wanted.repositories {
        let repository = qualified(repository, wanted.registry.as_deref())?;
        for tag in &wanted.tags {
            let tagged = reference(&format!("{repository}:{tag}"), "tags")?;
            targets.add(tagged, None, wanted.same_digest.unwrap_or(true))?;
        }
    }
    // When nothing was pushed, what an earlier build left does not matter.
    if let Some(Metadata { name, text }) = wanted
        .metadata
        .as_ref()
        .filter(|_| wanted.nothing_pushed.is_none())
    {
        let built = metadata::read(text).map_err(|error| error.about(name))?;
        targets.add_built(built, name, wanted.same_digest)?;
    }
    if let Some(digest) = &wanted.digest {
        targets.expect_everywhere(digest, "digest")?;
    }
    if targets.list.is_empty() && wanted.nothing_pushed.is_none() {
        return Err(nothing(wanted));
    }
    Ok(targets.list)
}

/// What is to be known about the images that name no host, as fragments: they are on `registry`.
#[must_use]
pub fn hosts_added(wanted: &Wanted) -> Vec<String> {
    let told = |image: &String| {
        let placed = placed(image, wanted);
        (placed != *image && !is_meant(image))
            .then(|| format!("{image} names no host, so {placed} is verified"))
    };
    let mut told: Vec<String> = wanted.images.iter().filter_map(told).collect();
    told.dedup();
    told
}

/// A warning about the logins, as a fragment: none of them is for the registry of an image.
#[must_use]
pub fn idle_logins(logins: &Logins, targets: &[Target]) -> Option<String> {
    let host = |registry: &str| match registry_prefix(registry) {
        Some(prefix) => prefix.split('/').next().unwrap_or_default().to_owned(),
        None => DOCKER_HUB.to_owned(),
    };
    let first = logins
        .given
        .first()
        .filter(|_| !logins.anonymous && targets.iter().any(Target::is_in_a_registry))?;
    let is_used = |login: &Login| {
        targets
            .iter()
            .any(|target| target.reference.repository.registry == host(&login.registry))
    };
    if logins.given.iter().any(is_used) {
        return None;
    }
    let more = if logins.given.len() > 1 {
        " or any other that a login is for"
    } else {
        ""
    };
    let where_to = host(&first.registry);
    Some(format!(
        "no image is on {where_to}{more}, so no login is used; set registry to the host that username is for"
    ))
}

fn nothing(wanted: &Wanted) -> Error {
    if wanted.repositories.is_empty() {
        Error::new("no image to check: none of images, repo, metadata_file names one").with_hint(
            "name it: pullproof verify REF, or - for a list on standard input, or set images, or \
             repo with tags, or metadata_file with names in it",
        )
    } else {
        Error::new("no image to check: there is no tag for repo").with_hint("set tags or tags_file")
    }
}

fn reference(text: &str, setting: &str) -> Result<Reference, Error> {
    text.parse().map_err(|error| no_image(&error, setting))
}

fn no_image(error: &InvalidReference, setting: &str) -> Error {
    Error::new(format!("{setting}: {error}")).with_hint(
        "a reference looks like registry.example.org/team/app:1.2, with or without @sha256:…",
    )
}

/// The repository with the registry it lives on, by the rule that serves all build plugins: one
/// that names no host is on `registry`, unless that is Docker Hub, whose repositories have no host.
fn qualified(repository: &str, registry: Option<&str>) -> Result<String, Error> {
    let name = repository.trim_end_matches('/');
    if !is_bare(name) && !name.contains("://") {
        return Err(Error::new(format!(
            "repo: {} has a tag or digest",
            presentable(repository)
        ))
        .with_hint("name the tags in the setting tags, or the whole reference in images"));
    }
    let name = prefixed(name, registry);
    match name.parse::<Reference>() {
        Ok(_) => Ok(name),
        Err(error) => Err(Error::new(format!("repo: {error}"))
            .with_hint("a repository looks like registry.example.org/team/app; its tags are in the setting tags")),
    }
}

/// An image on `registry`, if it has a `/` and no host: on Docker Hub a stranger may have one of
/// that name. One without a `/`, such as `alpine`, is official there.
fn placed(image: &str, wanted: &Wanted) -> String {
    if image.contains('/') && !image.contains("://") {
        prefixed(image, wanted.registry.as_deref())
    } else {
        image.to_owned()
    }
}

/// The name on `registry` if it names no host itself.
pub(super) fn prefixed(name: &str, registry: Option<&str>) -> String {
    let has_host = name
        .split_once('/')
        .is_some_and(|(first, _)| is_host(first));
    match registry.and_then(registry_prefix) {
        Some(prefix) if !has_host => format!("{prefix}/{name}"),
        _ => name.to_owned(),
    }
}

/// `registry` as the start of a reference: without scheme and API path; nothing for Docker Hub.
fn registry_prefix(registry: &str) -> Option<String> {
    let bare = registry
        .split_once("://")
        .map_or(registry, |(_, rest)| rest);
    let bare = bare.trim_end_matches('/');
    let bare = bare
        .strip_suffix("/v1")
        .or_else(|| bare.strip_suffix("/v2"))
        .unwrap_or(bare);
    let host = bare.split('/').next().unwrap_or(bare).to_ascii_lowercase();
    let is_hub = is_docker_hub(&host) || host == "hub.docker.com";
    (!host.is_empty() && !is_hub).then(|| format!("{host}{}", &bare[host.len()..]))
}

/// The targets so far, and where each is.
#[derive(Default)]
struct Targets {
    list: Vec<Target>,
    places: HashMap<Reference, usize>,
}

impl Targets {
    /// Adds a target, or what is new about an existing one; an expectation comes with its setting.
    fn add(
        &mut self,
        reference: Reference,
        expected: Option<(Digest, &str)>,
        alike: bool,
    ) -> Result<(), Error> {
        if let Some(place) = self.places.get(&reference) {
            let target = &mut self.list[*place];
            target.alike |= alike;
            return match expected {
                Some((digest, setting)) => expect(target, &digest, setting),
                None => Ok(()),
            };
        }
        self.places.insert(reference.clone(), self.list.len());
        self.list.push(Target {
            reference,
            expected: expected.map(|(digest, _)| digest),
            unwanted: None,
            alike,
        });
        Ok(())
    }

    /// Adds what a build left: named images, or one digest for all that are named elsewhere;
    /// `setting` is where it was found.
    fn add_built(
        &mut self,
        built: Built,
        setting: &str,
        same_digest: Option<bool>,
    ) -> Result<(), Error> {
        let images = match built {
            Built::Digest(digest) if self.list.is_empty() => {
                return Err(Error::new(format!(
                    "{setting}: it has the digest {digest} but names no image"
                ))
                .with_hint("name the image, too: images, or repo with tags"));
            }
            Built::Digest(digest) => return self.expect_everywhere(&digest, setting),
            Built::Images(images) => images,
        };
        let mut entries = Vec::new();
        for image in images {
            let mut reference = reference(&image.name, setting)?;
            let expected = match (image.digest, image.is_tagged) {
                // No tag was pushed; the digest is the only way to the image.
                (Some(digest), false) => {
                    reference.tag = None;
                    reference.digest = Some(digest);
                    None
                }
                (digest, _) => digest,
            };
            entries.push((reference, expected));
        }
        // Several images in one repository, as bake builds them, are not the same by nature.
        let mut digests: HashMap<Repository, HashSet<Digest>> = HashMap::new();
        for (reference, expected) in &entries {
            let digest = expected.as_ref().or(reference.digest.as_ref());
            digests
                .entry(reference.repository.clone())
                .or_default()
                .extend(digest.cloned());
        }
        for (reference, expected) in entries {
            let has_digest = expected.is_some() || reference.digest.is_some();
            let differs = has_digest && digests[&reference.repository].len() > 1;
            self.add(
                reference,
                expected.map(|digest| (digest, setting)),
                same_digest.unwrap_or(!differs),
            )?;
        }
        Ok(())
    }

    fn expect_everywhere(&mut self, digest: &Digest, setting: &str) -> Result<(), Error> {
        self.list
            .iter_mut()
            .try_for_each(|target| expect(target, digest, setting))
    }
}

/// Sets what a target must resolve to, unless something else was expected before.
fn expect(target: &mut Target, digest: &Digest, setting: &str) -> Result<(), Error> {
    match target
        .expected
        .as_ref()
        .or(target.reference.digest.as_ref())
    {
        Some(before) if before != digest => Err(Error::new(format!(
            "{setting}: {} is expected to be {digest}, but elsewhere it is expected to be {before}",
            target.reference
        ))),
        _ => {
            target.expected = Some(digest.clone());
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::NothingPushed;
    use crate::settings::support::scrambled_texts;

    fn targets(wanted: &Wanted) -> Result<Vec<Target>, Error> {
        super::targets(wanted, Vec::new())
    }

    fn digest(letter: &str) -> Digest {
        format!("sha256:{}", letter.repeat(64)).parse().unwrap()
    }

    fn texts(items: &[&str]) -> Vec<String> {
        items.iter().map(|&item| item.to_owned()).collect()
    }

    /// `reference`, whether it is alike, and what it must resolve to.
    fn shown(wanted: &Wanted) -> Vec<(String, bool, Option<Digest>)> {
        let targets = targets(wanted).unwrap();
        targets
            .into_iter()
            .map(|target| (target.reference.to_string(), target.alike, target.expected))
            .collect()
    }

    fn names(wanted: &Wanted) -> Vec<String> {
        shown(wanted).into_iter().map(|(name, ..)| name).collect()
    }

    fn with_metadata(text: impl Into<String>) -> Wanted {
        let metadata = Metadata {
            name: "metadata_file".into(),
            text: text.into(),
        };
        Wanted {
            metadata: Some(metadata),
            ..Wanted::default()
        }
    }

    #[test]
    fn logins_that_fit_no_image_give_a_warning() {
        let wanted = |image: &str| {
            targets(&Wanted {
                images: texts(&[image]),
                ..Wanted::default()
            })
            .unwrap()
        };
        let logins = |registries: &[&str]| Logins {
            given: registries
                .iter()
                .map(|registry| Login {
                    registry: (*registry).into(),
                    username: "ci".into(),
                    password: crate::text::secret::Secret::new("hunter2"),
                })
                .collect(),
            ..Logins::default()
        };
        for (registries, image, odd) in [
            (&[][..], "r.io/a", false),
            (&["docker.io"], "a", false),
            (&["https://index.docker.io/v1/"], "a", false),
            (&["https://R.io/v2/"], "r.io/a", false),
            (&["r.io/team"], "r.io/team/a", false),
            (&["docker.io", "r.io"], "r.io/a", false),
            (&["docker.io"], "r.io/a", true),
            (&["r.io"], "r.io:5000/a", true),
            (&["q.io", "docker.io"], "r.io/a", true),
        ] {
            let found = idle_logins(&logins(registries), &wanted(image));
            assert_eq!(found.is_some(), odd, "{registries:?} {image}: {found:?}");
            assert!(!found.unwrap_or_default().contains("hunter2"));
        }
        let elsewhere = Logins {
            anonymous: true,
            ..logins(&["docker.io"])
        };
        assert_eq!(idle_logins(&elsewhere, &wanted("r.io/a")), None);
        assert_eq!(idle_logins(&logins(&["docker.io"]), &[]), None);
    }

    #[test]
    fn images_come_first_then_every_repository_with_every_tag() {
        let wanted = Wanted {
            images: texts(&["alpine", "ghcr.io/a/b:1"]),
            repositories: texts(&["r.io/x", "y"]),
            tags: texts(&["1", "2"]),
            ..Wanted::default()
        };
        assert_eq!(
            shown(&wanted),
            [
                ("docker.io/library/alpine:latest".into(), false, None),
                ("ghcr.io/a/b:1".into(), false, None),
                ("r.io/x:1".into(), true, None),
                ("r.io/x:2".into(), true, None),
                ("docker.io/library/y:1".into(), true, None),
                ("docker.io/library/y:2".into(), true, None),
            ]
        );
        let same = Wanted {
            same_digest: Some(true),
            ..wanted.clone()
        };
        assert!(shown(&same).iter().all(|(_, alike, _)| *alike));
        let other = Wanted {
            same_digest: Some(false),
            ..wanted
        };
        assert!(shown(&other).iter().all(|(_, alike, _)| !*alike));
    }

    #[test]
    fn each_reference_is_checked_once() {
        let wanted = Wanted {
            images: texts(&["r.io/x:1", "r.io/x:1", "r.io/x"]),
            repositories: texts(&["r.io/x", "r.io/x"]),
            tags: texts(&["latest", "1"]),
            ..Wanted::default()
        };
        assert_eq!(
            shown(&wanted),
            [
                ("r.io/x:1".into(), true, None),
                ("r.io/x:latest".into(), true, None)
            ]
        );
    }

    #[test]
    fn a_same_digest_target_stays_one() {
        let wanted = Wanted {
            repositories: texts(&["r.io/x"]),
            tags: texts(&["1"]),
            ..with_metadata(format!(
                "r.io/x:1@{}\nr.io/x:2@{}",
                digest("1"),
                digest("2")
            ))
        };
        assert_eq!(
            shown(&wanted)
                .into_iter()
                .map(|(_, alike, _)| alike)
                .collect::<Vec<_>>(),
            [true, false]
        );
    }

    #[test]
    fn a_repository_without_host_is_on_the_registry() {
        for (registry, repository, expected) in [
            (None, "team/app", "docker.io/team/app:1"),
            (Some("ghcr.io"), "team/app", "ghcr.io/team/app:1"),
            (Some("ghcr.io"), "app", "ghcr.io/app:1"),
            (Some("ghcr.io/team"), "app", "ghcr.io/team/app:1"),
            (Some("https://GHCR.io/"), "team/app", "ghcr.io/team/app:1"),
            (
                Some("http://registry:5000/v2/"),
                "app",
                "registry:5000/app:1",
            ),
            (Some("ghcr.io"), "quay.io/team/app", "quay.io/team/app:1"),
            (Some("ghcr.io"), "localhost/app", "localhost/app:1"),
            (Some("ghcr.io"), "host:5000/app", "host:5000/app:1"),
            (
                Some("https://index.docker.io/v1/"),
                "team/app",
                "docker.io/team/app:1",
            ),
            (Some("docker.io"), "app", "docker.io/library/app:1"),
            (
                Some("registry-1.docker.io"),
                "team/app",
                "docker.io/team/app:1",
            ),
            (Some("[::1]:5000"), "app", "[::1]:5000/app:1"),
            (Some("https://"), "app", "docker.io/library/app:1"),
        ] {
            let wanted = Wanted {
                repositories: texts(&[repository]),
                tags: texts(&["1"]),
                registry: registry.map(str::to_owned),
                ..Wanted::default()
            };
            assert_eq!(names(&wanted), [expected], "{registry:?} {repository}");
        }
    }

    #[test]
    fn an_image_with_a_path_and_no_host_is_on_the_registry() {
        let digest = digest("1");
        for (registry, image, expected) in [
            (None, "team/app:1", "docker.io/team/app:1"),
            (Some("r.lab:5050"), "team/app:1", "r.lab:5050/team/app:1"),
            (Some("r.lab:5050"), "team/app", "r.lab:5050/team/app:latest"),
            (Some("https://R.lab/v2/"), "a/b/c:1", "r.lab/a/b/c:1"),
            (Some("r.lab/team"), "x/app:1", "r.lab/team/x/app:1"),
            (
                Some("r.lab"),
                "docker.io/team/app:1",
                "docker.io/team/app:1",
            ),
            (Some("r.lab"), "ghcr.io/team/app:1", "ghcr.io/team/app:1"),
            (Some("r.lab"), "localhost/app:1", "localhost/app:1"),
            (Some("r.lab"), "alpine:1", "docker.io/library/alpine:1"),
            (Some("r.lab"), "library/alpine:1", "r.lab/library/alpine:1"),
            (Some("docker.io"), "team/app:1", "docker.io/team/app:1"),
            (
                Some("https://index.docker.io/v1/"),
                "team/app:1",
                "docker.io/team/app:1",
            ),
        ] {
            let wanted = Wanted {
                images: texts(&[image]),
                registry: registry.map(str::to_owned),
                ..Wanted::default()
            };
            assert_eq!(names(&wanted), [expected], "{registry:?} {image}");
            let is_told = registry.is_some_and(|registry| registry.contains("lab"))
                && expected.contains("lab");
            assert_eq!(hosts_added(&wanted).len(), usize::from(is_told), "{image}");
        }
        let wanted = Wanted {
            images: vec![format!("team/app@{digest}"), "team/app:1".into()],
            registry: Some("r.lab".into()),
            ..Wanted::default()
        };
        assert_eq!(
            hosts_added(&wanted),
            [
                format!("team/app@{digest} names no host, so r.lab/team/app@{digest} is verified"),
                "team/app:1 names no host, so r.lab/team/app:1 is verified".into(),
            ]
        );
    }

    #[test]
    fn an_invalid_reference_names_its_setting() {
        let error = |wanted: Wanted| targets(&wanted).unwrap_err().to_string();
        assert!(
            error(Wanted {
                images: texts(&["A b"]),
                ..Wanted::default()
            })
            .starts_with(r#"images: "A b" is not an image reference: "#)
        );
        let tagged = |repository: &str, tag: &str| Wanted {
            repositories: texts(&[repository]),
            tags: texts(&[tag]),
            ..Wanted::default()
        };
        assert!(error(tagged("app", "a b")).starts_with(r#"tags: "app:a b" is not"#));
        assert_eq!(
            error(tagged("r.io/app:1", "2")),
            r#"repo: "r.io/app:1" has a tag or digest"#
        );
        assert_eq!(
            error(tagged("app@sha256:0", "2")),
            r#"repo: "app@sha256:0" has a tag or digest"#
        );
        assert_eq!(
            error(tagged("https://me:hunter2@r.io/app", "2")),
            r#"repo: "https://r.io/app" is not an image reference: its scheme is not docker://, so leave out the part up to ://"#
        );
        assert!(
            error(tagged("me:hunter2@r.io/app", "2")).starts_with(r#"repo: "r.io/app" has a tag"#)
        );
        assert!(
            error(tagged("Team/App", "2"))
                .starts_with(r#"repo: "Team/App" is not an image reference"#)
        );
        assert!(
            error(with_metadata("<html>"))
                .starts_with(r#"metadata_file: "<html>" is not an image reference"#)
        );
        let in_file = |text: &str| {
            let metadata = Metadata {
                name: r#"metadata_file "m.json""#.into(),
                text: text.into(),
            };
            error(Wanted {
                metadata: Some(metadata),
                ..Wanted::default()
            })
        };
        assert_eq!(
            in_file(""),
            r#"metadata_file "m.json": the content is empty"#
        );
        for text in ["<html>", digest("1").as_ref(), "sha256:1"] {
            assert!(
                in_file(text).starts_with(r#"metadata_file "m.json": "#),
                "{}",
                in_file(text)
            );
        }
    }

    #[test]
    fn nothing_to_check_is_an_error_unless_nothing_was_pushed() {
        let error = targets(&Wanted::default()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no image to check: none of images, repo, metadata_file names one"
        );
        assert!(error.hint().unwrap().contains("pullproof verify REF"));
        let error = targets(&Wanted {
            repositories: texts(&["app"]),
            ..Wanted::default()
        })
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            "no image to check: there is no tag for repo"
        );
        let nothing_pushed = Some(NothingPushed::DryRun);
        let dry = Wanted {
            nothing_pushed: nothing_pushed.clone(),
            ..Wanted::default()
        };
        assert!(targets(&dry).unwrap().is_empty());
        assert!(
            targets(&Wanted {
                nothing_pushed,
                ..with_metadata("sha256:")
            })
            .unwrap()
            .is_empty()
        );
    }

    #[test]
    fn a_digest_is_expected_of_every_image() {
        let wanted = Wanted {
            images: texts(&["a", &format!("b@{}", digest("1"))]),
            digest: Some(digest("1")),
            ..Wanted::default()
        };
        assert!(
            shown(&wanted)
                .iter()
                .all(|(_, _, expected)| *expected == Some(digest("1")))
        );
        let contradiction = Wanted {
            digest: Some(digest("2")),
            ..wanted
        };
        assert_eq!(
            targets(&contradiction).unwrap_err().to_string(),
            format!(
                "digest: docker.io/library/b@{0} is expected to be {1}, but elsewhere it is \
                 expected to be {0}",
                digest("1"),
                digest("2")
            )
        );
    }

    #[test]
    fn a_digest_alone_needs_an_image() {
        let text = digest("1").to_string();
        let wanted = Wanted {
            images: texts(&["a", "b"]),
            ..with_metadata(&text)
        };
        assert!(
            shown(&wanted)
                .iter()
                .all(|(_, _, expected)| *expected == Some(digest("1")))
        );
        let error = targets(&with_metadata(&text)).unwrap_err().to_string();
        assert_eq!(
            error,
            format!("metadata_file: it has the digest {text} but names no image")
        );
        let contradiction = Wanted {
            digest: Some(digest("2")),
            ..wanted
        };
        assert!(targets(&contradiction).is_err());
    }

    #[test]
    fn what_a_build_named_is_checked_with_its_digest() {
        let one = digest("1");
        let wanted = with_metadata(format!(
            "r.io/a:1@{one}\nr.io/a:2@{one}\nr.io/b@{one}\nr.io/c\n"
        ));
        assert_eq!(
            shown(&wanted),
            [
                ("r.io/a:1".into(), true, Some(one.clone())),
                ("r.io/a:2".into(), true, Some(one.clone())),
                (format!("r.io/b@{one}"), true, None),
                ("r.io/c:latest".into(), true, None),
            ]
        );
    }

    #[test]
    fn what_a_build_named_meets_what_was_asked_for() {
        let one = digest("1");
        let wanted = Wanted {
            repositories: texts(&["r.io/a"]),
            tags: texts(&["1", "2"]),
            ..with_metadata(format!("r.io/a:2@{one}\nr.io/a:3@{one}"))
        };
        assert_eq!(
            shown(&wanted),
            [
                ("r.io/a:1".into(), true, None),
                ("r.io/a:2".into(), true, Some(one.clone())),
                ("r.io/a:3".into(), true, Some(one.clone())),
            ]
        );
        let twice = with_metadata(format!("r.io/a:2@{one}\nr.io/a:2@{}", digest("2")));
        assert!(
            targets(&twice)
                .unwrap_err()
                .to_string()
                .starts_with("metadata_file: r.io/a:2 is expected to be")
        );
    }

    #[test]
    fn different_images_in_one_repository_are_not_alike() {
        let (one, two) = (digest("1"), digest("2"));
        let wanted = with_metadata(format!(
            "r.io/a:web@{one}\nr.io/a:job@{two}\nr.io/b:1@{one}"
        ));
        assert_eq!(
            shown(&wanted)
                .into_iter()
                .map(|(_, alike, _)| alike)
                .collect::<Vec<_>>(),
            [false, false, true]
        );
        let wanted = Wanted {
            same_digest: Some(true),
            ..wanted
        };
        assert!(shown(&wanted).iter().all(|(_, alike, _)| *alike));
    }

    #[test]
    fn no_text_makes_a_target_panic() {
        for text in scrambled_texts(5_000) {
            let _ = targets(&Wanted {
                images: vec![text.clone()],
                repositories: vec![text.clone()],
                tags: vec![text.clone()],
                registry: Some(text.clone()),
                ..Wanted::default()
            });
            let _ = targets(&with_metadata(&text));
        }
    }
}
