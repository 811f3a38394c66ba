//! Decides what goes: on what a repository has and on rules alone, so that it can be tried on any graph.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::num::NonZero;
use std::time::{Duration, SystemTime};

use oci_spec::image::Digest;

use super::contents::{Contents, Dates, Health, Place, Tag, Untagged};
use super::rules::{Brakes, Rules};
use crate::oci::reference::digest_in_tag;
use crate::walk::source::Fault;

/// What becomes of a repository.
#[derive(Debug)]
pub(crate) struct Plan {
    /// What becomes of each tag, in the order of [`Contents::tags`].
    pub(crate) tags: Vec<Fate>,
    /// The manifests that go, each before what it refers to.
    pub(crate) manifests: Vec<Place>,
    /// What goes that never had a tag, or has lost it; each of [`Plan::manifests`].
    pub(crate) untagged: Vec<Place>,
    /// Whether each digest is needed by something that stays.
    pub(crate) needed: Vec<bool>,
    /// Why nothing goes, although something would.
    pub(crate) refusal: Option<Refusal>,
    /// Whether each of the patterns of `keep` matched a tag.
    pub(crate) matched: Vec<bool>,
}

impl Plan {
    /// Whether anything goes.
    pub(crate) fn deletes(&self) -> bool {
        let goes = |fate: &Fate| matches!(fate, Fate::Delete(_));
        self.refusal.is_none() && (!self.untagged.is_empty() || self.tags.iter().any(goes))
    }

    /// The tags that go, and why.
    pub(crate) fn deleted<'c>(
        &self,
        contents: &'c Contents,
    ) -> impl Iterator<Item = (&'c Tag, &Delete)> {
        let all = contents.tags.iter().zip(&self.tags);
        all.filter_map(|(tag, fate)| match fate {
            Fate::Delete(why) => Some((tag, why)),
            Fate::Keep(_) => None,
        })
    }

    /// The names of the tags that go.
    pub(crate) fn deleted_tags<'c>(&self, contents: &'c Contents) -> impl Iterator<Item = &'c str> {
        self.deleted(contents).map(|(tag, _)| tag.name.as_str())
    }

    /// The tags that stay.
    pub(crate) fn kept_tags<'c>(&self, contents: &'c Contents) -> impl Iterator<Item = &'c str> {
        let all = contents.tags.iter().zip(&self.tags);
        let kept = all.filter(|(_, fate)| matches!(fate, Fate::Keep(_)));
        kept.map(|(tag, _)| tag.name.as_str())
    }

    /// Whether a tag stays.
    pub(crate) fn keeps_tags(&self) -> bool {
        self.tags.iter().any(|fate| matches!(fate, Fate::Keep(_)))
    }
}

impl Plan {
    /// The digests of the manifests that go, each before what it refers to.
    pub(crate) fn order<'c>(&self, contents: &'c Contents) -> impl Iterator<Item = &'c Digest> {
        let places = self.manifests.iter();
        places.map(|place| &contents.node(*place).digest)
    }

    /// The digests of the manifests that go.
    pub(crate) fn digests<'c>(&self, contents: &'c Contents) -> HashSet<&'c Digest> {
        self.order(contents).collect()
    }

    /// What tags that go lead to, and that stays.
    pub(crate) fn roots_that_stay(&self, contents: &Contents) -> BTreeSet<Place> {
        let roots = self.deleted(contents).filter_map(|(tag, _)| tag.root);
        roots.filter(|root| self.needed[*root]).collect()
    }

    /// How many manifests stay that a tag that goes leads to.
    pub(crate) fn shared(&self, contents: &Contents) -> usize {
        let mut reached = self.reached(contents);
        for (place, reached) in reached.iter_mut().enumerate() {
            *reached &= self.needed[place] && contents.node(place).kind.is_manifest();
        }
        reached.iter().filter(|shared| **shared).count()
    }

    /// What a garbage collection can free when it is done, in bytes, as far as other repositories do
    /// not have the same blobs.
    pub(crate) fn frees(&self, contents: &Contents) -> u64 {
        let reached = self.reached(contents);
        contents.size(|place| reached[place] && !self.needed[place])
    }

    /// Marks what tags that go lead to, and what goes without one.
    fn reached(&self, contents: &Contents) -> Vec<bool> {
        let mut reached = vec![false; contents.len()];
        let tagged = self.deleted(contents).filter_map(|(tag, _)| tag.root);
        for root in tagged.chain(self.untagged.iter().copied()) {
            contents.reach(root, &mut reached);
        }
        reached
    }
}

