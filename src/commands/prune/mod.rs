//! A prune: every tag is walked, what no rule keeps is planned to go, and with `apply` it goes; then
//! all that is left is walked once more.

mod disk;
mod packages;
mod plan_file;

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant, SystemTime};

use futures_util::FutureExt as _;
use log::{info, warn};
use oci_spec::image::Digest;

use self::packages::{Listed, Removing, listed};
use self::plan_file::Allowed;
use crate::commands::audit::Sifted;
use crate::commands::finished::Unfinished;
use crate::commands::until_a_signal;
use crate::layout::LayoutWriter;
use crate::oci::in_use::Uses;
use crate::oci::reference::Repository;
use crate::prune::apply::{End, Ends, Hands, Stays, put_back};
use crate::prune::contents::Contents;
use crate::prune::loose;
use crate::prune::plan::{Delete, Plan, Planner};
use crate::prune::remover::{Remover, Returner};
use crate::registry::packages::Package;
use crate::registry::{RegistryCatalog, RegistryRepository, RegistryWriter, Transport};
use crate::report::exit::Exit;
use crate::report::judged::Judged;
use crate::report::prune::{Prune, Pruned, refused};
use crate::report::sentence;
use crate::settings::{Backup, Deletion, Error, Permission, PruneSettings};
use crate::terminal::deliver::{announce_prune, deliver_audit};
use crate::terminal::progress::Progress;
use crate::terminal::signals::Signals;
use crate::terminal::streams::Streams;
use crate::walk::checked::Checked;
use crate::walk::rules::Depth;
use crate::walk::source::{Catalog, Source};

/// Prunes, or plans to.
///
/// # Errors
///
/// When settings are of no use, or the program cannot start.
pub(crate) fn run(settings: &PruneSettings, progress: Progress) -> Result<Exit, Unfinished> {
    let ended = until_a_signal(async |signals| {
        let mut progress = progress;
        pruned(settings, signals, &mut progress).await
    })?;
    Ok(ended?)
}

/// A repository, and what goes from it.
struct Planned {
    repository: Repository,
    contents: Contents,
    plan: Plan,
    /// What an earlier run has left of it.
    left_over: Vec<Digest>,
    /// The same that the plan that was given does not have.
    later: Vec<Digest>,
    /// What its packages API knows of it, where it has one.
    package: Option<Package>,
}

impl Planned {
    /// What becomes of it, for the report.
    fn described(&self, ends: Option<&Ends>) -> Pruned {
        Pruned::of(&self.repository, &self.contents, &self.plan, ends)
    }

    /// Whether something goes, or an earlier run has left something.
    fn has_work(&self) -> bool {
        self.plan.deletes() || (self.plan.refusal.is_none() && !self.left_over.is_empty())
    }
}

