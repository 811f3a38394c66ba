//! What a prune deletes and keeps, in words.

use std::io::{self, Write};
use std::time::SystemTime;

use oci_spec::image::Digest;

use super::exit::Exit;
use super::sentence;
use super::text::{Paint, Style};
use super::timestamp;
use crate::oci::kind::Kind;
use crate::oci::reference::Repository;
use crate::prune::apply::{End, Ends, Failure, Stays};
use crate::prune::contents::Contents;
use crate::prune::plan::{Clock, Delete, Fate, Keep, Plan, Refusal};
use crate::text::escape;
use crate::text::human::{self, count};
use crate::text::markdown;
use crate::walk::cause::Cause;
use crate::walk::source::FaultKind;

/// The plan of a prune, or what it did.
#[derive(Debug, Default)]
pub(crate) struct Prune {
    /// The repositories, in the order of their names.
    pub(crate) repositories: Vec<Pruned>,
    /// Whether it was done, and not only made.
    pub(crate) is_applied: bool,
    /// How many manifests were put back.
    pub(crate) put_back: usize,
}

/// One repository.
#[derive(Debug)]
pub(crate) struct Pruned {
    pub(crate) repository: Repository,
    pub(crate) tags: Vec<PrunedTag>,
    /// The manifests that go with the tags, each before what it refers to; then what an earlier run
    /// has left.
    pub(crate) manifests: Vec<PrunedManifest>,
    /// How many manifests stay that a tag that goes leads to.
    pub(crate) shared: usize,
    /// What a garbage collection can free then, in bytes.
    pub(crate) frees: u64,
    pub(crate) refusal: Option<Refusal>,
}

/// A tag.
#[derive(Debug)]
pub(crate) struct PrunedTag {
    pub(crate) name: String,
    pub(crate) digest: Option<Digest>,
    pub(crate) kind: Option<Kind>,
    /// When it was pushed, by the clock that counts.
    pub(crate) since: Option<SystemTime>,
    pub(crate) fate: Fate,
    pub(crate) end: Option<End>,
}

/// A manifest that goes.
#[derive(Debug)]
pub(crate) struct PrunedManifest {
    pub(crate) digest: Digest,
    pub(crate) kind: Kind,
    pub(crate) size: Option<u64>,
    pub(crate) end: Option<End>,
}

impl Pruned {
    /// What becomes of a repository, and how that ended.
    pub(crate) fn of(
        repository: &Repository,
        contents: &Contents,
        plan: &Plan,
        ends: Option<&Ends>,
    ) -> Self {
        let end = |goes: bool, end: Option<&End>| match (goes, ends) {
            (true, Some(_)) => Some(end.cloned().unwrap_or(End::Stays(Stays::Needed))),
            _ => None,
        };
        let tags = contents.tags.iter().zip(&plan.tags).map(|(tag, fate)| {
            let node = tag.root.map(|root| contents.node(root));
            PrunedTag {
                name: tag.name.clone(),
                digest: node.map(|node| node.digest.clone()),
                kind: node.map(|node| node.kind),
                since: tag
                    .dates
                    .pushed
                    .or(tag.dates.first_seen)
                    .or(tag.dates.created),
                fate: fate.clone(),
                end: end(
                    matches!(fate, Fate::Delete(_)),
                    ends.and_then(|ends| ends.tags.get(&tag.name)),
                ),
            }
        });
        let manifests = plan.manifests.iter().map(|place| {
            let node = contents.node(*place);
            PrunedManifest {
                digest: node.digest.clone(),
                kind: node.kind,
                size: node.size,
                end: end(true, ends.and_then(|ends| ends.manifests.get(&node.digest))),
            }
        });
        let left_over = ends.iter().flat_map(|ends| {
            let ended = ends.left_over.iter();
            ended.map(|digest| PrunedManifest {
                digest: digest.clone(),
                kind: Kind::Manifest,
                size: None,
                end: end(true, ends.manifests.get(digest)),
            })
        });
        Self {
            repository: repository.clone(),
            tags: tags.collect(),
            manifests: manifests.chain(left_over).collect(),
            shared: plan.shared(contents),
            frees: ends.map_or_else(|| plan.frees(contents), |ends| ends.frees(contents, plan)),
            refusal: plan.refusal.clone(),
        }
    }
}

