//! A repair: what is broken is looked for elsewhere, put back, and verified again.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use log::{info, warn};
use oci_spec::image::Digest;
use serde::Deserialize;

use crate::commands::finished::{Finished, Unfinished};
use crate::commands::until_a_signal;
use crate::commands::verify::listed::listed;
use crate::commands::verify::targets::{Target, hosts_added, idle_logins, targets};
use crate::commands::verify::verify;
use crate::http::Clients;
use crate::http::patience::Patience;
use crate::oci::reference::{Reference, Repository};
use crate::registry::{RegistryCatalog, RegistryRepository, RegistryWriter, Transport};
use crate::repair::apply::Hands;
use crate::repair::plan::{Planned, Planner};
use crate::repair::supplies::Supplies;
use crate::repair::{Action, Failure, Loss, Sources, Step};
use crate::report::exit::Exit;
use crate::report::judgement::Judgement;
use crate::report::plan::Plan;
use crate::report::{Report, sentence};
use crate::settings::{Error, RepairSettings, VerifySettings};
use crate::terminal::deliver::announce;
use crate::terminal::progress::Progress;
use crate::terminal::signals::{Signals, Stopping};
use crate::text::human::count;
use crate::walk::cause::Cause;
use crate::walk::source::Catalog as _;

/// Repairs, or plans to.
///
/// # Errors
///
/// When there is nothing to repair, settings contradict each other, or the program cannot start.
pub(crate) fn run(settings: &RepairSettings, progress: Progress) -> Result<Finished, Unfinished> {
    let verify = &settings.verify;
    let targets = targets(&verify.wanted, listed(verify.wanted.list.as_ref())?)?;
    let hosts = targets.iter().map(|target| &target.reference.repository);
    if let Some(warning) = verify
        .network
        .unverified(hosts.map(|one| one.registry.clone()))
    {
        warn!("{warning}");
    }
    if let Some(warning) = idle_logins(&verify.login, &targets) {
        warn!("{warning}");
    }
    for line in hosts_added(&verify.wanted) {
        info!("{line}");
    }
    until_a_signal(async |signals| {
        let mut progress = progress;
        repaired(settings, &targets, signals, &mut progress).await
    })?
}

async fn repaired(
    settings: &RepairSettings,
    targets: &[Target],
    signals: &Signals,
    progress: &mut Progress,
) -> Result<Finished, Unfinished> {
    let verify = &settings.verify;
    announce(
        targets.iter().map(|target| &target.reference),
        verify.rules.depth,
        &verify.output,
    );
    let clients = Arc::new(Clients::new(verify.network.clone()));
    let mut look = Look {
        settings: verify,
        clients: &clients,
        signals,
        progress,
    };
    let before = Report {
        command: "repair",
        ..look.at(targets).await
    };
    let allowed = allowed(settings)?;
    let mending = Mending {
        settings: verify,
        sources: &settings.sources,
        clients: &clients,
        allowed: allowed.as_ref(),
    };
    let stopping = signals.or_after(Patience::NO_TIMEOUT);
    let plan = mending.of(&before, stopping).await?;
    if let (Some(path), None) = (&settings.plan, settings.sources.permission) {
        write_plan(path, &plan)?;
    }
    if !plan.is_applied || plan.possible() == 0 {
        return Ok(Finished::of(Report {
            plan: Some(plan),
            ..before
        }));
    }
    info!("verified again after the repair");
    let after = look.at(targets).await;
    Ok(concluded(before, plan, after))
}

