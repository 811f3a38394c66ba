//! Plans what can be put back of what a report shows to be lost and, where that is permitted, does it.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use log::{error, warn};
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
use crate::walk::source::{Catalog as _, Fault, FaultKind, List, Source};

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

impl<'a> Bench<'a> {
    /// The disk, after a last look at what was seen there.
    fn ready(&self, seen: &[Digest]) -> Result<Option<&RefCell<StorageWriter<'a>>>, String> {
        match &self.disk {
            None => Ok(None),
            Some(Err(why)) => Err(why.clone()),
            Some(Ok(disk)) => {
                let still = disk.borrow().require_still_there(seen);
                still.map(|()| Some(disk)).map_err(|why| why.to_string())
            }
        }
    }
}

impl Mending<'_> {
    /// Plans and, where that is permitted, does it.
    ///
    /// # Errors
    ///
    /// When a source that the user named cannot be used.
    pub(crate) async fn of(&self, report: &Report, stopping: Stopping) -> Result<Plan, Error> {
        self.require_one_disk(report)?;
        let transport = self.transport();
        let mut plan = Plan {
            steps: Vec::new(),
            is_applied: self.sources.permission.is_some(),
        };
        let broken = broken(report);
        let is_alone = broken.values().map(BTreeMap::len).sum::<usize>() == 1;
        for (registry, broken) in broken {
            let steps = self.registry(&transport, &registry, &broken, is_alone, &stopping);
            plan.steps.extend(steps.await?);
        }
        Ok(plan)
    }

    /// A disk is that of one registry: nothing of another one is looked for on it, or put there.
    fn require_one_disk(&self, report: &Report) -> Result<(), Error> {
        let registries = report.repositories.iter().map(|checked| {
            let Repository { registry, .. } = &checked.repository;
            registry
        });
        let registries: HashSet<&String> = registries.collect();
        if self.sources.storage.is_none() || registries.len() < 2 {
            return Ok(());
        }
        let error = "storage: it is the disk of one registry, and images of several are named";
        Err(Error::new(error).with_hint("repair the images of each registry in a run of their own"))
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
        is_alone: bool,
        stopping: &Stopping,
    ) -> Result<Vec<Step>, Error> {
        let directory = is_directory(registry).then(|| PathBuf::from(registry));
        let storage = directory.as_ref().or(self.sources.storage.as_ref());
        let supplies = Supplies::open(self.sources, storage, transport, registry, is_alone);
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
        let listed = tags_of(repository, catalog.tags(repository).await.answer);
        let writes_disk = self.sources.storage.is_some() && self.sources.gc_stopped.is_some();
        let planner = self.planner(bench, &source, repository, listed.as_ref(), writes_disk);
        let writer = self
            .sources
            .permission
            .map(|permission| RegistryWriter::new(bench.transport, repository, permission));
        self.steps(bench, &planner, references, writer).await
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
        let listed = tags_of(repository, listed);
        let planner = self.planner(bench, &source, repository, listed.as_ref(), true);
        let pinned: Vec<Reference> = references.iter().map(|one| source.pinned(one)).collect();
        let mut steps = self.steps(bench, &planner, &pinned, None).await;
        let by_tag = references
            .iter()
            .filter_map(|one| Some((one.tag.clone()?, one)));
        let by_tag: HashMap<String, &Reference> = by_tag.collect();
        for image in steps.iter_mut().flat_map(|step| &mut step.images) {
            let asked = image.tag.as_ref().and_then(|tag| by_tag.get(tag));
            if let Some(asked) = asked {
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
        listed: Option<&'p HashSet<String>>,
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
        let (mut plan, seen) = planner.plan(references, &stop).await;
        self.narrow(&mut plan);
        if self.sources.permission.is_some() {
            match bench.ready(&seen) {
                Ok(disk) => {
                    let hands = Hands {
                        repository: planner.repository,
                        registry,
                        disk,
                        supplies: bench.supplies,
                        transport: bench.transport,
                    };
                    hands.apply(&mut plan, stop).await;
                }
                Err(why) => fail(&mut plan, &why),
            }
        }
        let mut steps: Vec<Step> = plan.into_iter().map(|planned| planned.step).collect();
        let secrets = bench.transport.secrets();
        let causes = steps.iter_mut().filter_map(Step::cause);
        for text in causes.flat_map(Cause::texts) {
            *text = secrets.redacted(text).into();
        }
        steps
    }

    /// Leaves out what the plan that was given does not have.
    fn narrow(&self, plan: &mut [Planned]) {
        let Some(allowed) = self.allowed else {
            return;
        };
        // What is below something comes before it.
        let mut left_out = HashSet::new();
        for planned in plan.iter_mut() {
            let step = &mut planned.step;
            let loss = if !step.action.is_possible() {
                continue;
            } else if !allowed.contains(&Allowed::of(step)) {
                Loss::NotPlanned
            } else if planned.needs.iter().any(|below| left_out.contains(below)) {
                Loss::BelowIt
            } else {
                continue;
            };
            step.action = Action::Lost(loss);
            left_out.insert(step.digest.clone());
        }
    }
}

/// The tags of a repository, if they are known; none where there is no such repository.
fn tags_of(repository: &Repository, listed: Result<List, Fault>) -> Option<HashSet<String>> {
    match listed {
        Ok(list) if !list.is_cut => Some(list.names.into_iter().collect()),
        Err(fault) if fault.kind == FaultKind::NotFound => Some(HashSet::new()),
        _ => {
            warn!("the tags of {repository} could not be listed, so none that is gone is put back");
            None
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
        let repository = &image.reference.repository;
        // An image layout is a source, and nothing is put into it.
        let is_layout = repository.name.is_empty();
        if !is_layout && judgement.root(place).has_lost_content() {
            let registry = broken.entry(repository.registry.clone()).or_default();
            let references = registry.entry(repository).or_default();
            references.push(image.reference.clone());
        }
    }
    broken
}
