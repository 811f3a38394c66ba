//! What an audit found: its sums, and the first of what is wrong. Everything else is written,
//! repository by repository, and dropped.

mod disk;
mod fault;
mod github;
mod sums;
mod text;

use std::collections::{BTreeSet, HashMap};
use std::io::{self, Write};
use std::time::{Duration, SystemTime};

pub use self::disk::Disk;
pub(crate) use self::fault::Fault;
pub(super) use self::fault::of_digests;
pub(crate) use self::github::{write_github, write_outputs, write_summary};
pub use self::sums::Sums;
pub(crate) use self::text::{write, write_header};
use super::exit::{Conclusion, Exit, FailOn};
use super::hint::{Advice, Hint, short_names};
use super::hints::of_trouble;
use super::judged::Judged;
use super::prune::Prune;
use super::remedy::About;
use super::totals::{Counts, Totals};
use crate::oci::client::Clients;
use crate::oci::reference::Repository;
use crate::text::human::count;
use crate::walk::cause::Cause;
use crate::walk::checked::Subject;
use crate::walk::rules::Depth;
use crate::walk::stop::Stop;

/// How many faults and repositories are kept to be shown; all are counted.
pub(super) const MOST: usize = 1000;

/// The result of an audit.
#[derive(Debug)]
pub struct Audit {
    /// The registries.
    pub registries: Vec<String>,
    /// The numbers of each of them, in the same order.
    pub sums: Vec<Sums>,
    /// `depth`.
    pub depth: Depth,
    /// `clients`: what stops one of them is broken.
    pub clients: Clients,
    /// `fail_on`.
    pub fail_on: FailOn,
    /// `allow_empty`.
    pub allow_empty: bool,
    /// Whether whole repositories are shown, too: `log_level: debug`.
    pub shows_all: bool,
    /// When it began.
    pub started_at: SystemTime,
    /// How long it took.
    pub duration: Duration,
    /// Requests sent, token calls included.
    pub requests: u64,
    /// Body bytes received.
    pub bytes: u64,
    /// What the disks of registries hold beyond their tags.
    pub disk: Option<Disk>,
    /// What goes and stays, where it was walked to be pruned.
    pub(crate) prune: Option<Prune>,
    /// What it rests on besides its own questions, with `state`.
    pub remembered: Option<Remembered>,
    /// Why it ended early, if it did.
    pub stopped: Option<Stop>,
    /// The tags, by how they end.
    pub tags: Tags,
    /// The first tags that are broken or undecided.
    pub faults: Vec<Fault>,
    /// The first repositories with trouble, or of all.
    pub rows: Vec<Row>,
    /// What is known of what is in use, where that was asked.
    pub in_use: Option<InUse>,
    /// The lists that could not be read.
    pub unread: Vec<Unread>,
    /// The hints, in the order in which they are to be followed.
    pub advice: Vec<Advice>,
    totals: Totals,
    /// The repository that was added last, which may come in several parts.
    last: Option<Row>,
}

/// What an audit knows of what is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InUse {
    /// Whether the list may lack something.
    pub is_partial: bool,
    /// How many of the broken tags are in use.
    pub broken: usize,
    /// The exit code of what is in use, and of the lists that could not be read.
    exit: Exit,
}

impl InUse {
    /// What is known when nothing was looked at yet.
    #[must_use]
    pub fn new(is_partial: bool) -> Self {
        Self {
            is_partial,
            broken: 0,
            exit: Exit::Verified,
        }
    }
}

/// Tags, by how they end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tags {
    /// All of them.
    pub all: usize,
    /// Whole.
    pub ok: usize,
    /// Definitely not.
    pub broken: usize,
    /// Not known.
    pub undecided: usize,
}

/// What is remembered of what is audited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Remembered {
    /// The tags that were remembered when it began.
    pub tags: usize,
    /// The tags that were not remembered.
    pub new: usize,
    /// The tags that led elsewhere.
    pub moved: usize,
    /// When that was proven which was not proven for longest.
    pub oldest_check: Option<SystemTime>,
    /// The same at `depth`.
    pub oldest_at_depth: Option<SystemTime>,
}

