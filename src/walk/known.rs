//! What a command has learnt about a repository beside its content. It is for hints: no verdict
//! depends on it.

use std::collections::BTreeMap;

use super::graph::finished;

/// How many of the nearest tags are kept.
const NEAREST: usize = 3;

/// What is known of a repository beside its content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Scheme and host of its registry's API, as far as that is known.
    pub base: Option<Box<str>>,
    /// The login that is sent.
    pub access: Access,
    /// Whether the registry wants tokens of a token server.
    pub needs_token: bool,
    /// The tags that answer 404, each with what the registry lists.
    pub tags: BTreeMap<Box<str>, Listed>,
}

impl Known {
    /// Redacts and cuts the texts in it that are not our own.
    pub fn redact(&mut self, redact: impl Fn(&str) -> String) {
        match &mut self.access {
            Access::Login {
                username: Some(text),
                ..
            }
            | Access::Elsewhere { host: text, .. } => *text = finished(text, redact),
            _ => {}
        }
    }
}

/// The login of a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// There is none, and none was given for anything else.
    #[default]
    Anonymous,
    /// There is one.
    Login {
        /// The user, where the login has one.
        username: Option<Box<str>>,
        /// The setting that it is from.
        given_by: GivenBy,
    },
    /// There is none for it, and one for another host.
    Elsewhere {
        /// That host, as the setting has it.
        host: Box<str>,
        /// The setting that it is from.
        given_by: GivenBy,
    },
}

/// The setting that a login is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GivenBy {
    /// `username` and `password`.
    Username,
    /// `logins`.
    Logins,
    /// `docker_config`, or docker's own file, or a helper that it names.
    DockerConfig,
    /// `github_token`.
    GithubToken,
}

/// What the registry lists in place of a tag that answers 404.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed {
    /// The repository is not there either.
    NoRepository,
    /// It has no tag at all.
    NoTag,
    /// It has others; these are the nearest.
    Others(Vec<Box<str>>),
    /// It lists the tag, whose manifest is gone.
    ItToo,
}

impl Listed {
    /// What a list of tags says about one that answers 404.
    #[must_use]
    pub fn of(tag: &str, tags: &[String]) -> Self {
        if tags.iter().any(|one| one == tag) {
            return Self::ItToo;
        }
        if tags.is_empty() {
            return Self::NoTag;
        }
        // Of several that are as near the last one, which is the newest version.
        let mut near: Vec<&String> = tags.iter().collect();
        near.sort_by(|one, other| other.cmp(one));
        near.sort_by_cached_key(|one| strsim::osa_distance(one, tag));
        let near = near.into_iter().take(NEAREST);
        Self::Others(near.map(|one| one.as_str().into()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_tags_come_first_and_of_equals_the_last() {
        let tags = ["1.4", "1.5", "latest", "sha-0123456", "0.9"].map(str::to_owned);
        let others = |tag| match Listed::of(tag, &tags) {
            Listed::Others(near) => near.join(" "),
            other => panic!("{other:?}"),
        };
        assert_eq!(others("latst"), "latest 1.5 1.4");
        assert_eq!(others("1.6"), "1.5 1.4 0.9");
        assert_eq!(others("v1.4"), "1.4 1.5 0.9");
        assert_eq!(Listed::of("1.4", &tags), Listed::ItToo);
        assert_eq!(Listed::of("1.4", &[]), Listed::NoTag);
    }
}
