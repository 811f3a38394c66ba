//! What goes wrong in the tree of distribution: with its links, and with the data of its content.

use std::fs;
use std::path::Path;

use super::super::differential::harm;
use crate::support::digest::{Random, sha256};
use crate::support::image::{Descriptor, Image};
use crate::support::tree::Tree;

/// Every kind of file.
#[derive(Clone, Copy, Debug)]
enum Kind {
    TagLink,
    /// No pull needs it.
    HistoryLink,
    RevisionLink,
    LayerLink,
    Root,
    Child,
    Attestation,
    Config,
    Layer,
}

const KINDS: [Kind; 9] = [
    Kind::TagLink,
    Kind::HistoryLink,
    Kind::RevisionLink,
    Kind::LayerLink,
    Kind::Root,
    Kind::Child,
    Kind::Attestation,
    Kind::Config,
    Kind::Layer,
];

/// An image in a tree.
pub(super) struct Pushed {
    pub(super) repository: &'static str,
    pub(super) tag: String,
    pub(super) image: Image,
}

/// Damages one file of an image; says how.
pub(super) fn one(random: &mut Random, tree: &Tree, pushed: &Pushed) -> String {
    let kind = *random.pick(&KINDS);
    let Pushed {
        repository, tag, ..
    } = pushed;
    let link = match kind {
        Kind::TagLink => tree.tag(repository, tag),
        Kind::HistoryLink => {
            let root = pushed.image.root().replacen(':', "/", 1);
            let path = format!("_manifests/tags/{tag}/index/{root}/link");
            tree.repository(repository, &path)
        }
        Kind::RevisionLink => {
            let digest = any_of(random, &pushed.image, true);
            tree.revision(repository, &digest)
        }
        Kind::LayerLink => {
            let digest = any_of(random, &pushed.image, false);
            tree.layer(repository, &digest)
        }
        _ => {
            let path = tree.data(&content(random, kind, &pushed.image));
            return format!(
                "{kind:?} {}",
                harm::file(random, &path, &shown(tree, &path))
            );
        }
    };
    let other = match random.below(3) {
        0 => sha256(b"nowhere"),
        // It may be there in its place, or as something else.
        1 => any_of(random, &pushed.image, true),
        _ => any_of(random, &pushed.image, false),
    };
    let done = link_harm(random, &link, &other, &shown(tree, &link));
    format!("{kind:?} {done}")
}

/// Damages the data of one digest of an image; says how.
pub(super) fn data(random: &mut Random, tree: &Tree, image: &Image) -> String {
    let digest = content(random, *random.clone().pick(&KINDS[4..]), image);
    harm::file(random, &tree.data(&digest), &digest)
}

fn link_harm(random: &mut Random, path: &Path, other: &str, name: &str) -> String {
    let Ok(text) = fs::read_to_string(path) else {
        return format!("nothing: it is gone: {name}");
    };
    let parent = path.parent().expect("a link is in a directory");
    let (word, done) = match random.below(7) {
        0 => ("Gone", fs::remove_file(path)),
        1 => ("Gone with its directory", fs::remove_dir_all(parent)),
        2 => ("Emptied", fs::write(path, "")),
        3 => ("Broken off", fs::write(path, format!("{text}\n"))),
        4 | 5 => ("Other", fs::write(path, other)),
        _ => return harm::file(random, path, name),
    };
    done.unwrap_or_else(|error| panic!("{name}: {error}"));
    format!("{word} {name}")
}

fn content(random: &mut Random, kind: Kind, image: &Image) -> String {
    let mut parts = image.images.iter().chain(&image.attestations);
    let all: Vec<&str> = match kind {
        Kind::Child => image
            .images
            .iter()
            .map(|one| one.manifest.digest())
            .collect(),
        Kind::Attestation if !image.attestations.is_empty() => {
            let attestations = image.attestations.iter();
            attestations.map(|one| one.manifest.digest()).collect()
        }
        Kind::Config => parts.map(|one| one.config.digest()).collect(),
        Kind::Layer => parts
            .flat_map(|one| one.layers.iter().map(Descriptor::digest))
            .collect(),
        _ => vec![parts.next().map_or(image.root(), |_| image.root())],
    };
    (*random.pick(&all)).to_owned()
}

/// A manifest of an image, or a blob.
fn any_of(random: &mut Random, image: &Image, is_manifest: bool) -> String {
    let all: Vec<&str> = image
        .contents()
        .filter(|(_, content)| content.manifest == is_manifest)
        .map(|(digest, _)| digest)
        .collect();
    (*random.pick(&all)).to_owned()
}

fn shown(tree: &Tree, path: &Path) -> String {
    let below = path.strip_prefix(tree.path()).unwrap_or(path);
    below.display().to_string()
}