impl Prune {
    /// How many tags go, or went.
    pub(crate) fn tags(&self) -> usize {
        let deleted = |pruned: &Pruned| {
            let is_held = pruned.refusal.is_some();
            let tags = pruned.tags.iter().filter(|_| !is_held);
            let goes = |tag: &&PrunedTag| match &tag.end {
                None => matches!(tag.fate, Fate::Delete(_)),
                Some(end) => *end == End::Deleted,
            };
            tags.filter(goes).count()
        };
        self.repositories.iter().map(deleted).sum()
    }

    /// Whether there is no tag.
    pub(crate) fn is_empty(&self) -> bool {
        self.repositories
            .iter()
            .all(|pruned| pruned.tags.is_empty())
    }

    /// How many tags there are.
    fn all(&self) -> usize {
        self.repositories
            .iter()
            .map(|pruned| pruned.tags.len())
            .sum()
    }

    /// What becomes of the tags: `29 of 40 tags would go`.
    pub(crate) fn fact(&self) -> String {
        let all = count(self.all(), "tag");
        match (self.is_applied, self.tags()) {
            (true, tags) => format!("{tags} of {all} deleted"),
            (false, tags) => format!("{tags} of {all} would go"),
        }
    }

    /// How many deletions failed.
    pub(crate) fn failed(&self) -> usize {
        let failed = self.failures().filter(|one| **one != Failure::Stopped);
        failed.count()
    }

    /// How many were not begun, because the run ended before.
    fn left(&self) -> usize {
        let left = self.failures().filter(|one| **one == Failure::Stopped);
        left.count()
    }

    fn failures(&self) -> impl Iterator<Item = &Failure> {
        let ends = self.repositories.iter().flat_map(|pruned| {
            let tags = pruned.tags.iter().filter_map(|tag| tag.end.as_ref());
            let manifests = pruned.manifests.iter().filter_map(|one| one.end.as_ref());
            tags.chain(manifests)
        });
        ends.filter_map(|end| match end {
            End::Failed(failure) => Some(failure),
            _ => None,
        })
    }

    /// What a garbage collection can free, in bytes.
    pub(crate) fn frees(&self) -> u64 {
        let goes = self.repositories.iter().filter(|one| one.refusal.is_none());
        goes.map(|pruned| pruned.frees).sum()
    }

    /// The repositories in which nothing goes although something would.
    pub(crate) fn refusals(&self) -> impl Iterator<Item = (&Repository, &Refusal)> {
        let all = self.repositories.iter();
        all.filter_map(|pruned| Some((&pruned.repository, pruned.refusal.as_ref()?)))
    }