/// What becomes of a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Keep(Keep),
    Delete(Delete),
}

/// Why a tag stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// `tags` or `exclude` leave it out of this run.
    LeftOut,
    /// It is in use, by these.
    InUse(Vec<String>),
    /// It matches this pattern.
    Pattern(String),
    /// Its digest is one of so many newest ones.
    Newest(NonZero<usize>),
    /// It is younger than this.
    Younger(Duration),
    /// It is younger than `min_age`.
    TooYoung(Duration),
    /// Its age is not known by the clock that counts here.
    NoDate(Clock),
    /// Only broken tags go.
    NotBroken,
    /// The plan that was given does not delete it.
    NotPlanned,
    /// What it belongs to stays, or is not known.
    Follows(Digest),
    /// Nothing goes in this repository.
    Refused,
}

/// Why a tag goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Delete {
    /// No rule keeps it.
    Unkept,
    /// It is definitely broken.
    Broken,
    /// What it belongs to goes.
    Follows(Digest),
}

/// Why nothing goes in a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The packages API does not say when its tags were pushed, and what else it has.
    Unlisted(Fault),
    /// What this tag or digest leads to is not all known, and it stays.
    Unread(String),
    /// No rule keeps anything.
    NothingKept,
    /// So many of so many tags would go.
    TooMany(usize, usize),
    /// Every tag would go.
    LastTag,
}

/// By what tags are said to be older or younger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clock {
    Pushed,
    FirstSeen,
    Created,
}

impl Clock {
    const BEST_FIRST: [Self; 3] = [Self::Pushed, Self::FirstSeen, Self::Created];

    fn of(self, dates: &Dates) -> Option<SystemTime> {
        match self {
            Self::Pushed => dates.pushed,
            Self::FirstSeen => dates.first_seen,
            Self::Created => dates.created,
        }
    }

    /// The one that most of the tags have, and of equals the better one: two clocks do not make one order.
    fn for_all(tags: &[&Tag]) -> Self {
        let have = |clock: &Self| {
            let dates = tags.iter().filter(|tag| clock.of(&tag.dates).is_some());
            dates.count()
        };
        let mut best = Self::Created;
        for clock in Self::BEST_FIRST.into_iter().rev() {
            if have(&clock) > 0 && have(&clock) >= have(&best) {
                best = clock;
            }
        }
        best
    }
}

/// What a plan is made by.
pub(crate) struct Planner<'a> {
    pub(crate) rules: &'a Rules,
    /// `delete_broken`.
    pub(crate) sweeps: bool,
    pub(crate) brakes: Brakes,
    /// `delete_untagged`: what has no tag goes when it is older.
    pub(crate) untagged: Option<Duration>,
    pub(crate) now: SystemTime,
    /// Whether a tag is in this run.
    pub(crate) covers: &'a dyn Fn(&str) -> bool,
    /// Whether a tag with what it leads to, or a digest alone, may be deleted.
    pub(crate) permits: &'a dyn Fn(Option<&str>, Option<&Digest>) -> bool,
}

