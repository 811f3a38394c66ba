//! What Woodpecker's API sends, as far as a rebuild needs it: lenient, for the field names of 2.x
//! and 3.x.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::status::Status;

/// The most entries of one list that are kept: an entry of two bytes becomes hundreds.
const MAX_ENTRIES: usize = 1000;

/// A repository that the server knows.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Repository {
    /// Its number on the server.
    #[serde(deserialize_with = "lenient")]
    pub id: u64,
    /// `owner/name`.
    #[serde(deserialize_with = "lenient")]
    pub full_name: String,
    /// The branch that a rebuild takes when none is named; may be empty.
    #[serde(deserialize_with = "lenient")]
    pub default_branch: String,
    /// Whether pipelines can run; `None` when the answer does not say.
    #[serde(deserialize_with = "lenient")]
    pub active: Option<bool>,
    /// The events whose pipelines end older ones that still run.
    #[serde(deserialize_with = "lenient_list")]
    pub cancel_previous_pipeline_events: Vec<String>,
    /// The version of the server, from the answer's header.
    #[serde(skip)]
    pub server_version: Option<String>,
}

/// One run of a repository's workflows.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Pipeline {
    /// Its number on the server; old servers (before 2.5) name a restart's parent by it.
    #[serde(deserialize_with = "lenient")]
    pub id: u64,
    /// Its number in its repository; 0 when the answer holds none, so no pipeline was started.
    #[serde(deserialize_with = "lenient")]
    pub number: u64,
    /// The pipeline that this one restarts, or 0.
    #[serde(deserialize_with = "lenient")]
    pub parent: u64,
    /// What started it: `push`, `manual`, ….
    #[serde(deserialize_with = "lenient")]
    pub event: String,
    /// How far it is.
    #[serde(deserialize_with = "lenient")]
    pub status: Status,
    /// What the server objects to, warnings included.
    #[serde(deserialize_with = "lenient_list")]
    pub errors: Vec<Objection>,
    /// The commit it runs for.
    #[serde(deserialize_with = "lenient")]
    pub commit: String,
    /// The branch it runs for.
    #[serde(deserialize_with = "lenient")]
    pub branch: String,
    /// The variables it was created with; a restart has those of the pipeline it restarts.
    #[serde(deserialize_with = "lenient")]
    pub variables: BTreeMap<String, String>,
    /// Its workflows with their steps; lists of pipelines and fresh pipelines come without.
    #[serde(deserialize_with = "lenient_list")]
    pub workflows: Vec<Workflow>,
    #[serde(deserialize_with = "lenient")]
    cancel_info: CancelInfo,
    #[serde(deserialize_with = "lenient")]
    finished: i64,
    /// The name before 3.0.
    #[serde(deserialize_with = "lenient")]
    finished_at: i64,
}

impl Pipeline {
    /// Whether the status will not change any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.status
            .is_over(self.finished != 0 || self.finished_at != 0)
    }

    /// Whether the server gave up before any step ran: the configuration could not be loaded or
    /// compiled.
    #[must_use]
    pub fn failed_to_start(&self) -> bool {
        self.status == Status::Error
            && self
                .workflows
                .iter()
                .flat_map(|workflow| &workflow.children)
                .all(|step| !step.has_run())
    }

    /// Whether the server has not put it together yet: it has no workflows, and nothing can run.
    #[must_use]
    pub fn is_unborn(&self) -> bool {
        self.workflows.is_empty() && matches!(self.status, Status::Created | Status::Pending)
    }

    /// Whether a person has to approve it, or has declined it.
    #[must_use]
    pub fn is_unapproved(&self) -> bool {
        matches!(self.status, Status::Blocked | Status::Declined)
    }

    /// What the server objects to, without warnings unless there is nothing else.
    #[must_use]
    pub fn objections(&self) -> Vec<&Objection> {
        let of = |warning: bool| {
            self.errors
                .iter()
                .filter(move |objection| objection.is_warning == warning)
                .collect::<Vec<_>>()
        };
        let errors = of(false);
        if errors.is_empty() { of(true) } else { errors }
    }

    /// Who or what ended it early, when the server says so.
    #[must_use]
    pub fn canceled_by(&self) -> Option<String> {
        let CancelInfo {
            canceled_by_user,
            canceled_by_step,
            superseded_by,
        } = &self.cancel_info;
        if *superseded_by != 0 {
            Some(format!("superseded by pipeline #{superseded_by}"))
        } else if !canceled_by_user.is_empty() {
            Some(format!("canceled by {canceled_by_user}"))
        } else if !canceled_by_step.is_empty() {
            Some(format!("canceled by the step {canceled_by_step}"))
        } else {
            None
        }
    }
}

/// Why a pipeline was ended early; one of the three is there.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct CancelInfo {
    #[serde(deserialize_with = "lenient")]
    canceled_by_user: String,
    #[serde(deserialize_with = "lenient")]
    canceled_by_step: String,
    #[serde(deserialize_with = "lenient")]
    superseded_by: u64,
}