async fn pruned(
    settings: &PruneSettings,
    signals: &Signals,
    progress: &mut Progress,
) -> Result<Exit, Error> {
    let allowed = plan_file::allowed(settings)?;
    // Before anything is asked, because the directory may be of no use.
    let mut backup = opened(settings)?;
    let sifted = Sifted::open(&settings.audit).await?;
    let roots = disk::roots(settings, sifted.registries())?;
    let disks = disk::writers(settings, &roots)?;
    let output = &settings.audit.output;
    let started = Instant::now();
    announce_prune(sifted.registries(), settings.audit.rules.depth, output);
    let mut planning = Planning {
        settings,
        sifted: &sifted,
        allowed: allowed.as_ref(),
        now: SystemTime::now(),
        pending: backup
            .as_ref()
            .map(LayoutWriter::pending)
            .unwrap_or_default(),
        planned: Vec::new(),
        met: Vec::new(),
        matched: Vec::new(),
    };
    let mut streams = Streams::open(&settings.audit, "prune", planning.now);
    let mut write = |judged: &Judged<'_>| streams.add(judged);
    let also = async |transport: &Transport, parts: &[Checked]| {
        let listed = listed(settings, transport, parts).await;
        let subjects = subjects(settings, transport, parts, &listed).await;
        (listed, subjects)
    };
    let mut sift = |parts: &mut Vec<Checked>,
                    uses: Option<&Uses>,
                    beside: Option<(Listed, Vec<Checked>)>| match beside {
        Some((listed, subjects)) => planning.sift(parts, uses, listed, &subjects),
        None if settings.audit.extent.is_disk => {
            let subjects = sifted.subjects_on_disk(parts);
            planning.sift(parts, uses, Listed::Nothing, &subjects);
        }
        None => {}
    };
    let mut audit = sifted
        .walked(signals, progress, &also, &mut sift, &mut write)
        .await;
    planning.warn();
    let mut prune = Prune {
        is_applied: settings.apply.is_some(),
        ..Prune::default()
    };
    let stopping = signals.or_after(settings.audit.patience.timeout);
    let was_stopped = audit.stopped.is_some();
    let is_stopped = || was_stopped || stopping.clone().now_or_never().is_some();
    for planned in &planning.planned {
        let mut ends = None;
        if let (Some(permissions), true) = (settings.apply, planned.has_work()) {
            let work = Work {
                planned,
                settings,
                permissions,
                is_stopped: &is_stopped,
            };
            let backup = backup.as_mut();
            let (done, back) = if let Some(disk) = disks.get(&planned.repository.registry) {
                work.on_disk(disk, &sifted, backup).await
            } else {
                let transport = sifted.transport(&planned.repository);
                work.over_http(transport, backup).await
            };
            prune.put_back += back;
            ends = Some(done);
        }
        prune.repositories.push(planned.described(ends.as_ref()));
    }
    let again = planning.planned.iter().filter(|one| one.plan.deletes());
    for planned in again.filter(|_| settings.apply.is_some() && !is_stopped()) {
        info!("{} is walked again", planned.repository);
        let repository = &planned.repository;
        sifted
            .walked_again(&mut audit, repository, signals, &mut write)
            .await;
    }
    audit.stopped = audit.stopped.or_else(|| stopping.now_or_never());
    if let (Some(path), None) = (&settings.plan, settings.apply) {
        plan_file::write(path, &prune)?;
    }
    audit.duration = started.elapsed();
    audit.add_prune(prune);
    audit.finish();
    Ok(deliver_audit(&audit, streams, output))
}

/// Walks what tags and referrers belong to, and no tag leads to.
async fn subjects(
    settings: &PruneSettings,
    transport: &Transport,
    parts: &[Checked],
    listed: &Listed,
) -> Vec<Checked> {
    let Some(Checked { repository, .. }) = parts.first() else {
        return Vec::new();
    };
    let source = RegistryRepository::new(transport, repository, Depth::Manifests);
    let (known, rules) = ([parts, listed.walked()], &settings.audit.rules);
    loose::subjects(&source, repository, &known, rules).await
}

/// The backup, where something is to be deleted.
fn opened(settings: &PruneSettings) -> Result<Option<LayoutWriter>, Error> {
    let (Some(Backup::Directory(folder)), Some(_)) = (&settings.backup, settings.apply) else {
        return Ok(None);
    };
    let unusable = |why| {
        Error::new(format!(
            "backup: {} cannot be used: {why}",
            folder.display()
        ))
    };
    LayoutWriter::open(folder).map(Some).map_err(unusable)
}

/// Plans repository by repository, as they are walked.
struct Planning<'a> {
    settings: &'a PruneSettings,
    sifted: &'a Sifted<'a>,
    allowed: Option<&'a HashSet<Allowed>>,
    now: SystemTime,
    /// What is still to be deleted, by repository.
    pending: BTreeMap<String, Vec<Digest>>,
    planned: Vec<Planned>,
    /// The names of all repositories that were walked.
    met: Vec<String>,
    /// The patterns that matched something, by the place of their rules.
    matched: Vec<(usize, usize)>,
}