impl Planner<'_> {
    /// Decides about every tag and every manifest.
    pub(crate) fn plan(&self, contents: &Contents) -> Plan {
        let followed: Vec<Option<Digest>> = contents
            .tags
            .iter()
            .map(|tag| digest_in_tag(&tag.name))
            .collect();
        let own = || {
            let all = contents.tags.iter().zip(&followed);
            all.filter(|(_, followed)| followed.is_none())
                .map(|(tag, _)| tag)
        };
        let clock = Clock::for_all(&own().collect::<Vec<_>>());
        let ages = digest_dates(own(), clock);
        let border = self.rules.newest.map(|newest| border(&ages, newest));
        let mut matched = vec![false; self.rules.keep.len()];
        let mut tags: Vec<Fate> = contents
            .tags
            .iter()
            .zip(&followed)
            .map(|(tag, followed)| match followed {
                Some(digest) => Fate::Keep(Keep::Follows(digest.clone())),
                None => match self.fate(tag, clock, (&ages, border), &mut matched) {
                    Fate::Delete(_) if !self.may_go(contents, tag) => Fate::Keep(Keep::NotPlanned),
                    fate => fate,
                },
            })
            .collect();
        let goes = |one: &Untagged| self.goes_untagged(contents, one);
        let follows = |tag: &Tag| (self.covers)(&tag.name) && self.may_go(contents, tag);
        let mut needed = needed(contents, &tags, &followed, &follows, &goes);
        let followers = contents.tags.iter().zip(&mut tags).zip(&followed);
        for ((tag, fate), followed) in followers {
            if let Some(digest) = followed
                && !stays(contents, digest, &needed)
                && follows(tag)
            {
                *fate = Fate::Delete(Delete::Follows(digest.clone()));
            }
        }
        let untagged = contents.untagged.iter().filter(|one| goes(one));
        let mut untagged: Vec<Place> = untagged
            .map(|one| one.root)
            .filter(|root| !needed[*root])
            .collect();
        let refusal = self.refusal(contents, &tags, &followed, !untagged.is_empty());
        // What only the brakes hold back is shown as it would be.
        if matches!(
            refusal,
            Some(Refusal::Unlisted(_) | Refusal::Unread(_) | Refusal::NothingKept)
        ) {
            untagged.clear();
            for fate in tags
                .iter_mut()
                .filter(|fate| matches!(fate, Fate::Delete(_)))
            {
                *fate = Fate::Keep(Keep::Refused);
            }
            needed = vec![true; contents.len()];
        }
        // What the plan that was given leaves stays with all that it leads to.
        let planned = |place: &Place| (self.permits)(None, Some(&contents.node(*place).digest));
        for place in going(contents, &tags, &untagged, &needed) {
            if !planned(&place) {
                contents.need(place, &mut needed);
            }
        }
        contents.need_referrers(&mut needed);
        let manifests = going(contents, &tags, &untagged, &needed);
        Plan {
            tags,
            manifests,
            untagged,
            needed,
            refusal,
            matched,
        }
    }

    fn may_go(&self, contents: &Contents, tag: &Tag) -> bool {
        let digest = tag.root.map(|root| &contents.node(root).digest);
        (self.permits)(Some(&tag.name), digest)
    }

    fn fate(
        &self,
        tag: &Tag,
        clock: Clock,
        (ages, border): (&BTreeMap<Place, SystemTime>, Option<SystemTime>),
        matched: &mut [bool],
    ) -> Fate {
        let mut pattern = None;
        for (keep, matched) in self.rules.keep.iter().zip(matched) {
            if keep.matches(&tag.name) {
                *matched = true;
                pattern = pattern.or(Some(keep.to_string()));
            }
        }
        if !(self.covers)(&tag.name) {
            return Fate::Keep(Keep::LeftOut);
        }
        if let Some(users) = &tag.users {
            return Fate::Keep(Keep::InUse(users.clone()));
        }
        let all = Clock::BEST_FIRST.into_iter();
        let dates = all.filter_map(|clock| clock.of(&tag.dates));
        let youngest = dates.chain(tag.dates.changed).max();
        let is_too_young = |since| self.is_younger(since, self.brakes.min_age);
        let is_broken = self.sweeps && tag.health == Health::Broken;
        if !is_broken {
            if let Some(pattern) = pattern {
                return Fate::Keep(Keep::Pattern(pattern));
            }
            let is_newest = || {
                let since = match tag.root {
                    Some(root) => ages.get(&root).copied(),
                    None => clock.of(&tag.dates),
                };
                since
                    .zip(border)
                    .is_some_and(|(since, border)| since >= border)
            };
            if let Some(keep) = self.by_age(clock.of(&tag.dates), clock, is_newest) {
                return Fate::Keep(keep);
            }
            if youngest.is_none() && !self.brakes.min_age.is_zero() {
                return Fate::Keep(Keep::NoDate(clock));
            }
        }
        if youngest.is_some_and(is_too_young) {
            return Fate::Keep(Keep::TooYoung(self.brakes.min_age));
        }
        Fate::Delete(if is_broken {
            Delete::Broken
        } else {
            Delete::Unkept
        })
    }

    /// Whether something without a tag may go: with its subject, else when it is old enough. What
    /// has no date stays.
    fn goes_untagged(&self, contents: &Contents, one: &Untagged) -> bool {
        let age = match contents.subject(one.root) {
            Some(_) => Some(Duration::ZERO),
            None => self.untagged,
        };
        let (Some(age), Some(since)) = (age, one.since) else {
            return false;
        };
        !self.is_younger(since, age.max(self.brakes.min_age))
            && (self.permits)(None, Some(&contents.node(one.root).digest))
    }

    fn by_age(
        &self,
        since: Option<SystemTime>,
        clock: Clock,
        is_newest: impl Fn() -> bool,
    ) -> Option<Keep> {
        if self.rules.is_empty() {
            return Some(Keep::NotBroken);
        }
        let Some(since) = since else {
            let counts = self.rules.newest.is_some() || self.rules.younger.is_some();
            return counts.then_some(Keep::NoDate(clock));
        };
        if let Some(newest) = self.rules.newest.filter(|_| is_newest()) {
            return Some(Keep::Newest(newest));
        }
        let younger = self
            .rules
            .younger
            .filter(|age| self.is_younger(since, *age));
        younger.map(Keep::Younger)
    }

    /// Whether something is younger than this; what is of the future is.
    fn is_younger(&self, since: SystemTime, age: Duration) -> bool {
        self.now.duration_since(since).is_ok_and(|own| own < age) || since > self.now
    }

    fn refusal(
        &self,
        contents: &Contents,
        tags: &[Fate],
        followed: &[Option<Digest>],
        has_untagged: bool,
    ) -> Option<Refusal> {
        if let Some(fault) = &contents.unlisted {
            return Some(Refusal::Unlisted(fault.clone()));
        }
        let goes = |fate: &&Fate| matches!(fate, Fate::Delete(_));
        if !has_untagged && !tags.iter().any(|fate| goes(&fate)) {
            return None;
        }
        let own = || {
            let all = tags.iter().zip(followed);
            all.filter(|(_, followed)| followed.is_none())
                .map(|(fate, _)| fate)
        };
        let (all, gone) = (own().count(), own().filter(goes).count());
        let by_rule = |fate: &Fate| {
            use Keep::{InUse, Newest, NotBroken, Pattern, Younger};
            let Fate::Keep(keep) = fate else {
                return false;
            };
            matches!(
                keep,
                InUse(_) | Pattern(_) | Newest(_) | Younger(_) | NotBroken
            )
        };
        if !self.rules.is_empty() && !own().any(by_rule) {
            return Some(Refusal::NothingKept);
        }
        let mut staying = contents
            .tags
            .iter()
            .zip(tags)
            .filter(|(_, fate)| !goes(fate));
        let unread = staying.find(|(tag, _)| !is_known(contents, tag));
        if let Some((tag, _)) = unread {
            return Some(Refusal::Unread(tag.name.clone()));
        }
        let untagged = contents.untagged.iter().find(|one| !one.is_known);
        let untagged = untagged.map(|one| &contents.node(one.root).digest);
        if let Some(digest) = untagged.or(contents.unread.as_ref()) {
            return Some(Refusal::Unread(digest.to_string()));
        }
        if gone == all && gone > 0 && !self.brakes.may_lose_all_tags {
            return Some(Refusal::LastTag);
        }
        (gone * 100 > all * usize::from(self.brakes.max_deleted))
            .then_some(Refusal::TooMany(gone, all))
    }
}