/// Something that the server objects to in a pipeline's configuration.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Objection {
    /// In the server's words.
    #[serde(deserialize_with = "lenient")]
    pub message: String,
    /// Whether the pipeline runs nevertheless.
    #[serde(deserialize_with = "lenient")]
    pub is_warning: bool,
}

/// What an objection is about, as far as a person does something else about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// A secret may not be used for the pipeline's event.
    SecretForEvent {
        /// Whether the event is `manual`.
        manual: bool,
    },
    /// Something else.
    Other,
}

impl Objection {
    /// What it is about. Woodpecker has no code for it, so its words are read:
    /// `secret "x" is not allowed to be used with pipeline event "manual"`.
    #[must_use]
    pub fn about(&self) -> About {
        let says = |word| self.message.contains(word);
        if says("secret") && says("event") {
            About::SecretForEvent {
                manual: says("manual"),
            }
        } else {
            About::Other
        }
    }
}

/// What the server's agents do and what waits for them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Queue {
    /// Workflows that no agent has taken.
    #[serde(deserialize_with = "lenient_list")]
    pub pending: Vec<QueueTask>,
    /// Workflows that agents run.
    #[serde(deserialize_with = "lenient_list")]
    pub running: Vec<QueueTask>,
    /// Whether a person has stopped it.
    #[serde(deserialize_with = "lenient")]
    pub paused: bool,
    #[serde(deserialize_with = "lenient")]
    stats: QueueStats,
}

impl Queue {
    /// How many places of connected agents are free.
    #[must_use]
    pub fn free(&self) -> usize {
        self.stats.worker_count
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct QueueStats {
    #[serde(deserialize_with = "lenient")]
    worker_count: usize,
}

/// One workflow in the queue.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct QueueTask {
    /// The number of its repository on the server.
    #[serde(deserialize_with = "lenient")]
    pub repo_id: u64,
    /// The number of its pipeline in the repository; 0 where the server does not say.
    #[serde(deserialize_with = "lenient")]
    pub pipeline_number: u64,
    /// What an agent must have to take it.
    #[serde(deserialize_with = "lenient")]
    pub labels: BTreeMap<String, String>,
}

impl QueueTask {
    /// The numbers of its repository and of its pipeline there.
    #[must_use]
    pub fn place(&self) -> (u64, u64) {
        (self.repo_id, self.pipeline_number)
    }
}

/// One workflow of a pipeline: one file, for one point of its matrix.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Workflow {
    /// The file's name without its extension.
    #[serde(deserialize_with = "lenient")]
    pub name: String,
    /// How far it is.
    #[serde(deserialize_with = "lenient")]
    pub state: Status,
    /// Why it failed, when no step is to blame.
    #[serde(deserialize_with = "lenient")]
    pub error: String,
    /// Its steps.
    #[serde(deserialize_with = "lenient_list")]
    pub children: Vec<Step>,
    #[serde(deserialize_with = "lenient")]
    finished: i64,
    /// The name before 3.0.
    #[serde(deserialize_with = "lenient")]
    end_time: i64,
}

impl Workflow {
    /// Whether the state will not change any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.state.is_over(self.finished != 0 || self.end_time != 0)
    }
}

/// One step of a workflow.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Step {
    /// Its number on the server: the one that logs are asked for with.
    #[serde(deserialize_with = "lenient")]
    pub id: u64,
    /// Its name.
    #[serde(deserialize_with = "lenient")]
    pub name: String,
    /// How far it is.
    #[serde(deserialize_with = "lenient")]
    pub state: Status,
    /// The exit code of its process.
    #[serde(deserialize_with = "lenient")]
    pub exit_code: i64,
    /// Why it failed, when its process is not to blame.
    #[serde(deserialize_with = "lenient")]
    pub error: String,
    #[serde(deserialize_with = "lenient")]
    started: i64,
    /// The name before 3.0.
    #[serde(deserialize_with = "lenient")]
    start_time: i64,
}

impl Step {
    /// Whether it was started, so that there may be a log.
    #[must_use]
    pub fn has_run(&self) -> bool {
        self.started != 0 || self.start_time != 0
    }
}

/// One piece of a step's log.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct LogEntry {
    /// Base64; `None` for an empty line.
    #[serde(deserialize_with = "lenient")]
    pub(super) data: Option<String>,
    /// 0 is standard output, 1 standard error, the rest is not text.
    #[serde(rename = "type", deserialize_with = "lenient")]
    pub(super) kind: i64,
}

/// A field whose type is not the expected one, `null` included, counts as absent: a renamed or
/// retyped detail must not hide the status.
fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    let written = Box::<RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str(written.get()).unwrap_or_default())
}

/// As [`lenient`], element by element.
fn lenient_list<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    lenient(deserializer).map(|List(entries)| entries)
}

