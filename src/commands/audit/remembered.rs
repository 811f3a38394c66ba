//! What is remembered of the registries that are audited.

use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::settings::{AuditSettings, Error};
use crate::state::{Moment, Notebook, Store};

/// The memory of each registry, with the time at which it is read.
pub(super) struct Remembered<'a> {
    settings: &'a AuditSettings,
    stores: BTreeMap<String, Store>,
    now: Moment,
}

impl<'a> Remembered<'a> {
    /// The memory of these registries; none without `state`.
    ///
    /// # Errors
    ///
    /// When the directory cannot be used.
    pub(super) fn open(
        settings: &'a AuditSettings,
        registries: &[String],
    ) -> Result<Option<Self>, Error> {
        let Some(directory) = &settings.state else {
            return Ok(None);
        };
        let part = settings.extent.shard;
        let part = part.map(|shard| format!("{}-of-{}", shard.number, shard.of));
        let open = |registry: &String| {
            let store = Store::open(directory, registry, part.as_deref());
            let refused = |why| Error::new(format!("state: cannot be used: {why}"));
            store
                .map(|store| (registry.clone(), store))
                .map_err(refused)
        };
        let stores = registries.iter().map(open).collect::<Result<_, _>>()?;
        Ok(Some(Self {
            settings,
            stores,
            now: Moment::of(SystemTime::now()),
        }))
    }

    /// How many tags are remembered.
    pub(super) fn tags(&self) -> usize {
        self.stores.values().map(Store::tags).sum()
    }

    /// The memory of a registry.
    pub(super) fn of(&self, registry: &str) -> Option<&Store> {
        self.stores.get(registry)
    }

    /// What is remembered of a repository.
    pub(super) fn notebook(&self, store: &Store, repository: &str) -> Notebook {
        let (tiers, depth) = (self.settings.tiers, self.settings.rules.depth);
        Notebook::open(store, repository, tiers, depth, self.now)
    }
}
