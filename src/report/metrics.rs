//! An audit's numbers as Prometheus reads them: the text format, version 0.0.4.
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>
//!
//! A run that could not look at everything never lowers a number that says what is broken, and never
//! says that nothing is: it goes by what earlier runs said.

mod reading;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) use self::reading::read;
use super::audit::Audit;

/// The type of a page of metrics.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

const FAILURES: &str = "registry_manifest_integrity_failures";
const BROKEN_TAGS: &str = "pullproof_audit_broken_tags";
const IN_USE: &str = "pullproof_audit_broken_tags_in_use";
const REPOSITORY: &str = "pullproof_audit_repository_broken_tags";
const LAST_SUCCESS: &str = "pullproof_audit_last_success_timestamp_seconds";

/// A metric without labels of its own.
struct Gauge {
    name: &'static str,
    help: &'static str,
    value: fn(&Series) -> Option<f64>,
}

/// Every metric but that of repositories, in the order of the page.
const GAUGES: &[Gauge] = &[
    Gauge {
        name: FAILURES,
        help: "Digests that an image needs and that are missing or damaged, and tags that are not \
               what they should be.",
        value: |series| series.known.failures.map(number),
    },
    Gauge {
        name: "registry_manifest_integrity_catalog_accessible",
        help: "Whether the repositories could be listed: 1 or 0.",
        value: |series| Some(f64::from(u8::from(series.is_accessible))),
    },
    Gauge {
        name: "registry_manifest_integrity_repos_checked",
        help: "Repositories that the last run looked at.",
        value: |series| Some(number(series.repositories)),
    },
    Gauge {
        name: "registry_manifest_integrity_tags_checked",
        help: "Tags that the last run looked at.",
        value: |series| Some(number(series.tags)),
    },
    Gauge {
        name: "registry_manifest_integrity_indexes_checked",
        help: "Indexes that the last run looked at.",
        value: |series| Some(number(series.indexes)),
    },
    Gauge {
        name: "registry_manifest_integrity_last_run_timestamp",
        help: "When the last run ended, whatever it found, as Unix time in seconds.",
        value: |series| Some(number(series.last_run)),
    },
    Gauge {
        name: BROKEN_TAGS,
        help: "Tags that cannot be pulled.",
        value: |series| series.known.broken_tags.map(number),
    },
    Gauge {
        name: IN_USE,
        help: "Tags that cannot be pulled and that something deployed uses.",
        value: |series| series.known.broken_in_use.map(number),
    },
    Gauge {
        name: "pullproof_audit_undecided_tags",
        help: "Tags of which the last run could not find out whether they can be pulled.",
        value: |series| Some(number(series.undecided_tags)),
    },
    Gauge {
        name: "pullproof_audit_duration_seconds",
        help: "How long the last run took.",
        value: |series| Some(series.duration),
    },
    Gauge {
        name: "pullproof_audit_requests",
        help: "Requests that the last run sent to the registry and its token server.",
        value: |series| Some(number(series.requests)),
    },
    Gauge {
        name: "pullproof_audit_received_bytes",
        help: "Bytes of bodies that the last run received.",
        value: |series| Some(number(series.bytes)),
    },
    Gauge {
        name: "pullproof_audit_last_run_timestamp_seconds",
        help: "When the last run ended, whatever it found, as Unix time.",
        value: |series| Some(number(series.last_run)),
    },
    Gauge {
        name: "pullproof_audit_oldest_check_timestamp_seconds",
        help: "When that was proven which was not proven for longest, as Unix time.",
        value: |series| series.oldest_check.map(number),
    },
    Gauge {
        name: LAST_SUCCESS,
        help: "When the last run ended that could read every list, as Unix time.",
        value: |series| series.known.last_success.map(number),
    },
];

const REPOSITORY_HELP: &str = "Tags of a repository that cannot be pulled, where there are some.";

/// What one run after another has to know of a registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    /// When every list was last read, as Unix time.
    pub(crate) last_success: Option<u64>,
    /// Broken digests and findings; `None` where nobody could tell that there are none.
    pub(crate) failures: Option<u64>,
    /// Broken tags, likewise.
    pub(crate) broken_tags: Option<u64>,
    /// Those that are in use, likewise; `None` also where nobody said what is deployed.
    pub(crate) broken_in_use: Option<u64>,
    /// The broken tags of each repository that has some.
    pub(crate) repositories: BTreeMap<String, u64>,
}

