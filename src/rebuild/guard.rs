//! The loop guard: a pipeline that was started to fix an image contains the step that starts such
//! pipelines.
//!
//! A new pipeline carries the count of rebuilds that led to it in a variable, which the server
//! gives back; so a person who starts a pipeline by hand is not mistaken for a rebuild. A restart
//! carries nothing: it has the variables of the pipeline it repeats, and a parent. So restarts
//! count as rebuilds where only a restart could follow, and a restart of another pipeline, which
//! would forget the count, is left to runs that are in no rebuild at all. Along every chain of
//! pipelines the count or the chain of parents thus grows until it is refused.

use crate::rebuild::plan::{Method, OwnPipeline};

/// What led to the pipeline that this program runs in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Past {
    /// The count in its variables.
    pub rebuilds: u32,
    /// How many parents it has, one behind the other; counted only for restarts.
    pub restarts: u32,
}

/// What is about to be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// A new pipeline.
    New,
    /// The pipeline that this program runs in, again.
    Itself,
    /// Another pipeline, again.
    Other,
}

/// Why nothing is started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Loop {
    /// `max_rebuilds` is reached.
    #[error(
        "no rebuild is started: {count} led to this pipeline already, and max_rebuilds is {max}"
    )]
    Exhausted {
        /// How many led here.
        count: u32,
        /// `max_rebuilds`.
        max: u32,
    },
    /// Another pipeline would be restarted from within a rebuild.
    #[error(
        "no rebuild is started: this pipeline is itself a rebuild or a restart, and a restart \
         cannot carry the count"
    )]
    Uncounted,
    /// The pipeline runs on another server, or on the same one by another address.
    #[error(
        "no rebuild is started: this pipeline may itself be a rebuild, and it runs on {own}, not \
         on woodpecker_url, {server}"
    )]
    Elsewhere {
        /// What its server calls itself.
        own: String,
        /// The address that was given.
        server: String,
    },
    /// The server does not say whether this is a rebuild.
    #[error(
        "no rebuild is started: this pipeline may itself be a rebuild, and that cannot be checked: \
         {0}"
    )]
    Unknown(String),
}

impl Loop {
    /// What a person can do about it: an id that stays the same, and the advice.
    #[must_use]
    pub fn hint(&self) -> (&'static str, &'static str) {
        match self {
            Self::Elsewhere { .. } => (
                "rebuild-loop-elsewhere",
                "if it is the same server, leave out woodpecker_url or write it as the pipeline's \
                 own server (CI_SYSTEM_URL); `resolve` can name another address for it. If it is \
                 another one, start this pipeline by a push or a schedule, which cannot be \
                 rebuilds",
            ),
            Self::Exhausted { .. } => (
                "rebuild-loop",
                "fix the image's build; if more rebuilds in a row make sense, raise max_rebuilds",
            ),
            Self::Uncounted => (
                "rebuild-loop-uncounted",
                "use `method: create`, whose pipelines can be counted",
            ),
            Self::Unknown(_) => (
                "rebuild-loop-unknown",
                "the token's owner must be able to read the repository that this pipeline runs \
                 for",
            ),
        }
    }
}

/// Whether the own pipeline's past must be read from the server: a push, a tag or a schedule is no
/// rebuild.
#[must_use]
pub fn is_suspicious(own: &OwnPipeline, method: Method) -> bool {
    // A restart keeps the event, so a new pipeline's count can only be in a manual one.
    own.event.as_deref() == Some("manual") || (method != Method::Create && own.parent.is_some())
}

/// Decides whether `start` may be started, and with which count.
///
/// # Errors
/// When it could exceed `max_rebuilds`.
pub fn guard(max: u32, past: Past, start: Start) -> Result<u32, Loop> {
    let all = past.rebuilds.saturating_add(past.restarts);
    let count = match start {
        Start::New => past.rebuilds,
        Start::Itself => all,
        Start::Other if all > 0 => return Err(Loop::Uncounted),
        Start::Other => 0,
    };
    if count >= max {
        Err(Loop::Exhausted { count, max })
    } else {
        Ok(count + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rebuild::plan::Restart;

    fn past(rebuilds: u32, restarts: u32) -> Past {
        Past { rebuilds, restarts }
    }

    #[test]
    fn the_first_rebuild_is_allowed_and_counted_whatever_is_started() {
        for start in [Start::New, Start::Itself, Start::Other] {
            assert_eq!(guard(1, Past::default(), start), Ok(1), "{start:?}");
            assert_eq!(
                guard(0, Past::default(), start),
                Err(Loop::Exhausted { count: 0, max: 0 }),
                "{start:?}"
            );
        }
    }

    #[test]
    fn a_rebuild_does_not_start_another() {
        for start in [Start::New, Start::Itself] {
            assert_eq!(
                guard(1, past(1, 0), start),
                Err(Loop::Exhausted { count: 1, max: 1 }),
                "{start:?}"
            );
            assert_eq!(guard(3, past(2, 0), start), Ok(3), "{start:?}");
        }
        assert_eq!(guard(9, past(1, 0), Start::Other), Err(Loop::Uncounted));
    }

    #[test]
    fn a_restart_counts_where_a_restart_would_follow() {
        assert_eq!(
            guard(1, past(0, 1), Start::Itself),
            Err(Loop::Exhausted { count: 1, max: 1 })
        );
        assert_eq!(guard(9, past(0, 1), Start::Other), Err(Loop::Uncounted));
        assert_eq!(guard(1, past(0, 1), Start::New), Ok(1));
    }

    #[test]
    fn every_chain_of_our_own_starts_ends() {
        // Every sequence of starts; a new pipeline has the sent count and no parent, a restart one
        // parent more.
        for starts in 0..3_u32.pow(7) {
            let (mut now, mut digits, mut started) = (Past::default(), starts, 0);
            for _ in 0..7 {
                let start = [Start::New, Start::Itself, Start::Other][(digits % 3) as usize];
                digits /= 3;
                let Ok(count) = guard(2, now, start) else {
                    break;
                };
                started += 1;
                now = match start {
                    Start::New => past(count, 0),
                    Start::Itself => past(now.rebuilds, now.restarts + 1),
                    Start::Other => past(0, 1),
                };
            }
            assert!(started <= 5, "{starts}: {started}");
        }
    }

    #[test]
    fn only_manual_pipelines_and_restarts_are_looked_into() {
        let own = |event: &str, parent| OwnPipeline {
            event: Some(event.into()),
            parent,
            ..OwnPipeline::default()
        };
        let restart = Method::Restart(Restart::Latest);
        assert!(!is_suspicious(&OwnPipeline::default(), restart));
        assert!(!is_suspicious(&own("push", None), restart));
        assert!(!is_suspicious(&own("push", Some(4)), Method::Create));
        assert!(is_suspicious(&own("push", Some(4)), restart));
        assert!(is_suspicious(&own("manual", None), Method::Create));
    }
}