    /// Why the run did not do all of it.
    pub(crate) fn reason(&self) -> Option<String> {
        let is_unlisted = |refusal: &Refusal| matches!(refusal, Refusal::Unlisted(_));
        let mut held = self
            .refusals()
            .filter(|(_, refusal)| self.is_applied || is_unlisted(refusal));
        if let Some((repository, refusal)) = held.next() {
            return Some(format!("{repository}: {}", refused(refusal)));
        }
        let parts = [
            (self.failed(), "deletion", "failed"),
            (self.left(), "deletion", "not begun"),
            (self.put_back, "manifest", "put back"),
        ];
        let parts = parts.into_iter().filter(|(number, ..)| *number > 0);
        let parts: Vec<String> = parts
            .map(|(number, noun, how)| format!("{} {how}", count(number, noun)))
            .collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    /// The exit code of what was not done.
    pub(crate) fn exit(&self) -> Exit {
        let refused = self.refusals().map(|(_, refusal)| match refusal {
            Refusal::TooMany(..) | Refusal::LastTag if self.is_applied => Exit::Configuration,
            Refusal::Unlisted(fault) if fault.kind == FaultKind::Denied => Exit::Denied,
            Refusal::Unlisted(_) => Exit::Unknown,
            _ => Exit::Verified,
        });
        let own = if self.failed() > 0 || self.put_back > 0 {
            Exit::RepairFailed
        } else {
            Exit::Verified
        };
        refused.fold(own, Exit::or)
    }
}

/// Writes what becomes of each repository, and what that comes to.
///
/// # Errors
/// When `out` cannot be written to.
pub(crate) fn write(prune: &Prune, style: Style, out: &mut dyn Write) -> io::Result<()> {
    for pruned in &prune.repositories {
        write_repository(pruned, style, out)?;
    }
    writeln!(out, "{}", closing(prune))
}

fn write_repository(pruned: &Pruned, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let name = escape::line(&pruned.repository.to_string());
    writeln!(out, "{name}: {}", count(pruned.tags.len(), "tag"))?;
    let mut groups: Vec<(bool, String, Vec<&PrunedTag>)> = Vec::new();
    for tag in &pruned.tags {
        let (goes, why) = (matches!(tag.fate, Fate::Delete(_)), reason(tag));
        match groups
            .iter_mut()
            .find(|group| group.0 == goes && group.1 == why)
        {
            Some(group) => group.2.push(tag),
            None => groups.push((goes, why, vec![tag])),
        }
    }
    let is_broken = |tag: &PrunedTag| tag.fate == Fate::Delete(Delete::Broken);
    groups.sort_by_key(|(goes, _, tags)| (!is_broken(tags[0]), *goes));
    let names: Vec<String> = groups.iter().map(|group| names(&group.2)).collect();
    let width = names
        .iter()
        .map(|names| names.chars().count())
        .max()
        .unwrap_or_default();
    let widest = groups
        .iter()
        .map(|group| group.2.len())
        .max()
        .unwrap_or_default();
    let digits = widest.to_string().len();
    for ((goes, why, tags), names) in groups.iter().zip(names) {
        let word = if *goes { "delete" } else { "keep" };
        let line = format!(
            "  {word:<6} {:>digits$}  {names:<width$}  {why}",
            tags.len()
        );
        let failed = tags
            .iter()
            .any(|tag| matches!(tag.end, Some(End::Failed(_))));
        let paint = if failed { Paint::Bad } else { Paint::Plain };
        writeln!(out, "{}", style.paint(paint, &line))?;
    }
    write_manifests(pruned, style, out)?;
    if let Some(refusal) = &pruned.refusal {
        let line = format!(
            "  nothing is deleted here with --apply: {}",
            refused(refusal)
        );
        writeln!(out, "{}", style.paint(Paint::Doubt, &line))?;
    }
    Ok(())
}

fn write_manifests(pruned: &Pruned, style: Style, out: &mut dyn Write) -> io::Result<()> {
    if pruned.manifests.is_empty() {
        return Ok(());
    }
    let indexes = pruned
        .manifests
        .iter()
        .filter(|one| one.kind == Kind::Index)
        .count();
    let others = pruned.manifests.len() - indexes;
    let parts = [(indexes, "index"), (others, "manifest")];
    let parts = parts.into_iter().filter(|(number, _)| *number > 0);
    let parts: Vec<String> = parts.map(|(number, noun)| count(number, noun)).collect();
    let shared = match pruned.shared {
        0 => String::new(),
        1 => "; 1 stays, because what is kept needs it".to_owned(),
        more => format!("; {more} stay, because what is kept needs them"),
    };
    writeln!(out, "         {}{shared}", parts.join(", "))?;
    for (why, digests) in failures(pruned) {
        let more = match digests.len() {
            1 => String::new(),
            all => format!(" and {}", count(all - 1, "more manifest")),
        };
        let line = format!("  ✗ {}{more}: {why}", digests[0]);
        writeln!(out, "{}", style.paint(Paint::Bad, &line))?;
    }
    writeln!(
        out,
        "  frees about {} at the next garbage-collect (without -m)",
        human::bytes(pruned.frees)
    )
}

/// The manifests that did not go, by the reason.
fn failures(pruned: &Pruned) -> Vec<(String, Vec<&Digest>)> {
    let mut failures: Vec<(String, Vec<&Digest>)> = Vec::new();
    for manifest in &pruned.manifests {
        let Some(End::Failed(failure)) = &manifest.end else {
            continue;
        };
        let why = failed(failure);
        match failures.iter_mut().find(|(known, _)| *known == why) {
            Some((_, digests)) => digests.push(&manifest.digest),
            None => failures.push((why, vec![&manifest.digest])),
        }
    }
    failures
}

/// The first and the last of some tags, or all of a few.
fn names(tags: &[&PrunedTag]) -> String {
    let name = |tag: &PrunedTag| escape::line(&escape::shortened(&tag.name));
    match tags {
        [first, .., last] if tags.len() > 4 => format!("{} … {}", name(first), name(last)),
        few => {
            let few: Vec<String> = few.iter().map(|tag| name(tag)).collect();
            few.join(", ")
        }
    }
}

/// Why a tag stays or goes, and how that ended.
pub(crate) fn reason(tag: &PrunedTag) -> String {
    let why = match &tag.fate {
        Fate::Keep(keep) => kept(keep),
        Fate::Delete(delete) => match delete {
            Delete::Unkept => "nothing keeps it".to_owned(),
            Delete::Broken => "it is broken".to_owned(),
            Delete::Follows(_) => "it belongs to what goes".to_owned(),
        },
    };
    match &tag.end {
        None => why,
        Some(end) => format!("{why}: {}", ended(end)),
    }
}

fn kept(keep: &Keep) -> String {
    match keep {
        Keep::LeftOut => "not in this run".to_owned(),
        Keep::InUse(users) => match &**users {
            [] => "in use".to_owned(),
            [one] => format!("in use by {}", escape::line(one)),
            [one, others @ ..] => {
                format!("in use by {} and {} more", escape::line(one), others.len())
            }
        },
        Keep::Pattern(pattern) => format!("keep '{}'", escape::line(pattern)),
        Keep::Newest(newest) => format!("newest {newest}"),
        Keep::Younger(age) => format!("younger than {}", human::age(*age)),
        Keep::TooYoung(age) => format!("younger than min_age, {}", human::age(*age)),
        Keep::NoDate(clock) => format!("{} is not known", clock_words(*clock)),
        Keep::NotBroken => "only what is broken goes".to_owned(),
        Keep::NotPlanned => "not in the plan that was given".to_owned(),
        Keep::Follows(_) => "it belongs to what stays".to_owned(),
        Keep::Refused => "nothing is deleted here".to_owned(),
    }
}

fn clock_words(clock: Clock) -> &'static str {
    match clock {
        Clock::Pushed => "when it was pushed",
        Clock::FirstSeen => "when it was first seen",
        Clock::Created => "when it was built",
    }
}