/// The numbers of one registry, with its labels.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Series {
    /// The registry's host.
    pub(crate) registry: String,
    /// `shard`, as `3/8`.
    pub(crate) shard: Option<String>,
    /// What later runs have to know.
    pub(crate) known: Known,
    is_accessible: bool,
    repositories: u64,
    tags: u64,
    indexes: u64,
    undecided_tags: u64,
    duration: f64,
    requests: u64,
    bytes: u64,
    last_run: u64,
    oldest_check: Option<u64>,
}

impl Series {
    /// The numbers of the registry at this place of an audit, after what was known before it.
    #[must_use]
    pub(crate) fn of(audit: &Audit, place: usize, shard: Option<String>, before: &Known) -> Self {
        let sums = &audit.sums[place];
        let is_cut_off = audit.stopped.is_some() && sums.repositories == 0;
        let last_run = unix(audit.started_at + audit.duration);
        let found = Known {
            last_success: audit.is_complete(place).then_some(last_run),
            failures: Some(sums.failures as u64),
            broken_tags: Some(sums.tags.broken as u64),
            // A list that may lack something is no word that nothing is in use.
            broken_in_use: (audit.in_use.as_ref())
                .filter(|list| !list.is_partial || sums.broken_in_use > 0)
                .map(|_| sums.broken_in_use as u64),
            repositories: (sums.broken.iter())
                .map(|(name, tags)| (name.clone(), *tags as u64))
                .collect(),
        };
        let known = if audit.is_conclusive(place) {
            found
        } else {
            found.after(before, last_run)
        };
        Self {
            registry: audit.registries[place].clone(),
            shard,
            known,
            is_accessible: sums.is_accessible() && !is_cut_off,
            repositories: sums.repositories as u64,
            tags: sums.tags.all as u64,
            indexes: sums.indexes as u64,
            undecided_tags: sums.tags.undecided as u64,
            duration: audit.duration.as_secs_f64(),
            requests: sums.requests,
            bytes: sums.bytes,
            last_run,
            oldest_check: audit.oldest_check(place).map(unix),
        }
    }

    fn labels(&self, repository: Option<&str>) -> String {
        let registry = escaped(&self.registry);
        let mut labels = format!("{{instance=\"{registry}\",registry=\"{registry}\"");
        let more = [("repository", repository), ("shard", self.shard.as_deref())];
        for (name, value) in more {
            if let Some(value) = value {
                labels.extend([",", name, "=\"", &escaped(value), "\""]);
            }
        }
        labels + "}"
    }
}

impl Known {
    /// What is known after a run that found this and could not look at everything.
    fn after(self, before: &Self, now: u64) -> Self {
        let some = |number: &u64| *number > 0;
        let mut repositories = before.repositories.clone();
        for (name, tags) in self.repositories {
            let known = repositories.entry(name).or_default();
            *known = tags.max(*known);
        }
        while repositories.len() > super::audit::MOST {
            repositories.pop_last();
        }
        Self {
            // A time to come would keep every alert silent until then.
            last_success: self
                .last_success
                .or(before.last_success.filter(|time| *time <= now)),
            failures: self.failures.max(before.failures).filter(some),
            broken_tags: self.broken_tags.max(before.broken_tags).filter(some),
            broken_in_use: self.broken_in_use.max(before.broken_in_use).filter(some),
            repositories,
        }
    }
}

/// Writes a page with the numbers of these registries.
///
/// # Errors
/// When `out` cannot be written to.
pub(crate) fn write(all: &[Series], out: &mut dyn Write) -> io::Result<()> {
    for Gauge { name, help, value } in GAUGES {
        let values: Vec<(&Series, f64)> = (all.iter())
            .filter_map(|series| Some((series, value(series)?)))
            .collect();
        if !values.is_empty() {
            write_head(name, help, out)?;
        }
        for (series, value) in values {
            writeln!(out, "{name}{} {value}", series.labels(None))?;
        }
    }
    if all
        .iter()
        .any(|series| !series.known.repositories.is_empty())
    {
        write_head(REPOSITORY, REPOSITORY_HELP, out)?;
    }
    for series in all {
        for (name, tags) in &series.known.repositories {
            writeln!(out, "{REPOSITORY}{} {tags}", series.labels(Some(name)))?;
        }
    }
    Ok(())
}