/// The end of a run that has put something back: the second look counts.
pub(crate) fn concluded(before: Report, mut plan: Plan, after: Report) -> Finished {
    let lost = lost(&after);
    let mut is_kept = true;
    for step in plan
        .steps
        .iter_mut()
        .filter(|step| step.end == Some(Ok(())))
    {
        if lost.contains(&(&step.repository, step.digest.clone())) {
            step.end = Some(Err(Failure::NotKept));
            is_kept = false;
        }
    }
    let (done, failed) = (plan.done(), plan.failed());
    let after = Report {
        command: before.command,
        plan: Some(plan),
        before: Some(Box::new(before)),
        last_hint: (!is_kept).then(|| ("repair-not-kept", NOT_KEPT.to_owned())),
        ..after
    };
    let verdict = Judgement::of(&after).cause();
    let done = format!("{} put back", count(done, "digest"));
    if failed == 0 {
        return Finished::of(after).remarking(done);
    }
    let line = format!("{done}, {failed} failed");
    match verdict.or(Exit::RepairFailed) {
        Exit::RepairFailed => Finished::of(after).ending_in(Exit::RepairFailed, Some(line)),
        _ => Finished::of(after).remarking(line),
    }
}

/// What to do where a registry took content and does not have it.
const NOT_KEPT: &str = "a registry does not replace a file that it has, however damaged, and answers \
                        as if it did: mend its disk, with its garbage collection stopped, by \
                        --storage DIR --gc-stopped --apply";

/// What a report shows to be lost.
fn lost(report: &Report) -> HashSet<(&Repository, Digest)> {
    let all = report.repositories.iter().flat_map(|checked| {
        let lost = checked.graph.iter().filter(|(_, node)| node.is_lost());
        lost.filter_map(|(_, node)| Some((&checked.repository, node.digest()?)))
    });
    all.collect()
}

/// A verification, as often as it takes.
struct Look<'a> {
    settings: &'a VerifySettings,
    clients: &'a Arc<Clients>,
    signals: &'a Signals,
    progress: &'a mut Progress,
}

impl Look<'_> {
    async fn at(&mut self, targets: &[Target]) -> Report {
        self.progress.begin(Instant::now());
        let stopping = self.signals.or_after(self.settings.patience.timeout);
        let clients = Arc::clone(self.clients);
        let seen = |standing| self.progress.update(standing, Instant::now());
        let report = verify(self.settings, targets, clients, stopping, seen).await;
        self.progress.finish();
        report
    }
}

/// What puts back what a report shows to be lost.
pub(crate) struct Mending<'a> {
    pub(crate) settings: &'a VerifySettings,
    pub(crate) sources: &'a Sources,
    pub(crate) clients: &'a Arc<Clients>,
    /// The plan that was given: what is not in it is not done.
    pub(crate) allowed: Option<&'a HashSet<Allowed>>,
}

impl Mending<'_> {
    /// Plans and, where that is permitted, does it.
    ///
    /// # Errors
    ///
    /// When a source that the user named cannot be used.
    pub(crate) async fn of(&self, report: &Report, stopping: Stopping) -> Result<Plan, Error> {
        let broken = broken(report);
        let transport = self.transport();
        let registries: HashSet<&String> = broken.iter().map(|(one, _)| &one.registry).collect();
        let registries: Vec<String> = registries.into_iter().cloned().collect();
        let supplies = Supplies::open(self.sources, &transport, &registries).map_err(Error::new)?;
        let mut plan = Plan {
            steps: Vec::new(),
            is_applied: self.sources.permission.is_some(),
        };
        for (repository, references) in &broken {
            let steps = self
                .repository(&transport, &supplies, repository, references, &stopping)
                .await;
            plan.steps.extend(steps);
        }
        Ok(plan)
    }

    /// What is known to be missing is not waited for.
    fn transport(&self) -> Transport {
        let patience = Patience {
            settle: Duration::ZERO,
            timeout: Patience::NO_TIMEOUT,
            ..self.settings.patience.clone()
        };
        let (clients, logins) = (Arc::clone(self.clients), self.settings.login.clone());
        Transport::new(clients, patience, logins, sentence::cause)
    }

    async fn repository(
        &self,
        transport: &Transport,
        supplies: &Supplies<'_>,
        repository: &Repository,
        references: &[Reference],
        stopping: &Stopping,
    ) -> Vec<Step> {
        let depth = self.settings.rules.depth;
        let source = RegistryRepository::new(transport, repository, depth);
        let catalog = RegistryCatalog::new(transport, &repository.registry);
        let listed = catalog.tags(repository).await.answer.unwrap_or_default();
        let planner = Planner {
            source: &source,
            supplies,
            repository,
            rules: &self.settings.rules,
            listed: &listed.names.into_iter().collect(),
            writes_disk: self.sources.storage.is_some() && self.sources.gc_stopped.is_some(),
        };
        let stop = async || Cause::Stopped {
            stop: stopping.clone().await,
            timeout: Patience::NO_TIMEOUT,
            settle: None,
        };
        let mut plan = planner.plan(references, stop).await;
        self.narrow(&mut plan);
        if let Some(permission) = self.sources.permission {
            let hands = Hands {
                repository,
                registry: Some(RegistryWriter::new(transport, repository, permission)),
                disk: None,
                transport,
            };
            let is_stopped =
                || stopping.peek().is_some() || stopping.clone().now_or_never().is_some();
            hands.apply(&mut plan, is_stopped).await;
        }
        let secrets = transport.secrets();
        let mut steps: Vec<Step> = plan.into_iter().map(|planned| planned.step).collect();
        for text in steps
            .iter_mut()
            .filter_map(Step::cause)
            .flat_map(Cause::texts)
        {
            *text = secrets.redacted(text).into();
        }
        steps
    }

    /// Leaves out what the plan that was given does not have.
    fn narrow(&self, plan: &mut [Planned]) {
        let Some(allowed) = self.allowed else {
            return;
        };
        for planned in plan.iter_mut() {
            let step = &mut planned.step;
            if step.action.is_possible() && !allowed.contains(&Allowed::of(step)) {
                step.action = Action::Lost(Loss::NotPlanned);
            }
        }
    }
}

