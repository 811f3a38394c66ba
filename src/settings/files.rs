//! Files that settings name, read through a function so that tests need no disk.

use std::io;
use std::path::{Path, PathBuf};

use super::Error;
use super::value::SettingText;

/// Reads a whole file as text.
pub type Files<'a> = dyn Fn(&Path) -> io::Result<String> + 'a;

/// Where relative paths start, and how to read.
#[derive(Clone, Copy)]
pub(super) struct Disk<'a> {
    pub(super) directory: &'a Path,
    pub(super) home: Option<&'a str>,
    pub(super) files: &'a Files<'a>,
}

impl Disk<'_> {
    /// The path, relative to the working directory, and with `~/` in the home directory.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        match (path.strip_prefix("~/"), self.home) {
            (Some(rest), Some(home)) => Path::new(home).join(rest),
            _ => self.directory.join(path),
        }
    }

    /// The content of a file that may be missing; `None` when it is.
    pub(super) fn optional(&self, path: &Path) -> io::Result<Option<String>> {
        match (self.files)(path) {
            Ok(text) => Ok(Some(text)),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The content of the file that a setting names.
    pub(super) fn named(&self, value: &SettingText<'_>) -> Result<String, Error> {
        let path = self.resolve(value.text);
        (self.files)(&path).map_err(|error| {
            // It may be broken JSON rather than a path, and then it may hold a secret.
            if value.setting.kind.is_secret() && !looks_like_a_path(value.text) {
                return value.error("the value is neither JSON nor the path of a readable file");
            }
            let shown = path.display().to_string();
            value.error(format!(
                "cannot read {}: {}",
                crate::text::quote::quoted(&shown),
                reason(&error)
            ))
        })
    }
}

/// Tokens and base64 have dots and slashes, too, so a path must begin or end as paths do.
pub(super) fn looks_like_a_path(text: &str) -> bool {
    let begins = ["/", "./", "../", "~/"]
        .iter()
        .any(|start| text.starts_with(start));
    let ends = Path::new(text)
        .extension()
        .is_some_and(|extension| extension == "json");
    text.len() < 200 && (begins || ends) && !text.contains(['\n', '"', '{', '='])
}

/// The reason for an error without the number that Rust adds.
pub(super) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_ascii_lowercase(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk<'a>(files: &'a Files<'a>) -> Disk<'a> {
        Disk {
            directory: Path::new("/workspace"),
            home: Some("/home/me"),
            files,
        }
    }

    #[test]
    fn paths_start_in_the_working_directory_or_at_home() {
        let missing = |_: &Path| Err(io::Error::from(io::ErrorKind::NotFound));
        for (path, expected) in [
            ("a/b", "/workspace/a/b"),
            ("/a", "/a"),
            ("~/a", "/home/me/a"),
            ("~a", "/workspace/~a"),
        ] {
            assert_eq!(disk(&missing).resolve(path), Path::new(expected));
        }
    }

    #[test]
    fn an_unreadable_file_is_named_with_the_reason() {
        let denied = |_: &Path| Err(io::Error::from_raw_os_error(13));
        let value = SettingText {
            spelled: "tag-file",
            ..SettingText::default_of("tags_file", "x")
        };
        assert_eq!(
            disk(&denied).named(&value).unwrap_err().to_string(),
            "tag-file: cannot read \"/workspace/x\": permission denied"
        );
        assert!(disk(&denied).optional(Path::new("x")).is_err());
    }

    #[test]
    fn what_may_be_a_secret_is_not_shown_as_a_path() {
        let missing = |_: &Path| Err(io::Error::from(io::ErrorKind::NotFound));
        let error = |text| {
            let value = SettingText::default_of("docker_config", text);
            disk(&missing).named(&value).unwrap_err().to_string()
        };
        assert!(error("/a/config.json").contains("/a/config.json"));
        for text in [
            "eyJhdXRocyI6e319",
            "\"auths\": {}",
            "aHVudGVyMg==",
            "hunter2",
            "tok.hunter2/x",
            "aHVu/GVy",
        ] {
            assert!(!error(text).contains(text), "{text} was shown");
        }
    }
}
