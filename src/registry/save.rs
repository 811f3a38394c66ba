//! Fetches a blob into a file.

use std::cell::RefCell;
use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};

use reqwest::Method;
use reqwest::header::HeaderMap;

use super::RegistryRepository;
use super::answer::Answer;
use super::failed::Unread;
use super::look::path;
use crate::http::{Problem, ProblemKind};
use crate::oci::descriptor::Promise;
use crate::oci::digest::Hasher;
use crate::walk::source::Asked;

/// Fetches everything into an empty file; whether it is what was promised. After a broken connection
/// it is fetched from the start.
pub(super) async fn save(
    repository: &RegistryRepository<'_>,
    promise: &Promise,
    file: &File,
) -> Asked<bool> {
    let question = repository.question(Method::GET, path(promise));
    let file = RefCell::new(file);
    let read = async |answer: &mut Answer<'_>| {
        let mut file = *file.borrow();
        let unwritable = |failure: std::io::Error| {
            let words = format!("the temporary file cannot be written: {failure}");
            Unread::from(Problem::new(ProblemKind::Refused, words))
        };
        file.set_len(0).map_err(unwritable)?;
        file.seek(SeekFrom::Start(0)).map_err(unwritable)?;
        let Some(mut hasher) = Hasher::like(&promise.digest) else {
            return Ok(false);
        };
        let mut received = 0;
        while let Some(piece) = answer.piece().await? {
            let piece = piece.as_ref();
            received += piece.len() as u64;
            if received > promise.size {
                return Ok(false);
            }
            hasher.update(piece);
            file.write_all(piece).map_err(unwritable)?;
        }
        if received < promise.size {
            return Err(Problem::new(ProblemKind::Cut, "the body ended too early").into());
        }
        Ok(hasher.finish() == promise.digest)
    };
    let accept = |status| status == 200;
    repository
        .transport
        .ask(&question, HeaderMap::new, accept, read)
        .await
}
