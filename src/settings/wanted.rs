//! Which images are meant: references, repositories with their tags, and what the build left.

use std::path::Path;

use super::auto_tag::{AutoTags, auto_tags};
use super::ci::Facts;
use super::environment::builds_without_push;
use super::files::Disk;
use super::raw::{Typed, Value};
use super::{Error, Wanted, parse};

/// Gathers the names, with a warning for each odd thing.
///
/// # Errors
///
/// When a list, digest or boolean is none, or a named file cannot be read.
pub(super) fn wanted(
    typed: &Typed,
    facts: &Facts<'_>,
    disk: &Disk<'_>,
    warnings: &mut Vec<String>,
) -> Result<Wanted, Error> {
    let boolean = |value: Value<'_>| value.read("true or false", parse::boolean);
    let dry_run = typed.dry_run().map(boolean).transpose()?.unwrap_or(false) || builds_without_push(facts);
    let mut wanted = Wanted {
        images: items(typed.images())?,
        repositories: items(typed.repo())?,
        registry: typed.registry().map(|value| value.text.to_owned()),
        digest: typed
            .digest()
            .map(|value| value.read("a digest (sha256: and 64 hex digits, or sha512: and 128)", parse::digest))
            .transpose()?,
        same_digest: typed.same_digest().map(boolean).transpose()?,
        dry_run,
        ..Wanted::default()
    };
    wanted.metadata = match typed.metadata_file() {
        Some(value) if is_metadata(value.text) => Some(value.text.to_owned()),
        // Nothing was pushed, so nothing was left either.
        Some(value) if dry_run => disk.named(&value).ok(),
        Some(value) => Some(disk.named(&value)?),
        None => None,
    };

    let mut tags = match (typed.tags_file(), typed.tags()) {
        (Some(file), _) if dry_run => disk.named(&file).ok().and_then(|text| parse::list(&text)),
        (Some(file), _) => {
            let text = disk.named(&file)?;
            let tags = parse::list(text.trim()).ok_or_else(|| file.error("the file is not a list of tags"))?;
            if tags.is_empty() {
                return Err(file.error("the file has no tags in it"));
            }
            Some(tags)
        }
        (None, Some(value)) => Some(items(Some(value))?),
        (None, None) => dot_tags(disk)?,
    };
    let auto = typed.auto_tag().map(boolean).transpose()?.unwrap_or(false);
    if auto && !wanted.repositories.is_empty() {
        match auto_tags(typed, facts, disk)? {
            AutoTags::These(mut computed) => {
                computed.extend(tags.unwrap_or_default());
                tags = Some(computed);
            }
            AutoTags::NothingBuilt(reference) => {
                let supplied = tags.get_or_insert_default();
                if supplied.is_empty() && wanted.images.is_empty() && wanted.metadata.is_none() {
                    warnings.push(format!(
                        "auto_tag: {reference} is neither a tag nor the default branch, so no tag was built"
                    ));
                    wanted.dry_run = true;
                }
            }
        }
    }
    let (references, tags): (Vec<_>, Vec<_>) =
        tags.unwrap_or_else(|| vec!["latest".to_owned()]).into_iter().partition(|tag| tag.contains('/'));
    wanted.images.extend(references);
    wanted.tags = tags;
    Ok(wanted)
}

/// The items of a list, if it was given.
fn items(value: Option<Value<'_>>) -> Result<Vec<String>, Error> {
    let expected = "a list: a JSON array, lines, or items separated by commas";
    value.map(|value| value.read(expected, parse::list)).transpose().map(Option::unwrap_or_default)
}

/// The content of `.tags`, which the build plugins read too.
fn dot_tags(disk: &Disk<'_>) -> Result<Option<Vec<String>>, Error> {
    let text = disk
        .optional(&disk.directory.join(Path::new(".tags")))
        .map_err(|error| Error::new(format!("tags: cannot read the file .tags: {error}")))?;
    Ok(text.and_then(|text| parse::list(text.trim())).filter(|tags| !tags.is_empty()))
}

/// Whether a `metadata_file` is the content itself rather than a path.
fn is_metadata(text: &str) -> bool {
    ["{", "[", "sha256:", "sha512:"].iter().any(|start| text.starts_with(start)) || text.contains('\n')
}
