//! What a repair puts back, from where, and what it may write.

use std::path::PathBuf;

use super::Error;
use super::extent::is_layout;
use super::files::Disk;
use super::permission::{GcStopped, Permission};
use super::raw::Typed;
use super::value::{SettingText, or_empty};
use crate::oci::reference::{Reference, is_bare, is_directory, is_host, presentable};
use crate::repair::{Origin, Sources};

/// Reads where content may come from, and what may be written.
///
/// # Errors
///
/// When a value is not what its setting takes, or does not fit the others.
pub(super) fn sources(typed: &Typed, disk: &Disk<'_>, applies: bool) -> Result<Sources, Error> {
    let storage = typed.storage().map(|value| disk.resolve(value.text));
    let gc_stopped = typed.gc_stopped().boolean()?;
    let mut from = Vec::new();
    if let Some(value) = typed.from() {
        for item in value.list()? {
            from.push(origin(&item, disk).map_err(|why| value.error(why))?);
        }
    }
    Ok(Sources {
        from,
        storage,
        state: typed.state().map(|value| value.path()),
        permission: applies.then(Permission::of_apply),
        gc_stopped: gc_stopped.then(GcStopped::of_setting),
    })
}

/// Reads a source of content.
fn origin(text: &str, disk: &Disk<'_>) -> Result<Origin, String> {
    let path = |path: &str| -> Result<PathBuf, String> {
        match path {
            "" => Err(format!("{} names no file", presentable(text))),
            path => Ok(disk.resolve(path)),
        }
    };
    if let Some(folder) = text.strip_prefix("oci:") {
        return Ok(Origin::Layout(path(folder)?));
    }
    if let Some(file) = text.strip_prefix("oci-archive:") {
        return Ok(Origin::OciArchive(path(file)?));
    }
    if let Some(file) = text.strip_prefix("docker-archive:") {
        return Ok(Origin::DockerArchive(path(file)?));
    }
    let text = text.strip_prefix("docker://").unwrap_or(text);
    let host = text.trim_end_matches('/');
    if is_host(host) && !host.contains('/') {
        return Ok(Origin::Registry(host.to_ascii_lowercase()));
    }
    if !is_bare(text) {
        return Err(format!(
            "{} has a tag or digest: name the repository, what is missing has its digest",
            presentable(text)
        ));
    }
    let reference: Reference = text.parse().map_err(|why| format!("{why}"))?;
    Ok(Origin::Repository(reference.repository))
}

/// Reads what is done about what is definitely broken, in its order.
///
/// # Errors
///
/// When a word is none of them, stands twice, or `fail` stands beside another.
pub(super) fn on_broken(typed: &Typed) -> Result<Vec<&'static str>, Error> {
    let value = typed.on_broken();
    let words = value.words()?;
    let is_twice = |word: &&&str| words.iter().filter(|other| other == word).count() > 1;
    if let Some(word) = words.iter().find(is_twice) {
        return Err(value.error(format!("{word} stands twice")));
    }
    if words.len() > 1 && words.contains(&"fail") {
        return Err(value.error("fail stands alone"));
    }
    Ok(words)
}

/// Sees that a repair after a verification has somewhere to look.
///
/// # Errors
///
/// When no source is named.
pub(super) fn require_source(typed: &Typed, sources: &Sources) -> Result<(), Error> {
    let has_none = sources.from.is_empty() && sources.storage.is_none() && sources.state.is_none();
    if has_none {
        let error = typed.on_broken().error("repair has no source");
        return Err(error.with_hint(
            "name one: from, a registry or repository that has the same images; state, what \
             audits remember; or storage, the registry's own disk",
        ));
    }
    Ok(())
}

/// Sees that a disk that is to be written to is one that nobody else collects garbage on.
///
/// # Errors
///
/// When `gc_stopped` is not set.
pub(super) fn require_gc_stopped(sources: &Sources) -> Result<(), Error> {
    match (sources.permission, sources.gc_stopped) {
        (Some(_), None) => Err(
            Error::new("nothing is written to a disk without gc_stopped").with_hint(
                "stop whatever collects garbage, such as a cron job, and say so: --gc-stopped",
            ),
        ),
        _ => Ok(()),
    }
}

/// What is to be repaired: images, or whatever an audit of targets finds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Operands {
    /// References, each with a tag or a digest.
    Images(Vec<String>),
    /// Registries, repositories, patterns, directories: as an audit takes them.
    Targets,
}

/// Tells images from targets: an image has a tag or a digest.
///
/// # Errors
///
/// When both are named.
pub(super) fn operands(typed: &Typed, undo: bool) -> Result<Operands, Error> {
    let items = or_empty(typed.images(), SettingText::list)?;
    if let Some(layout) = items.iter().find(|item| is_layout(item)) {
        return Err(
            Error::new(format!("{} cannot be repaired", presentable(layout))).with_hint(
                "an image layout is exported again by its build; as a source it is --from",
            ),
        );
    }
    let (images, targets): (Vec<String>, Vec<String>) =
        items.into_iter().partition(|item| is_image(item));
    let has_images = !images.is_empty() || typed.images_file().is_some();
    let has_targets = !targets.is_empty() || typed.repo().is_some();
    match (has_images, has_targets) {
        (true, true) => Err(Error::new(
            "images and whole repositories cannot be repaired in one run",
        )
        .with_hint(
            "an image has a tag or a digest; what has none is a repository with all its tags",
        )),
        (false, false) if !undo => Err(Error::new("there is nothing to repair: no image is named")
            .with_hint(
                "name images, repositories or a registry: pullproof repair \
                 registry.example.org/team/app:1.2 --from mirror.example.org",
            )),
        (false, true) => Ok(Operands::Targets),
        _ => Ok(Operands::Images(images)),
    }
}

fn is_image(text: &str) -> bool {
    let is_alone = !text.contains('/') && is_host(text) && !text.contains('@');
    !is_bare(text) && !is_alone && !is_directory(text)
}
