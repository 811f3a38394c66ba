//! Tags that nobody moves, and what they lose on the disk, one after the other.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::{Shared, builder};
use crate::registries::TEAM;
use crate::registries::real::Registry;
use crate::support::digest::Random;
use crate::support::distribution::{Damage, push};
use crate::support::image::Image;
use crate::support::recipe::platforms;

/// How many tags lose something in time, in each repository.
const EACH: u64 = 5;

/// A tag that is never moved.
struct Still {
    repository: String,
    tagged: String,
    image: Image,
}

/// The tags that nobody moves.
pub(super) struct Stock {
    whole: Vec<Still>,
    lost: BTreeSet<String>,
    kept: BTreeSet<String>,
}

impl Stock {
    /// Pushes them: into the repositories of all builders, and into one of their own. One in each
    /// repository stays whole to the end.
    pub(super) fn fill<R: Registry>(shared: &Shared<R>, builders: u64) -> Self {
        let mut whole = Vec::new();
        let mut kept = BTreeSet::new();
        let door = shared.registry().door();
        let repositories = (0..builders).map(builder::repository);
        for (place, repository) in (0..).zip(repositories.chain([format!("{TEAM}/still")])) {
            for number in 0..=EACH {
                let image = platforms(2)
                    .attested()
                    .seed(place * 100 + number + 1)
                    .make();
                let tagged = format!("{repository}:still-{number}");
                shared.note(&tagged, image.root());
                push(&door, &tagged, &image);
                if number == EACH {
                    kept.insert(tagged);
                } else {
                    whole.push(Still {
                        repository: repository.clone(),
                        tagged,
                        image,
                    });
                }
            }
        }
        Self {
            whole,
            lost: BTreeSet::new(),
            kept,
        }
    }

    /// The tags that lost something.
    pub(super) fn lost(&self) -> &BTreeSet<String> {
        &self.lost
    }

    /// The tags that are whole.
    pub(super) fn kept(&self) -> BTreeSet<String> {
        let whole = self.whole.iter().map(|one| one.tagged.clone());
        whole.chain(self.kept.iter().cloned()).collect()
    }

    /// One more tag loses the data of a child or a layer; in one of three runs none does.
    pub(super) fn lose_content<R: Registry>(&mut self, shared: &Shared<R>, random: &mut Random) {
        if random.below(3) == 0 {
            return;
        }
        let Some(one) = self.next(random) else {
            return;
        };
        let parts = random.pick(&one.image.images);
        let digest = match random.below(3) {
            0 => random.pick(&parts.layers).digest(),
            _ => parts.manifest.digest(),
        };
        let path = shared.registry().data(&one.repository, digest);
        Damage::Deleted.apply(&path);
    }

    /// One more tag loses the link of a child, where the registry keeps links; while it is down,
    /// because some remember a link.
    pub(super) fn lose_link(&mut self, registry: &impl Registry, random: &mut Random) {
        let has_links = self
            .whole
            .first()
            .is_some_and(|one| link(registry, one).is_some());
        if has_links && let Some(one) = self.next(random) {
            let link = link(registry, &one).expect("all of them have links");
            Damage::Deleted.apply(&link);
        }
    }

    fn next(&mut self, random: &mut Random) -> Option<Still> {
        if self.whole.is_empty() {
            return None;
        }
        let one = self.whole.swap_remove(random.below(self.whole.len()));
        self.lost.insert(one.tagged.clone());
        Some(one)
    }
}

/// The link of the first child of a tag.
fn link(registry: &impl Registry, still: &Still) -> Option<PathBuf> {
    let revision = still.image.child(0).replace(':', "/");
    let end = format!("_manifests/revisions/{revision}/link");
    let mut records = registry.records(&still.repository).into_iter();
    records.find(|path| path.ends_with(&end))
}
