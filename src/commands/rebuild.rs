//! A rebuild as part of a run: from the plan to the pipeline, its progress and logs, and the exit
//! code it means.

use std::time::{Duration, Instant, SystemTime};

use log::{Level, error, info, log, warn};

use crate::commands::finished::{Finished, Unfinished};
use crate::commands::until_a_signal;
use crate::commands::verify::targets::Target;
use crate::http::{ChosenBy, Clients, Version};
use crate::rebuild::{Ending, NotStarted, Notice, Plan, Rebuilt, StepLog, fresh_mark};
use crate::report::exit::Exit;
use crate::report::{PipelineSummary, Report};
use crate::settings::RebuildSettings;
use crate::terminal::log_lines::HINT;
use crate::terminal::output::Format;
use crate::terminal::signals::Signals;
use crate::text::redaction::Secrets;
use crate::walk::checked::{Checked, Finding};
use crate::walk::rules::Depth;
use crate::walk::stop::Stop;

/// How long the server may take for one answer: a create fetches the configuration from the forge
/// first.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(90);

/// How long the server may take to say whether it accepts the token.
const TOKEN_PATIENCE: Duration = Duration::from_secs(5);

/// The result of a rebuild.
pub(crate) struct RebuildOutcome {
    /// The pipeline, when one was seen.
    pub(crate) pipeline: Option<PipelineSummary>,
    /// What it means for the run; [`Exit::Verified`] when the pipeline succeeded, or need not be
    /// waited for.
    pub(crate) exit: Exit,
    /// How it went, as a fragment.
    pub(crate) line: String,
    /// What to do about it: the hint's id and its text.
    pub(crate) hint: Option<(&'static str, String)>,
}

/// Rebuilds.
///
/// # Errors
///
/// When the program cannot start.
pub(crate) fn run(settings: &RebuildSettings) -> Result<Finished, Unfinished> {
    if let Some(warning) = settings.network.unverified([settings.plan.host()]) {
        warn!("{warning}");
    }
    let clients = Clients::new(settings.network.clone());
    until_a_signal(async |signals| {
        let report = Report::empty(Depth::Tail, SystemTime::now());
        let started = Instant::now();
        let RebuildOutcome {
            pipeline,
            exit,
            line,
            hint,
        } = rebuild(settings, &clients, signals).await;
        let finished = Finished::of(Report {
            command: "rebuild",
            pipeline,
            last_hint: hint,
            duration: started.elapsed(),
            ..report
        });
        match exit {
            Exit::Verified => finished.ending_in(exit, None).remarking(line),
            _ => finished.ending_in(exit, Some(line)),
        }
    })
}

/// Starts a pipeline and follows it to its end.
pub(crate) async fn rebuild(
    settings: &RebuildSettings,
    clients: &Clients,
    signals: &Signals,
) -> RebuildOutcome {
    let plan = &settings.plan;
    let lanes = match clients.lanes(&plan.server, ChosenBy::User, Version::Best) {
        Ok(lanes) => lanes,
        Err(problem) => return misconfigured(format!("{problem:#}"), settings),
    };
    let client = plan.client(lanes, REQUEST_TIMEOUT.max(settings.network.request_timeout));
    let secrets = secrets(plan);
    let mut notify = |notice: Notice| {
        let level = if notice.is_warning() {
            Level::Warn
        } else {
            Level::Info
        };
        log!(level, "{}", secrets.redacted(&notice.to_string()));
        if let Some(advice) = notice.advice() {
            info!(target: HINT, "{advice}");
        }
    };
    let stop = async {
        signals.stopping().await;
    };
    let mark = fresh_mark();
    let patience = &settings.patience;
    match crate::rebuild::rebuild(plan, &client, patience, &mark, &mut notify, stop).await {
        Ok(rebuilt) => ended(rebuilt, signals, &secrets),
        Err(not_started) => refused(&not_started, signals, &secrets),
    }
}

/// Tries the token while no rebuild is needed, so that one that is no longer accepted shows before
/// it is. Whatever comes back is a warning at most.
pub(crate) async fn try_token(settings: &RebuildSettings, clients: &Clients, signals: &Signals) {
    let plan = &settings.plan;
    let Ok(lanes) = clients.lanes(&plan.server, ChosenBy::User, Version::Best) else {
        return;
    };
    let client = plan.client(lanes, TOKEN_PATIENCE);
    let tried = tokio::select! {
        biased;
        _ = signals.stopping() => return,
        tried = crate::rebuild::try_token(&client, TOKEN_PATIENCE) => tried,
    };
    if let Err(error) = tried {
        let secrets = secrets(plan);
        warn!(
            "`on_broken: rebuild` would start nothing now: {}",
            secrets.redacted(&error.to_string())
        );
        advise(error.hint(), &secrets);
    }
}

fn misconfigured(line: String, settings: &RebuildSettings) -> RebuildOutcome {
    // On GitHub the report's own annotation says it.
    if settings.output.format != Format::Github {
        error!("{line}");
    }
    RebuildOutcome {
        pipeline: None,
        exit: Exit::Configuration,
        line,
        hint: None,
    }
}

/// Secrets that the server knows and must not repeat: steps print their variables, and errors
/// repeat requests.
fn secrets(plan: &Plan) -> Secrets {
    /// A shorter value of a variable is a word like `true` or `main` rather than a secret.
    const SHORTEST: usize = 6;
    let mut secrets = Secrets::default();
    // A log shows a value of several lines, such as a key, line by line.
    let values = plan.variables.values();
    let lines = values.flat_map(|value| std::iter::once(value.as_str()).chain(value.lines()));
    for text in lines.filter(|text| text.len() >= SHORTEST) {
        secrets.add(text);
    }
    secrets.add(plan.token.secret().expose());
    secrets
}

fn ended(mut rebuilt: Rebuilt, signals: &Signals, secrets: &Secrets) -> RebuildOutcome {
    rebuilt.pipeline = hidden(&rebuilt.pipeline, secrets);
    for problem in &rebuilt.problems {
        warn!(
            "the server's message about the pipeline: {}",
            secrets.redacted(problem)
        );
    }
    for log in &rebuilt.logs {
        show(log, secrets);
    }
    if rebuilt.logs_left_out > 0 {
        info!("{} more steps have logs", rebuilt.logs_left_out);
    }
    let hint = advise(rebuilt.hint(), secrets);
    let line = secrets.redacted(&rebuilt.to_string());
    let exit = match rebuilt.ending {
        Ending::Succeeded | Ending::NotAwaited => Exit::Verified,
        Ending::Failed => Exit::RebuildFailed,
        Ending::StillRunning => Exit::RebuildRunning,
        Ending::OutOfSight => Exit::Unknown,
        Ending::Interrupted => by_signal(signals),
    };
    RebuildOutcome {
        pipeline: Some(rebuilt.pipeline),
        exit,
        line,
        hint,
    }
}

/// Logs a hint at once, since a person may be waiting, and keeps it for the report.
fn advise(
    hint: Option<(&'static str, String)>,
    secrets: &Secrets,
) -> Option<(&'static str, String)> {
    let (id, text) = hint?;
    let text = secrets.redacted(&text);
    info!(target: HINT, "{text}");
    Some((id, text))
}

fn show(log: &StepLog, secrets: &Secrets) {
    let code = log
        .exit_code
        .map(|code| format!(", exit code {code}"))
        .unwrap_or_default();
    let step = secrets.redacted(&format!(
        "step {} of workflow {}: {}{code}",
        log.step, log.workflow, log.state
    ));
    match &log.lines {
        Ok(lines) if lines.is_empty() => info!("{step}; its log is empty"),
        Ok(lines) => {
            info!("{step}; its log ends with:");
            for line in lines {
                info!("  | {}", secrets.redacted(line));
            }
        }
        Err(why) => info!("{step}; no log: {}", secrets.redacted(why)),
    }
}

fn hidden(pipeline: &PipelineSummary, secrets: &Secrets) -> PipelineSummary {
    PipelineSummary {
        status: secrets.redacted(&pipeline.status),
        ..pipeline.clone()
    }
}

fn refused(not_started: &NotStarted, signals: &Signals, secrets: &Secrets) -> RebuildOutcome {
    let hint = advise(not_started.hint(), secrets);
    let exit = match not_started {
        NotStarted::Interrupted => by_signal(signals),
        _ => Exit::RebuildNotStarted,
    };
    let pipeline = not_started
        .pipeline()
        .map(|pipeline| hidden(pipeline, secrets));
    RebuildOutcome {
        pipeline,
        exit,
        line: secrets.redacted(&not_started.to_string()),
        hint,
    }
}

fn by_signal(signals: &Signals) -> Exit {
    match signals.stopping().peek() {
        Some(Stop::Terminate) => Exit::Terminated,
        _ => Exit::Interrupted,
    }
}

/// The targets for the verification after a rebuild: another build has another digest, so the
/// digests of the first one are no longer expected.
#[must_use]
pub(crate) fn without_old_digests(targets: &[Target], before: &Report) -> Vec<Target> {
    if targets.iter().any(|target| target.expected.is_some()) {
        info!(
            "the expected digests are those of the previous build, so the rebuilt image is not \
             compared with them"
        );
    }
    let found_wrong = |place: usize| {
        let is_wrong = |finding: &Finding| {
            matches!(
                finding,
                Finding::WrongDigest { .. } | Finding::StillWrong(_)
            )
        };
        let (repository, subject) = before.order[place];
        let Checked {
            graph, subjects, ..
        } = &before.repositories[repository];
        let image = &subjects[subject];
        let digest = graph.node(image.root).digest();
        digest.filter(|_| image.findings.iter().any(is_wrong))
    };
    let with = |(place, target): (usize, &Target)| Target {
        expected: None,
        unwanted: found_wrong(place),
        ..target.clone()
    };
    targets.iter().enumerate().map(with).collect()
}
