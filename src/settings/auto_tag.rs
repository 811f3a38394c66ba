//! The tags that the buildx plugin computes from the git reference.

use super::Error;
use super::ci::{Facts, System};
use super::files::Disk;
use super::raw::Typed;

/// What a build with `auto_tag` computes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AutoTags {
    /// These tags.
    These(Vec<String>),
    /// No tag: this git reference is neither a tag nor the default branch. The build plugins push
    /// what they push without `auto_tag`.
    None(String),
}

/// Computes the tags for the git reference that the CI system names.
///
/// # Errors
///
/// When the reference or the default branch is not known, or the git tag is not a version.
pub(super) fn auto_tags(
    typed: &Typed,
    facts: &Facts<'_>,
    disk: &Disk<'_>,
) -> Result<AutoTags, Error> {
    let Some(reference) = facts.git_reference() else {
        return Err(Error::new(
            "auto_tag: the CI system does not say which git reference was built",
        )
        .with_hint(
            "outside Woodpecker, Drone, GitLab and GitHub Actions, name the tags in the \
                     setting tags",
        ));
    };
    let default = typed.default_tag();
    let default_tag = default.text;
    let suffix = typed.auto_tag_suffix().map(|value| value.text);
    let tags = if let Some(tag) = reference.strip_prefix("refs/tags/") {
        version_tags(tag).ok_or_else(|| {
            Error::new(format!(
                "auto_tag: the git tag {} is not a version",
                crate::text::quote::quoted(tag)
            ))
            .with_hint(
                "auto_tag understands 1.2.3, v1.2.3, a pre-release of them, or a date; otherwise \
                 set tags",
            )
        })?
    } else {
        let branch = reference.strip_prefix("refs/heads/").unwrap_or(&reference);
        let default = facts
            .default_branch()
            .map(str::to_owned)
            .or_else(|| github_default_branch(facts, disk));
        match default {
            Some(default) if default == branch => vec![default_tag.to_owned()],
            Some(_) => return Ok(AutoTags::None(reference)),
            None => {
                return Err(Error::new(
                    "auto_tag: the CI system does not name the repository's default branch",
                )
                .with_hint("name the tags in the setting tags"));
            }
        }
    };
    Ok(AutoTags::These(match suffix {
        None => tags,
        Some(suffix) => tags
            .into_iter()
            .map(|tag| {
                if tag == default_tag {
                    suffix.to_owned()
                } else {
                    format!("{tag}-{suffix}")
                }
            })
            .collect(),
    }))
}

/// The default branch in the event's payload: no variable of GitHub Actions names it.
fn github_default_branch(facts: &Facts<'_>, disk: &Disk<'_>) -> Option<String> {
    let path = facts
        .path("GITHUB_EVENT_PATH")
        .filter(|_| facts.system() == System::GithubActions)?;
    let event: serde_json::Value = serde_json::from_str(&(disk.files)(&path).ok()?).ok()?;
    event
        .pointer("/repository/default_branch")?
        .as_str()
        .map(str::to_owned)
}

/// `1`, `1.2`, `1.2.3` for a version; a date or a pre-release stays as it is; `0` alone is never a
/// tag.
fn version_tags(tag: &str) -> Option<Vec<String>> {
    if is_date(tag) {
        return Some(vec![tag.to_owned()]);
    }
    let version = tag.strip_prefix('v').unwrap_or(tag);
    let (version, build) = match version.split_once('+') {
        Some((version, build)) => (version, Some(build)),
        None => (version, None),
    };
    let (core, pre_release) = match version.split_once('-') {
        Some((core, pre_release)) => (core, Some(pre_release)),
        None => (version, None),
    };
    let number = |part: &str| {
        part.bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| part.parse().ok())
            .flatten()
    };
    let mut numbers: Vec<u64> = core.split('.').map(number).collect::<Option<_>>()?;
    while numbers.len() < 3 {
        numbers.push(0);
    }
    if pre_release.is_some() || build.is_some() {
        let identifiers = |text: &str| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b".-~".contains(&byte))
        };
        let mut exact: String = numbers
            .iter()
            .map(u64::to_string)
            .collect::<Vec<_>>()
            .join(".");
        for (mark, text) in [('-', pre_release), ('+', build)] {
            if let Some(text) = text {
                identifiers(text).then(|| exact.extend([mark.to_string().as_str(), text]))?;
            }
        }
        return Some(vec![exact]);
    }
    let (major, minor, patch) = (numbers[0], numbers[1], numbers[2]);
    if (1000..10_000).contains(&major) && minor == 0 && patch == 0 {
        return Some(vec![major.to_string()]);
    }
    let mut tags = vec![
        format!("{major}.{minor}"),
        format!("{major}.{minor}.{patch}"),
    ];
    if major > 0 {
        tags.insert(0, major.to_string());
    }
    Some(tags)
}

/// `20240131` or `2024-01-31`.
fn is_date(text: &str) -> bool {
    let shape: String = text
        .chars()
        .map(|letter| if letter.is_ascii_digit() { '0' } else { letter })
        .collect();
    matches!(shape.as_str(), "00000000" | "0000-00-00")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_become_their_parts() {
        for (tag, expected) in [
            ("v1.2.3", &["1", "1.2", "1.2.3"][..]),
            ("1.0.0", &["1", "1.0", "1.0.0"]),
            ("1", &["1", "1.0", "1.0.0"]),
            ("v1.2", &["1", "1.2", "1.2.0"]),
            ("0.9.1", &["0.9", "0.9.1"]),
            ("v18.06.0", &["18", "18.6", "18.6.0"]),
            ("v1.0.0-alpha.1", &["1.0.0-alpha.1"]),
            ("1.0.0-rc-2", &["1.0.0-rc-2"]),
            ("2.0-rc1", &["2.0.0-rc1"]),
            ("1.0.0+build.5", &["1.0.0+build.5"]),
            ("20240131", &["20240131"]),
            ("2024-01-31", &["2024-01-31"]),
            ("2024", &["2024"]),
            ("2024.1.0", &["2024", "2024.1", "2024.1.0"]),
        ] {
            assert_eq!(version_tags(tag).unwrap(), expected, "{tag}");
        }
        for tag in [
            "x1.0.0",
            "latest",
            "",
            "v",
            "1.x",
            "1..2",
            "1.0.0-",
            "1.0.0-ä",
            "99999999999999999999999",
        ] {
            assert_eq!(version_tags(tag), None, "{tag}");
        }
    }
}
