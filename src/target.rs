//! Which references to verify, and what each must resolve to.

mod metadata;

use oci_spec::image::Digest;

use self::metadata::Built;
use crate::reference::{DOCKER_HUB, Reference, is_host};
use crate::settings::{Error, Wanted, quoted};

/// One image to verify.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where it is.
    pub reference: Reference,
    /// What it must resolve to.
    pub expected: Option<Digest>,
    /// Whether all such targets of one repository must be the same digest.
    pub alike: bool,
}

/// Everything that was asked for, each reference once, in the order in which it was named.
///
/// With `dry_run` nothing needs to be named.
///
/// # Errors
///
/// When something is not a reference, expectations contradict each other, or no image is named at all.
pub fn targets(wanted: &Wanted) -> Result<Vec<Target>, Error> {
    let mut targets = Targets::default();
    for text in &wanted.images {
        targets.add(reference(text, "images")?, None, wanted.same_digest.unwrap_or(false))?;
    }
    for repository in &wanted.repositories {
        let repository = qualified(repository, wanted.registry.as_deref())?;
        for tag in &wanted.tags {
            let tagged = reference(&format!("{repository}:{tag}"), "tags")?;
            targets.add(tagged, None, wanted.same_digest.unwrap_or(true))?;
        }
    }
    if let Some(text) = &wanted.metadata {
        match metadata::read(text) {
            Ok(built) => targets.add_built(built, wanted.same_digest)?,
            // Nothing was pushed: what an earlier build left does not matter.
            Err(_) if wanted.dry_run => {}
            Err(error) => return Err(error),
        }
    }
    if let Some(digest) = &wanted.digest {
        targets.expect_everywhere(digest, "digest")?;
    }
    if targets.0.is_empty() && !wanted.dry_run {
        return Err(nothing(wanted));
    }
    Ok(targets.0)
}

fn nothing(wanted: &Wanted) -> Error {
    if wanted.repositories.is_empty() {
        Error::new("no image to check: none of images, repo, metadata_file names one").with_hint(
            "name it: pullproof verify REF, or set images, or repo with tags, or metadata_file with names in it",
        )
    } else {
        Error::new("no image to check: there is no tag for repo").with_hint("set tags or tags_file")
    }
}

fn reference(text: &str, setting: &str) -> Result<Reference, Error> {
    text.parse().map_err(|error| {
        Error::new(format!("{setting}: {} is not an image reference: {error}", quoted(text)))
            .with_hint("a reference looks like registry.example.org/team/app:1.2, with or without @sha256:…")
    })
}

/// The repository with the registry it lives on, by the rule that serves all build plugins: one that names no host
/// is on `registry`, unless that is Docker Hub, whose repositories have no host.
fn qualified(repository: &str, registry: Option<&str>) -> Result<String, Error> {
    let name = repository.trim_end_matches('/');
    let last = name.rsplit('/').next().unwrap_or(name);
    if name.contains('@') || (last.contains(':') && !name.contains("://")) {
        return Err(Error::new(format!("repo: {} has a tag or digest", quoted(repository)))
            .with_hint("name the tags in the setting tags, or the whole reference in images"));
    }
    Ok(prefixed(name, registry))
}

/// The name on `registry` if it names no host itself.
fn prefixed(name: &str, registry: Option<&str>) -> String {
    let has_host = name.split_once('/').is_some_and(|(first, _)| is_host(first));
    match registry.and_then(registry_prefix) {
        Some(prefix) if !has_host => format!("{prefix}/{name}"),
        _ => name.to_owned(),
    }
}

/// `registry` as the start of a reference: without scheme and API path; nothing for Docker Hub.
fn registry_prefix(registry: &str) -> Option<String> {
    let bare = registry.split_once("://").map_or(registry, |(_, rest)| rest);
    let bare = bare.trim_end_matches('/');
    let bare = bare.strip_suffix("/v1").or_else(|| bare.strip_suffix("/v2")).unwrap_or(bare);
    let host = bare.split('/').next().unwrap_or(bare).to_ascii_lowercase();
    let hub = [DOCKER_HUB, "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com", "hub.docker.com"];
    (!host.is_empty() && !hub.contains(&host.as_str())).then(|| format!("{host}{}", &bare[host.len()..]))
}

/// The targets so far.
#[derive(Default)]
struct Targets(Vec<Target>);

impl Targets {
    /// Adds a target, or what is new about one that is there.
    fn add(&mut self, reference: Reference, expected: Option<Digest>, alike: bool) -> Result<(), Error> {
        if let Some(target) = self.0.iter_mut().find(|target| target.reference == reference) {
            target.alike |= alike;
            return match expected {
                Some(digest) => expect(target, &digest, "metadata_file"),
                None => Ok(()),
            };
        }
        self.0.push(Target { reference, expected, alike });
        Ok(())
    }

    /// Adds what a build left: named images, or one digest for all that are named elsewhere.
    fn add_built(&mut self, built: Built, same_digest: Option<bool>) -> Result<(), Error> {
        let images = match built {
            Built::Digest(digest) if self.0.is_empty() => {
                return Err(Error::new(format!("metadata_file: it holds the digest {digest} and names no image"))
                    .with_hint("name the image, too: images, or repo with tags"));
            }
            Built::Digest(digest) => return self.expect_everywhere(&digest, "metadata_file"),
            Built::Images(images) => images,
        };
        let mut entries = Vec::new();
        for image in images {
            let mut reference = reference(&image.name, "metadata_file")?;
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
        let digest_of =
            |(reference, expected): &(Reference, Option<Digest>)| expected.clone().or_else(|| reference.digest.clone());
        let differ: Vec<bool> = entries
            .iter()
            .map(|one| {
                entries.iter().any(|other| {
                    one.0.repository == other.0.repository
                        && matches!((digest_of(one), digest_of(other)), (Some(one), Some(other)) if one != other)
                })
            })
            .collect();
        for ((reference, expected), differs) in entries.into_iter().zip(differ) {
            self.add(reference, expected, same_digest.unwrap_or(!differs))?;
        }
        Ok(())
    }

    fn expect_everywhere(&mut self, digest: &Digest, setting: &str) -> Result<(), Error> {
        self.0.iter_mut().try_for_each(|target| expect(target, digest, setting))
    }
}

/// Sets what a target must resolve to, unless something else was expected before.
fn expect(target: &mut Target, digest: &Digest, setting: &str) -> Result<(), Error> {
    match target.expected.as_ref().or(target.reference.digest.as_ref()) {
        Some(before) if before != digest => {
            Err(Error::new(format!("{setting}: {} cannot be {digest} and {before}", target.reference)))
        }
        _ => {
            target.expected = Some(digest.clone());
            Ok(())
        }
    }
}
