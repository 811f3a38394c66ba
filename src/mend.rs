//! A rebuild as part of a run: from the settings to the pipeline, its progress and logs told, and the exit code it means.

use std::time::Duration;

use log::{Level, error, info, log, warn};

use crate::heal::{self, Ending, NotStarted, Rebuilt};
use crate::http::{ChosenBy, Clients};
use crate::log_lines::HINT;
use crate::rebuild::plan;
use crate::report::exit::Exit;
use crate::report::{Pipeline, Stop};
use crate::settings::{Format, Settings};
use crate::stop::Signals;
use crate::target::Target;

/// How long the server may take for one answer: a create fetches the configuration from the forge first.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(90);

/// What came of a rebuild.
pub(crate) struct Mended {
    /// The pipeline, when one was seen.
    pub(crate) pipeline: Option<Pipeline>,
    /// What it means for the run; [`Exit::Verified`] when the pipeline succeeded, or need not be waited for.
    pub(crate) exit: Exit,
    /// The reason, as a fragment.
    pub(crate) reason: Option<String>,
}

/// Starts a pipeline and follows it to its end.
pub(crate) async fn rebuild(settings: &Settings, clients: &Clients, signals: &Signals) -> Mended {
    let on_github = settings.output.format == Format::Github;
    let failed = |exit, reason: String| {
        complain(&reason, on_github);
        Mended { pipeline: None, exit, reason: Some(reason) }
    };
    let plan = match plan(&settings.rebuild, &settings.network) {
        Ok(plan) => plan,
        Err(wrong) => return failed(Exit::Configuration, wrong.to_string()),
    };
    let http = match clients.get(plan.server(), ChosenBy::User) {
        Ok(http) => http,
        Err(problem) => return failed(Exit::Configuration, format!("{problem:#}")),
    };
    let client = match plan.client(http, REQUEST_TIMEOUT.max(settings.network.request_timeout)) {
        Ok(client) => client,
        Err(wrong) => return failed(Exit::Configuration, wrong.to_string()),
    };
    let mut tell = |notice: heal::Notice| {
        let level = if notice.is_warning() { Level::Warn } else { Level::Info };
        log!(level, "{notice}");
    };
    let stop = async {
        signals.stopping().await;
    };
    let mark = heal::fresh_mark();
    match heal::rebuild(&plan, &client, &settings.patience, &mark, &mut tell, stop).await {
        Ok(rebuilt) => ended(rebuilt, signals, on_github),
        Err(not_started) => refused(&not_started, signals, on_github),
    }
}

/// Says why there is no good end; on GitHub the report's own annotation says it.
fn complain(reason: &str, on_github: bool) {
    if !on_github {
        error!("{reason}");
    }
}

fn ended(rebuilt: Rebuilt, signals: &Signals, on_github: bool) -> Mended {
    for problem in &rebuilt.problems {
        warn!("the server says of the pipeline: {problem}");
    }
    for log in &rebuilt.logs {
        let (workflow, step, state, code) = (&log.workflow, &log.step, &log.state, log.exit_code);
        match &log.lines {
            Ok(lines) => {
                info!("step {step} of workflow {workflow}: {state}, exit code {code}; its log ends with:");
                for line in lines {
                    info!("  | {line}");
                }
            }
            Err(why) => info!("step {step} of workflow {workflow}: {state}, exit code {code}; no log: {why}"),
        }
    }
    if rebuilt.logs_left_out > 0 {
        info!("{} more steps have logs", rebuilt.logs_left_out);
    }
    let line = rebuilt.to_string();
    let exit = match rebuilt.ending {
        Ending::Succeeded | Ending::NotAwaited => Exit::Verified,
        Ending::Failed => Exit::RebuildFailed,
        Ending::StillRunning => Exit::RebuildRunning,
        Ending::OutOfSight => Exit::Unknown,
        Ending::Interrupted => by_signal(signals),
    };
    if exit == Exit::Verified {
        info!("{line}");
    } else {
        complain(&line, on_github);
    }
    Mended { pipeline: Some(rebuilt.pipeline), exit, reason: Some(line) }
}

fn refused(not_started: &NotStarted, signals: &Signals, on_github: bool) -> Mended {
    let reason = not_started.to_string();
    complain(&reason, on_github);
    if let Some(hint) = not_started.hint() {
        info!(target: HINT, "{hint}");
    }
    let exit = match not_started {
        NotStarted::Interrupted => by_signal(signals),
        _ => Exit::RebuildNotStarted,
    };
    Mended { pipeline: not_started.pipeline().cloned(), exit, reason: Some(reason) }
}

fn by_signal(signals: &Signals) -> Exit {
    match signals.stopping().peek() {
        Some(Stop::Terminate) => Exit::Terminated,
        _ => Exit::Interrupted,
    }
}

/// The targets for the verification after a rebuild: another build has another digest, so what the first one left names nothing now.
#[must_use]
pub(crate) fn without_old_digests(targets: &[Target]) -> Vec<Target> {
    if targets.iter().any(|target| target.expected.is_some()) {
        info!("the expected digests are those of the build before, so they are not asked of the rebuilt image");
    }
    targets.iter().map(|target| Target { expected: None, ..target.clone() }).collect()
}
