//! Why a try failed, as a cause.

use std::time::Duration;

use url::Url;

use super::error;
use super::redirect::shown;
use super::retry::Ended;
use crate::http::{Problem, ProblemKind};
use crate::walk::cause::{Cause, Denial, Place, Trouble};
use crate::walk::source::{Fault, FaultKind};

/// Why a try brought no content, and what that means for the next one.
pub(super) struct Failed {
    pub(super) fault: Fault,
    pub(super) status: Option<u16>,
    pub(super) ended: Ended,
}

impl Failed {
    /// Access was refused, with this answer.
    pub(super) fn denied(denial: Denial, status: u16, words: Option<Box<str>>) -> Self {
        Self {
            fault: Fault {
                kind: FaultKind::Denied,
                cause: Cause::Denied { denial, words },
            },
            status: Some(status),
            ended: Ended::Status {
                status,
                retry_after: None,
            },
        }
    }

    /// The same, on the way to somewhere else than the registry.
    pub(super) fn at(mut self, there: Place) -> Self {
        if let Cause::Status { place, .. } | Cause::Unreached { place, .. } = &mut self.fault.cause
        {
            *place = there;
        }
        self
    }

    /// The same, but a registry that delivers other content is asked once more before it is believed
    /// that it refuses this.
    pub(super) fn where_others_are_delivered(mut self, delivered: bool) -> Self {
        if delivered && self.ended.status() == Some(403) {
            self.ended = Ended::Refusal { tries: 2 };
        }
        self
    }

    /// The same at an upload session: a 404 says that the registry has forgotten it, so that
    /// another one is opened. A disk that is full is not filled further.
    pub(super) fn at_session(mut self) -> Self {
        if self.ended.status() == Some(404) {
            self.ended = Ended::Refusal { tries: u32::MAX };
            self.fault.kind = FaultKind::Unavailable;
        } else if self.is_for_want_of_space() {
            self.ended = Ended::Refusal { tries: 1 };
        }
        self
    }

    fn is_for_want_of_space(&self) -> bool {
        let Cause::Status { status, words, .. } = &self.fault.cause else {
            return false;
        };
        *status == 507 || words.as_deref().is_some_and(error::names_a_full_disk)
    }

    /// The same with a 5xx that names the registry's API: it is the registry's own, without words.
    pub(super) fn naming_the_api(mut self, names_it: bool) -> Self {
        if let Cause::Status {
            status: 500..600,
            is_registrys,
            ..
        } = &mut self.fault.cause
        {
            *is_registrys |= names_it;
        }
        self
    }

    /// The same as a kind of trouble, which explains the status better.
    pub(super) fn because_of(mut self, trouble: Trouble) -> Self {
        if let Cause::Status { status, words, .. } = &self.fault.cause {
            let words = words.as_ref().map(|words| format!(" ({words})"));
            self.fault.cause = Cause::Unreached {
                trouble,
                place: Place::Registry,
                words: format!("answered {status}{}", words.unwrap_or_default()).into(),
            };
        }
        self
    }

    /// The same after an answer with this status.
    pub(super) fn with_status(self, status: u16) -> Self {
        Self {
            status: Some(status),
            ..self
        }
    }
}

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        let words = problem.text.clone().into();
        let cause = match trouble(&problem) {
            Some(trouble) => Cause::Unreached {
                trouble,
                place: Place::Registry,
                words,
            },
            None => Cause::Unreadable {
                path: "the content to upload".into(),
                words,
            },
        };
        let kind = FaultKind::Unavailable;
        Self {
            fault: Fault { kind, cause },
            status: None,
            ended: Ended::Problem(problem),
        }
    }
}

