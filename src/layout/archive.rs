//! Archives of images: a tar of an OCI image layout, or what `docker save` writes, of old and new.
//! They are indexed once and never unpacked.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use oci_spec::image::{Digest, DigestAlgorithm};
use tar::EntryType;

use super::content::Content;
use super::directory::{INDEX, MARKER, NotALayout, check_version, path_of, read_index, shown};
use super::index::{Entry, Index};
use super::root::WITHOUT_WAITING;
use crate::oci::descriptor::Promise;
use crate::oci::digest::Hasher;
use crate::walk::source::MANIFEST_LIMIT;

/// The most that all headers of an archive may have, in bytes: it bounds how many entries there are
/// and how long their names.
const HEADERS_LIMIT: u64 = 64 * 1024 * 1024;

/// How many links lead from one to the next.
const MAX_LINKS: usize = 8;

/// What lists the images of `docker save`.
const DOCKER_INDEX: &str = "manifest.json";

/// How an image is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    /// `oci-archive:FILE`, a tar of an OCI image layout.
    Oci,
    /// `docker-archive:FILE`, what `docker save` writes.
    Docker,
}

/// An archive of images.
#[derive(Debug)]
pub(crate) struct Archive {
    file: Arc<File>,
    members: HashMap<String, Member>,
    /// What an OCI image layout lists; empty for docker's form.
    index: Index,
    /// The digests of members that were hashed, by their names.
    hashed: Mutex<HashMap<String, Digest>>,
}

/// Something in an archive, by its name.
#[derive(Debug)]
enum Member {
    File {
        offset: u64,
        length: u64,
    },
    /// Another name.
    Link(String),
}

impl Archive {
    /// Indexes an archive.
    ///
    /// # Errors
    ///
    /// When it cannot be read, is compressed, cut off, or not of this packing.
    pub(crate) fn open(path: &Path, packing: Packing) -> Result<Self, NotALayout> {
        let fail = |why: String| NotALayout(format!("{} {why}", shown(path)));
        let unread = |failure: io::Error| fail(format!("cannot be read: {failure}"));
        let mut options = OpenOptions::new();
        let file = (options.read(true).custom_flags(WITHOUT_WAITING))
            .open(path)
            .map_err(unread)?;
        if !file.metadata().map_err(unread)?.is_file() {
            return Err(fail("is not a file".to_owned()));
        }
        if let Some(compression) = compression(&file).map_err(unread)? {
            return Err(fail(format!(
                "is compressed by {compression}, and an archive is read in place: decompress it \
                 first"
            )));
        }
        let mut archive = Self {
            members: members(&file).map_err(&fail)?,
            file: Arc::new(file),
            index: Index::default(),
            hashed: Mutex::default(),
        };
        match packing {
            Packing::Oci => archive.index = archive.read_layout().map_err(fail)?,
            Packing::Docker if archive.member(DOCKER_INDEX).is_none() => {
                return Err(fail(format!(
                    "is not an archive of docker save: it has no {DOCKER_INDEX}"
                )));
            }
            Packing::Docker => {}
        }
        Ok(archive)
    }

    /// Everything that its index lists; nothing of docker's form.
    pub(crate) fn entries(&self) -> &[Entry] {
        self.index.entries()
    }

    /// The bytes that may be what is promised: by their name or, where docker named them otherwise,
    /// by their own hash. Those found by name are not hashed.
    ///
    /// # Errors
    ///
    /// When the archive cannot be read.
    pub(crate) fn content(&self, promise: &Promise) -> io::Result<Option<Content>> {
        if let Some(content) = self.member(&path_of(&promise.digest)) {
            return Ok(Some(content));
        }
        if *promise.digest.algorithm() != DigestAlgorithm::Sha256 {
            return Ok(None);
        }
        let mut candidates: Vec<(&str, Content)> = (self.members.keys())
            .filter(|name| !name.starts_with("blobs/"))
            .filter_map(|name| Some((name.as_str(), self.member(name)?)))
            .filter(|(_, content)| content.length() == promise.size)
            .collect();
        // What is named by its hash, as docker names a config, comes first.
        let hash = promise.digest.digest();
        candidates.sort_by_key(|(name, _)| (!name.starts_with(hash), *name));
        for (name, content) in candidates {
            if self.digest_of(name, &content)? == promise.digest {
                return Ok(Some(content));
            }
        }
        Ok(None)
    }