/// The elements of a list that can be read, as far as [`MAX_ENTRIES`].
pub(crate) struct List<T>(pub(crate) Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<T>(PhantomData<T>);
        impl<'de, T: DeserializeOwned> Visitor<'de> for Reader<T> {
            type Value = List<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<List<T>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = list.next_element::<&'de RawValue>()? {
                    if entries.len() < MAX_ENTRIES
                        && let Ok(entry) = serde_json::from_str(entry.get())
                    {
                        entries.push(entry);
                    }
                }
                Ok(List(entries))
            }
        }
        deserializer.deserialize_seq(Reader(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pipeline(value: Value) -> Pipeline {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn the_end_time_has_one_name_in_2_and_another_in_3() {
        assert!(pipeline(json!({"status": "odd", "finished": 5})).is_over());
        assert!(pipeline(json!({"status": "odd", "finished_at": 5})).is_over());
        assert!(!pipeline(json!({"status": "odd", "finished": 0, "finished_at": 0})).is_over());
        let workflows = json!({"workflows": [
            {"state": "odd", "finished": 5},
            {"state": "odd", "end_time": 5},
            {"state": "odd"},
        ]});
        let over: Vec<bool> = pipeline(workflows)
            .workflows
            .iter()
            .map(Workflow::is_over)
            .collect();
        assert_eq!(over, [true, true, false]);
    }

    #[test]
    fn nulls_and_odd_types_do_not_hide_the_status() {
        let read = pipeline(json!({
            "number": 7, "status": "failure", "errors": null, "variables": null, "parent": "none",
            "workflows": [null, 5, {"name": "build", "state": "failure", "children": null}],
        }));
        assert_eq!(
            (read.number, &read.status, read.parent),
            (7, &Status::Failure, 0)
        );
        assert_eq!(read.workflows.len(), 1);
        assert_eq!(read.workflows[0].name, "build");
    }

    #[test]
    fn a_list_without_end_is_kept_in_part() {
        let text = format!(
            r#"{{"number":7,"errors":[{}],"status":"error"}}"#,
            vec!["{}"; 100_000].join(",")
        );
        let read: Pipeline = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (read.number, read.errors.len(), read.status),
            (7, MAX_ENTRIES, Status::Error)
        );
    }

    #[test]
    fn warnings_are_shown_only_when_there_is_nothing_worse() {
        let warning = json!({"message": "old syntax", "is_warning": true});
        let error = json!({"message": "no secret", "is_warning": false});
        let objections = |errors: Value| {
            let pipeline = pipeline(json!({"errors": errors}));
            let messages = pipeline
                .objections()
                .into_iter()
                .map(|one| one.message.clone());
            messages.collect::<Vec<_>>()
        };
        assert_eq!(objections(json!([warning, error])), ["no secret"]);
        assert_eq!(objections(json!([warning])), ["old syntax"]);
    }

    #[test]
    fn only_a_secrets_event_is_read_as_such() {
        let about = |message: &str| {
            let message = message.to_owned();
            let is_warning = false;
            Objection {
                message,
                is_warning,
            }
            .about()
        };
        assert_eq!(
            about(r#"secret "token" is not allowed to be used with pipeline event "manual""#),
            About::SecretForEvent { manual: true }
        );
        assert_eq!(
            about(r#"secret "token" is not allowed to be used with pipeline event "tag""#),
            About::SecretForEvent { manual: false }
        );
        assert_eq!(about(r#"secret "token" not found"#), About::Other);
        assert_eq!(about("image or plugin missing"), About::Other);
    }

    #[test]
    fn an_early_end_is_shown_with_its_cause() {
        let canceled =
            |info: Value| pipeline(json!({"status": "killed", "cancel_info": info})).canceled_by();
        assert_eq!(
            canceled(json!({"canceled_by_user": "dev"})).as_deref(),
            Some("canceled by dev")
        );
        assert_eq!(
            canceled(json!({"canceled_by_step": "a"})).as_deref(),
            Some("canceled by the step a")
        );
        assert_eq!(
            canceled(json!({"superseded_by": 9})).as_deref(),
            Some("superseded by pipeline #9")
        );
        assert_eq!(canceled(json!({})), None);
        assert_eq!(canceled(Value::Null), None);
    }

    #[test]
    fn only_what_has_no_workflows_yet_is_unborn() {
        let unborn = |status: &str, workflows: Value| {
            pipeline(json!({"status": status, "workflows": workflows})).is_unborn()
        };
        for status in ["created", "pending"] {
            assert!(unborn(status, Value::Null), "{status}");
            assert!(!unborn(status, json!([{"name": "build"}])), "{status}");
        }
        for status in [
            "running", "blocked", "success", "error", "canceled", "declined", "odd",
        ] {
            assert!(!unborn(status, json!([])), "{status}");
        }
    }

    #[test]
    fn an_error_after_a_step_has_run_is_not_a_failed_start() {
        assert!(
            pipeline(json!({"status": "error", "started": 5, "finished": 5})).failed_to_start()
        );
        let workflow = json!({"children": [{"started": 0}, {"started": 5}]});
        let ran = json!({"status": "error", "workflows": [workflow]});
        assert!(!pipeline(ran).failed_to_start());
        assert!(!pipeline(json!({"status": "failure"})).failed_to_start());
    }
}