/// What kept an answer from coming; nothing where it was not the network.
fn trouble(problem: &Problem) -> Option<Trouble> {
    Some(match problem.kind {
        ProblemKind::Unreadable => return None,
        ProblemKind::UnknownHost => Trouble::UnknownHost,
        ProblemKind::ConnectionRefused => Trouble::ConnectionRefused,
        ProblemKind::Unreachable => Trouble::Unreachable,
        ProblemKind::Connection => Trouble::Connection,
        ProblemKind::WithoutTls => Trouble::WithoutTls,
        ProblemKind::WithoutPlainHttp => Trouble::WithoutPlainHttp,
        ProblemKind::UnknownIssuer => Trouble::UnknownIssuer,
        ProblemKind::BadCertificate => Trouble::BadCertificate,
        ProblemKind::Handshake => Trouble::Handshake,
        ProblemKind::WebPage => Trouble::WebPage,
        ProblemKind::NotHttp | ProblemKind::Headless => Trouble::Garbled,
        ProblemKind::Cut => Trouble::Cut,
        ProblemKind::Timeout => Trouble::Timeout,
        ProblemKind::Refused => Trouble::NotAllowed,
    })
}

/// Why an answer could not be read to its end.
pub(super) struct Unread<T> {
    pub(super) problem: Problem,
    /// After which byte it ended, and what that means when every further try ends there.
    pub(super) otherwise: Option<(u64, T)>,
    /// Whether this try resumed where the one before had ended, and got further.
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

/// Where a URL is, seen from the registry that is asked.
pub(super) fn place(at_registry: bool, url: &Url) -> Place {
    if at_registry {
        Place::Registry
    } else {
        Place::Redirect(shown(url).into())
    }
}

/// A failure that is not tried again: the token server was called as often as `attempts` allow.
pub(super) fn final_failure(failed: Failed) -> Failed {
    let problem = Problem::new(ProblemKind::Refused, "the token server gave no token");
    Failed {
        ended: Ended::Problem(problem),
        ..failed
    }
}

/// A status that is not an answer to the question, with its body.
pub(super) fn failure(
    status: u16,
    retry_after: Option<Duration>,
    body: &[u8],
    place: Place,
) -> Failed {
    // A storage knows nothing of our login: it refuses a signed URL, and the next may be better.
    let is_of_storage = matches!(status, 401 | 403) && matches!(place, Place::Redirect(_));
    let kind = match status {
        401 | 403 if !is_of_storage => FaultKind::Denied,
        404 | 410 => FaultKind::NotFound,
        429 => FaultKind::RateLimited,
        _ => FaultKind::Unavailable,
    };
    let is_registrys = place == Place::Registry && error::is_registry_error(body);
    let cause = Cause::Status {
        status,
        place,
        is_registrys,
        is_page: error::is_page(body),
        words: error::read(body),
    };
    Failed {
        fault: Fault { kind, cause },
        status: Some(status),
        ended: if is_of_storage {
            Ended::Refusal { tries: u32::MAX }
        } else {
            Ended::Status {
                status,
                retry_after,
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_registry_itself_has_a_registrys_words() {
        let unknown = br#"{"errors":[{"code":"BLOB_UNKNOWN","message":""}]}"#;
        let key = b"<Error><Code>NoSuchKey</Code></Error>";
        let storage = || Place::Redirect("https://storage.example".into());
        for (body, place, expected) in [
            (&unknown[..], Place::Registry, true),
            (&unknown[..], storage(), false),
            (&key[..], Place::Registry, false),
            (&key[..], storage(), false),
        ] {
            let failed = failure(404, None, body, place);
            assert_eq!(failed.fault.kind, FaultKind::NotFound);
            let Cause::Status { is_registrys, .. } = failed.fault.cause else {
                panic!("another cause");
            };
            assert_eq!(is_registrys, expected);
        }
    }

    #[test]
    fn a_storage_knows_nothing_of_our_login() {
        let storage = || Place::Redirect("https://storage.example".into());
        for (status, place, kind) in [
            (401, Place::Registry, FaultKind::Denied),
            (403, Place::Registry, FaultKind::Denied),
            (401, storage(), FaultKind::Unavailable),
            (403, storage(), FaultKind::Unavailable),
            (404, storage(), FaultKind::NotFound),
            (429, storage(), FaultKind::RateLimited),
        ] {
            let failed = failure(status, None, b"", place);
            assert_eq!(failed.fault.kind, kind, "{status}");
        }
    }
}