    fn digest_of(&self, name: &str, content: &Content) -> io::Result<Digest> {
        let known = || self.hashed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(digest) = known().get(name) {
            return Ok(digest.clone());
        }
        let digest = content.digest(Hasher::sha256())?;
        known().insert(name.to_owned(), digest.clone());
        Ok(digest)
    }

    fn read_layout(&self) -> Result<Index, String> {
        let read = |name: &str| {
            let Some(content) = self.member(name) else {
                return Err(format!(
                    "is not an archive of an OCI image layout: it has no {name}"
                ));
            };
            if content.length() > MANIFEST_LIMIT as u64 {
                return Err(format!(
                    "has {name} of more than {MANIFEST_LIMIT} bytes, the most that is read"
                ));
            }
            let bytes = content.bytes();
            bytes.map_err(|failure| format!("has {name}, which cannot be read: {failure}"))
        };
        check_version(&read(MARKER)?)?;
        read_index(&read(INDEX)?)
    }

    /// The file of this name, by a link as well.
    fn member(&self, name: &str) -> Option<Content> {
        let mut name = name;
        for _ in 0..=MAX_LINKS {
            match self.members.get(name)? {
                Member::File { offset, length } => {
                    return Some(Content::part(Arc::clone(&self.file), *offset, *length));
                }
                Member::Link(other) => name = other,
            }
        }
        None
    }
}

/// Where everything in a tar is.
///
/// # Errors
///
/// What is wrong with it, as a fragment.
fn members(file: &File) -> Result<HashMap<String, Member>, String> {
    let unread = |failure: io::Error| format!("is not a tar that can be read: {failure}");
    let end = file.metadata().map_err(unread)?.len();
    let left = HEADERS_LIMIT;
    let mut archive = tar::Archive::new(Headers { file, left });
    let mut members = HashMap::new();
    for entry in archive.entries_with_seek().map_err(unread)? {
        let entry = entry.map_err(unread)?;
        let path = entry.path_bytes();
        let Some(name) = std::str::from_utf8(&path)
            .ok()
            .and_then(|name| inside("", name))
        else {
            continue;
        };
        let (offset, length) = (entry.raw_file_position(), entry.size());
        let target = || {
            let target = entry.link_name_bytes()?;
            Some(std::str::from_utf8(&target).ok()?.to_owned())
        };
        let member = match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous => {
                if offset.checked_add(length).is_none_or(|last| last > end) {
                    return Err(format!("is cut off: it ends within {name}"));
                }
                Some(Member::File { offset, length })
            }
            // A symbolic link starts where it is, a hard link at the top.
            EntryType::Symlink => {
                let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
                target()
                    .and_then(|target| inside(folder, &target))
                    .map(Member::Link)
            }
            EntryType::Link => target()
                .and_then(|target| inside("", &target))
                .map(Member::Link),
            _ => None,
        };
        if let Some(member) = member {
            members.insert(name, member);
        }
    }
    Ok(members)
}

/// A path in an archive without what leads nowhere; none where it leads out.
fn inside(folder: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    let folder = if path.starts_with('/') { "" } else { folder };
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

/// What compresses a file, by its first bytes.
fn compression(mut file: &File) -> io::Result<Option<&'static str>> {
    let mut start = Vec::new();
    file.take(6).read_to_end(&mut start)?;
    file.rewind()?;
    let known: [(&[u8], &str); 4] = [
        (&[0x1f, 0x8b], "gzip"),
        (&[0x28, 0xb5, 0x2f, 0xfd], "zstd"),
        (&[0xfd, b'7', b'z', b'X', b'Z', 0], "xz"),
        (b"BZh", "bzip2"),
    ];
    let is_it = |(magic, _): &&(&[u8], _)| start.starts_with(magic);
    Ok(known.iter().find(is_it).map(|(_, name)| *name))
}

/// The headers of an archive: everything else is skipped.
struct Headers<'a> {
    file: &'a File,
    /// How much may still be read, in bytes.
    left: u64,
}

