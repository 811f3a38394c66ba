//! The references of a list: each word is one, or an image ID that names no repository.

use log::warn;

use crate::commands::list;
use crate::oci::listed::Word;
use crate::oci::reference::{Reference, presentable};
use crate::settings::{Error, ListSource};
use crate::text::human::count;

/// Reads the list of `images_file`, with a warning for image IDs in it; nothing without a list.
///
/// # Errors
///
/// When it cannot be read, has no reference or a word that is none.
pub(crate) fn listed(source: Option<&ListSource>) -> Result<Vec<Reference>, Error> {
    let Some(source) = source else {
        return Ok(Vec::new());
    };
    let text = list::read(source).map_err(|why| Error::new(format!("images_file: {why}")))?;
    let name = match source {
        ListSource::File(path) => path.display().to_string(),
        ListSource::StandardInput => "standard input".to_owned(),
    };
    let (references, image_ids) = read(&text, &name)?;
    if image_ids > 0 {
        let ids = count(image_ids, "image ID");
        warn!("images_file: {ids} without a repository, skipped");
    }
    Ok(references)
}

/// The references of a text, and how many image IDs it has.
fn read(text: &str, name: &str) -> Result<(Vec<Reference>, usize), Error> {
    let mut references = Vec::new();
    let mut image_ids = 0;
    for word in text.split_whitespace() {
        match Word::read(word) {
            Word::Reference(reference) => references.push(reference),
            Word::ImageId => image_ids += 1,
            Word::Unreadable => return Err(unreadable(word, name)),
        }
    }
    if references.is_empty() {
        return Err(empty(image_ids, name));
    }
    Ok((references, image_ids))
}

fn unreadable(word: &str, name: &str) -> Error {
    Error::new(format!(
        "images_file: {} in {name} is not an image reference",
        presentable(word)
    ))
    .with_hint(
        "a list has references such as registry.example.org/team/app:1.2 alone, separated by white \
         space",
    )
}

fn empty(image_ids: usize, name: &str) -> Error {
    let has = match image_ids {
        0 => "is empty".to_owned(),
        ids => format!("has no reference, but {}", count(ids, "image ID")),
    };
    Error::new(format!(
        "images_file: {name} {has}; there is nothing to check"
    ))
    .with_hint(
        "see what the command before the pipe prints; an image ID does not say in which repository \
         the image is",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b";

    #[test]
    fn references_stand_between_any_white_space() {
        let hash = DIGEST.trim_start_matches("sha256:");
        let text = format!(
            "r.example/a:1 docker-pullable://r.example/b@{DIGEST}\n\t{DIGEST} app\r\n\
             docker://c:2 {hash} docker://{DIGEST}"
        );
        let (references, image_ids) = read(&text, "x").unwrap();
        let names: Vec<_> = references.iter().map(ToString::to_string).collect();
        assert_eq!(
            names,
            [
                "r.example/a:1",
                &format!("r.example/b@{DIGEST}"),
                "docker.io/library/app:latest",
                "docker.io/library/c:2",
            ]
        );
        assert_eq!(image_ids, 3);
    }

    #[test]
    fn nothing_of_a_list_is_left_out_in_silence() {
        for (text, message) in [
            ("", "x is empty; there is nothing to check"),
            (" \n\t", "x is empty; there is nothing to check"),
            (
                DIGEST,
                "x has no reference, but 1 image ID; there is nothing to check",
            ),
            ("a:1 <none>", "\"<none>\" in x is not an image reference"),
            (
                "dir:/tmp/a",
                "\"dir:/tmp/a\" in x is not an image reference",
            ),
            ("a:1,b:1", "\"a:1,b:1\" in x is not an image reference"),
        ] {
            let error = read(text, "x").unwrap_err();
            assert_eq!(error.to_string(), format!("images_file: {message}"));
            assert!(error.hint().is_some());
        }
        let secret = read("https://me:hunter2@r.example/a", "x").unwrap_err();
        assert!(!secret.to_string().contains("hunter2"), "{secret}");
    }
}
