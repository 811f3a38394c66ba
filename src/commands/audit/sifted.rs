//! An audit for a prune: each repository is given away before it is judged, and those that something
//! was deleted from are walked once more.

use std::cell::Cell;
use std::collections::HashMap;

use super::in_use::{self, List};
use super::listing::Known;
use super::remembered::Remembered;
use super::repository::{Found, Job};
use super::{Round, Sift, disk, registries, transports, unfinished};
use crate::oci::in_use::Uses;
use crate::oci::reference::Repository;
use crate::prune::contents::Contents;
use crate::prune::loose;
use crate::registry::Transport;
use crate::report::audit::Audit;
use crate::report::judged::{Context, Judged};
use crate::settings::{AuditSettings, Error};
use crate::storage::hashed::Hashed;
use crate::storage::repository::StorageRepository;
use crate::storage::tree::Tree;
use crate::terminal::progress::Progress;
use crate::terminal::signals::Signals;
use crate::walk::cause::Cause;
use crate::walk::checked::Checked;
use crate::walk::rules::Depth;

/// Registries that are audited to be pruned.
pub(crate) struct Sifted<'a> {
    settings: &'a AuditSettings,
    registries: Vec<String>,
    transports: Vec<Transport>,
    /// The storages, where directories are named, by these.
    trees: HashMap<String, Tree>,
    list: Option<List>,
    remembered: Option<Remembered<'a>>,
}

impl<'a> Sifted<'a> {
    /// Opens what the settings name.
    ///
    /// # Errors
    ///
    /// When it is of no use; and when what is in use is not all known: what is not known to be in use
    /// would be deleted.
    pub(crate) async fn open(settings: &'a AuditSettings) -> Result<Self, Error> {
        let registries = registries(settings);
        let trees = if settings.extent.is_disk {
            disk::trees(&registries)?
        } else {
            HashMap::new()
        };
        let mut list = in_use::open(settings)?;
        if let (Some(list), Some(in_use)) = (&mut list, &settings.in_use) {
            let known = list.read(&registries, &in_use.hosts).await;
            let known = known.map_err(|unread| Error::new(format!("in_use: {}", unread.detail)))?;
            if known.is_partial || known.unreadable > 0 {
                return Err(Error::new("in_use: what is deployed is not all known").with_hint(
                    "the warnings say what is lacking; without in_use nothing counts as deployed",
                ));
            }
            // What was looked at is what counts: the next answer may lack something.
            *list = List::Read(Cell::new(Some(known)));
        }
        Ok(Self {
            settings,
            remembered: Remembered::open(settings, &registries)?,
            transports: transports(settings, &registries),
            registries,
            trees,
            list,
        })
    }

    /// The registries.
    pub(crate) fn registries(&self) -> &[String] {
        &self.registries
    }

    /// What asks the registry of a repository.
    pub(crate) fn transport(&self, repository: &Repository) -> &Transport {
        let mut all = self.registries.iter().zip(&self.transports);
        let own = all.find(|(registry, _)| **registry == repository.registry);
        own.expect("it is in a registry that was audited").1
    }

    /// The storage that a repository is in, where a directory was named.
    pub(crate) fn tree(&self, repository: &Repository) -> Option<&Tree> {
        self.trees.get(&repository.registry)
    }

    /// What a repository has, with who uses it and when its tags were first seen.
    pub(crate) fn contents(&self, parts: &[Checked], uses: Option<&Uses>) -> Contents {
        let mut contents = Contents::default();
        for checked in parts {
            let usages = in_use::usages(checked, uses);
            let named = |place: usize| {
                let usage = &usages[place];
                let all = usage.users.iter().map(ToString::to_string);
                usage.is_used.then(|| all.collect())
            };
            contents.add(checked, self.settings.rules.clients, named);
        }
        let Some(Repository { registry, name }) = parts.first().map(|part| &part.repository) else {
            return contents;
        };
        if let Some(tree) = self.trees.get(registry) {
            date(&mut contents, tree, name);
        }
        let store = self.remembered.as_ref().and_then(|all| all.of(registry));
        if let Some(store) = store {
            let first_seen = store.first_seen(name);
            for tag in &mut contents.tags {
                tag.dates.first_seen = first_seen.get(&tag.name).copied();
            }
        }
        contents
    }