/// The images of a report that content is missing of, by their repositories.
fn broken(report: &Report) -> Vec<(Repository, Vec<Reference>)> {
    let judgement = Judgement::of(report);
    let mut broken: Vec<(Repository, Vec<Reference>)> = Vec::new();
    for (place, image) in judgement.images() {
        if !judgement.root(place).has_lost_content() {
            continue;
        }
        let (reference, repository) = (&image.reference, &image.reference.repository);
        match broken.iter_mut().find(|(known, _)| known == repository) {
            Some((_, references)) => references.push(reference.clone()),
            None => broken.push((repository.clone(), vec![reference.clone()])),
        }
    }
    broken
}

/// What a plan in a file allows.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Allowed {
    action: String,
    repository: String,
    digest: String,
}

impl Allowed {
    fn of(step: &Step) -> Self {
        Self {
            action: step.action.as_str().to_owned(),
            repository: step.repository.to_string(),
            digest: step.digest.to_string(),
        }
    }
}

/// The plan that is given by a file, with `apply`.
fn allowed(settings: &RepairSettings) -> Result<Option<HashSet<Allowed>>, Error> {
    #[derive(Deserialize)]
    struct File {
        schema: u8,
        kind: String,
        plan: Vec<Item>,
    }
    #[derive(Deserialize)]
    struct Item {
        action: String,
        repository: String,
        digest: String,
    }
    let Some(path) = settings
        .plan
        .as_ref()
        .filter(|_| settings.sources.permission.is_some())
    else {
        return Ok(None);
    };
    let name = path.display();
    let unusable = |why: String| {
        Error::new(format!("plan: {name} cannot be used: {why}"))
            .with_hint("write it by the same command without --apply")
    };
    let text = fs::read(path).map_err(|failure| unusable(failure.to_string()))?;
    let file: File =
        serde_json::from_slice(&text).map_err(|failure| unusable(failure.to_string()))?;
    if file.schema != 1 || file.kind != "repair" {
        return Err(unusable("it is not the plan of a repair".to_owned()));
    }
    let allowed = file.plan.into_iter().map(|item| Allowed {
        action: item.action,
        repository: item.repository,
        digest: item.digest,
    });
    Ok(Some(allowed.collect()))
}

fn write_plan(path: &Path, plan: &Plan) -> Result<(), Error> {
    crate::terminal::deliver::write_plan(path, plan).map_err(|failure| {
        Error::new(format!(
            "plan: {} cannot be written: {failure}",
            path.display()
        ))
    })
}
