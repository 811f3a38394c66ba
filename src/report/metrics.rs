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
}

impl Series {
    /// The numbers of the registry at this place of an audit, after what was known before it.
    #[must_use]
    pub(crate) fn of(audit: &Audit, place: usize, shard: Option<String>, before: &Known) -> Self {
        let sums = &audit.sums[place];
        let last_run = unix(audit.started_at + audit.duration);
        let found = Known {
            last_success: audit.is_complete(place).then_some(last_run),
            failures: Some(sums.failures as u64),
            broken_tags: Some(sums.tags.broken as u64),
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
            is_accessible: sums.is_accessible(),
            repositories: sums.repositories as u64,
            tags: sums.tags.all as u64,
            indexes: sums.indexes as u64,
            undecided_tags: sums.tags.undecided as u64,
            duration: audit.duration.as_secs_f64(),
            requests: sums.requests,
            bytes: sums.bytes,
            last_run,
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
