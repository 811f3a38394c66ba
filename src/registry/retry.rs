//! When to ask again, and after how long.

use std::time::Duration;

use super::quirks;
use crate::http::Problem;
use crate::http::patience::Patience;

/// How one try ended, as far as the next one is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// An HTTP status came.
    Status {
        /// The status.
        status: u16,
        /// `Retry-After`, as a wait from now.
        retry_after: Option<Duration>,
    },
    /// 401 or 403, or a refusal at an upload session, which is believed after so many tries.
    Refusal {
        /// At least 1.
        tries: u32,
    },
    /// No answer came, or it broke off.
    Problem(Problem),
}

impl Ended {
    /// Whether the server says when to ask again.
    pub(super) fn asks_to_wait(&self) -> bool {
        let Self::Status { retry_after, .. } = self else {
            return false;
        };
        retry_after.is_some()
    }

    /// The HTTP status, if one came.
    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Self::Status { status, .. } => Some(*status),
            Self::Refusal { .. } | Self::Problem(_) => None,
        }
    }
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// This answer stands.
    Stop,
    /// Ask again after this wait.
    Again {
        /// How long to wait.
        wait: Duration,
        /// Whether every question to the same host should wait as long.
        whole_host: bool,
    },
}

/// What the decision depends on beside the answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct State {
    /// How many tries there were that count against `attempts`, this one included; at least 1.
    pub tries: u32,
    /// How many times 404 was taken for "not yet" so far.
    pub absences: u32,
    /// What is left of the settle window; zero when a 404 is to be believed.
    pub settle_left: Duration,
    /// What is left of the whole run.
    pub run_left: Duration,
    /// A number from 0 to 1 that spreads the waits.
    pub jitter: f64,
}

/// Whether a status may change on a retry.
///
/// 408, 425, 429 and 5xx, but not 501 and 505: those say that the server cannot do it at all.
/// <https://www.rfc-editor.org/rfc/rfc9110#section-15>
#[must_use]
pub(crate) fn is_transient(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500 | 502..=504 | 506..=599)
}

/// Decides whether and when to ask again.
#[must_use]
pub(crate) fn next(ended: &Ended, state: State, patience: &Patience) -> Next {
    let (wait, whole_host) = match ended {
        Ended::Status { status, .. }
            if quirks::ghcr_and_docker_hub_answer_404_right_after_a_push(*status) =>
        {
            if state.settle_left.is_zero() {
                return Next::Stop;
            }
            // The last try is at the end of the window, not before it.
            return Next::Again {
                wait: backoff(patience, state.absences, state.jitter).min(state.settle_left),
                whole_host: false,
            };
        }
        Ended::Status {
            status,
            retry_after,
        } if is_transient(*status) => match retry_after {
            Some(wait) => (*wait, true),
            None => (
                backoff(patience, state.tries - 1, state.jitter),
                *status == 429,
            ),
        },
        Ended::Problem(problem) if problem.kind.is_transient() => {
            (backoff(patience, state.tries - 1, state.jitter), false)
        }
        Ended::Refusal { tries } if state.tries < *tries => {
            (backoff(patience, state.tries - 1, state.jitter), false)
        }
        Ended::Status { .. } | Ended::Refusal { .. } | Ended::Problem(_) => return Next::Stop,
    };
    if state.tries >= patience.attempts || wait >= state.run_left {
        return Next::Stop;
    }
    Next::Again { wait, whole_host }
}

