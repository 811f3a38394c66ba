//! What goes wrong with one file of a registry, or with one of its records.

use std::fs;
use std::path::Path;

use super::Registry;
use crate::support::digest::Random;
use crate::support::image::Image;

/// How a file goes wrong.
#[derive(Clone, Copy, Debug)]
pub(super) enum Harm {
    Deleted,
    Emptied,
    /// Only so many of its bytes are left.
    Cut(usize),
    /// One bit of this byte is changed.
    Flipped(usize),
    /// It has more bytes at its end.
    Grown(usize),
}

impl Harm {
    fn any(random: &mut Random, length: usize) -> Self {
        let at = random.below(length.max(1));
        match random.below(6) {
            0 => Self::Deleted,
            1 => Self::Emptied,
            2 => Self::Cut(at),
            3 => Self::Grown(1 + random.below(100)),
            // The last byte is the one that is asked for.
            4 => Self::Flipped(*random.pick(&[0, length.saturating_sub(1)])),
            _ => Self::Flipped(at),
        }
    }

    fn apply(self, path: &Path, content: Vec<u8>) {
        let mut content = content;
        match self {
            Self::Deleted => return fs::remove_file(path).expect("the directory is ours"),
            Self::Emptied => content.clear(),
            Self::Cut(length) => content.truncate(length),
            Self::Flipped(at) => {
                if let Some(byte) = content.get_mut(at) {
                    *byte ^= 1;
                }
            }
            Self::Grown(by) => content.resize(content.len() + by, b' '),
        }
        fs::write(path, content).expect("the directory is ours");
    }
}

/// Damages the content of a digest; says how.
pub(super) fn content(
    registry: &impl Registry,
    random: &mut Random,
    repository: &str,
    digest: &str,
) -> String {
    file(random, &registry.data(repository, digest), digest)
}

/// Does none to three things to an image, mostly one, of what can happen to a registry's files, or
/// asks the registry to delete something; says what.
pub(super) fn any(
    registry: &impl Registry,
    random: &mut Random,
    repository: &str,
    image: &Image,
) -> Vec<String> {
    let mut left: Vec<String> = image.reachable().into_iter().collect();
    let count: usize = *random.pick(&[0, 0, 1, 1, 1, 2, 3]);
    let mut done = Vec::new();
    for _ in 0..count.min(left.len()) {
        let records = registry.records(repository);
        done.push(match random.below(10) {
            0 => delete(registry, random, repository, image),
            1..=3 if !records.is_empty() => {
                let path = random.pick(&records).clone();
                file(random, &path, &path.display().to_string())
            }
            _ => {
                let digest = left.swap_remove(random.below(left.len()));
                content(registry, random, repository, &digest)
            }
        });
    }
    done
}

pub(in crate::registries) fn file(random: &mut Random, path: &Path, name: &str) -> String {
    match fs::read(path) {
        Ok(content) => {
            let harm = Harm::any(random, content.len());
            harm.apply(path, content);
            format!("{harm:?} {name}")
        }
        // It was damaged before.
        Err(error) => format!("nothing: {error}: {name}"),
    }
}

fn delete(
    registry: &impl Registry,
    random: &mut Random,
    repository: &str,
    image: &Image,
) -> String {
    let digests: Vec<String> = image.reachable().into_iter().collect();
    let digest = random.pick(&digests);
    let content = image.content(digest).expect("it is in the image");
    let kind = if content.manifest {
        "manifests"
    } else {
        "blobs"
    };
    let path = format!("/v2/{repository}/{kind}/{digest}");
    let answer = registry.door().ask("DELETE", &path, &[], &[]);
    let status = answer.expect("the registry runs").status;
    format!("DELETE {kind}/{digest}: {status}")
}
