//! What a pipeline waits for that no agent takes, as far as the server says.

use std::collections::BTreeMap;
use std::fmt;

use super::woodpecker::Queue;
use crate::text::human::count;

/// Why no agent has taken a pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// No agent is connected.
    NoAgent,
    /// Every place of every agent is taken.
    Busy {
        /// How many places there are.
        places: usize,
        /// How many of them the pipeline takes that we run in.
        ours: usize,
    },
    /// There are free places, and none takes it.
    Unsuitable {
        /// How many are free.
        free: usize,
        /// The labels that an agent must have.
        labels: BTreeMap<String, String>,
    },
    /// A person has paused the queue.
    Paused,
    /// Only an administrator of the server can see its agents.
    Unseen {
        /// Whether we run in a pipeline of the same server, and thereby on one of them.
        inside: bool,
    },
}

impl Waiting {
    /// Reads it from the queue, if the server shows that. `awaited` and `own` are the pipeline that
    /// is waited for and the one that we run in, each by its repository's number and its own.
    #[must_use]
    pub fn read(queue: Option<&Queue>, awaited: (u64, u64), own: Option<(u64, u64)>) -> Self {
        let Some(queue) = queue else {
            return Self::Unseen {
                inside: own.is_some(),
            };
        };
        let places = queue.running.len();
        if queue.paused {
            Self::Paused
        } else if queue.free() > 0 {
            let ours = queue.pending.iter().find(|task| task.place() == awaited);
            Self::Unsuitable {
                free: queue.free(),
                labels: ours.map(|task| task.labels.clone()).unwrap_or_default(),
            }
        } else if places == 0 {
            Self::NoAgent
        } else {
            let of_own = |pipeline| {
                let running = queue.running.iter();
                running.filter(|task| task.place() == pipeline).count()
            };
            Self::Busy {
                places,
                ours: own.map_or(0, of_own),
            }
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self {
            Self::NoAgent => "start an agent; if one runs, its log says why it is not connected",
            Self::Busy { ours: 0, .. } => {
                "wait until a workflow ends, or give the agents more places \
                 (WOODPECKER_MAX_WORKFLOWS)"
            }
            Self::Busy { .. } => {
                "this step keeps its place while it waits: give the agents one more \
                 (WOODPECKER_MAX_WORKFLOWS), or set `wait: false`"
            }
            Self::Unsuitable { .. } => {
                "an agent takes a workflow only if it has its labels and its platform: compare \
                 `labels` in the workflow with WOODPECKER_AGENT_LABELS; a concurrency limit holds \
                 workflows back as well"
            }
            Self::Paused => "an administrator can resume it (admin settings, Queue)",
            Self::Unseen { .. } => {
                "an agent with the workflow's labels must be connected and have a free place \
                 (WOODPECKER_MAX_WORKFLOWS); an administrator sees them (admin settings, Agents \
                 and Queue)"
            }
        }
    }
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAgent => f.write_str("no agent that takes work is connected to the server"),
            Self::Busy { places: 1, ours: 1 } => {
                f.write_str("the agents have one place, and the pipeline of this step takes it")
            }
            Self::Busy { places, ours } if places == ours => write!(
                f,
                "the agents have {places} places, and the pipeline of this step takes all of them"
            ),
            Self::Busy { places: 1, .. } => {
                f.write_str("the agents have one place, and another workflow takes it")
            }
            Self::Busy { places, ours: 0 } => {
                write!(f, "the agents have {places} places, and all are taken")
            }
            Self::Busy { places, ours } => write!(
                f,
                "the agents have {places} places, and all are taken, {ours} by the pipeline of \
                 this step"
            ),
            Self::Unsuitable { free, labels } => {
                let free = count(*free, "place");
                write!(f, "the agents have {free} free, and none takes it")?;
                let labels = labels_in_words(labels);
                if labels.is_empty() {
                    return Ok(());
                }
                write!(f, "; its labels are {labels}")
            }
            Self::Paused => f.write_str("the server's queue is paused"),
            Self::Unseen { inside: true } => f.write_str(
                "the pipeline of this step takes one place itself, and whether there is another \
                 is shown to administrators of the server alone",
            ),
            Self::Unseen { inside: false } => f.write_str(
                "whether one is connected and free is shown to administrators of the server alone",
            ),
        }
    }
}

/// The labels that a workflow's author chose, and its platform; the server adds others.
fn labels_in_words(labels: &BTreeMap<String, String>) -> String {
    let is_chosen =
        |name: &str| !matches!(name, "repo" | "org-id") && !name.starts_with("woodpecker-ci.org/");
    let chosen = labels.iter().filter(|(name, _)| is_chosen(name));
    let chosen: Vec<String> = chosen
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    chosen.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_queue_in_another_form_is_read_as_far_as_it_goes() {
        let read = |queue: serde_json::Value| {
            let queue: Queue = serde_json::from_value(queue).unwrap();
            Waiting::read(Some(&queue), (7, 12), Some((7, 11)))
        };
        assert_eq!(read(json!({})), Waiting::NoAgent);
        let nulls = json!({"pending": null, "running": null, "stats": null, "paused": null});
        assert_eq!(read(nulls), Waiting::NoAgent);
        // Before 3.0 a task does not say whose it is.
        let old = json!({"running": [{"id": "3"}, {"id": "4"}], "stats": {"worker_count": 0}});
        assert_eq!(read(old), Waiting::Busy { places: 2, ours: 0 });
        let free = json!({"running": [], "stats": {"worker_count": 1}});
        let waiting = read(free);
        assert_eq!(
            waiting.to_string(),
            "the agents have 1 place free, and none takes it"
        );
    }

    #[test]
    fn the_same_number_in_another_repository_is_not_ours() {
        let queue = json!({"running": [{"repo_id": 8, "pipeline_number": 11}]});
        let queue: Queue = serde_json::from_value(queue).unwrap();
        assert_eq!(
            Waiting::read(Some(&queue), (7, 12), Some((7, 11))),
            Waiting::Busy { places: 1, ours: 0 }
        );
    }
}