impl Remembered {
    fn add(&mut self, other: &Self) {
        self.new += other.new;
        self.moved += other.moved;
        self.oldest_check = older(self.oldest_check, other.oldest_check);
        self.oldest_at_depth = older(self.oldest_at_depth, other.oldest_at_depth);
    }
}

/// The older of two times, if there is one.
fn older(one: Option<SystemTime>, other: Option<SystemTime>) -> Option<SystemTime> {
    one.into_iter().chain(other).min()
}

/// A repository in the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Which one.
    pub repository: Repository,
    /// Its tags.
    pub tags: Tags,
}

/// A list that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// What it lists: a registry or a repository.
    pub name: String,
    /// Why not.
    pub detail: String,
    /// What a run with it comes to.
    pub exit: Exit,
    /// What to do about it.
    pub hint: Option<Hint>,
}

impl Unread {
    /// A list that could not be read, for this reason that is no fault of the registry.
    #[must_use]
    pub fn new(name: String, detail: impl Into<String>, exit: Exit) -> Self {
        Self {
            name,
            detail: detail.into(),
            exit,
            hint: None,
        }
    }

    /// The same, with what to do about the cause.
    #[must_use]
    pub fn because_of(self, cause: &Cause) -> Self {
        Self {
            hint: of_trouble(cause),
            ..self
        }
    }

