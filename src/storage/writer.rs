//! Writing to the disk of a registry: what its tree lacks, and nothing else.
//!
//! Content is never removed, and only replaced where it is not what its digest says; links are removed
//! by a prune alone, see [`remover`](super::remover).

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use cap_std::fs::MetadataExt as _;
use oci_spec::image::Digest;

use super::beside::{self, Place, Trial};
use super::failure::{Failed, Refused};
use super::gc::{self, PROCESSES, Watch};
use super::journal::{Entry, Journal, Was};
use super::owner::Owner;
use super::place::{self, TREE};
use crate::layout::content::Content;
use crate::layout::root::Root;
use crate::oci::digest::{self, Hasher};
use crate::oci::reference;
use crate::settings::{GcStopped, Permission};

/// What was necessary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrote {
    /// Nothing: it was right already.
    Nothing,
    /// There was nothing.
    Created,
    /// What was there was wrong.
    Replaced,
}

/// The disk of a registry, as something that can be written to; one at a time for each of them.
#[derive(Debug)]
pub(crate) struct StorageWriter<'a> {
    pub(super) root: &'a Root,
    pub(super) watch: Watch,
    pub(super) journal: Journal<'a>,
}

impl<'a> StorageWriter<'a> {
    /// Makes sure that the disk can be written to, and that nobody else does. What a run that was
    /// killed left half made is removed.
    ///
    /// # Errors
    ///
    /// When it may not be written to; it is as before then.
    pub(crate) fn open(root: &'a Root, _: Permission, _: GcStopped) -> Result<Self, Refused> {
        Self::open_watching(root, Watch::new(PROCESSES))
    }

    /// The same, where other processes are looked at.
    pub(super) fn open_watching(root: &'a Root, mut watch: Watch) -> Result<Self, Refused> {
        if !root.dir().is_dir(TREE) {
            let root = root.path().display().to_string();
            return Err(Refused::NoStorage { root });
        }
        if let Some(process) = watch.look() {
            return Err(Refused::Collecting { process });
        }
        let journal = Journal::open(root)?;
        beside::clear(root).map_err(|why| refused(root, TREE, why))?;
        for path in [TREE, place::BLOBS, place::REPOSITORIES] {
            require_writable(root, path)?;
        }
        let owner = Owner::of_directory(root, Path::new(TREE));
        journal.keep(owner.map_err(|why| refused(root, TREE, why))?)?;
        Ok(Self {
            root,
            watch,
            journal,
        })
    }

    /// Makes sure that content which was seen a moment ago is still there.
    ///
    /// # Errors
    ///
    /// When some of it is gone: a garbage collection runs.
    pub(crate) fn require_still_there(&self, seen: &[Digest]) -> Result<(), Refused> {
        let gone =
            gc::first_gone(self.root, seen).map_err(|why| refused(self.root, place::BLOBS, why))?;
        gone.map_or(Ok(()), |digest| {
            let digest = digest.clone();
            Err(Refused::Vanished { digest })
        })
    }

    /// Says that a repository has a manifest, whose data is there.
    ///
    /// # Errors
    ///
    /// When the data is not there, or the disk cannot be written to.
    pub(crate) fn link_manifest(
        &mut self,
        repository: &str,
        digest: &Digest,
    ) -> Result<Wrote, Failed> {
        self.link_in(repository, &place::revision(repository, digest), digest)
    }

    /// Says that a repository has a config or a layer, whose data is there.
    ///
    /// # Errors
    ///
    /// When the data is not there, or the disk cannot be written to.
    pub(crate) fn link_layer(
        &mut self,
        repository: &str,
        digest: &Digest,
    ) -> Result<Wrote, Failed> {
        self.link_in(repository, &place::layer(repository, digest), digest)
    }