impl Read for Headers<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::Error::other(format!(
                "its headers have more than {HEADERS_LIMIT} bytes"
            )));
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        let most = most.min(buffer.len());
        let read = self.file.read(&mut buffer[..most])?;
        self.left -= read as u64;
        Ok(read)
    }
}

impl Seek for Headers<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::oci::digest::sha256;

    const VERSION: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;

    /// What a test puts into an archive.
    enum Put<'a> {
        File(&'a str, &'a [u8]),
        Symlink(&'a str, &'a str),
        Link(&'a str, &'a str),
        Pipe(&'a str),
    }

    use Put::{File as F, Link, Pipe, Symlink};

    fn packed(entries: &[Put<'_>]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for entry in entries {
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o644);
            header.set_size(0);
            match entry {
                F(name, bytes) => {
                    header.set_size(bytes.len() as u64);
                    builder.append_data(&mut header, name, *bytes).unwrap();
                }
                Symlink(name, target) | Link(name, target) => {
                    let is_hard = matches!(entry, Link(..));
                    let kind = if is_hard {
                        EntryType::Link
                    } else {
                        EntryType::Symlink
                    };
                    header.set_entry_type(kind);
                    builder.append_link(&mut header, name, target).unwrap();
                }
                Pipe(name) => {
                    header.set_entry_type(EntryType::Fifo);
                    builder.append_data(&mut header, name, io::empty()).unwrap();
                }
            }
        }
        builder.into_inner().unwrap()
    }

    fn written(name: &str, bytes: &[u8]) -> PathBuf {
        let path = std::env::temp_dir().join(format!("pullproof-{}-{name}", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn open(name: &str, bytes: &[u8], packing: Packing) -> Result<Archive, String> {
        let path = written(name, bytes);
        let opened = Archive::open(&path, packing).map_err(|error| error.to_string());
        std::fs::remove_file(path).unwrap();
        opened
    }

    fn promise(bytes: &[u8]) -> Promise {
        Promise {
            digest: sha256(bytes),
            size: bytes.len() as u64,
        }
    }

    /// The bytes that an archive has for what these hash to.
    fn found(archive: &Archive, bytes: &[u8]) -> Option<Vec<u8>> {
        let content = archive.content(&promise(bytes)).unwrap()?;
        Some(content.bytes().unwrap())
    }

    #[test]
    fn a_packed_layout_gives_its_tags_and_its_content() {
        let (one, two) = (path_of(&sha256(b"one")), path_of(&sha256(b"two")));
        let index = format!(
            r#"{{"manifests":[{{"digest":"{}","size":3,"annotations":{{
                "org.opencontainers.image.ref.name":"1"}}}}]}}"#,
            sha256(b"one")
        );
        let archive = packed(&[
            F(&format!("./{one}"), b"one"),
            F(&two, b"damaged"),
            F(INDEX, index.as_bytes()),
            F(MARKER, VERSION.as_bytes()),
        ]);
        let archive = open("layout.tar", &archive, Packing::Oci).unwrap();
        let [entry] = archive.entries() else {
            panic!("{:?}", archive.entries());
        };
        assert_eq!(entry.names(), ["1"]);
        assert_eq!(entry.promise, promise(b"one"));
        assert_eq!(found(&archive, b"one").unwrap(), b"one");
        let damaged = archive.content(&promise(b"two")).unwrap().unwrap();
        assert!(!damaged.is(&promise(b"two")).unwrap());
        assert_eq!(found(&archive, b"three"), None);
    }

    #[test]
    fn what_docker_saves_is_found_by_its_name_or_by_its_hash() {
        let config = format!("{}.json", sha256(b"config").digest());
        let new = path_of(&sha256(b"new"));
        let archive = packed(&[
            F("manifest.json", b"[]"),
            F(&config, b"config"),
            F("aaaa/layer.tar", b"layer"),
            F("bbbb/layer.tar", b"other"),
            Symlink("cccc/layer.tar", "../aaaa/layer.tar"),
            F(&new, b"new"),
        ]);
        let archive = open("docker.tar", &archive, Packing::Docker).unwrap();
        for content in [&b"config"[..], b"layer", b"other", b"new"] {
            assert_eq!(found(&archive, content).unwrap(), content);
        }
        assert_eq!(found(&archive, b"gone!"), None);
        assert!(archive.entries().is_empty());
        let hashed = archive.hashed.lock().unwrap();
        assert!(
            !hashed.contains_key("manifest.json"),
            "only what has the size"
        );
    }

    #[test]
    fn links_are_resolved_within_the_archive_alone() {
        let blob = |content: &str| path_of(&sha256(content.as_bytes()));
        let archive = packed(&[
            F("manifest.json", b"[]"),
            F("x/layer.tar", b"a"),
            Link(&blob("hard"), "x/layer.tar"),
            Symlink(&blob("soft"), "../../x/layer.tar"),
            Symlink(&blob("twice"), sha256(b"soft").digest()),
            Symlink(&blob("out"), "../../../etc/hostname"),
            Symlink(&blob("top"), "/x/layer.tar"),
            Symlink(&blob("self"), sha256(b"self").digest()),
            Pipe(&blob("pipe")),
        ]);
        let archive = open("links.tar", &archive, Packing::Docker).unwrap();
        for (name, content) in [
            ("hard", Some(&b"a"[..])),
            ("soft", Some(b"a")),
            ("twice", Some(b"a")),
            ("top", Some(b"a")),
            ("out", None),
            ("self", None),
            ("pipe", None),
        ] {
            assert_eq!(
                found(&archive, name.as_bytes()).as_deref(),
                content,
                "{name}"
            );
        }
    }

    #[test]
    fn what_is_no_such_archive_is_said() {
        let layout = [F(MARKER, VERSION.as_bytes())];
        let whole = packed(&[F(MARKER, VERSION.as_bytes()), F("a", &[7; 9000])]);
        let cut = &whole[..whole.len() - 8192];
        let long = packed(&[F(&"x".repeat(40_000), b"")]);
        for (name, bytes, packing, words) in [
            ("empty", &b""[..], Packing::Oci, "it has no oci-layout"),
            (
                "text",
                &[b'x'; 2000],
                Packing::Oci,
                "is not a tar that can be read",
            ),
            (
                "gzip",
                &[0x1f, 0x8b, 8, 0],
                Packing::Oci,
                "is compressed by gzip",
            ),
            (
                "zstd",
                &[0x28, 0xb5, 0x2f, 0xfd],
                Packing::Docker,
                "is compressed by zstd",
            ),
            ("cut", cut, Packing::Oci, "is cut off: it ends within a"),
            (
                "oci",
                &packed(&layout),
                Packing::Oci,
                "it has no index.json",
            ),
            (
                "docker",
                &packed(&layout),
                Packing::Docker,
                "it has no manifest.json",
            ),
            ("long", &long, Packing::Docker, "it has no manifest.json"),
        ] {
            let error = open(name, bytes, packing).unwrap_err();
            assert!(error.contains(words), "{name}: {error}");
        }
        let folder = Archive::open(&std::env::temp_dir(), Packing::Oci).unwrap_err();
        assert!(folder.to_string().ends_with("is not a file"), "{folder}");
    }

    #[test]
    fn a_name_as_long_as_the_archive_is_not_read_into_memory() {
        let path = written("name.tar", b"");
        let file = File::create(&path).unwrap();
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(EntryType::GNULongName);
        header.set_size(HEADERS_LIMIT * 4);
        header.set_cksum();
        std::io::Write::write_all(&mut &file, header.as_bytes()).unwrap();
        file.set_len(HEADERS_LIMIT * 4 + 4096).unwrap();
        let error = Archive::open(&path, Packing::Docker)
            .unwrap_err()
            .to_string();
        std::fs::remove_file(path).unwrap();
        assert!(error.contains("its headers have more than"), "{error}");
    }

    #[test]
    fn a_path_stays_inside() {
        for (folder, path, expected) in [
            ("", "./a//b", Some("a/b")),
            ("a", "../b", Some("b")),
            ("a", "../../b", None),
            ("", "..", None),
            ("a/b", "/c", Some("c")),
            ("a", ".", Some("a")),
            ("", "", None),
        ] {
            assert_eq!(inside(folder, path).as_deref(), expected, "{folder} {path}");
        }
    }
}
