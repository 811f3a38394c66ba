//! Writes manifests into an OCI image layout; see
//! <https://github.com/opencontainers/image-spec/blob/main/image-layout.md>.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use oci_spec::image::Digest;
use serde_json::{Value, json};

use super::index::REF_NAME;
use crate::oci::media_type::OCI_INDEX;

/// A layout that is added to.
#[derive(Debug)]
pub(crate) struct LayoutWriter {
    folder: PathBuf,
    /// Held until this is dropped: two that write its index would lose entries.
    _lock: File,
    /// What `index.json` lists, the newest first.
    entries: Vec<Value>,
}

impl LayoutWriter {
    /// Opens a layout, and makes one where there is none.
    ///
    /// # Errors
    ///
    /// When it cannot be written, somebody else writes it, or something else is in its place.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder.join("blobs"))?;
        let lock = File::options()
            .create(true)
            .append(true)
            .open(folder.join(".lock"))?;
        lock.try_lock()
            .map_err(|_| io::Error::other("another run writes to it"))?;
        let mut layout = Self {
            folder: folder.to_owned(),
            _lock: lock,
            entries: Vec::new(),
        };
        match fs::read(folder.join(INDEX)) {
            Ok(bytes) => layout.entries = read(&bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let version = json!({ "imageLayoutVersion": "1.0.0" });
                replace(&folder.join("oci-layout"), version.to_string().as_bytes())?;
                // A run that deletes nothing leaves a layout that can be read.
                layout.save()?;
            }
            Err(error) => return Err(error),
        }
        Ok(layout)
    }

    /// Writes a manifest.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub(crate) fn add(&self, digest: &Digest, bytes: &[u8]) -> io::Result<()> {
        let folder = self.folder.join("blobs").join(digest.algorithm().as_ref());
        fs::create_dir_all(&folder)?;
        replace(&folder.join(digest.digest()), bytes)
    }

    /// Has the disk keep the names of all that was added.
    fn sync(&self) -> io::Result<()> {
        let blobs = self.folder.join("blobs");
        let folders = fs::read_dir(&blobs)?.map(|entry| Ok(entry?.path()));
        let folders: Vec<PathBuf> = folders.collect::<io::Result<_>>()?;
        let folders = folders.into_iter().filter(|path| path.is_dir());
        let all = folders.chain([blobs, self.folder.clone()]);
        all.into_iter()
            .try_for_each(|path| File::open(path)?.sync_all())
    }

    /// Lists a manifest under a name, before others of that name.
    pub(crate) fn list(
        &mut self,
        name: Option<&str>,
        media_type: &str,
        digest: &Digest,
        size: usize,
    ) {
        let mut entry = json!({
            "mediaType": media_type,
            "digest": digest.to_string(),
            "size": size,
        });
        if let Some(name) = name {
            entry["annotations"] = json!({ REF_NAME: name });
        }
        self.entries.retain(|known| *known != entry);
        self.entries.insert(0, entry);
    }

    /// What is still to be deleted, by repository: a run that was killed may have left it.
    pub(crate) fn pending(&self) -> BTreeMap<String, Vec<Digest>> {
        let parsed = |texts: &[String]| texts.iter().filter_map(|text| text.parse().ok()).collect();
        let all = self.all_pending().into_iter();
        all.map(|(repository, texts)| (repository, parsed(&texts)))
            .collect()
    }

    /// Notes what is still to be deleted of a repository.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub(crate) fn set_pending<'d>(
        &self,
        repository: &str,
        digests: impl Iterator<Item = &'d Digest>,
    ) -> io::Result<()> {
        let digests: Vec<String> = digests.map(ToString::to_string).collect();
        let mut all = self.all_pending();
        all.remove(repository);
        if !digests.is_empty() {
            all.insert(repository.to_owned(), digests);
        }
        replace(
            &self.folder.join(PENDING),
            json!(all).to_string().as_bytes(),
        )
    }

    fn all_pending(&self) -> BTreeMap<String, Vec<String>> {
        let bytes = fs::read(self.folder.join(PENDING)).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// Writes the index, so that all that was added counts.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub(crate) fn save(&self) -> io::Result<()> {
        let index = json!({
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": self.entries,
        });
        replace(&self.folder.join(INDEX), index.to_string().as_bytes())?;
        self.sync()
    }
}

const INDEX: &str = "index.json";

/// What is still to be deleted, by repository. Tools that read layouts do not look at it.
const PENDING: &str = "pending.json";

fn read(bytes: &[u8]) -> io::Result<Vec<Value>> {
    let other = || io::Error::other("its index.json is not that of an image layout");
    let mut index: Value = serde_json::from_slice(bytes).map_err(|_| other())?;
    match index["manifests"].take() {
        Value::Array(entries) => Ok(entries),
        _ => Err(other()),
    }
}

/// Writes a file beside its place, and moves it there when all of it is on the disk.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let mut file = File::create(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_to_which_nothing_was_added_is_complete_and_empty() {
        let name = format!("pullproof-{}-empty-layout", std::process::id());
        let place = std::env::temp_dir().join(name);
        drop(LayoutWriter::open(&place).unwrap());
        let names = ["oci-layout", INDEX].map(|name| place.join(name).is_file());
        assert_eq!(names, [true, true]);
        assert!(LayoutWriter::open(&place).unwrap().entries.is_empty());
        fs::remove_dir_all(place).unwrap();
    }
}