fn write_head(name: &str, help: &str, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge")
}

/// A label's value between its quotes.
fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[expect(
    clippy::cast_precision_loss,
    reason = "every number of the format is such a one"
)]
fn number(number: u64) -> f64 {
    number as f64
}

fn unix(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::oci::client::Clients;
    use crate::report::audit::InUse;
    use crate::report::audit::Unread;
    use crate::report::example::{Content, child, index, manifest, nothing, plain, report};
    use crate::report::exit::Exit;
    use crate::report::judged::{Context, Judged};
    use crate::walk::rules::Depth;
    use crate::walk::stop::Stop;

    const REGISTRY: &str = "registry.example";

    fn audit(repositories: &[(&str, Content)]) -> Audit {
        let mut audit = Audit::new(vec![REGISTRY.into()], Depth::Tail, Clients::CONTAINERD);
        audit.started_at = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        audit.duration = Duration::from_millis(12_500);
        let context = Context {
            stopped: None,
            login_not_visible: false,
            clients: Clients::CONTAINERD,
            now: std::time::SystemTime::UNIX_EPOCH,
        };
        for (name, content) in repositories {
            let reference = format!("{REGISTRY}/{name}:1");
            let report = report(&[(&*reference, content.clone())]);
            audit.add(&Judged::of(&report.repositories[0], context));
        }
        audit
    }

    fn broken() -> Content {
        let lost = child(0x20, "linux/amd64").missing();
        let other = child(0x30, "linux/arm64").missing();
        index(0x10).with(lost).with(other)
    }

    fn unread(mut audit: Audit, name: &str) -> Audit {
        audit.add_unread(Unread::new(name.to_owned(), "it is dark", Exit::Unknown));
        audit
    }

    fn series(audit: &Audit, before: &Known) -> Series {
        Series::of(audit, 0, None, before)
    }

    fn page(all: &[Series]) -> String {
        let mut page = Vec::new();
        write(all, &mut page).unwrap();
        String::from_utf8(page).unwrap()
    }

    /// What the page says of one metric, without its labels.
    fn value(page: &str, name: &str) -> Option<String> {
        let line = page
            .lines()
            .find(|line| line.starts_with(&format!("{name}{{")))?;
        Some(line.rsplit_once(' ').unwrap().1.to_owned())
    }

    fn known(failures: u64, repositories: &[(&str, u64)]) -> Known {
        Known {
            last_success: Some(1_600_000_000),
            failures: Some(failures),
            broken_tags: Some(repositories.iter().map(|(_, tags)| tags).sum()),
            broken_in_use: None,
            repositories: (repositories.iter())
                .map(|(name, tags)| ((*name).to_owned(), *tags))
                .collect(),
        }
    }

    #[test]
    fn a_page_has_every_number_with_its_meaning() {
        let mut audit = audit(&[("team/app", broken()), ("team/other", plain(0x50))]);
        audit.sums[0].requests = 12;
        audit.sums[0].bytes = 48_200;
        let found = page(&[series(&audit, &Known::default())]);
        let labels = "{instance=\"registry.example\",registry=\"registry.example\"}";
        for (name, value) in [
            ("registry_manifest_integrity_failures", "2"),
            ("registry_manifest_integrity_catalog_accessible", "1"),
            ("registry_manifest_integrity_repos_checked", "2"),
            ("registry_manifest_integrity_tags_checked", "2"),
            ("registry_manifest_integrity_indexes_checked", "1"),
            (
                "registry_manifest_integrity_last_run_timestamp",
                "1700000012",
            ),
            ("pullproof_audit_broken_tags", "1"),
            ("pullproof_audit_undecided_tags", "0"),
            ("pullproof_audit_duration_seconds", "12.5"),
            ("pullproof_audit_requests", "12"),
            ("pullproof_audit_received_bytes", "48200"),
            ("pullproof_audit_last_run_timestamp_seconds", "1700000012"),
            (
                "pullproof_audit_last_success_timestamp_seconds",
                "1700000012",
            ),
        ] {
            let sample = format!("\n# TYPE {name} gauge\n{name}{labels} {value}\n");
            assert!(found.contains(&sample), "{sample}{found}");
            assert!(found.contains(&format!("# HELP {name} ")), "{name}");
        }
        let repository = "pullproof_audit_repository_broken_tags{instance=\"registry.example\",\
                          registry=\"registry.example\",repository=\"team/app\"} 1\n";
        assert!(found.ends_with(repository), "{found}");
        assert!(!found.contains("sha256") && !found.contains("team/other"));
    }

    #[test]
    fn every_metric_is_documented() {
        let page = include_str!("../../docs/metrics.md");
        for name in GAUGES.iter().map(|gauge| gauge.name).chain([REPOSITORY]) {
            assert!(page.contains(&format!("\n| `{name}` | ")), "{name}");
        }
    }

    #[test]
    fn each_metric_has_one_head_for_all_registries() {
        let mut audit = audit(&[("team/app", broken())]);
        audit.in_use = Some(InUse::new(false));
        let one = series(&audit, &Known::default());
        let other = Series {
            registry: "other.example".to_owned(),
            shard: Some("3/8".to_owned()),
            ..one.clone()
        };
        let found = page(&[one, other]);
        let heads = found.lines().filter(|line| line.starts_with("# TYPE "));
        assert_eq!(heads.count(), GAUGES.len() + 1);
        assert!(found.contains(
            "{instance=\"other.example\",registry=\"other.example\",repository=\"team/app\",\
             shard=\"3/8\"} 1\n"
        ));
        // The lines of one metric stand together.
        let names = found.lines().filter(|line| !line.starts_with('#'));
        let names: Vec<_> = names.map(|line| line.split_once('{').unwrap().0).collect();
        assert_eq!(names.chunk_by(|one, other| one == other).count(), 16);
    }

    #[test]
    fn what_is_in_use_is_said_where_it_is_known() {
        let name = "pullproof_audit_broken_tags_in_use";
        let mut audit = audit(&[("app", broken())]);
        let said = |audit: &Audit| value(&page(&[series(audit, &Known::default())]), name);
        assert_eq!(said(&audit), None);
        audit.in_use = Some(InUse::new(false));
        assert_eq!(said(&audit).as_deref(), Some("0"));
        // A list that may lack something never says that nothing is in use.
        audit.in_use = Some(InUse::new(true));
        assert_eq!(said(&audit), None);
        audit.sums[0].broken_in_use = 2;
        assert_eq!(said(&audit).as_deref(), Some("2"));
    }

    #[test]
    fn labels_are_escaped() {
        assert_eq!(escaped("a\\b\"c\nd"), "a\\\\b\\\"c\\nd");
        let one = Series {
            registry: "a\\b\"}c\nd".to_owned(),
            ..series(&audit(&[("app", plain(0x50))]), &known(3, &[("x", 2)]))
        };
        let found = page(std::slice::from_ref(&one));
        assert_eq!(read(&found, "", &one.registry, None), Some(one.known));
    }

    #[test]
    fn a_run_that_could_not_look_never_says_that_nothing_is_broken() {
        let dark = unread(audit(&[]), REGISTRY);
        for (before, failures, success) in [
            (Known::default(), None, None),
            (known(0, &[]), None, Some("1600000000")),
            (known(3, &[("app", 2)]), Some("3"), Some("1600000000")),
        ] {
            let found = page(&[series(&dark, &before)]);
            let of = |name| value(&found, name);
            let accessible = of("registry_manifest_integrity_catalog_accessible");
            assert_eq!(accessible.as_deref(), Some("0"));
            assert_eq!(of(FAILURES).as_deref(), failures);
            assert_eq!(of(BROKEN_TAGS).is_some(), failures.is_some());
            assert_eq!(of(REPOSITORY).is_some(), failures.is_some());
            assert_eq!(of(LAST_SUCCESS).as_deref(), success);
            let run = of("pullproof_audit_last_run_timestamp_seconds");
            assert_eq!(run.as_deref(), Some("1700000012"));
        }
    }

    #[test]
    fn a_run_that_saw_a_part_lowers_no_number_and_is_no_success() {
        let whole = ("app", plain(0x50));
        let before = known(9, &[("app", 2), ("gone", 1)]);
        let mut stopped = audit(std::slice::from_ref(&whole));
        stopped.stopped = Some(Stop::Timeout);
        let all_undecided = audit(&[("app", nothing().denied())]);
        for audit in [
            unread(audit(std::slice::from_ref(&whole)), "registry.example/dark"),
            unread(audit(std::slice::from_ref(&whole)), REGISTRY),
            stopped,
            audit(&[]),
        ] {
            let after = series(&audit, &before);
            assert_eq!(after.known, before);
        }
        let after = series(&all_undecided, &before).known;
        assert_eq!(after.failures, Some(9));
        assert_eq!(
            after.last_success,
            Some(1_700_000_012),
            "every list was read"
        );
        let more = unread(audit(&[("new", broken())]), "registry.example/dark");
        let after = series(&more, &before).known;
        assert_eq!(after.repositories.len(), 3);
        assert_eq!(
            (after.failures, after.last_success),
            (Some(9), before.last_success)
        );
    }

    #[test]
    fn a_run_that_saw_everything_says_what_it_found() {
        let audit = audit(&[("app", plain(0x50)), ("dim", nothing().denied())]);
        let after = series(&audit, &known(9, &[("app", 2)]));
        assert_eq!(
            (after.known.failures, after.known.broken_tags),
            (Some(0), Some(0))
        );
        assert!(after.known.repositories.is_empty());
        assert_eq!(after.known.last_success, Some(1_700_000_012));
        assert_eq!(after.undecided_tags, 1);
    }

    #[test]
    fn an_empty_registry_is_no_success_unless_it_may_be_empty() {
        let mut audit = audit(&[]);
        let found = page(&[series(&audit, &Known::default())]);
        assert_eq!(value(&found, FAILURES), None);
        assert_eq!(value(&found, LAST_SUCCESS), None);
        audit.allow_empty = true;
        let found = page(&[series(&audit, &Known::default())]);
        assert_eq!(value(&found, FAILURES).as_deref(), Some("0"));
    }

    #[test]
    fn the_catalog_is_accessible_where_repositories_could_be_looked_at() {
        let accessible = |audit: &Audit| series(audit, &Known::default()).is_accessible;
        let whole = [("app", plain(0x50))];
        assert!(accessible(&audit(&whole)));
        assert!(accessible(&unread(audit(&whole), "registry.example/dark")));
        assert!(!accessible(&unread(audit(&whole), REGISTRY)));
        assert!(!accessible(&unread(audit(&[]), "registry.example/named")));
        for (repositories, expected) in [(&whole[..], true), (&[], false)] {
            let mut stopped = audit(repositories);
            stopped.stopped = Some(Stop::Timeout);
            assert_eq!(accessible(&stopped), expected);
        }
    }

    #[test]
    fn a_success_in_the_future_is_none() {
        let before = Known {
            last_success: Some(1_800_000_000),
            ..Known::default()
        };
        let dark = unread(audit(&[]), REGISTRY);
        assert_eq!(series(&dark, &before).known.last_success, None);
    }

    #[test]
    fn at_most_a_thousand_repositories_are_named() {
        let names: Vec<String> = (0..1100).rev().map(|one| format!("app{one:04}")).collect();
        let all: Vec<_> = names.iter().map(|name| (&**name, broken())).collect();
        let after = series(&audit(&all), &Known::default()).known;
        assert_eq!(after.broken_tags, Some(1100));
        assert_eq!(after.repositories.len(), 1000);
        assert_eq!(after.repositories.last_key_value().unwrap().0, "app0999");
        let other = unread(audit(&[("aaa", broken())]), REGISTRY);
        let after = series(&other, &after).known;
        assert_eq!(after.repositories.len(), 1000);
        assert_eq!(after.repositories.first_key_value().unwrap().0, "aaa");
    }

    #[test]
    fn an_index_counts_once_in_its_repository() {
        let shared = || index(0x10).with(manifest(0x20, "linux/amd64"));
        let outer = index(0x60).with(shared());
        let report = report(&[
            ("registry.example/app:1", shared()),
            ("registry.example/app:2", outer),
        ]);
        let mut audit = audit(&[]);
        let context = Context {
            stopped: None,
            login_not_visible: false,
            clients: Clients::CONTAINERD,
            now: std::time::SystemTime::UNIX_EPOCH,
        };
        audit.add(&Judged::of(&report.repositories[0], context));
        assert_eq!(audit.sums[0].indexes, 2);
    }
}
