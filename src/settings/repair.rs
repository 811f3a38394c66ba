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
pub(super) fn require_gc_stopped(gc_stopped: Option<GcStopped>) -> Result<(), Error> {
    gc_stopped.map(|_| ()).ok_or_else(|| {
        Error::new("nothing is written to a disk without gc_stopped").with_hint(
            "stop whatever collects garbage, such as a cron job, and say so: --gc-stopped",
        )
    })
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
    let is_registry = !has_images && typed.registry().is_given;
    let has_targets = !targets.is_empty() || typed.repo().is_some() || is_registry;
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

#[cfg(test)]
mod tests {
    use super::super::support::{given, typed};

    #[test]
    fn an_image_has_a_tag_or_a_digest_and_a_target_has_none() {
        let images = |operands: &[&str]| {
            let settings = typed(&[&["repair"], operands].concat()).repair();
            (settings.audit.is_none(), settings.verify.wanted.images)
        };
        let digest = format!("r.example/app@sha256:{}", "a".repeat(64));
        for image in ["r.example/app:1", "localhost:5000/team/app:1", &digest] {
            assert_eq!(images(&[image]), (true, vec![image.to_owned()]));
        }
        for target in [
            "r.example",
            "localhost:5000",
            "r.example/team/app",
            "r.example/team/*",
            "/var/lib/registry",
            "./registry:old",
        ] {
            assert_eq!(images(&[target]), (false, Vec::new()), "{target}");
        }
        let mode = ("PLUGIN_MODE", "repair");
        assert!(
            given(&[mode, ("PLUGIN_REGISTRY", "r.example")])
                .repair()
                .audit
                .is_some()
        );
        let error = |operands: &[&str]| typed(&[&["repair"], operands].concat()).error();
        assert_eq!(
            error(&["r.example/app:1", "r.example/other"]),
            "images and whole repositories cannot be repaired in one run"
        );
        assert_eq!(error(&["oci:out"]), "\"oci:out\" cannot be repaired");
        assert_eq!(error(&[]), "there is nothing to repair: no image is named");
    }

    #[test]
    fn sources_are_registries_repositories_and_files() {
        let from = |text: &str| {
            let settings = typed(&["repair", "r.example/app:1", "--from", text]).repair();
            let from = settings.sources.from.iter().map(ToString::to_string);
            from.collect::<Vec<_>>().join(" ")
        };
        for text in [
            "mirror.example",
            "localhost:5001",
            "mirror.example/team/app",
            "docker.io/library/alpine",
            "oci:/srv/out",
            "oci-archive:/srv/out.tar",
            "docker-archive:/srv/out.tar",
        ] {
            assert_eq!(from(text), text);
        }
        assert_eq!(from("docker://mirror.example/app"), "mirror.example/app");
        assert_eq!(from("mirror.example,oci:/a"), "mirror.example oci:/a");
        let error = |text| typed(&["repair", "r.example/app:1", "--from", text]).error();
        assert_eq!(error("oci:"), "--from: \"oci:\" names no file");
        assert_eq!(
            error("mirror.example/app:1"),
            "--from: \"mirror.example/app:1\" has a tag or digest: name the repository, what is \
             missing has its digest"
        );
    }

    #[test]
    fn nothing_is_permitted_unless_it_is_asked_for() {
        let sources = |flags: &[&str]| {
            let settings = typed(&[&["repair", "r.example/app:1"], flags].concat()).repair();
            (
                settings.sources.permission.is_some(),
                settings.sources.gc_stopped.is_some(),
            )
        };
        assert_eq!(sources(&[]), (false, false));
        assert_eq!(sources(&["--apply"]), (true, false));
        assert_eq!(sources(&["--apply", "--gc-stopped"]), (true, true));
        assert_eq!(sources(&["--gc-stopped"]), (false, true));
        let error = |flags: &[&str]| typed(&[&["repair", "/srv"], flags].concat()).error();
        assert_eq!(
            error(&["--apply"]),
            "nothing is written to a disk without gc_stopped"
        );
    }

    #[test]
    fn what_is_done_about_broken_images_has_an_order() {
        let words = |text: &str| {
            let from = ("PLUGIN_FROM", "mirror.example");
            given(&[("PLUGIN_IMAGES", "app"), ("PLUGIN_ON_BROKEN", text), from])
                .settings()
                .on_broken
                .len()
        };
        assert_eq!((words("fail"), words("repair")), (0, 1));
        let error =
            |text: &str| given(&[("PLUGIN_IMAGES", "app"), ("PLUGIN_ON_BROKEN", text)]).error();
        assert_eq!(error("fail,repair"), "PLUGIN_ON_BROKEN: fail stands alone");
        assert_eq!(
            error("repair,repair"),
            "PLUGIN_ON_BROKEN: repair stands twice"
        );
        assert!(
            error("rebuild").contains("woodpecker"),
            "{}",
            error("rebuild")
        );
    }
}
