//! A tag that is broken or undecided, as it is shown.

use std::fmt;

use super::super::exit::Exit;
use super::super::judged::{Gravity, Judged, Root, Usage};
use super::super::platforms::Platforms;
use super::super::text::{faults, finding_line, is_unresolved};
use crate::oci::reference::{Reference, Repository};
use crate::text::escape;
use crate::text::human::{self, count};
use crate::walk::checked::Finding;
use crate::walk::graph::NodeId;

/// How many of a tag's faults are shown.
const SHOWN: usize = 5;

/// How many of its users are named.
const USERS: usize = 3;

/// A tag that is broken or undecided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Its repository.
    pub repository: Repository,
    /// Its tag; its digest, where it has none.
    pub name: Name,
    /// How it is used, where that is known.
    pub usage: Option<Usage>,
    /// What it comes to.
    pub exit: Exit,
    /// What is wrong, in a few words, for a line of its own.
    pub summary: String,
    /// The first of its faults, one a line.
    pub lines: Vec<String>,
}

/// What an image is called within its repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// By its tag.
    Tag(String),
    /// By its digest alone.
    Digest(String),
}

impl Name {
    /// What a reference calls an image.
    pub(in crate::report) fn of(reference: &Reference) -> Self {
        match (&reference.tag, &reference.digest) {
            (Some(tag), _) => Self::Tag(tag.clone()),
            (None, Some(digest)) => Self::Digest(digest.to_string()),
            (None, None) => Self::Tag(String::new()),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => write!(f, ":{tag}"),
            Self::Digest(digest) => write!(f, "@{digest}"),
        }
    }
}

impl Fault {
    /// What is wrong with the tag at this place.
    pub(in crate::report) fn of(judged: &Judged<'_>, place: usize) -> Self {
        let subject = &judged.checked.subjects[place];
        let root = judged.root(place);
        let counted = |one: &&Finding| judged.gravity(one) != Gravity::Warned;
        let findings = subject.findings.iter().filter(counted);
        let mut lines: Vec<String> = findings
            .map(|finding| finding_line(judged.gravity(finding), finding))
            .collect();
        let counts = [&root.broken, &root.undecided].map(Vec::len);
        let total = lines.len() + counts.iter().sum::<usize>();
        lines.extend(faults(root).take(counts.iter().sum()));
        lines.truncate(SHOWN);
        if total > SHOWN {
            lines.push(format!("and {}", count(total - SHOWN, "more fault")));
        }
        Self {
            repository: judged.checked.repository.clone(),
            name: Name::of(&subject.reference),
            usage: judged.usage(place).cloned(),
            exit: judged.exit(place),
            summary: summary(root, subject.findings.first().map(Finding::as_str)),
            lines,
        }
    }

    /// `team/app:1.4`.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{}{}", self.repository.short(), self.name)
    }

    /// `registry.example/team/app:1.4`.
    #[must_use]
    pub fn reference(&self) -> String {
        format!("{}{}", self.repository, self.name)
    }

    /// Whether it is what this reference names.
    #[must_use]
    pub fn is(&self, reference: &Reference) -> bool {
        self.repository == reference.repository && self.name == Name::of(reference)
    }

    /// Whether it is in use.
    #[must_use]
    pub fn is_used(&self) -> bool {
        self.usage.as_ref().is_some_and(|usage| usage.is_used)
    }

    /// Whether it is broken and in use.
    #[must_use]
    pub fn is_broken_in_use(&self) -> bool {
        self.exit == Exit::Broken && self.is_used()
    }

    /// `in use by 9 workloads`; empty where it is not, or nobody knows.
    #[must_use]
    pub fn use_in_words(&self) -> String {
        match &self.usage {
            Some(Usage {
                is_used: true,
                users,
            }) if users.is_empty() => "in use".to_owned(),
            Some(Usage {
                is_used: true,
                users,
            }) => {
                format!("in use by {}", count(users.len(), "workload"))
            }
            _ => String::new(),
        }
    }

    /// `used by deployment shop/app and 8 others`, for a line of its own.
    #[must_use]
    pub fn users_in_words(&self) -> Option<String> {
        let users = &self.usage.as_ref()?.users;
        if users.is_empty() {
            return None;
        }
        let first = users.iter().take(USERS).map(|user| escape::line(user));
        let mut names: Vec<String> = first.collect();
        if users.len() > USERS {
            names.push(count(users.len() - USERS, "other"));
        }
        Some(format!("used by {}", human::list(&names)))
    }
}

/// `linux/amd64 manifest missing (404)`, `2 manifests missing (404)`, `5 digests broken`.
fn summary(root: &Root<'_>, finding: Option<&'static str>) -> String {
    let (ids, state) = if root.broken.is_empty() {
        (&root.undecided, "undecided")
    } else {
        (&root.broken, "broken")
    };
    of_digests(root, ids, state).unwrap_or_else(|| finding.unwrap_or("nothing to check").to_owned())
}

/// The same for these digests, which are all in this state; `None` without any.
pub(in crate::report) fn of_digests(
    root: &Root<'_>,
    ids: &[NodeId],
    state: &str,
) -> Option<String> {
    let [first, others @ ..] = ids else {
        return None;
    };
    let words = |id: NodeId| {
        let node = root.graph.node(id);
        (node.kind(), node.verdict(), node.status())
    };
    let (kind, verdict, status) = words(*first);
    let status = status
        .filter(|status| *status >= 400)
        .map(|status| format!(" ({status})"))
        .unwrap_or_default();
    if is_unresolved(root, *first, root.graph.node(*first)) {
        return Some(format!("{}{status}", verdict.as_str()));
    }
    if others.iter().any(|id| words(*id) != words(*first)) {
        return Some(format!("{} {state}", count(ids.len(), "digest")));
    }
    let subject = if others.is_empty() {
        let platform = Platforms::of(root.graph, root.node).stated(*first).cloned();
        let platform = platform.filter(|platform| !platform.is_unknown());
        platform.map_or(kind.as_str().to_owned(), |platform| {
            format!("{} {}", escape::line(&platform.to_string()), kind.as_str())
        })
    } else {
        count(ids.len(), kind.as_str())
    };
    Some(format!("{subject} {}{status}", verdict.as_str()))
}