    /// Walks what tags and referrers of a repository on a disk belong to, and no tag leads to.
    pub(crate) fn subjects_on_disk(&self, parts: &[Checked]) -> Vec<Checked> {
        let tree = parts.first().and_then(|part| self.tree(&part.repository));
        let (Some(Checked { repository, .. }), Some(tree)) = (parts.first(), tree) else {
            return Vec::new();
        };
        let work = || {
            let (hashed, depth) = (Hashed::default(), Depth::Manifests);
            let name = &repository.name;
            let Ok(source) = StorageRepository::open(tree, name, depth, &hashed, &|| false) else {
                // Then nothing can be deleted there either.
                return Vec::new();
            };
            let rules = &self.settings.rules;
            disk::runtime().block_on(loose::subjects(&source, repository, &[parts], rules))
        };
        // This thread has a runtime of its own already.
        std::thread::scope(|scope| scope.spawn(work).join()).expect("it does not panic")
    }

    /// Walks everything, reads `also` what there is beside the tags, and has `sift` take out what is
    /// not to be judged yet.
    pub(crate) async fn walked<T>(
        &self,
        signals: &Signals,
        progress: &mut Progress,
        also: &impl AsyncFn(&Transport, &[Checked]) -> T,
        sift: &mut Sift<'_, T>,
        write: &mut dyn FnMut(&Judged<'_>),
    ) -> Audit {
        if self.settings.extent.is_disk {
            let audit = unfinished(self.settings, &self.registries, None);
            progress.begin(std::time::Instant::now());
            let list = self.list.as_ref();
            let mut own = |parts: &mut Vec<Checked>, uses: Option<&Uses>| sift(parts, uses, None);
            let sifted = disk::sifted(
                self.settings,
                audit,
                list,
                signals,
                progress,
                &mut own,
                write,
            );
            let audit = sifted.await;
            progress.finish();
            return audit;
        }
        let round = Round {
            settings: self.settings,
            transports: &self.transports,
            list: self.list.as_ref(),
            remembered: self.remembered.as_ref(),
        };
        let audit = unfinished(self.settings, &self.registries, self.remembered.as_ref());
        progress.begin(std::time::Instant::now());
        let audit = round
            .walked(audit, signals, progress, also, sift, write)
            .await;
        progress.finish();
        audit
    }

    /// Walks a repository once more, whatever is remembered, and adds it to the audit.
    pub(crate) async fn walked_again(
        &self,
        audit: &mut Audit,
        repository: &Repository,
        signals: &Signals,
        write: &mut dyn FnMut(&Judged<'_>),
    ) {
        if self.settings.extent.is_disk {
            return disk::walked_again(self.settings, audit, repository, signals, write).await;
        }
        let stopping = signals.or_after(self.settings.patience.timeout);
        let job = Job {
            settings: self.settings,
            transport: self.transport(repository),
            repository,
            known: Known::Listed,
            remembered: None,
            uses: None,
            stop: async || Cause::Stopped {
                stop: stopping.clone().await,
                timeout: self.settings.patience.timeout,
                settle: None,
            },
        };
        let context = Context {
            stopped: stopping.peek().copied(),
            login_not_visible: false,
            clients: self.settings.rules.clients,
            now: audit.started_at,
        };
        match job.run().await {
            Found::Gone(_) => {}
            Found::Unread(unread) => audit.add_unread(unread),
            Found::Checked(parts, _) => super::add(audit, &parts, context, None, write),
        }
        super::count_requests(audit, &self.transports);
    }
}

/// Notes when the tags of a repository on a disk were pushed.
fn date(contents: &mut Contents, tree: &Tree, name: &str) {
    let (hashed, depth) = (Hashed::default(), Depth::Manifests);
    let Ok(source) = StorageRepository::open(tree, name, depth, &hashed, &|| false) else {
        return;
    };
    for tag in &mut contents.tags {
        tag.dates.pushed = source.pushed(&tag.name);
    }
}
