//! Images that are in an OCI image layout, before they are pushed.

use std::path::Path;

use crate::layout::Layout;
use crate::oci::in_layout::{self, InLayout};
use crate::oci::reference::{Reference, Repository};
use crate::settings::Error;
use crate::text::quote::quoted;

/// What a text names in an image layout; none where it names something else. Without a tag or a
/// digest that is every image with a name, and everything that is listed where none has one. Where
/// nothing was built (`is_skipped`), nothing is looked at.
///
/// # Errors
///
/// When there is no layout, or it lists nothing.
pub(super) fn named(text: &str, is_skipped: bool) -> Result<Option<Vec<Reference>>, Error> {
    if !in_layout::is_meant(text) {
        return Ok(None);
    }
    let refuse = |why: String| Error::new(format!("images: {why}")).with_hint(HINT);
    let Some(found) = InLayout::read(text, |path| Path::new(path).is_dir()) else {
        return Err(refuse(format!("{} names no directory", quoted(text))));
    };
    if is_skipped {
        return Ok(Some(Vec::new()));
    }
    if found.directory.chars().any(char::is_control) {
        return Err(refuse(format!("{} has control characters", quoted(text))));
    }
    let layout = Layout::open(Path::new(found.directory));
    let layout = layout.map_err(|why| refuse(why.to_string()))?;
    if found.tag.is_some() || found.digest.is_some() {
        return Ok(Some(vec![found.reference(found.tag, found.digest.clone())]));
    }
    let references = all(&found, &layout);
    if references.is_empty() {
        let path = layout.path().display();
        return Err(refuse(format!(
            "\"{path}\" is an image layout that lists no image"
        )));
    }
    Ok(Some(references))
}

const HINT: &str = "an image layout has oci-layout, index.json and blobs in it, as `docker buildx build \
                    --output type=oci,tar=false,dest=out` writes it; name it as oci:out, \
                    oci:out:TAG or oci:out@DIGEST";

fn all(found: &InLayout<'_>, layout: &Layout) -> Vec<Reference> {
    let tags = layout.tags();
    if !tags.is_empty() {
        let tagged = tags.into_iter().map(|tag| found.reference(Some(tag), None));
        return tagged.collect();
    }
    let mut roots: Vec<Reference> = Vec::new();
    for entry in layout.entries() {
        let root = found.reference(None, Some(entry.promise.digest.clone()));
        if !roots.contains(&root) {
            roots.push(root);
        }
    }
    roots
}

/// The directory of a layout, where this is one.
pub(super) fn directory(repository: &Repository) -> Option<&Path> {
    in_layout::directory(repository).map(Path::new)
}