/// How a deletion ended.
pub(crate) fn ended(end: &End) -> String {
    match end {
        End::Deleted => "deleted".to_owned(),
        End::Stays(Stays::Moved) => "stays, it has moved meanwhile".to_owned(),
        End::Stays(Stays::Needed) => "stays, a tag needs it by now".to_owned(),
        End::Stays(Stays::Above) => "stays, because what lists it does".to_owned(),
        End::Stays(Stays::Follows) => "stays, because what it belongs to does".to_owned(),
        End::Stays(Stays::NotBroken) => "stays, it is not broken any more".to_owned(),
        End::Stays(Stays::SharesItsDigest) => {
            "stays, a kept tag has the same digest, and this registry cannot delete a tag alone"
                .to_owned()
        }
        End::Failed(Failure::Stopped) => "not begun, the run ended before".to_owned(),
        End::Failed(failure) => format!("failed, {}", failed(failure)),
    }
}

fn failed(failure: &Failure) -> String {
    let words = |cause| escape::line(&escape::shortened(&sentence::cause(cause)));
    match failure {
        Failure::Registry(cause) => match cause {
            Cause::Status { status: 405, .. } => format!(
                "{}; distribution deletes where storage.delete.enabled: true is set",
                words(cause)
            ),
            _ => words(cause),
        },
        Failure::NotRead(cause) => format!("it could not be read for the backup: {}", words(cause)),
        Failure::Damaged(cause) => format!("it is damaged: {}", words(cause)),
        Failure::NotSaved(why) => format!("the backup could not be written: {}", escape::line(why)),
        Failure::NotLooked(cause) => format!("the tags could not be looked at: {}", words(cause)),
        Failure::NotAlone => "this registry cannot delete a tag alone".to_owned(),
        Failure::NotTaken => "the registry answered as if it were gone, and has it".to_owned(),
        Failure::Stopped => "the run ended before".to_owned(),
    }
}