/// Whether all manifests that a tag leads to could be read.
fn is_known(contents: &Contents, tag: &Tag) -> bool {
    tag.root
        .is_some_and(|root| contents.unread_below(root).is_empty())
}

/// When each digest was last given a tag, as far as that is known.
fn digest_dates<'t>(
    tags: impl Iterator<Item = &'t Tag>,
    clock: Clock,
) -> BTreeMap<Place, SystemTime> {
    let mut dates: BTreeMap<Place, SystemTime> = BTreeMap::new();
    for tag in tags {
        if let (Some(root), Some(since)) = (tag.root, clock.of(&tag.dates)) {
            let known = dates.entry(root).or_insert(since);
            *known = since.max(*known);
        }
    }
    dates
}

/// The date of the last digest that `newest` of them keep; what is as old as that stays too.
fn border(dates: &BTreeMap<Place, SystemTime>, newest: NonZero<usize>) -> SystemTime {
    let mut dates: Vec<SystemTime> = dates.values().copied().collect();
    dates.sort_unstable();
    let last = dates.iter().rev().nth(newest.get() - 1);
    last.or(dates.first())
        .copied()
        .unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Marks what the tags that stay need, and what stays without one. A tag that is made of a digest
/// stays with it, or by itself where it may not follow, and needs things of its own; what has no tag
/// stays with its subject.
fn needed(
    contents: &Contents,
    tags: &[Fate],
    followed: &[Option<Digest>],
    follows: &dyn Fn(&Tag) -> bool,
    goes: &dyn Fn(&Untagged) -> bool,
) -> Vec<bool> {
    let mut needed = vec![false; contents.len()];
    for place in &contents.pinned {
        contents.need(*place, &mut needed);
    }
    for one in contents.untagged.iter().filter(|one| !goes(one)) {
        contents.need(one.root, &mut needed);
    }
    for ((tag, fate), followed) in contents.tags.iter().zip(tags).zip(followed) {
        if let (Fate::Keep(_), Some(root), None) = (fate, tag.root, followed) {
            contents.need(root, &mut needed);
        }
    }
    contents.need_what_belongs(&mut needed, |tag, digest, needed| {
        !follows(tag) || stays(contents, digest, needed)
    });
    needed
}

/// Whether what a tag belongs to stays, or is not known: then nobody knows that it went.
fn stays(contents: &Contents, digest: &Digest, needed: &[bool]) -> bool {
    match contents.manifest(digest) {
        Some(subject) => needed[subject],
        None => !contents.leaving.contains(digest),
    }
}

/// The manifests that only what goes leads to: tags, and what has none.
fn going(contents: &Contents, tags: &[Fate], untagged: &[Place], needed: &[bool]) -> Vec<Place> {
    let mut reached = vec![false; contents.len()];
    for (tag, fate) in contents.tags.iter().zip(tags) {
        if let (Fate::Delete(_), Some(root)) = (fate, tag.root) {
            contents.reach(root, &mut reached);
        }
    }
    for root in untagged {
        contents.reach(*root, &mut reached);
    }
    for (place, reached) in reached.iter_mut().enumerate() {
        *reached &= !needed[place] && contents.node(place).kind.is_manifest();
    }
    contents.top_down(&reached)
}
