//! `oci:DIR[:TAG][@DIGEST]`: an image in an OCI image layout, as skopeo and podman name it.

use oci_spec::image::Digest;

use super::digest::is_supported;
use super::reference::{Reference, Repository, is_tag};

/// What stands in front of the directory.
const TRANSPORT: &str = "oci:";

/// The longest name of an image in a layout, in bytes.
const LONGEST_NAME: usize = 512;

/// Whether a text names a layout, well or badly.
pub(crate) fn is_meant(text: &str) -> bool {
    text.starts_with(TRANSPORT)
}

/// What a text names: a directory, and what in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InLayout<'a> {
    /// As it was written.
    pub directory: &'a str,
    /// The name of one image.
    pub tag: Option<&'a str>,
    /// The digest of one image.
    pub digest: Option<Digest>,
}

impl<'a> InLayout<'a> {
    /// Reads it; none where it is something else.
    ///
    /// The last colon that a tag follows ends the directory. Where that is none, as `is_directory`
    /// says, one that a full name follows does, or the directory has a colon of its own.
    pub(crate) fn read(text: &'a str, is_directory: impl Fn(&str) -> bool) -> Option<Self> {
        let rest = text
            .strip_prefix(TRANSPORT)
            .filter(|rest| !rest.starts_with("//"))?;
        let (rest, digest) = match rest.rsplit_once('@') {
            Some((before, after)) => match after.parse().ok().filter(is_supported) {
                Some(digest) => (before, Some(digest)),
                None => (rest, None),
            },
            None => (rest, None),
        };
        let ways = ways(rest);
        let way = ways.iter().find(|(directory, _)| is_directory(directory));
        let (directory, tag) = *way.or(ways.first())?;
        Some(Self {
            directory,
            tag,
            digest,
        })
    }

    /// The same as a reference.
    pub(crate) fn reference(&self) -> Reference {
        Reference {
            repository: Repository {
                registry: format!("{TRANSPORT}{}", self.directory),
                name: String::new(),
            },
            tag: self.tag.map(str::to_owned),
            digest: self.digest.clone(),
        }
    }
}

/// The directory of a layout, where this is one and no registry.
pub(crate) fn directory(repository: &Repository) -> Option<&str> {
    let directory = directory_of(&repository.registry);
    directory.filter(|_| repository.name.is_empty())
}

/// The directory in the registry of a repository without a name.
pub(crate) fn directory_of(registry: &str) -> Option<&str> {
    registry.strip_prefix(TRANSPORT)
}

/// How a text can be read, what is meant most likely first.
fn ways(text: &str) -> Vec<(&str, Option<&str>)> {
    let colons = || text.match_indices(':').map(|(at, _)| at);
    let split = |at: usize| (&text[..at], &text[at + 1..]);
    let tagged = colons().rev().map(split).find(|(_, tag)| is_tag(tag));
    let named = colons()
        .map(split)
        .filter(|(_, name)| is_name(name) && !is_tag(name));
    let with_name = |(directory, name)| (directory, Some(name));
    let tagged = tagged.into_iter().map(with_name);
    (tagged.chain([(text, None)]))
        .chain(named.map(with_name))
        .filter(|(directory, _): &(&str, _)| !directory.is_empty())
        .collect()
}

/// Whether this may be the name of an image in a layout: a tag, or a reference; see
/// <https://github.com/opencontainers/image-spec/blob/main/annotations.md>.
pub(crate) fn is_name(text: &str) -> bool {
    let is_component = |part: &str| {
        part.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_')
            && (part.bytes()).all(|byte| byte.is_ascii_alphanumeric() || b"-._:@+".contains(&byte))
    };
    text.len() <= LONGEST_NAME && text.split('/').all(is_component)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b";

    /// `directory tag digest`, with `-` for none, where these are directories.
    fn read(text: &str, directories: &[&str]) -> String {
        let is_directory = |path: &str| directories.contains(&path);
        match InLayout::read(text, is_directory) {
            Some(InLayout {
                directory,
                tag,
                digest,
            }) => format!(
                "{directory} {} {}",
                tag.unwrap_or("-"),
                digest.map_or("-", |_| "digest")
            ),
            None => "none".to_owned(),
        }
    }

    #[test]
    fn the_last_colon_that_a_tag_follows_ends_the_directory() {
        for (text, expected) in [
            ("oci:out", "out - -"),
            ("oci:./out", "./out - -"),
            ("oci:/srv/out:1.2", "/srv/out 1.2 -"),
            ("oci:a:b:c", "a:b c -"),
            ("oci:/srv/a:1/out", "/srv/a:1/out - -"),
            ("oci:/srv/a:1/out:2", "/srv/a:1/out 2 -"),
            ("oci:/srv/a:1/", "/srv/a:1/ - -"),
            ("oci:out:", "out: - -"),
            ("oci::1", ":1 - -"),
            (&format!("oci:out@{DIGEST}"), "out - digest"),
            (&format!("oci:out:1@{DIGEST}"), "out 1 digest"),
            ("oci:me@home/out:1", "me@home/out 1 -"),
            ("oci:out@sha256:12", "out@sha256 12 -"),
            ("oci:", "none"),
            ("oci://out", "none"),
            ("oci-archive:out", "none"),
            ("oci/out", "none"),
        ] {
            assert_eq!(read(text, &["out", "/srv/out", "a:b"]), expected, "{text}");
        }
    }

    #[test]
    fn a_directory_that_is_there_decides_where_several_are_possible() {
        for (text, directories, expected) in [
            ("oci:a:1", &["a:1"][..], "a:1 - -"),
            ("oci:a:1", &["a", "a:1"], "a 1 -"),
            ("oci:a:1", &[], "a 1 -"),
            (
                "oci:out:docker.io/library/app:1",
                &["out"],
                "out docker.io/library/app:1 -",
            ),
            (
                "oci:out:r.example:5000/app:1",
                &["out"],
                "out r.example:5000/app:1 -",
            ),
            (
                "oci:out:docker.io/library/app:1",
                &[],
                "out:docker.io/library/app 1 -",
            ),
        ] {
            assert_eq!(read(text, directories), expected, "{text} {directories:?}");
        }
    }

    #[test]
    fn a_reference_shows_what_was_written_and_knows_its_directory() {
        for text in ["oci:./out:1", "oci:./out", &format!("oci:./out@{DIGEST}")] {
            let read = InLayout::read(text, |path| path == "./out").unwrap();
            let reference = read.reference();
            assert_eq!(reference.to_string(), text);
            assert_eq!(directory(&reference.repository), Some("./out"));
        }
        let registry: Reference = "oci.example/app:1".parse().unwrap();
        assert_eq!(directory(&registry.repository), None);
    }

    #[test]
    fn a_name_has_no_blanks_and_leads_nowhere() {
        for name in ["1", "v1.0+x", "docker.io/library/app:1", "a@b", "_"] {
            assert!(is_name(name), "{name}");
        }
        for name in [
            "",
            "a b",
            "../a",
            "a//b",
            "/a",
            "a/",
            "-a",
            "a\n",
            &"a".repeat(513),
        ] {
            assert!(!is_name(name), "{name}");
        }
    }
}