/// Why nothing goes in a repository.
pub(crate) fn refused(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Unlisted(fault) => format!(
            "the packages API does not say when its tags were pushed: {}",
            escape::line(&escape::shortened(&sentence::cause(&fault.cause)))
        ),
        Refusal::Unread(tag) => format!(
            "{} stays, and not all that it leads to can be read",
            escape::line(tag)
        ),
        Refusal::NothingKept => "no rule keeps any of its tags".to_owned(),
        Refusal::TooMany(gone, all) => {
            format!("{gone} of {all} tags would go, more than max_deleted allows")
        }
        Refusal::LastTag => "every tag would go; allow_untagged_repository permits it".to_owned(),
    }
}

/// What a prune comes to.
pub(crate) fn closing(prune: &Prune) -> String {
    let tags = match prune.tags() {
        0 => "no tag".to_owned(),
        tags => count(tags, "tag"),
    };
    if !prune.is_applied {
        return match (prune.tags(), prune.refusals().next()) {
            (0, Some((_, refusal))) => format!("plan: nothing would go: {}", refused(refusal)),
            (0, None) => "plan: there is nothing to delete".to_owned(),
            _ => format!("plan: nothing was deleted. {tags} would go: --apply --backup DIR"),
        };
    }
    let failed = match prune.failed() {
        0 => String::new(),
        failed => format!(", {failed} failed"),
    };
    let left = match prune.left() {
        0 => String::new(),
        left => format!(", {left} not begun"),
    };
    let back = match prune.put_back {
        0 => String::new(),
        back => format!(
            "; {} put back, because a tag needs it by now",
            count(back, "manifest")
        ),
    };
    let frees = human::bytes(prune.frees());
    format!(
        "prune: {tags} deleted{failed}{left}{back}; a garbage-collect (without -m) frees about {frees}"
    )
}

/// Writes a table of the repositories that something goes from, as markdown of at most so many bytes.
///
/// # Errors
/// When `out` cannot be written to.
pub(crate) fn write_table(prune: &Prune, room: usize, out: &mut dyn Write) -> io::Result<()> {
    let rows = prune.repositories.iter().filter_map(row);
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return Ok(());
    }
    writeln!(out, "| repository | stays | goes | |\n|---|--:|--:|---|")?;
    let mut left = room;
    for row in rows {
        left = left.saturating_sub(row.len());
        if left == 0 {
            return writeln!(out, "\nThe JSON report has all of them.\n");
        }
        writeln!(out, "{row}")?;
    }
    writeln!(out)
}

fn row(pruned: &Pruned) -> Option<String> {
    let goes = |tag: &&PrunedTag| matches!(tag.fate, Fate::Delete(_));
    let gone = pruned.tags.iter().filter(goes).count();
    let note = pruned.refusal.as_ref().map(refused).unwrap_or_default();
    let name = markdown::code(&escape::line(&pruned.repository.to_string()));
    let stays = pruned.tags.len() - gone;
    let is_row = gone > 0 || pruned.refusal.is_some();
    is_row.then(|| format!("| {name} | {stays} | {gone} | {} |", markdown::text(&note)))
}

/// When a tag was pushed, as the report writes it.
pub(crate) fn since(tag: &PrunedTag) -> Option<String> {
    tag.since.map(timestamp::utc)
}