    /// Whether it is a list of this registry; its catalog has the same name.
    #[must_use]
    pub fn is_of(&self, registry: &str) -> bool {
        let rest = self.name.strip_prefix(registry);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl Tags {
    fn add(&mut self, exit: Exit) {
        self.all += 1;
        match exit {
            Exit::Verified => self.ok += 1,
            Exit::Broken => self.broken += 1,
            _ => self.undecided += 1,
        }
    }

    fn is_whole(&self) -> bool {
        self.ok == self.all
    }
}

impl Audit {
    /// An audit of these registries that has not looked at anything yet.
    #[must_use]
    pub fn new(registries: Vec<String>, depth: Depth, clients: Clients) -> Self {
        Self {
            sums: vec![Sums::default(); registries.len()],
            registries,
            depth,
            clients,
            fail_on: FailOn::default(),
            allow_empty: false,
            shows_all: false,
            started_at: SystemTime::now(),
            duration: Duration::ZERO,
            requests: 0,
            bytes: 0,
            disk: None,
            prune: None,
            remembered: None,
            stopped: None,
            tags: Tags::default(),
            faults: Vec::new(),
            rows: Vec::new(),
            in_use: None,
            unread: Vec::new(),
            advice: Vec::new(),
            totals: Totals::new(Exit::Verified),
            last: None,
        }
    }

    /// Adds a repository, or another part of the last one; what is wrong with it is kept as far as
    /// there is room.
    pub fn add(&mut self, judged: &Judged<'_>) {
        self.totals.add(judged);
        self.totals.keep_first_images(MOST);
        let repository = &judged.checked.repository;
        let last = self.last.take();
        let before = last.filter(|last| last.repository == *repository);
        if let Some(sums) = self.sums_of(&repository.registry) {
            sums.add(judged, before.is_none());
        }
        let mut tags = Tags::default();
        if let Some(before) = before {
            self.totals.counts.repositories -= 1;
            tags = before.tags;
            self.rows.pop_if(|row| row.repository == *repository);
        }
        for (place, Subject { .. }) in judged.checked.subjects.iter().enumerate() {
            let exit = judged.exit(place);
            tags.add(exit);
            self.tags.add(exit);
            if let Some(in_use) = &mut self.in_use
                && judged.usage(place).is_some_and(|usage| usage.is_used)
            {
                in_use.exit = in_use.exit.or(exit);
                in_use.broken += usize::from(exit == Exit::Broken);
            }
            if exit != Exit::Verified {
                self.keep(judged, place);
            }
        }
        let row = Row {
            repository: repository.clone(),
            tags,
        };
        if self.rows.len() < MOST && (self.shows_all || !tags.is_whole()) {
            self.rows.push(row.clone());
        }
        self.last = Some(row);
    }

    /// Keeps a fault to be shown; one that is in use in the place of another, where there is no
    /// room.
    fn keep(&mut self, judged: &Judged<'_>, place: usize) {
        if self.faults.len() < MOST {
            self.faults.push(Fault::of(judged, place));
        } else if judged.is_broken_in_use(place)
            && let Some(other) = self.faults.iter().rposition(|one| !one.is_broken_in_use())
        {
            self.faults[other] = Fault::of(judged, place);
        }
    }

    /// Adds what a repository of this registry rests on, where anything is remembered.
    pub(crate) fn add_remembered(&mut self, registry: &str, more: &Remembered) {
        let Some(remembered) = &mut self.remembered else {
            return;
        };
        remembered.add(more);
        let registries = self.registries.iter().zip(&mut self.sums);
        for (_, sums) in registries.filter(|(name, _)| *name == registry) {
            sums.oldest_check = older(sums.oldest_check, more.oldest_check);
        }
    }

    /// When what was found on the registry at this place was last proven, at least; none where
    /// nothing was.
    #[must_use]
    pub fn oldest_check(&self, place: usize) -> Option<SystemTime> {
        let sums = &self.sums[place];
        match self.remembered {
            Some(_) => sums.oldest_check,
            None => (sums.repositories > 0).then_some(self.started_at),
        }
    }

    /// Adds a list that could not be read.
    pub fn add_unread(&mut self, unread: Unread) {
        self.totals.exit = self.totals.exit.or(unread.exit);
        if let Some(in_use) = &mut self.in_use {
            in_use.exit = in_use.exit.or(unread.exit);
        }
        let is_of = |registry: &String| unread.is_of(registry);
        if let Some(place) = self.registries.iter().position(is_of) {
            self.sums[place].add_unread(unread.name == self.registries[place]);
        }
        if self.unread.len() < MOST {
            self.unread.push(unread);
        }
    }

    /// Adds what goes and stays.
    pub(crate) fn add_prune(&mut self, prune: Prune) {
        self.totals.exit = self.totals.exit.or(prune.exit());
        self.prune = Some(prune);
    }

    fn sums_of(&mut self, registry: &str) -> Option<&mut Sums> {
        let place = self.registries.iter().position(|one| one == registry)?;
        Some(&mut self.sums[place])
    }

    /// Whether every list of the registry at this place was read, and there was something to look
    /// at.
    #[must_use]
    pub fn is_complete(&self, place: usize) -> bool {
        let sums = &self.sums[place];
        self.stopped.is_none() && sums.unread == 0 && (sums.tags.all > 0 || self.allow_empty)
    }

    /// Whether that shows how much is broken there: not if nothing could be found out.
    #[must_use]
    pub fn is_conclusive(&self, place: usize) -> bool {
        let tags = &self.sums[place].tags;
        self.is_complete(place) && (tags.all == 0 || tags.undecided < tags.all)
    }

    /// Ends it: what is wrong is put in order, and what to do is gathered.
    pub fn finish(&mut self) {
        // What is broken and in use comes first.
        let rank = |one: &Fault| (one.exit != Exit::Broken, !one.is_used());
        self.faults.sort_by(|one, other| {
            (rank(one), &one.repository, &one.name).cmp(&(
                rank(other),
                &other.repository,
                &other.name,
            ))
        });
        self.rows
            .sort_by(|one, other| one.repository.cmp(&other.repository));
        self.unread.sort_by(|one, other| one.name.cmp(&other.name));
        let totals = std::mem::replace(&mut self.totals, Totals::new(Exit::Verified));
        let (exit, counts) = (totals.exit, totals.counts);
        let images: Vec<_> = totals.hinted_images().cloned().collect();
        let names: HashMap<_, _> = short_names(&images.iter().collect::<Vec<_>>());
        self.advice = totals.advice(usize::MAX, &names);
        let hints: BTreeSet<_> = self.unread.iter().flat_map(|unread| &unread.hint).collect();
        self.advice.extend(hints.into_iter().map(|hint| Advice {
            hint: hint.clone(),
            about: About::default(),
            images: Vec::new(),
            names: Vec::new(),
        }));
        self.totals.exit = exit;
        self.totals.counts = counts;
    }

    /// How many of what.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            requests: self.requests,
            bytes: self.bytes,
            ..self.totals.counts
        }
    }

    /// How many of the broken tags are in use; `None` where nobody says what is.
    #[must_use]
    pub fn broken_in_use(&self) -> Option<usize> {
        self.in_use.map(|in_use| in_use.broken)
    }

