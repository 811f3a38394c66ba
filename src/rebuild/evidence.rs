//! What is shown at a pipeline's end: the server's objections, and the ends of steps' logs.

use tokio::time::{Instant, sleep, sleep_until};

use super::follow::Seen;
use super::{Ending, Rebuilt, Run, StepLog};
use crate::rebuild::plan::Logs;
use crate::rebuild::woodpecker::{ApiError, Pipeline, Status, Step, Workflow};

/// How many lines of a step's log are shown.
const LINES: usize = 30;

/// How many steps' logs are shown.
const STEPS: usize = 20;

/// For how many more [`Plan::log_delay`](super::Plan::log_delay)s a log that is still empty is
/// asked for again.
const PATIENCE: u32 = 2;

impl Run<'_> {
    /// Adds objections, logs and what is waited for to `rebuilt`, one by one, so that an interruption keeps what came.
    pub(super) async fn gather(&mut self, repository: u64, seen: &Seen, rebuilt: &mut Rebuilt) {
        let pipeline = &seen.pipeline;
        if rebuilt.ending == Ending::StillRunning && seen.is_pending() {
            rebuilt.waiting = Some(self.waiting(repository, pipeline.number).await);
        }
        let names = &self.plan.workflows;
        let deciding: Vec<&Workflow> = pipeline
            .workflows
            .iter()
            .filter(|workflow| names.is_empty() || names.contains(&workflow.name))
            .collect();
        if rebuilt.ending == Ending::Failed {
            rebuilt.problems.extend(problems(pipeline, &deciding));
        }
        let wanted = steps(&deciding, self.plan.logs, rebuilt.ending);
        rebuilt.logs_left_out = wanted.len().saturating_sub(STEPS);
        if wanted.is_empty() {
            return;
        }
        let delay = self.plan.log_delay;
        sleep(delay).await;
        let patient_until = Instant::now() + PATIENCE * delay;
        for (workflow, step) in wanted.into_iter().take(STEPS) {
            let lines = self
                .log(repository, pipeline.number, step, patient_until)
                .await;
            rebuilt.logs.push(StepLog {
                workflow: workflow.name.clone(),
                step: step.name.clone(),
                state: step.state.to_string(),
                exit_code: step.error.is_empty().then_some(step.exit_code),
                lines: lines.map_err(|error| error.to_string()),
            });
        }
    }

    /// The end of a log; one that is empty is asked for again until it is not, or all have waited
    /// long enough.
    async fn log(
        &self,
        repository: u64,
        number: u64,
        step: &Step,
        patient_until: Instant,
    ) -> Result<Vec<String>, ApiError> {
        loop {
            let lines = self.client.log(repository, number, step, LINES).await;
            let now = Instant::now();
            if !matches!(&lines, Ok(lines) if lines.is_empty()) || now >= patient_until {
                return lines;
            }
            sleep_until(patient_until.min(now + self.plan.log_delay / 4)).await;
        }
    }
}

/// What the server says of the failure; what it says of a step and again of the step's workflow is
/// shown once.
fn problems(pipeline: &Pipeline, deciding: &[&Workflow]) -> Vec<String> {
    let objections = pipeline
        .errors
        .iter()
        .filter(|problem| !problem.is_warning)
        .map(|problem| problem.message.clone());
    let own = |workflow: &&&Workflow| {
        !workflow.error.is_empty()
            && workflow
                .children
                .iter()
                .all(|step| step.error != workflow.error)
    };
    let workflows = deciding
        .iter()
        .filter(own)
        .map(|workflow| format!("workflow {}: {}", workflow.name, workflow.error));
    let steps = deciding
        .iter()
        .flat_map(|workflow| &workflow.children)
        .filter(|step| !step.error.is_empty());
    let steps = steps.map(|step| format!("step {}: {}", step.name, step.error));
    pipeline
        .canceled_by()
        .into_iter()
        .chain(objections)
        .chain(workflows)
        .chain(steps)
        .collect()
}

/// The steps whose logs are wanted. A green pipeline may hold failed steps that do not matter
/// (`failure: ignore`).
fn steps<'a>(
    deciding: &[&'a Workflow],
    logs: Logs,
    ending: Ending,
) -> Vec<(&'a Workflow, &'a Step)> {
    let wanted = |step: &Step| match (logs, ending) {
        (Logs::None, _) | (_, Ending::OutOfSight) | (Logs::Failed, Ending::Succeeded) => false,
        (Logs::Failed, _) => step.state.is_failing(),
        (Logs::All, _) => step.has_run() && step.state != Status::Skipped,
    };
    let all = deciding
        .iter()
        .flat_map(|workflow| workflow.children.iter().map(move |step| (*workflow, step)));
    all.filter(|(_, step)| wanted(step)).collect()
}
