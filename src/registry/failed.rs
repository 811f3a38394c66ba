//! Why a try brought nothing, in the words of whoever said so.

use std::time::Duration;

use url::Url;

use super::error;
use super::redirect::shown;
use super::retry::Ended;
use crate::http::{Problem, ProblemKind};
use crate::walk::source::{Fault, FaultKind, Obstacle};

/// Why a try brought nothing.
pub(super) struct Failed {
    pub(super) fault: Fault,
    pub(super) status: Option<u16>,
    pub(super) ended: Ended,
}

impl Failed {
    pub(super) fn new(kind: FaultKind, status: u16, detail: String) -> Self {
        let ended = Ended::Status {
            status,
            retry_after: None,
        };
        Self {
            fault: Fault {
                kind,
                detail,
                obstacle: None,
            },
            status: Some(status),
            ended,
        }
    }

    /// A 404 in other words than a registry's may be that of somebody in its place.
    pub(super) fn or_of_a_stranger(mut self, body: &[u8]) -> Self {
        if self.fault.kind == FaultKind::NotFound && !error::is_registrys(body) {
            self.fault.obstacle = Some(Obstacle::NoRegistry);
        }
        self
    }
}

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        let fault = Fault {
            kind: FaultKind::Unavailable,
            detail: problem.text.clone(),
            obstacle: obstacle_of(&problem),
        };
        Self {
            fault,
            status: None,
            ended: Ended::Problem(problem),
        }
    }
}

/// What stands in the way, where a problem has a cause that a person can remove.
pub(super) fn obstacle_of(problem: &Problem) -> Option<Obstacle> {
    match problem.kind {
        ProblemKind::UnknownHost => Some(Obstacle::UnknownHost),
        ProblemKind::ConnectionRefused => Some(Obstacle::NobodyListens),
        ProblemKind::WithoutTls => Some(Obstacle::WithoutTls),
        ProblemKind::WithoutPlainHttp => Some(Obstacle::WithoutPlainHttp),
        ProblemKind::UnknownIssuer => Some(Obstacle::UnknownIssuer),
        ProblemKind::BadCertificate => Some(Obstacle::BadCertificate),
        ProblemKind::WebPage => Some(Obstacle::WebPage),
        ProblemKind::Connection
        | ProblemKind::Handshake
        | ProblemKind::NotHttp
        | ProblemKind::Cut
        | ProblemKind::Headless
        | ProblemKind::Timeout
        | ProblemKind::Refused => None,
    }
}

/// Why an answer could not be read to its end.
pub(super) struct Unread<T> {
    pub(super) problem: Problem,
    /// After which byte it ended, and what that amounts to when every further try ends there.
    pub(super) otherwise: Option<(u64, T)>,
    /// Whether this try went on where the one before it had ended, and came farther.
    pub(super) farther: bool,
}

impl<T> Unread<T> {
    /// An answer that ended after so many bytes.
    pub(super) fn ended(problem: Problem, at: u64, content: T) -> Self {
        Self {
            problem,
            otherwise: Some((at, content)),
            farther: false,
        }
    }
}

impl<T> From<Problem> for Unread<T> {
    fn from(problem: Problem) -> Self {
        Self {
            problem,
            otherwise: None,
            farther: false,
        }
    }
}

/// Names the host when a question was led away from its registry: two legs, two networks.
pub(super) fn elsewhere(problem: Problem, at_registry: bool, url: &Url) -> Problem {
    if at_registry {
        problem
    } else {
        Problem {
            text: format!("redirected to {}: {}", shown(url), problem.text),
            ..problem
        }
    }
}

/// A token server was asked with patience already: the question is not put again for its sake.
pub(super) fn final_failure(failed: Failed) -> Failed {
    let text = failed.fault.detail.clone();
    let fault = Fault {
        obstacle: failed.fault.obstacle.or(Some(Obstacle::Elsewhere)),
        ..failed.fault
    };
    Failed {
        ended: Ended::Problem(Problem::new(ProblemKind::Refused, text)),
        fault,
        ..failed
    }
}

/// A status that is no answer to the question.
pub(super) fn failure(
    status: u16,
    retry_after: Option<Duration>,
    words: Option<String>,
    at_registry: bool,
    url: &Url,
) -> Failed {
    let (kind, what) = match status {
        401 | 403 => (FaultKind::Denied, format!("refused with {status}")),
        404 | 410 => (FaultKind::NotFound, format!("answered {status}")),
        429 => (FaultKind::RateLimited, "too many requests (429)".to_owned()),
        _ => (FaultKind::Unavailable, format!("answered {status}")),
    };
    let what = with_words(&what, words);
    let detail = if at_registry {
        what
    } else {
        format!("redirected to {}: {what}", shown(url))
    };
    let mut failed = Failed {
        ended: Ended::Status {
            status,
            retry_after,
        },
        ..Failed::new(kind, status, detail)
    };
    failed.fault.obstacle =
        Some(Obstacle::Elsewhere).filter(|_| !at_registry && kind == FaultKind::Unavailable);
    failed
}

pub(super) fn with_words(what: &str, words: Option<String>) -> String {
    match words {
        Some(words) => format!("{what} ({words})"),
        None => what.to_owned(),
    }
}