    /// The exit code of what was found, before `fail_on`.
    #[must_use]
    pub fn cause(&self) -> Exit {
        self.end(self.totals.exit)
    }

    /// The exit code of a run whose tags come to this.
    fn end(&self, tags: Exit) -> Exit {
        match self.stopped {
            Some(Stop::Interrupt) => Exit::Interrupted,
            Some(Stop::Terminate) => Exit::Terminated,
            Some(Stop::Timeout) => tags.or(Exit::Unknown),
            None if self.is_empty() && !self.allow_empty => tags.or(Exit::Configuration),
            None => tags,
        }
    }

    /// Whether there was nothing to look at, although every list was read.
    fn is_empty(&self) -> bool {
        self.tags.all == 0
            && self.unread.is_empty()
            && self.prune.as_ref().is_none_or(Prune::is_empty)
    }

    /// The exit code.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match (self.fail_on, self.cause()) {
            (FailOn::Never, verdict) if verdict.is_verdict() => Exit::Verified,
            (FailOn::InUse, _) => self.end(self.in_use.map_or(self.totals.exit, |one| one.exit)),
            (_, cause) => cause,
        }
    }

    /// The result.
    #[must_use]
    pub fn conclusion(&self) -> Conclusion {
        if self.tags.broken > 0 {
            Conclusion::Failed
        } else {
            self.cause().into()
        }
    }

    /// Why the result is not that of its tags.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        match &*self.unread {
            [] if self.is_empty() && !self.allow_empty && self.stopped.is_none() => {
                Some("there is no tag to audit".to_owned())
            }
            [] => self.prune.as_ref().and_then(Prune::reason),
            [one] => Some(format!("{}: {}", one.name, one.detail)),
            [one, others @ ..] => Some(format!(
                "{}: {}, and {} could not be read either",
                one.name,
                one.detail,
                count(others.len(), "other list")
            )),
        }
    }
}

