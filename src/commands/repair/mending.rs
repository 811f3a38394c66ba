//! Plans what can be put back of what a report shows to be lost and, where that is permitted, does it.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use log::error;
use oci_spec::image::Digest;

use super::plan_file::Allowed;
use crate::http::Clients;
use crate::http::patience::Patience;
use crate::layout::root::Root;
use crate::oci::reference::{Reference, Repository, is_directory};
use crate::registry::{RegistryCatalog, RegistryRepository, RegistryWriter, Transport};
use crate::repair::apply::Hands;
use crate::repair::plan::{Planned, Planner};
use crate::repair::supplies::Supplies;
use crate::repair::{Action, Failure, Loss, Sources, Step};
use crate::report::judgement::Judgement;
use crate::report::plan::Plan;
use crate::report::{Report, sentence};
use crate::settings::{Error, VerifySettings};
use crate::storage::catalog::StorageCatalog;
use crate::storage::hashed::Hashed;
use crate::storage::kind;
use crate::storage::repository::StorageRepository;
use crate::storage::writer::StorageWriter;
use crate::terminal::signals::Stopping;
use crate::walk::cause::Cause;
use crate::walk::source::{Catalog as _, Source};

/// What puts back what a report shows to be lost.
pub(crate) struct Mending<'a> {
    pub(crate) settings: &'a VerifySettings,
    pub(crate) sources: &'a Sources,
    pub(crate) clients: &'a Arc<Clients>,
    /// The plan that was given: what is not in it is not done.
    pub(crate) allowed: Option<&'a HashSet<Allowed>>,
}

/// The repositories of one registry, and what is used for all of them.
struct Bench<'a> {
    transport: &'a Transport,
    supplies: &'a Supplies<'a>,
    /// The registry's disk, as something to write to; or why it is not.
    disk: Option<Result<RefCell<StorageWriter<'a>>, String>>,
    stopping: &'a Stopping,
}

