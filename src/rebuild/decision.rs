//! What a look at a pipeline says about the rebuild, and how long to wait for the next one.

use std::time::Duration;

use crate::rebuild::woodpecker::{Pipeline, Status, Workflow};

/// What a look at a pipeline says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It goes on, with this status.
    Undecided(Status),
    /// All that counts succeeded.
    Succeeded,
    /// Something that counts ended without success.
    Failed(Status),
    /// Workflows that should decide are not in it.
    Absent {
        /// Those.
        missing: Vec<String>,
        /// What there is instead.
        present: Vec<String>,
    },
}

/// Judges `pipeline` by its own status, or by that of the `workflows` when any are named.
///
/// One bad end is enough for a failure, though others may still run. The workflows of a matrix
/// share a name: all count.
#[must_use]
pub(crate) fn decide(pipeline: &Pipeline, workflows: &[String]) -> Decision {
    if workflows.is_empty() {
        return match (&pipeline.status, pipeline.is_over()) {
            (status, false) => Decision::Undecided(status.clone()),
            (Status::Success, true) => Decision::Succeeded,
            (status, true) => Decision::Failed(status.clone()),
        };
    }
    // A pipeline comes without its workflows when it was just created, and when they could not be
    // made.
    if pipeline.workflows.is_empty() && pipeline.status != Status::Success {
        return decide(pipeline, &[]);
    }
    let missing: Vec<String> = workflows
        .iter()
        .filter(|name| named(pipeline, name).next().is_none())
        .cloned()
        .collect();
    if !missing.is_empty() {
        let mut present: Vec<String> = pipeline
            .workflows
            .iter()
            .map(|workflow| workflow.name.clone())
            .collect();
        present.dedup();
        return Decision::Absent { missing, present };
    }
    let deciding: Vec<&Workflow> = workflows
        .iter()
        .flat_map(|name| named(pipeline, name))
        .collect();
    if let Some(bad) = deciding
        .iter()
        .find(|workflow| workflow.is_over() && workflow.state != Status::Success)
    {
        return Decision::Failed(bad.state.clone());
    }
    match deciding.iter().find(|workflow| !workflow.is_over()) {
        None => Decision::Succeeded,
        // It will never run.
        Some(_) if pipeline.status == Status::Declined => Decision::Failed(Status::Declined),
        Some(_) if pipeline.status == Status::Blocked => Decision::Undecided(Status::Blocked),
        Some(open) => Decision::Undecided(open.state.clone()),
    }
}

fn named<'a>(pipeline: &'a Pipeline, name: &'a str) -> impl Iterator<Item = &'a Workflow> {
    pipeline
        .workflows
        .iter()
        .filter(move |workflow| workflow.name == name)
}

/// How long to wait for the next look: `interval` at first, up to four times as long while nothing
/// changes, up to sixteen times while the server answers nothing useful.
#[must_use]
pub(crate) fn pause(interval: Duration, unchanged: u32, failures: u32) -> Duration {
    let quarters = if failures == 0 {
        (4 + unchanged).min(16)
    } else {
        4 << failures.min(4)
    };
    interval * quarters / 4
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pipeline(status: &str, workflows: &[(&str, &str)]) -> Pipeline {
        let workflows: Vec<_> = workflows
            .iter()
            .map(|(name, state)| json!({"name": name, "state": state}))
            .collect();
        serde_json::from_value(json!({"number": 1, "status": status, "workflows": workflows}))
            .unwrap()
    }

    fn decided(status: &str, workflows: &[(&str, &str)], names: &[&str]) -> Decision {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        decide(&pipeline(status, workflows), &names)
    }

    #[test]
    fn green_is_success_alone() {
        assert_eq!(decided("success", &[], &[]), Decision::Succeeded);
        for status in [
            "failure", "error", "killed", "canceled", "declined", "skipped",
        ] {
            assert_eq!(
                decided(status, &[], &[]),
                Decision::Failed(Status::from(status))
            );
        }
        for status in ["created", "pending", "running", "blocked", "paused"] {
            assert_eq!(
                decided(status, &[], &[]),
                Decision::Undecided(Status::from(status))
            );
        }
    }

    #[test]
    fn a_named_workflow_decides_whatever_the_others_do() {
        let open = [("build", "success"), ("lint", "running")];
        assert_eq!(decided("running", &open, &["build"]), Decision::Succeeded);
        let over = [("build", "success"), ("lint", "failure")];
        assert_eq!(decided("failure", &over, &["build"]), Decision::Succeeded);
        assert_eq!(
            decided("failure", &over, &["lint"]),
            Decision::Failed(Status::Failure)
        );
        assert_eq!(
            decided("success", &[("build", "skipped")], &["build"]),
            Decision::Failed(Status::Skipped)
        );
    }

    #[test]
    fn every_named_workflow_and_every_point_of_a_matrix_counts() {
        let matrix = [
            ("build", "success"),
            ("build", "running"),
            ("push", "success"),
        ];
        assert_eq!(
            decided("running", &matrix, &["push", "build"]),
            Decision::Undecided(Status::Running)
        );
        let failed = [("build", "running"), ("build", "failure")];
        assert_eq!(
            decided("running", &failed, &["build"]),
            Decision::Failed(Status::Failure)
        );
    }

    #[test]
    fn a_missing_workflow_is_named_with_those_that_exist() {
        let absent = Decision::Absent {
            missing: vec!["push".into()],
            present: vec!["build".into(), "lint".into()],
        };
        assert_eq!(
            decided(
                "running",
                &[
                    ("build", "running"),
                    ("build", "running"),
                    ("lint", "running")
                ],
                &["push"]
            ),
            absent
        );
        let nothing = Decision::Absent {
            missing: vec!["push".into()],
            present: vec![],
        };
        assert_eq!(decided("success", &[], &["push"]), nothing);
    }

    #[test]
    fn workflows_may_be_listed_only_after_the_pipeline_was_created() {
        assert_eq!(
            decided("pending", &[], &["push"]),
            Decision::Undecided(Status::Pending)
        );
        assert_eq!(
            decided("error", &[], &["push"]),
            Decision::Failed(Status::Error)
        );
    }

    #[test]
    fn a_pipeline_that_waits_for_approval_says_so_for_its_workflows() {
        assert_eq!(
            decided("blocked", &[("build", "pending")], &["build"]),
            Decision::Undecided(Status::Blocked)
        );
        assert_eq!(
            decided("declined", &[("build", "pending")], &["build"]),
            Decision::Failed(Status::Declined)
        );
    }

    #[test]
    fn looks_become_rarer_and_rarer_still_when_nothing_useful_comes() {
        let second = Duration::from_secs(1);
        let unchanged: Vec<_> = [0, 2, 4, 12, 100]
            .map(|count| pause(second, count, 0))
            .into();
        assert_eq!(
            unchanged,
            [1000, 1500, 2000, 4000, 4000].map(Duration::from_millis)
        );
        let failing: Vec<_> = [1, 2, 4, 100].map(|count| pause(second, 9, count)).into();
        assert_eq!(failing, [2, 4, 16, 16].map(Duration::from_secs));
    }
}