/// Writes the broken tags of a repository, one a line: repository, tag, digest.
///
/// # Errors
/// When `out` cannot be written to.
pub(crate) fn write_broken(judged: &Judged<'_>, out: &mut dyn Write) -> io::Result<()> {
    for (place, subject) in judged.checked.subjects.iter().enumerate() {
        if judged.exit(place) != Exit::Broken {
            continue;
        }
        let root = judged.root(place);
        let digest = root.graph.node(root.node).digest();
        let digest = digest.or_else(|| subject.reference.digest.clone());
        let digest = digest.map_or("-".to_owned(), |digest| digest.to_string());
        let tag = subject.reference.tag.as_deref().unwrap_or("-");
        writeln!(out, "{} {tag} {digest}", judged.checked.repository)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example::{Content, index, manifest, plain, report};
    use crate::report::judged::{Context, Usage};
    use crate::report::text::Style;

    const CONTEXT: Context = Context {
        stopped: None,
        login_not_visible: false,
        clients: Clients::CONTAINERD,
        now: std::time::SystemTime::UNIX_EPOCH,
    };

    /// An audit of one repository with these tags.
    fn audit(images: &[(&str, Content)]) -> Audit {
        let report = report(images);
        let mut audit = Audit::new(vec!["docker.io".into()], Depth::Tail, Clients::CONTAINERD);
        for checked in &report.repositories {
            audit.add(&Judged::of(checked, CONTEXT));
        }
        audit.finish();
        audit
    }

    fn text(audit: &Audit) -> String {
        let mut out = Vec::new();
        write(audit, Style::default(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn broken(byte: u8) -> Content {
        index(byte).with(manifest(0x20, "linux/amd64").missing())
    }

    #[test]
    fn a_thousand_faults_are_kept_and_all_are_counted() {
        let names: Vec<String> = (0..1200).map(|tag| format!("app:{tag}")).collect();
        let images: Vec<_> = names.iter().map(|name| (&**name, broken(0x10))).collect();
        let audit = audit(&images);
        assert_eq!((audit.faults.len(), audit.tags.broken), (MOST, 1200));
        assert!(
            audit
                .advice
                .iter()
                .all(|advice| advice.images.len() <= MOST)
        );
        let text = text(&audit);
        assert!(text.contains("and 200 more tags; "), "{text}");
        assert!(text.ends_with("FAILED: 1200 of 1200 tags cannot be pulled (exit code 1)\n"));
        let mut summary = Vec::new();
        write_summary(&audit, &mut summary).unwrap();
        assert!(summary.len() < 1024 * 1024, "{}", summary.len());
    }

    #[test]
    fn what_is_broken_comes_before_what_is_undecided() {
        let images = [
            ("app:1", plain(0x30).denied()),
            ("app:2", broken(0x10)),
            ("app:3", plain(0x40)),
        ];
        let audit = audit(&images);
        let order: Vec<_> = audit.faults.iter().map(Fault::full_name).collect();
        assert_eq!(order, ["library/app:2", "library/app:1"]);
        let tags = audit.tags;
        assert_eq!(
            (tags.all, tags.ok, tags.broken, tags.undecided),
            (3, 1, 1, 1)
        );
        assert_eq!(audit.exit(), Exit::Broken);
        let text = text(&audit);
        assert!(
            text.contains("repository     tags  broken  undecided"),
            "{text}"
        );
    }

    /// The same, where those at these places are in use by so many workloads.
    fn audit_with(images: &[(&str, Content)], used: &[(usize, usize)]) -> Audit {
        let report = report(images);
        let mut audit = Audit::new(vec!["docker.io".into()], Depth::Tail, Clients::CONTAINERD);
        audit.in_use = Some(InUse::new(false));
        let mut usages = vec![Usage::default(); images.len()];
        for (place, users) in used {
            let users = (0..*users).map(|number| format!("deployment shop/app{number}").into());
            usages[*place] = Usage {
                is_used: true,
                users: users.collect(),
            };
        }
        for checked in &report.repositories {
            audit.add(&Judged::of(checked, CONTEXT).with_usages(usages.clone()));
        }
        audit.finish();
        audit
    }

    #[test]
    fn what_is_in_use_comes_first_with_those_who_use_it() {
        let images = [
            ("app:1", broken(0x10)),
            ("app:2", broken(0x11)),
            ("app:3", broken(0x12)),
            ("app:4", plain(0x30).denied()),
            ("app:5", broken(0x13)),
        ];
        let audit = audit_with(&images, &[(1, 9), (3, 2), (4, 1)]);
        let text = text(&audit);
        let lines: Vec<&str> = text
            .lines()
            .filter(|line| line.contains("library/app:") || line.contains("used by"))
            .collect();
        assert_eq!(
            lines,
            [
                "✗ library/app:2  in use by 9 workloads  linux/amd64 manifest missing (404)",
                "    used by deployment shop/app0, deployment shop/app1, deployment shop/app2 and 6 \
                 others",
                "✗ library/app:5  in use by 1 workload   linux/amd64 manifest missing (404)",
                "    used by deployment shop/app0",
                "✗ library/app:1                         linux/amd64 manifest missing (404)",
                "✗ library/app:3                         linux/amd64 manifest missing (404)",
                "? library/app:4  in use by 2 workloads  manifest denied (401)",
                "    used by deployment shop/app0 and deployment shop/app1",
            ],
            "{text}"
        );
        assert_eq!(audit.broken_in_use(), Some(2));
        assert!(text.contains("4 of 5 tags cannot be pulled, 2 of them in use"));
    }

    #[test]
    fn what_is_in_use_is_kept_however_much_is_broken() {
        let names: Vec<String> = (0..1200).map(|tag| format!("app:{tag}")).collect();
        let images: Vec<_> = names.iter().map(|name| (&**name, broken(0x10))).collect();
        let audit = audit_with(&images, &[(1100, 1), (1199, 0)]);
        assert_eq!(audit.faults.len(), MOST);
        let first: Vec<_> = audit.faults[..3].iter().map(Fault::full_name).collect();
        assert_eq!(
            first,
            ["library/app:1100", "library/app:1199", "library/app:0"]
        );
    }

    #[test]
    fn fail_on_in_use_fails_for_what_is_in_use_and_for_what_is_not_known() {
        let images = [
            ("app:1", broken(0x10)),
            ("app:2", plain(0x30).denied()),
            ("app:3", plain(0x40)),
        ];
        for (used, exit) in [
            (&[][..], Exit::Verified),
            (&[(2, 1)], Exit::Verified),
            (&[(1, 1)], Exit::Denied),
            (&[(0, 1), (1, 1)], Exit::Broken),
        ] {
            let mut audit = audit_with(&images, used);
            assert_eq!(audit.exit(), Exit::Broken);
            audit.fail_on = FailOn::InUse;
            assert_eq!(audit.exit(), exit, "{used:?}");
            assert_eq!(audit.conclusion(), Conclusion::Failed);
            let is_said = text(&audit).ends_with("because of `fail_on: in_use`)\n");
            assert_eq!(is_said, exit != Exit::Broken, "{used:?}");
            let name = "registry.example".to_owned();
            audit.add_unread(Unread::new(name, "why not", Exit::Unknown));
            assert_eq!(audit.exit(), exit.or(Exit::Unknown));
            audit.stopped = Some(Stop::Terminate);
            assert_eq!(audit.exit(), Exit::Terminated);
        }
    }

    #[test]
    fn a_repository_in_several_parts_counts_once() {
        let (first, second) = (
            report(&[("app:1", plain(0x40))]),
            report(&[("app:2", broken(0x10)), ("app:3", broken(0x11))]),
        );
        let mut audit = Audit::new(vec!["docker.io".into()], Depth::Tail, Clients::CONTAINERD);
        for report in [&first, &second, &second] {
            audit.add(&Judged::of(&report.repositories[0], CONTEXT));
        }
        audit.finish();
        assert_eq!(audit.counts().repositories, 1);
        assert_eq!(audit.sums[0].repositories, 1);
        let [row] = &*audit.rows else {
            panic!("{:?}", audit.rows);
        };
        assert_eq!((row.tags.all, row.tags.broken), (5, 4));
    }

    #[test]
    fn lists_that_could_not_be_read_decide_when_nothing_is_broken() {
        let unread = |exit| Unread::new("registry.example".into(), "why not", exit);
        for exit in [Exit::Denied, Exit::Unknown, Exit::Configuration] {
            let mut audit = audit(&[("app:1", plain(0x40))]);
            audit.add_unread(unread(exit));
            assert_eq!(audit.exit(), exit);
            audit.fail_on = FailOn::Never;
            let is_forgiven = exit != Exit::Configuration;
            assert_eq!(audit.exit() == Exit::Verified, is_forgiven);
            assert!(text(&audit).contains("? registry.example: why not"));
        }
        let mut audit = audit(&[("app:1", broken(0x10))]);
        audit.add_unread(unread(Exit::Unknown));
        assert_eq!(audit.exit(), Exit::Broken);
    }

    #[test]
    fn nothing_is_an_error_unless_it_is_allowed() {
        let mut empty = audit(&[]);
        assert_eq!(empty.exit(), Exit::Configuration);
        empty.allow_empty = true;
        assert_eq!((empty.exit(), empty.reason()), (Exit::Verified, None));
        empty.stopped = Some(Stop::Terminate);
        assert_eq!(empty.exit(), Exit::Terminated);
    }

    #[test]
    fn text_from_a_registry_is_never_a_command() {
        let foreign = "::error::owned\r\n##[error]x\u{1b}[31m<script>|`![x](https://evil.example)";
        let image = index(0x10).with(
            crate::report::example::child(0x20, &format!("linux/{foreign}")).found(
                crate::walk::verdict::Verdict::Missing,
                404,
                foreign,
            ),
        );
        let mut audit = audit(&[("app:1", image)]);
        audit.add_unread(Unread::new(foreign.into(), foreign, Exit::Unknown));
        let mut github = Vec::new();
        write_github(&audit, Style::default(), &mut github).unwrap();
        let mut summary = Vec::new();
        write_summary(&audit, &mut summary).unwrap();
        for text in [text(&audit).into_bytes(), github] {
            let text = String::from_utf8(text).unwrap();
            let obeyed = text
                .lines()
                .map(str::trim_start)
                .filter(|line| line.starts_with("::") && !line.starts_with("::error title="));
            assert_eq!(obeyed.count(), 0, "{text}");
            assert!(!text.contains("##["), "{text}");
            let is_hidden = |one| one != '\n' && crate::text::escape::is_hidden(one);
            assert!(!text.contains(is_hidden), "{text}");
        }
        let summary = String::from_utf8(summary).unwrap();
        assert!(
            !summary.contains("<script") && !summary.contains("![x]("),
            "{summary}"
        );
    }
}
