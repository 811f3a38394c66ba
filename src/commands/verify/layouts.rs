//! Images that are in an OCI image layout, before they are pushed.

use std::path::Path;

use super::targets::Target;
use crate::layout::Layout;
use crate::oci::in_layout::{self, InLayout};
use crate::oci::reference::{Reference, Repository};
use crate::settings::Error;
use crate::text::quote::quoted;

const HINT: &str = "an image layout has oci-layout, index.json and blobs in it, as `docker buildx build \
                    --output type=oci,tar=false,dest=out` writes it; name it as oci:out, \
                    oci:out:TAG or oci:out@DIGEST";

/// What a text names in an image layout, whether that exists or not; none where it names something
/// else. Without a tag or a digest it stands for the whole layout.
///
/// # Errors
///
/// When it names no directory.
pub(super) fn named(text: &str) -> Result<Option<Reference>, Error> {
    if !in_layout::is_meant(text) {
        return Ok(None);
    }
    let is_legible = |found: &InLayout<'_>| !found.directory.chars().any(char::is_control);
    match InLayout::read(text, |path| Path::new(path).is_dir()).filter(is_legible) {
        Some(found) => Ok(Some(found.reference())),
        None => Err(refused(&format!("{} names no directory", quoted(text)))),
    }
}

/// The same targets, with the images of a layout in the place of the whole: those that have a name,
/// or where none has one, everything that is listed.
///
/// # Errors
///
/// When there is no layout in a directory that is named, or it lists nothing.
pub(super) fn expanded(targets: Vec<Target>) -> Result<Vec<Target>, Error> {
    let mut expanded: Vec<Target> = Vec::new();
    for target in targets {
        let Some(directory) = directory(&target.reference.repository) else {
            expanded.push(target);
            continue;
        };
        let layout = Layout::open(directory).map_err(|why| refused(&why.to_string()))?;
        let is_one = target.reference.tag.is_some() || target.reference.digest.is_some();
        let references = if is_one {
            vec![target.reference.clone()]
        } else {
            layout.references(&target.reference.repository)
        };
        if references.is_empty() {
            let path = quoted(&layout.path().display().to_string());
            return Err(refused(&format!(
                "{path} is an image layout that lists no image"
            )));
        }
        for reference in references {
            if !expanded.iter().any(|known| known.reference == reference) {
                expanded.push(Target {
                    reference,
                    ..target.clone()
                });
            }
        }
    }
    Ok(expanded)
}

fn refused(why: &str) -> Error {
    Error::new(format!("images: {why}")).with_hint(HINT)
}

/// The directory of a layout, where this is one.
pub(super) fn directory(repository: &Repository) -> Option<&Path> {
    in_layout::directory(repository).map(Path::new)
}
