//! A rebuild as part of a run: from the settings to the pipeline, its progress and logs told, and the exit code it means.

use std::time::{Duration, Instant, SystemTime};

use log::{Level, error, info, log, warn};

use crate::commands::finished::{Finished, Unfinished};
use crate::commands::until_a_signal;
use crate::commands::verify::targets::Target;
use crate::http::{ChosenBy, Clients};
use crate::rebuild as heal;
use crate::rebuild::plan::plan;
use crate::rebuild::settings::Rebuild;
use crate::rebuild::{Ending, NotStarted, Rebuilt};
use crate::report::exit::Exit;
use crate::report::{FindingKind, Image, Pipeline, Report};
use crate::settings::{Error, RebuildSettings};
use crate::terminal::log_lines::HINT;
use crate::terminal::output::Format;
use crate::terminal::signals::Signals;
use crate::text::redaction::Told;
use crate::walk::rules::Depth;
use crate::walk::stop::Stop;

/// How long the server may take for one answer: a create fetches the configuration from the forge first.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(90);

/// Why a pipeline may wait for an agent for ever.
const NO_AGENT: &str = "no agent took the pipeline: one with its labels must be connected and free; the pipeline that waits \
     for it occupies one place itself (WOODPECKER_MAX_WORKFLOWS)";

/// What came of a rebuild.
pub(crate) struct Mended {
    /// The pipeline, when one was seen.
    pub(crate) pipeline: Option<Pipeline>,
    /// What it means for the run; [`Exit::Verified`] when the pipeline succeeded, or need not be waited for.
    pub(crate) exit: Exit,
    /// How it went, as a fragment.
    pub(crate) line: String,
}

/// Rebuilds.
///
/// # Errors
///
/// When the settings do not say what to rebuild, or the program cannot start.
pub(crate) fn run(settings: &RebuildSettings) -> Result<Finished, Unfinished> {
    check(settings)?;
    let clients = Clients::new(settings.network.clone());
    until_a_signal(async |signals| {
        let report = Report::empty(Depth::Tail, SystemTime::now());
        let started = Instant::now();
        let Mended {
            pipeline,
            exit,
            line,
        } = rebuild(settings, &clients, signals).await;
        let finished = Finished::of(Report {
            pipeline,
            duration: started.elapsed(),
            ..report
        });
        match exit {
            Exit::Verified => finished.ending_in(exit, None).remarking(line),
            _ => finished.ending_in(exit, Some(line)),
        }
    })
}

/// Whether a rebuild can be planned, before anything is asked.
///
/// # Errors
///
/// The first setting that is missing or wrong.
pub(crate) fn check(settings: &RebuildSettings) -> Result<(), Error> {
    plan(&settings.rebuild, &settings.network)
        .map(drop)
        .map_err(|wrong| Error::new(wrong.to_string()))
}