    /// Brings back a tag that is gone, of a manifest that the repository has.
    ///
    /// # Errors
    ///
    /// When the tag names another digest, the repository has no such manifest, or the disk cannot be
    /// written to.
    pub(crate) fn link_tag(
        &mut self,
        repository: &str,
        tag: &str,
        digest: &Digest,
    ) -> Result<Wrote, Failed> {
        require_names(repository, Some(tag), Some(digest))?;
        self.require_data(digest)?;
        if self.linked(&place::revision(repository, digest))?.as_ref() != Some(digest) {
            return Err(Failed::NoManifest {
                repository: repository.to_owned(),
                digest: digest.clone(),
            });
        }
        let current = place::tag(repository, tag);
        if let Some(other) = self.linked(&current)?.filter(|named| named != digest) {
            return Err(Failed::OtherDigest(other));
        }
        // As distribution does it: once the tag is there, so is its history.
        self.link(&place::tag_history(repository, tag, digest), digest)?;
        self.link(&current, digest)
    }

    /// Puts data where it is missing or wrong.
    ///
    /// # Errors
    ///
    /// When the content is not what its digest says, or the disk cannot be written to.
    pub(crate) fn data(&mut self, digest: &Digest, content: &Content) -> Result<Wrote, Failed> {
        let hasher = Hasher::like(digest).ok_or_else(|| Failed::Name(digest.to_string()))?;
        let path = place::data(digest);
        let was = self.was(&path, hasher.clone())?;
        if was.as_ref().is_some_and(|was| was.digest == *digest) {
            return Ok(Wrote::Nothing);
        }
        let wrote = wrote(was.as_ref());
        self.put(
            &path,
            |place| Entry::data(&path, digest, was, place.missing()),
            |file| copy(content, file, hasher, digest),
        )?;
        Ok(wrote)
    }

    /// Writes a link of a repository to data that is there.
    fn link_in(&mut self, repository: &str, path: &str, digest: &Digest) -> Result<Wrote, Failed> {
        require_names(repository, None, Some(digest))?;
        self.require_data(digest)?;
        self.link(path, digest)
    }

    /// Writes a link if it does not say the right thing already.
    fn link(&mut self, path: &str, digest: &Digest) -> Result<Wrote, Failed> {
        if self.linked(path)?.as_ref() == Some(digest) {
            return Ok(Wrote::Nothing);
        }
        let was = self.was(path, Hasher::sha256())?;
        let wrote = wrote(was.as_ref());
        self.put(
            path,
            |place| Entry::link(path, digest, was, place.missing()),
            |file| Ok(file.write_all(digest.as_ref().as_bytes())?),
        )?;
        Ok(wrote)
    }

