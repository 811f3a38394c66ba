//! Whose storage a directory is.

use std::io;
use std::path::{Path, PathBuf};

use super::layouts;
use super::tree::{BLOBS, REPOSITORIES, TREE, Tree};
use crate::layout::root::Root;
use crate::settings::Error;
use crate::text::escape;
use crate::text::human::{self, count};

/// Where the tree may be, below a directory that is named: it is a root directory, `docker`,
/// `docker/registry`, or the tree itself.
const PLACES: [&str; 4] = [TREE, "registry/v2", "v2", "."];

/// Where other versions of the tree would be.
const VERSIONS: [&str; 3] = ["docker/registry", "registry", "."];

/// What marks an OCI image layout.
const LAYOUT: &str = "oci-layout";

/// What distribution writes into the root directory of a pull-through cache.
const CACHE: &str = "scheduler-state.json";

/// The storage of a registry, by whose it is.
pub(crate) enum Storage {
    /// distribution's, by its filesystem driver.
    Distribution {
        tree: Tree,
        /// Whether it is that of a pull-through cache, which fetches what it lacks.
        is_cache: bool,
    },
    /// zot's: an OCI image layout for each repository.
    Layouts(Root),
}

/// Why a directory cannot be audited, and what helps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NoStorage {
    pub(crate) why: String,
    pub(crate) hint: Option<String>,
}

impl From<NoStorage> for Error {
    fn from(no_storage: NoStorage) -> Self {
        let error = Self::new(no_storage.why);
        match no_storage.hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }
}

/// Opens the storage of distribution in a directory: only that can be written to.
///
/// # Errors
///
/// When it is none, or cannot be read.
pub(crate) fn open_tree(path: &Path) -> Result<Tree, NoStorage> {
    match open(path)? {
        Storage::Distribution { tree, .. } => Ok(tree),
        Storage::Layouts(_) => Err(not_distribution(path)),
    }
}

/// That nothing is written to the storage of zot.
pub(crate) fn not_distribution(path: &Path) -> NoStorage {
    NoStorage {
        why: format!(
            "{} is the storage of zot, and only that of distribution is written to",
            escape::line(&path.display().to_string())
        ),
        hint: Some("name that registry by its address instead".to_owned()),
    }
}

/// Opens the storage in a directory.
///
/// # Errors
///
/// When it is none, or cannot be read.
pub(crate) fn open(path: &Path) -> Result<Storage, NoStorage> {
    let name = escape::line(&path.display().to_string());
    let failed = |failure: io::Error| NoStorage {
        why: format!("{name} cannot be read: {failure}"),
        hint: (failure.kind() == io::ErrorKind::NotFound)
            .then(|| "a directory is relative to the one this runs in".to_owned()),
    };
    let root = Root::open(path).map_err(failed)?;
    for place in PLACES {
        let Some(tree) = root.below(place).map_err(failed)? else {
            continue;
        };
        // The tree of a registry that nobody pushed to yet is empty.
        let is_tree = place.contains('/') || is_tree(&tree).map_err(failed)?;
        if is_tree {
            let is_cache = is_cache(path, place);
            let tree = Tree::new(tree);
            return Ok(Storage::Distribution { tree, is_cache });
        }
    }
    let is_own = root.file(LAYOUT).map_err(failed)?.is_some();
    if !is_own && layouts::are_in(&root).unwrap_or_default() {
        return Ok(Storage::Layouts(root));
    }
    Err(unrecognised(&root, &name).unwrap_or_else(failed))
}

fn is_tree(root: &Root) -> io::Result<bool> {
    Ok(root.entries(REPOSITORIES)?.is_some() && root.entries(BLOBS)?.is_some())
}

/// Whether the root directory is that of a pull-through cache.
fn is_cache(path: &Path, place: &str) -> bool {
    let ups = match place {
        TREE => 0,
        "registry/v2" => 1,
        "v2" => 2,
        _ => 3,
    };
    let mut above: PathBuf = path.to_owned();
    above.extend(std::iter::repeat_n("..", ups));
    Root::open(&above).is_ok_and(|root| matches!(root.file(CACHE), Ok(Some(_))))
}

/// What a directory is that is no storage we know.
fn unrecognised(root: &Root, name: &str) -> io::Result<NoStorage> {
    if root.file(LAYOUT)?.is_some() {
        return Ok(NoStorage {
            why: format!("{name} is an OCI image layout, and not the storage of a registry"),
            hint: None,
        });
    }
    let names = names(root)?;
    for place in VERSIONS {
        if let Some(version) = other_version(root, place)? {
            return Ok(NoStorage {
                why: format!(
                    "{name} is the storage of a registry of another version: there is \
                     {version}, and no v2 beside it"
                ),
                hint: None,
            });
        }
    }
    Ok(NoStorage {
        why: format!(
            "{name} is not the storage of a registry: it has no {TREE}, but {}",
            found(&names)
        ),
        hint: Some(
            "name the root directory of distribution's filesystem driver (rootdirectory in its \
             configuration, /var/lib/registry in its image); a bucket has none"
                .to_owned(),
        ),
    })
}

/// The first entries of a directory, in the order of their names.
fn names(root: &Root) -> io::Result<Vec<String>> {
    /// How many are read.
    const MOST: usize = 1000;
    let entries = root.entries(".")?.into_iter().flatten().take(MOST);
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort_unstable();
    Ok(names)
}

/// `docker/registry/v3`, where that is there instead.
fn other_version(root: &Root, place: &str) -> io::Result<Option<String>> {
    let is_version = |name: &String| {
        name.strip_prefix('v')
            .is_some_and(|number| number != "2" && number.parse::<u32>().is_ok())
    };
    let Some(below) = root.below(place)? else {
        return Ok(None);
    };
    let version = names(&below)?.into_iter().find(is_version);
    Ok(version.map(|version| match place {
        "." => version,
        place => format!("{place}/{version}"),
    }))
}

fn found(names: &[String]) -> String {
    /// How many are named.
    const NAMED: usize = 4;
    let mut shown: Vec<String> = names
        .iter()
        .take(NAMED)
        .map(|one| escape::line(one))
        .collect();
    if names.len() > NAMED {
        shown.push(count(names.len() - NAMED, "other"));
    }
    match shown.as_slice() {
        [] => "nothing at all".to_owned(),
        shown => human::list(shown),
    }
}