/// Starts a pipeline and follows it to its end.
pub(crate) async fn rebuild(
    settings: &RebuildSettings,
    clients: &Clients,
    signals: &Signals,
) -> Mended {
    let failed = |exit, line: String| {
        // On GitHub the report's own annotation says it.
        if settings.output.format != Format::Github {
            error!("{line}");
        }
        Mended {
            pipeline: None,
            exit,
            line,
        }
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
    let told = told(&settings.rebuild);
    let mut tell = |notice: heal::Notice| {
        let level = if notice.is_warning() {
            Level::Warn
        } else {
            Level::Info
        };
        log!(level, "{}", told.hidden(&notice.to_string()));
    };
    let stop = async {
        signals.stopping().await;
    };
    let mark = heal::fresh_mark();
    match heal::rebuild(&plan, &client, &settings.patience, &mark, &mut tell, stop).await {
        Ok(rebuilt) => ended(rebuilt, signals, &told),
        Err(not_started) => refused(&not_started, signals, &told),
    }
}

/// What the server gets to know and must not tell: steps print their variables, and errors repeat requests.
fn told(settings: &Rebuild) -> Told {
    /// A shorter value of a variable is a word like `true` or `main` rather than a secret.
    const SHORTEST: usize = 6;
    let mut told = Told::default();
    for value in settings
        .variables
        .values()
        .filter(|value| value.len() >= SHORTEST)
    {
        told.add(value);
    }
    if let Some(token) = &settings.token {
        told.add(token.expose());
    }
    told
}

fn ended(mut rebuilt: Rebuilt, signals: &Signals, told: &Told) -> Mended {
    rebuilt.pipeline = hidden(&rebuilt.pipeline, told);
    for problem in &rebuilt.problems {
        warn!("the server says of the pipeline: {}", told.hidden(problem));
    }
    for log in &rebuilt.logs {
        let code = log
            .exit_code
            .map(|code| format!(", exit code {code}"))
            .unwrap_or_default();
        let step = told.hidden(&format!(
            "step {} of workflow {}: {}{code}",
            log.step, log.workflow, log.state
        ));
        match &log.lines {
            Ok(lines) if lines.is_empty() => info!("{step}; its log is empty"),
            Ok(lines) => {
                info!("{step}; its log ends with:");
                for line in lines {
                    info!("  | {}", told.hidden(line));
                }
            }
            Err(why) => info!("{step}; no log: {}", told.hidden(why)),
        }
    }
    if rebuilt.logs_left_out > 0 {
        info!("{} more steps have logs", rebuilt.logs_left_out);
    }
    if rebuilt.ending == Ending::StillRunning && rebuilt.pipeline.status == "pending" {
        info!(target: HINT, "{NO_AGENT}");
    }
    let line = told.hidden(&rebuilt.to_string());
    let exit = match rebuilt.ending {
        Ending::Succeeded | Ending::NotAwaited => Exit::Verified,
        Ending::Failed => Exit::RebuildFailed,
        Ending::StillRunning => Exit::RebuildRunning,
        Ending::OutOfSight => Exit::Unknown,
        Ending::Interrupted => by_signal(signals),
    };
    Mended {
        pipeline: Some(rebuilt.pipeline),
        exit,
        line,
    }
}

fn hidden(pipeline: &Pipeline, told: &Told) -> Pipeline {
    Pipeline {
        status: told.hidden(&pipeline.status),
        ..pipeline.clone()
    }
}

fn refused(not_started: &NotStarted, signals: &Signals, told: &Told) -> Mended {
    if let Some(hint) = not_started.hint() {
        info!(target: HINT, "{}", told.hidden(&hint));
    }
    let exit = match not_started {
        NotStarted::Interrupted => by_signal(signals),
        _ => Exit::RebuildNotStarted,
    };
    let pipeline = not_started
        .pipeline()
        .map(|pipeline| hidden(pipeline, told));
    Mended {
        pipeline,
        exit,
        line: told.hidden(&not_started.to_string()),
    }
}

fn by_signal(signals: &Signals) -> Exit {
    match signals.stopping().peek() {
        Some(Stop::Terminate) => Exit::Terminated,
        _ => Exit::Interrupted,
    }
}

/// The targets for the verification after a rebuild: another build has another digest, so what the first one left names nothing now.
#[must_use]
pub(crate) fn without_old_digests(targets: &[Target], before: &Report) -> Vec<Target> {
    if targets.iter().any(|target| target.expected.is_some()) {
        info!(
            "the expected digests are those of the build before, so they are not asked of the rebuilt image"
        );
    }
    let found_wrong = |image: &Image| {
        let wrong = image
            .findings
            .iter()
            .any(|finding| finding.kind == FindingKind::WrongDigest);
        before.graphs[image.graph]
            .node(image.root)
            .digest()
            .filter(|_| wrong)
    };
    let with = |(target, image): (&Target, &Image)| Target {
        expected: None,
        unwanted: found_wrong(image),
        ..target.clone()
    };
    targets.iter().zip(&before.images).map(with).collect()
}