impl Mending<'_> {
    /// Plans and, where that is permitted, does it.
    ///
    /// # Errors
    ///
    /// When a source that the user named cannot be used.
    pub(crate) async fn of(&self, report: &Report, stopping: Stopping) -> Result<Plan, Error> {
        let transport = self.transport();
        let mut plan = Plan {
            steps: Vec::new(),
            is_applied: self.sources.permission.is_some(),
        };
        for (registry, broken) in broken(report) {
            let steps = self.registry(&transport, &registry, &broken, &stopping);
            plan.steps.extend(steps.await?);
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

    async fn registry(
        &self,
        transport: &Transport,
        registry: &str,
        broken: &BTreeMap<&Repository, Vec<Reference>>,
        stopping: &Stopping,
    ) -> Result<Vec<Step>, Error> {
        let directory = is_directory(registry).then(|| PathBuf::from(registry));
        let storage = directory.as_ref().or(self.sources.storage.as_ref());
        let supplies = Supplies::open(self.sources, storage, transport, registry);
        let supplies = supplies.map_err(Error::new)?;
        let root = storage.map(|path| Root::open(path)).transpose();
        let root = root.map_err(|why| Error::new(format!("storage: {why}")))?;
        let bench = Bench {
            transport,
            supplies: &supplies,
            disk: root.as_ref().and_then(|root| self.disk(root)),
            stopping,
        };
        if let Some(Err(why)) = &bench.disk {
            error!("nothing is written: {why}");
        }
        let mut steps = Vec::new();
        for (repository, references) in broken {
            let done = match &directory {
                Some(directory) => {
                    self.on_disk(&bench, directory, repository, references)
                        .await?
                }
                None => self.over_http(&bench, repository, references).await,
            };
            steps.extend(done);
        }
        Ok(steps)
    }

    /// The disk, where it may be written to.
    fn disk<'r>(&self, root: &'r Root) -> Option<Result<RefCell<StorageWriter<'r>>, String>> {
        let (permission, gc_stopped) = (self.sources.permission?, self.sources.gc_stopped?);
        let writer = StorageWriter::open(root, permission, gc_stopped);
        Some(writer.map(RefCell::new).map_err(|why| why.to_string()))
    }

    async fn over_http(
        &self,
        bench: &Bench<'_>,
        repository: &Repository,
        references: &[Reference],
    ) -> Vec<Step> {
        let depth = self.settings.rules.depth;
        let source = RegistryRepository::new(bench.transport, repository, depth);
        let catalog = RegistryCatalog::new(bench.transport, &repository.registry);
        let listed = catalog.tags(repository).await.answer.unwrap_or_default();
        let writes_disk = self.sources.storage.is_some() && self.sources.gc_stopped.is_some();
        let listed = listed.names.into_iter().collect();
        let planner = self.planner(bench, &source, repository, &listed, writes_disk);
        let writer = self
            .sources
            .permission
            .map(|permission| RegistryWriter::new(bench.transport, repository, permission));
        let mut steps = self.steps(bench, &planner, references, writer).await;
        let secrets = bench.transport.secrets();
        let causes = steps.iter_mut().filter_map(Step::cause);
        for text in causes.flat_map(Cause::texts) {
            *text = secrets.redacted(text).into();
        }
        steps
    }

    async fn on_disk(
        &self,
        bench: &Bench<'_>,
        directory: &Path,
        repository: &Repository,
        references: &[Reference],
    ) -> Result<Vec<Step>, Error> {
        let tree = kind::open_tree(directory).map_err(|why| Error::new(why.why))?;
        let unread = |why| Error::new(format!("{repository} cannot be read: {why}"));
        let (hashed, is_stopped) = (Hashed::default(), || bench.stopping.peek().is_some());
        let depth = self.settings.rules.depth;
        let source = StorageRepository::open(&tree, &repository.name, depth, &hashed, &is_stopped);
        let source = source.map_err(unread)?;
        let listed = StorageCatalog::new(&tree).tags_of(&repository.name);
        let listed = listed.unwrap_or_default().names.into_iter().collect();
        let planner = self.planner(bench, &source, repository, &listed, true);
        let pinned: Vec<Reference> = references.iter().map(|one| source.pinned(one)).collect();
        let mut steps = self.steps(bench, &planner, &pinned, None).await;
        for image in steps.iter_mut().flat_map(|step| &mut step.images) {
            let asked = references.iter().find(|one| one.tag == image.tag);
            if let Some(asked) = asked.filter(|_| image.tag.is_some()) {
                image.clone_from(asked);
            }
        }
        Ok(steps)
    }

    fn planner<'p, S>(
        &'p self,
        bench: &'p Bench<'_>,
        source: &'p S,
        repository: &'p Repository,
        listed: &'p HashSet<String>,
        writes_disk: bool,
    ) -> Planner<'p, S> {
        Planner {
            source,
            supplies: bench.supplies,
            repository,
            rules: &self.settings.rules,
            listed,
            writes_disk,
        }
    }

    /// Plans for one repository and, where that is permitted, does it.
    async fn steps<S: Source>(
        &self,
        bench: &Bench<'_>,
        planner: &Planner<'_, S>,
        references: &[Reference],
        registry: Option<RegistryWriter<'_>>,
    ) -> Vec<Step> {
        let stop = async || Cause::Stopped {
            stop: bench.stopping.clone().await,
            timeout: Patience::NO_TIMEOUT,
            settle: None,
        };
        let (mut plan, seen) = planner.plan(references, stop).await;
        self.narrow(&mut plan);
        if self.sources.permission.is_some() {
            match self.ready(bench, &seen) {
                Ok(disk) => {
                    let hands = Hands {
                        repository: planner.repository,
                        registry,
                        disk,
                        transport: bench.transport,
                    };
                    let is_stopped = || bench.stopping.clone().now_or_never().is_some();
                    hands.apply(&mut plan, is_stopped).await;
                }
                Err(why) => fail(&mut plan, &why),
            }
        }
        plan.into_iter().map(|planned| planned.step).collect()
    }

    /// The disk, after a last look at what was seen there.
    fn ready<'d, 'b>(
        &self,
        bench: &'d Bench<'b>,
        seen: &[Digest],
    ) -> Result<Option<&'d RefCell<StorageWriter<'b>>>, String> {
        match &bench.disk {
            None => Ok(None),
            Some(Err(why)) => Err(why.clone()),
            Some(Ok(disk)) => {
                let still = disk.borrow().require_still_there(seen);
                still.map(|()| Some(disk)).map_err(|why| why.to_string())
            }
        }
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

/// Notes that nothing was done.
fn fail(plan: &mut [Planned], why: &str) {
    for planned in plan {
        if planned.step.action.is_possible() {
            planned.step.end = Some(Err(Failure::Disk(why.to_owned())));
        }
    }
}

type Broken<'r> = BTreeMap<String, BTreeMap<&'r Repository, Vec<Reference>>>;

/// The images of a report that content is missing of, by registry and repository.
fn broken(report: &Report) -> Broken<'_> {
    let judgement = Judgement::of(report);
    let mut broken = Broken::new();
    for (place, image) in judgement.images() {
        if judgement.root(place).has_lost_content() {
            let repository = &image.reference.repository;
            let registry = broken.entry(repository.registry.clone()).or_default();
            let references = registry.entry(repository).or_default();
            references.push(image.reference.clone());
        }
    }
    broken
}