    /// Puts one file in its place, after the journal says so.
    fn put(
        &mut self,
        path: &str,
        entry: impl FnOnce(&Place<'_>) -> Entry,
        write: impl FnOnce(&mut File) -> Result<(), Unwritten>,
    ) -> Result<(), Failed> {
        if let Some(process) = self.watch.look() {
            return Err(Refused::Collecting { process }.into());
        }
        let place = Place::of(self.root, Path::new(path))
            .map_err(|why| self.failed("write to", path, why))?;
        let entry = entry(&place);
        let (time, digest) = (entry.is_link().then(|| entry.time()), entry.digest.clone());
        self.journal
            .add(entry)
            .map_err(|why| self.failed("write to the journal of", path, why))?;
        place.put(time, write).map_err(|unwritten| match unwritten {
            Unwritten::Disk(why) => self.failed("write to", path, why),
            Unwritten::Content(why) => Failed::Content { digest, why },
            Unwritten::Other(found) => {
                let wanted = digest;
                Failed::OtherContent { found, wanted }
            }
        })
    }

    /// What is at a path; none where there is nothing.
    fn was(&self, path: &str, hasher: Hasher) -> Result<Option<Was>, Failed> {
        let Some(file) = self.present(path)? else {
            return Ok(None);
        };
        let was = Content::of(file).and_then(|there| {
            let (length, digest) = (there.length(), there.digest(hasher)?);
            Ok(Was { length, digest })
        });
        was.map(Some).map_err(|why| self.failed("read", path, why))
    }

    /// The regular file at a path; none where there is nothing.
    pub(super) fn present(&self, path: &str) -> Result<Option<File>, Failed> {
        match self.root.dir().symlink_metadata(path) {
            Ok(metadata) if !metadata.is_file() => Err(Failed::NotAFile(self.shown(path))),
            Ok(_) => self
                .root
                .file(path)
                .map_err(|why| self.failed("read", path, why)),
            Err(failure) if failure.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(why) => Err(self.failed("read", path, why)),
        }
    }

    /// What a link names, if it is there and names something.
    pub(super) fn linked(&self, path: &str) -> Result<Option<Digest>, Failed> {
        if self.present(path)?.is_none() {
            return Ok(None);
        }
        place::named(self.root, path).map_err(|why| self.failed("read", path, why))
    }

    fn require_data(&self, digest: &Digest) -> Result<(), Failed> {
        let there = self.present(&place::data(digest))?;
        there
            .map(|_| ())
            .ok_or_else(|| Failed::NoData(digest.clone()))
    }

    pub(super) fn failed(&self, doing: &'static str, path: &str, why: io::Error) -> Failed {
        let path = self.shown(path);
        Failed::Disk { doing, path, why }
    }

    pub(super) fn shown(&self, path: &str) -> String {
        self.root.path().join(path).display().to_string()
    }
}

/// Why a new file has not got its content.
#[derive(Debug)]
enum Unwritten {
    Disk(io::Error),
    Content(io::Error),
    /// What was read hashes to this.
    Other(Digest),
}

impl From<io::Error> for Unwritten {
    fn from(failure: io::Error) -> Self {
        Self::Disk(failure)
    }
}

/// Whether new files can be put below a directory, with its owner.
fn require_writable(root: &Root, path: &str) -> Result<(), Refused> {
    let failed = |why| refused(root, path, why);
    let metadata = match root.dir().metadata(path) {
        Ok(metadata) => metadata,
        Err(failure) if failure.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(failure) => return Err(failed(failure)),
    };
    let shown = root.path().join(path).display().to_string();
    if metadata.dev() != root.dir().metadata(TREE).map_err(failed)?.dev() {
        return Err(Refused::OtherFileSystem { path: shown });
    }
    let owner = Owner::of_directory(root, Path::new(path)).map_err(failed)?;
    beside::try_owner(root, owner).map_err(|trial| match trial {
        Trial::Make(why) => failed(why),
        Trial::Give(why) => Refused::Owner {
            path: shown,
            uid: owner.uid,
            gid: owner.gid,
            why,
        },
    })
}

/// That the disk fails.
fn refused(root: &Root, path: &str, why: io::Error) -> Refused {
    Refused::Disk {
        doing: "write to",
        path: root.path().join(path).display().to_string(),
        why,
    }
}

pub(super) fn require_names(
    repository: &str,
    tag: Option<&str>,
    digest: Option<&Digest>,
) -> Result<(), Failed> {
    let wrong = if !reference::is_name(repository) {
        repository
    } else if let Some(tag) = tag.filter(|tag| !reference::is_tag(tag)) {
        tag
    } else if let Some(digest) = digest.filter(|digest| !digest::is_supported(digest)) {
        digest.as_ref()
    } else {
        return Ok(());
    };
    Err(Failed::Name(wrong.to_owned()))
}

/// Writes content into a file, and makes sure that it is the right one.
fn copy(
    content: &Content,
    file: &mut File,
    mut hasher: Hasher,
    digest: &Digest,
) -> Result<(), Unwritten> {
    let mut unwritten = None;
    let copied = content.for_each(|piece| {
        hasher.update(piece);
        file.write_all(piece).map_err(|failure| {
            let kind = failure.kind();
            unwritten = Some(failure);
            kind.into()
        })
    });
    if let Some(failure) = unwritten {
        return Err(Unwritten::Disk(failure));
    }
    copied.map_err(Unwritten::Content)?;
    let found = hasher.finish();
    if found == *digest {
        Ok(())
    } else {
        Err(Unwritten::Other(found))
    }
}

fn wrote(was: Option<&Was>) -> Wrote {
    match was {
        Some(_) => Wrote::Replaced,
        None => Wrote::Created,
    }
}
