//! What stays, and what holds a run back.

use std::num::NonZero;
use std::time::Duration;

use wildmatch::WildMatch;

/// What keeps a tag; what any of them keeps stays.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// `keep`: patterns of tags.
    pub keep: Vec<WildMatch>,
    /// `keep_newest`: how many digests.
    pub newest: Option<NonZero<usize>>,
    /// `keep_younger`.
    pub younger: Option<Duration>,
}

impl Rules {
    /// Whether there is any rule.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keep.is_empty() && self.newest.is_none() && self.younger.is_none()
    }
}

/// The rules of each repository: the first whose pattern it matches.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// A pattern of repository names, and the rules.
    pub entries: Vec<(WildMatch, Rules)>,
}

impl Policy {
    /// The place of a repository's rules, if it has any.
    #[must_use]
    pub fn of(&self, repository: &str) -> Option<usize> {
        let mut entries = self.entries.iter();
        entries.position(|(pattern, _)| pattern.matches(repository))
    }
}

/// What holds a run back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Brakes {
    /// `min_age`: nothing younger is touched.
    pub min_age: Duration,
    /// `max_deleted`: how many of a hundred tags may go.
    pub max_deleted: u8,
    /// `allow_untagged_repository`.
    pub may_lose_all_tags: bool,
}