impl Planning<'_> {
    /// Plans for a repository, and leaves those of its images to be judged that stay as they are.
    fn sift(
        &mut self,
        parts: &mut Vec<Checked>,
        uses: Option<&Uses>,
        listed: Listed,
        subjects: &[Checked],
    ) {
        let Some(repository) = parts.first().map(|part| part.repository.clone()) else {
            return;
        };
        self.met.push(repository.name.clone());
        let Some(place) = self.settings.policy.of(&repository.name) else {
            parts.clear();
            return;
        };
        let mut contents = self.sifted.contents(parts, uses);
        let pending = self.pending.remove(&repository.to_string());
        let pending = pending.unwrap_or_default().into_iter();
        let (mut left_over, later): (Vec<Digest>, Vec<Digest>) =
            pending.partition(|digest| self.permits(&repository, None, Some(digest)));
        contents.leaving = left_over.iter().cloned().collect();
        let clients = self.settings.audit.rules.clients;
        let package = listed.fill(&mut contents, clients);
        for checked in subjects {
            contents.add_subjects(checked, clients);
        }
        let extent = &self.settings.audit.extent;
        let planner = Planner {
            rules: &self.settings.policy.entries[place].1,
            sweeps: self.settings.sweeps,
            untagged: self.settings.untagged,
            brakes: self.settings.brakes,
            now: self.now,
            covers: &|tag| extent.names_tag(&repository.name, tag),
            permits: &|tag, digest| self.permits(&repository, tag, digest),
        };
        let plan = planner.plan(&contents);
        let goes = plan.digests(&contents);
        left_over.retain(|digest| {
            let place = contents.manifest(digest);
            !goes.contains(digest) && place.is_none_or(|place| !plan.needed[place])
        });
        let matched = plan
            .matched
            .iter()
            .enumerate()
            .filter(|(_, matched)| **matched);
        self.matched
            .extend(matched.map(|(pattern, _)| (place, pattern)));
        if let Some(refusal) = &plan.refusal {
            warn!("{repository}: nothing is deleted: {}", refused(refusal));
        }
        if plan.deletes() && self.settings.apply.is_some() {
            parts.clear();
        } else if self.settings.apply.is_none() {
            let goes: HashSet<&str> = plan.deleted_tags(&contents).collect();
            for part in parts.iter_mut() {
                let goes = |tag: &Option<String>| {
                    tag.as_ref().is_some_and(|tag| goes.contains(tag.as_str()))
                };
                part.subjects
                    .retain(|subject| !goes(&subject.reference.tag));
            }
            parts.retain(|part| !part.subjects.is_empty());
        }
        self.planned.push(Planned {
            repository,
            contents,
            plan,
            left_over,
            later,
            package,
        });
    }

    /// Whether the plan that was given has this deletion; each where none was given.
    fn permits(&self, repository: &Repository, tag: Option<&str>, digest: Option<&Digest>) -> bool {
        let allowed = |all: &HashSet<Allowed>| all.contains(&Allowed::of(repository, tag, digest));
        self.allowed.is_none_or(allowed)
    }

    /// Says which patterns match nothing anywhere.
    fn warn(&mut self) {
        self.planned
            .sort_by(|one, other| one.repository.cmp(&other.repository));
        let policy = &self.settings.policy;
        for (place, (repositories, rules)) in policy.entries.iter().enumerate() {
            let is_own = |one: &Planned| policy.of(&one.repository.name) == Some(place);
            if !self.planned.iter().any(is_own) {
                if self.met.iter().any(|name| repositories.matches(name)) {
                    warn!(
                        "'{repositories}' counts for none: patterns before it match all that it does"
                    );
                } else if !self.met.is_empty() {
                    warn!("no repository matches '{repositories}', or has tags");
                }
                continue;
            }
            for (pattern, keep) in rules.keep.iter().enumerate() {
                if !self.matched.contains(&(place, pattern)) {
                    warn!("keep: no tag matches '{keep}'");
                }
            }
        }
    }
}

/// One repository, to be deleted from.
struct Work<'a> {
    planned: &'a Planned,
    settings: &'a PruneSettings,
    permissions: (Deletion, Permission),
    is_stopped: &'a dyn Fn() -> bool,
}