/// `backoff · 2ⁿ`, at most `max_backoff`; up to half of it is taken off at random, so that many
/// questions do not come back at once.
fn backoff(patience: &Patience, waits: u32, jitter: f64) -> Duration {
    let whole = patience
        .backoff
        .saturating_mul(2_u32.saturating_pow(waits.min(16)))
        .min(patience.max_backoff);
    whole.mul_f64(0.5 + 0.5 * jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::ProblemKind;

    const PATIENCE: Patience = Patience {
        attempts: 3,
        backoff: Duration::from_secs(1),
        max_backoff: Duration::from_secs(6),
        settle: Duration::from_secs(15),
        timeout: Duration::from_secs(600),
        concurrency: 16,
        rate: None,
    };

    const FIRST: State = State {
        tries: 1,
        absences: 0,
        settle_left: Duration::ZERO,
        run_left: Duration::from_secs(600),
        jitter: 1.0,
    };

    fn status(status: u16) -> Ended {
        Ended::Status {
            status,
            retry_after: None,
        }
    }

    fn after(status: u16, seconds: u64) -> Ended {
        Ended::Status {
            status,
            retry_after: Some(Duration::from_secs(seconds)),
        }
    }

    fn wait(next: Next) -> Option<f64> {
        match next {
            Next::Again { wait, .. } => Some(wait.as_secs_f64()),
            Next::Stop => None,
        }
    }

    #[test]
    fn every_status_is_known() {
        for code in 100..=599 {
            let again = wait(next(&status(code), FIRST, &PATIENCE)).is_some();
            let expected = match code {
                408 | 425 | 429 => true,
                501 | 505 => false,
                _ => code >= 500,
            };
            assert_eq!(again, expected, "status {code}");
        }
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        let patience = Patience {
            attempts: 20,
            ..PATIENCE
        };
        let waits: Vec<f64> = (1..=5)
            .map(|tries| wait(next(&status(500), State { tries, ..FIRST }, &patience)).unwrap())
            .collect();
        assert_eq!(waits, [1.0, 2.0, 4.0, 6.0, 6.0]);
        let late = State { tries: 19, ..FIRST };
        assert_eq!(wait(next(&status(500), late, &patience)), Some(6.0));
    }

    #[test]
    fn jitter_takes_up_to_half_of_a_wait() {
        for (jitter, expected) in [(0.0, 0.5), (0.5, 0.75), (1.0, 1.0), (7.0, 1.0), (-1.0, 0.5)] {
            assert_eq!(
                wait(next(&status(500), State { jitter, ..FIRST }, &PATIENCE)),
                Some(expected)
            );
        }
    }

    #[test]
    fn the_last_attempt_is_the_last() {
        assert!(wait(next(&status(500), State { tries: 2, ..FIRST }, &PATIENCE)).is_some());
        assert_eq!(
            next(&status(500), State { tries: 3, ..FIRST }, &PATIENCE),
            Next::Stop
        );
        assert_eq!(
            next(&after(429, 1), State { tries: 3, ..FIRST }, &PATIENCE),
            Next::Stop
        );
    }

    #[test]
    fn retry_after_holds_for_every_question_to_the_host() {
        let expected = Next::Again {
            wait: Duration::from_secs(60),
            whole_host: true,
        };
        assert_eq!(next(&after(429, 60), FIRST, &PATIENCE), expected);
        assert_eq!(next(&after(503, 60), FIRST, &PATIENCE), expected);
        assert!(matches!(
            next(&status(429), FIRST, &PATIENCE),
            Next::Again {
                whole_host: true,
                ..
            }
        ));
        assert!(matches!(
            next(&status(503), FIRST, &PATIENCE),
            Next::Again {
                whole_host: false,
                ..
            }
        ));
    }

    #[test]
    fn a_refusal_is_believed_after_its_number_of_tries() {
        let again = |tries, refusals| {
            let state = State { tries, ..FIRST };
            wait(next(&Ended::Refusal { tries: refusals }, state, &PATIENCE)).is_some()
        };
        assert!(!again(1, 1));
        assert!(again(1, 2));
        assert!(!again(2, 2));
        assert!(again(2, u32::MAX));
        assert!(!again(3, u32::MAX));
    }

    #[test]
    fn a_wait_that_outlasts_the_run_is_not_begun() {
        assert_eq!(next(&after(429, 600), FIRST, &PATIENCE), Next::Stop);
        assert!(wait(next(&after(429, 599), FIRST, &PATIENCE)).is_some());
    }

    #[test]
    fn absence_means_not_yet_until_the_window_closes() {
        let left = |seconds| State {
            settle_left: Duration::from_secs(seconds),
            tries: 9,
            ..FIRST
        };
        assert_eq!(wait(next(&status(404), left(10), &PATIENCE)), Some(1.0));
        assert_eq!(
            wait(next(
                &status(404),
                State {
                    absences: 2,
                    ..left(10)
                },
                &PATIENCE
            )),
            Some(4.0)
        );
        assert_eq!(
            wait(next(
                &status(404),
                State {
                    absences: 2,
                    ..left(3)
                },
                &PATIENCE
            )),
            Some(3.0)
        );
        assert_eq!(next(&status(404), left(0), &PATIENCE), Next::Stop);
    }

    #[test]
    fn broken_connections_are_retried_and_refused_certificates_are_not() {
        let problem = |kind| Ended::Problem(Problem::new(kind, ""));
        for kind in [
            ProblemKind::UnknownHost,
            ProblemKind::ConnectionRefused,
            ProblemKind::Unreachable,
            ProblemKind::Connection,
            ProblemKind::Timeout,
            ProblemKind::Cut,
            ProblemKind::NotHttp,
            ProblemKind::WithoutPlainHttp,
        ] {
            assert_eq!(
                wait(next(&problem(kind), FIRST, &PATIENCE)),
                Some(1.0),
                "{kind:?}"
            );
        }
        for kind in [
            ProblemKind::WithoutTls,
            ProblemKind::UnknownIssuer,
            ProblemKind::BadCertificate,
            ProblemKind::Handshake,
            ProblemKind::Refused,
        ] {
            assert_eq!(
                next(&problem(kind), FIRST, &PATIENCE),
                Next::Stop,
                "{kind:?}"
            );
        }
    }
}