impl Work<'_> {
    async fn over_http(
        &self,
        transport: &Transport,
        backup: Option<&mut LayoutWriter>,
    ) -> (Ends, usize) {
        let Planned {
            repository,
            package,
            ..
        } = self.planned;
        let depth = self.settings.audit.rules.depth;
        let permission = self.permissions.0;
        let hands = Hands {
            repository,
            source: &RegistryRepository::new(transport, repository, depth),
            catalog: &RegistryCatalog::new(transport, &repository.registry),
            remover: &Removing::new(transport, repository, package.as_ref(), permission),
            rules: &self.settings.audit.rules,
            is_stopped: self.is_stopped,
        };
        let writer = RegistryWriter::new(transport, repository, self.permissions.1);
        self.done(&hands, &writer, backup).await
    }

    /// Deletes, looks at what is left, and puts back what a tag needs by then; gives how much that
    /// was.
    async fn done<S: Source, C: Catalog, R: Remover>(
        &self,
        hands: &Hands<'_, S, C, R>,
        returner: &impl Returner,
        mut backup: Option<&mut LayoutWriter>,
    ) -> (Ends, usize) {
        let Planned {
            repository,
            contents,
            plan,
            left_over,
            later,
            ..
        } = self.planned;
        let name = repository.to_string();
        let mut ends = Ends {
            left_over: left_over.clone(),
            ..Ends::default()
        };
        let goes: Vec<&Digest> = plan.order(contents).chain(left_over).collect();
        let saved = hands
            .save(contents, plan, backup.as_deref_mut(), &mut ends)
            .await;
        note(backup.as_deref(), &name, goes.iter().copied().chain(later));
        hands.delete(contents, plan, &saved, &mut ends).await;
        let lost = self.lost(hands, &mut ends).await;
        let back = put_back(
            repository, contents, plan, left_over, &lost, &saved, returner,
        )
        .await;
        for digest in &back {
            ends.manifests.remove(digest);
        }
        let is_left = |digest: &Digest| match ends.manifests.get(digest) {
            Some(end) => matches!(end, End::Failed(_) | End::Stays(Stays::Above)),
            None => !back.contains(digest),
        };
        let left = goes.into_iter().filter(|digest| is_left(digest));
        // What such a tag belongs to is not known once it is gone.
        let tags = plan.deleted(contents);
        let followed = tags.filter_map(|(tag, why)| match (why, ends.tags.get(&tag.name)) {
            (Delete::Follows(digest), Some(End::Failed(_))) => Some(digest),
            _ => None,
        });
        note(backup.as_deref(), &name, left.chain(followed).chain(later));
        (ends, back.len())
    }

    /// What a tag lacks by now. Who has ended the run does not wait long for it.
    async fn lost<S: Source, C: Catalog, R: Remover>(
        &self,
        hands: &Hands<'_, S, C, R>,
        ends: &mut Ends,
    ) -> HashSet<Digest> {
        let Planned {
            repository,
            contents,
            plan,
            ..
        } = self.planned;
        let is_stopped = (self.is_stopped)();
        let limit = if is_stopped { PATIENCE } else { Duration::MAX };
        let look = hands.look_after(contents, plan, ends);
        let why = match tokio::time::timeout(limit, look).await {
            Ok(Ok(lost)) => return lost,
            Ok(Err(cause)) => {
                if !is_stopped {
                    ends.doubt(&cause);
                }
                sentence::cause(&cause)
            }
            Err(_) => "there was no time for it".to_owned(),
        };
        warn!("{repository}: what is left could not be looked at: {why}");
        HashSet::new()
    }
}

/// How long the last look may take where the run was ended.
const PATIENCE: Duration = Duration::from_secs(10);

/// Notes in the backup what is still to be deleted.
fn note<'d>(
    backup: Option<&LayoutWriter>,
    repository: &str,
    digests: impl Iterator<Item = &'d Digest>,
) {
    let noted = backup.map_or(Ok(()), |backup| backup.set_pending(repository, digests));
    if let Err(why) = noted {
        warn!("backup: what is still to be deleted could not be noted: {why}");
    }
}
