//! What the verdicts on digests mean for the images that need them.

use std::collections::{HashMap, HashSet};

use super::counts::Counts;
use super::diagnosis::{self, Advice};
use super::exit::{Conclusion, Exit};
use super::hurt::{self, Casualties};
use super::{Image, Report};
use crate::oci::manifest::Kind;
use crate::walk::graph::{Graph, NodeId};
use crate::walk::isolated as lonely;
use crate::walk::stop::Stop;
use crate::walk::verdict::Verdict;

/// A report with everything that follows from it; what every format is written from.
#[derive(Debug)]
pub struct Judgement<'a> {
    /// The report that was judged.
    pub report: &'a Report,
    /// How many of what.
    pub counts: Counts,
    /// What the run comes to.
    pub exit: Exit,
    /// What may have led to it and what to do, what is to be done first first.
    pub advice: Vec<Advice>,
    verdict: Exit,
    reason: Option<String>,
    remark: Option<String>,
    roots: Vec<Root<'a>>,
    root_of_image: Vec<usize>,
    images_of_root: Vec<Vec<usize>>,
    lonely: Vec<HashSet<NodeId>>,
}

/// One distinct root: what all images that resolve to it have in common.
#[derive(Debug)]
pub struct Root<'a> {
    /// Which graph of the report it is in.
    pub graph: usize,
    /// The root itself.
    pub node: NodeId,
    /// Definitely broken, and the image needs them; in the image's own order.
    pub broken: Vec<NodeId>,
    /// Could not be found out, and the image needs them.
    pub undecided: Vec<NodeId>,
    /// Broken or not found out, and the image does not need them.
    pub warned: Vec<NodeId>,
    /// Who is hurt by each of those.
    pub hurt: Casualties<'a>,
    exit: Exit,
}

impl Root<'_> {
    /// Everything that is not fine, the gravest first.
    pub fn faults(&self) -> impl Iterator<Item = NodeId> {
        [&self.broken, &self.undecided, &self.warned]
            .into_iter()
            .flatten()
            .copied()
    }

    /// Whether somebody who pulls the image is hurt, and not only somebody who reads its provenance.
    #[must_use]
    pub fn cannot_be_pulled(&self) -> bool {
        self.broken
            .iter()
            .any(|id| self.hurt.get(*id).is_none_or(|hurt| hurt.stops_a_pull()))
    }
}

/// How much trouble a digest means for the image it is seen from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// Whole.
    None,
    /// Not whole, and it does not matter.
    Warned,
    /// Not known.
    Undecided,
    /// Broken.
    Broken,
}

impl<'a> Judgement<'a> {
    /// Judges a report by its own content.
    #[must_use]
    pub fn of(report: &'a Report) -> Self {
        let lonely: Vec<_> = report
            .graphs
            .iter()
            .map(|graph| lonely_failure(graph, report.stopped))
            .collect();
        let mut roots: Vec<Root<'a>> = Vec::new();
        let mut places = HashMap::new();
        let root_of_image: Vec<usize> = report
            .images
            .iter()
            .map(|image| {
                *places.entry((image.graph, image.root)).or_insert_with(|| {
                    roots.push(examine(report, image, &lonely[image.graph]));
                    roots.len() - 1
                })
            })
            .collect();
        let mut images_of_root = vec![Vec::new(); roots.len()];
        for (image, root) in root_of_image.iter().enumerate() {
            images_of_root[*root].push(image);
        }
        let mut judgement = Self {
            report,
            counts: Counts::default(),
            exit: Exit::Verified,
            advice: Vec::new(),
            verdict: Exit::Verified,
            reason: None,
            remark: None,
            roots,
            root_of_image,
            images_of_root,
            lonely,
        };
        judgement.counts = Counts::of(&judgement);
        judgement.verdict = judgement.verdict();
        judgement.exit = match judgement.verdict {
            verdict if report.never_fail && verdict.is_verdict() => Exit::Verified,
            verdict => verdict,
        };
        judgement.advice = diagnosis::advice(&judgement);
        judgement
    }

    /// The same, for a run that came to another end than its images say: wrong settings, a rebuild, a fault of our own.
    ///
    /// `reason` is a fragment without secrets; it stands in the verdict line and is the JSON report's `error`.
    #[must_use]
    pub fn ending_in(mut self, exit: Exit, reason: Option<String>) -> Self {
        self.exit = exit;
        self.verdict = exit;
        self.reason = reason;
        self
    }

    /// The same, with a fragment without secrets that the verdict line should not lack, though it is no error.
    #[must_use]
    pub fn remarking(mut self, remark: String) -> Self {
        self.remark = Some(remark);
        self
    }

    /// What stands in the verdict line beside the verdict.
    #[must_use]
    pub fn remark(&self) -> Option<&str> {
        self.remark.as_deref().or(self.reason())
    }

    /// Why the run came to another end than its images say.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// The run's result; `fail_on: never` changes the exit code and not the result.
    #[must_use]
    pub fn conclusion(&self) -> Conclusion {
        if self.report.skipped {
            Conclusion::Skipped
        } else if self
            .images()
            .any(|(image, _)| self.image_exit(image) == Exit::Broken)
        {
            Conclusion::Failed
        } else {
            self.verdict.into()
        }
    }

    /// What the images alone come to, before `fail_on: never`.
    #[must_use]
    pub fn cause(&self) -> Exit {
        self.verdict
    }

    /// Every image with its place, in the order in which they were asked for.
    pub fn images(&self) -> impl Iterator<Item = (usize, &'a Image)> + use<'a> {
        self.report.images.iter().enumerate()
    }

    /// Every distinct root, in the order of the first image that resolves to it.
    #[must_use]
    pub fn roots(&self) -> &[Root<'a>] {
        &self.roots
    }

    /// The root of the image at this place.
    #[must_use]
    pub fn root(&self, image: usize) -> &Root<'a> {
        &self.roots[self.root_of_image[image]]
    }

    /// Where in [`Judgement::roots`] the root of the image at this place is.
    #[must_use]
    pub fn root_place(&self, image: usize) -> usize {
        self.root_of_image[image]
    }

    /// The images that resolve to the root in this place of [`Judgement::roots`], never none.
    pub fn images_of(&self, root: usize) -> impl Iterator<Item = &'a Image> + use<'a, '_> {
        self.images_of_root[root]
            .iter()
            .map(|image| &self.report.images[*image])
    }

    /// The first image that resolves to the same root as the one at this place, when that is another one.
    #[must_use]
    pub fn twin(&self, image: usize) -> Option<usize> {
        let first = *self.images_of_root[self.root_of_image[image]].first()?;
        (first != image).then_some(first)
    }

    /// What one image comes to; a finding breaks it whatever its digests say.
    #[must_use]
    pub fn image_exit(&self, image: usize) -> Exit {
        let root = self.root(image).exit;
        if self.report.images[image].findings.is_empty() {
            root
        } else {
            root.or(Exit::Broken)
        }
    }

    /// The result of one image.
    #[must_use]
    pub fn image_conclusion(&self, image: usize) -> Conclusion {
        if self.report.skipped {
            Conclusion::Skipped
        } else {
            self.image_exit(image).into()
        }
    }

    /// Whether this node is a definite fault: by its verdict, or as the only one that answers 5xx.
    #[must_use]
    pub fn is_broken(&self, graph: usize, node: NodeId) -> bool {
        self.is_lonely(graph, node) || self.report.graphs[graph].node(node).verdict().is_definite()
    }

    /// Whether this digest alone answers 5xx while others of its repository are fine.
    #[must_use]
    pub fn is_lonely(&self, graph: usize, node: NodeId) -> bool {
        self.lonely[graph].contains(&node)
    }

    fn verdict(&self) -> Exit {
        match self.report.stopped {
            Some(Stop::Interrupt) => return Exit::Interrupted,
            Some(Stop::Terminate) => return Exit::Terminated,
            _ if self.report.skipped => return Exit::Verified,
            _ if self.report.images.is_empty() => return Exit::Configuration,
            _ => {}
        }
        let start = if self.report.stopped.is_some() {
            Exit::Unknown
        } else {
            Exit::Verified
        };
        self.images()
            .fold(start, |exit, (image, _)| exit.or(self.image_exit(image)))
    }
}

/// The nodes of the one digest that stays at 5xx while others of its repository answer, before it and after it.
///
/// A run that was stopped has not asked everybody.
fn lonely_failure(graph: &Graph, stopped: Option<Stop>) -> HashSet<NodeId> {
    if stopped.is_some() || !graph.is_still_answering() || lonely::candidate(graph).is_none() {
        return HashSet::new();
    }
    graph
        .iter()
        .filter(|(_, node)| node.verdict() == Verdict::Unavailable)
        .map(|(id, _)| id)
        .collect()
}

fn examine<'a>(report: &'a Report, image: &Image, lonely: &HashSet<NodeId>) -> Root<'a> {
    let graph = &report.graphs[image.graph];
    let broken = |id: &NodeId| lonely.contains(id) || graph.node(*id).verdict().is_definite();
    let undecided = |id: &NodeId| !lonely.contains(id) && graph.node(*id).verdict().is_undecided();
    let required = graph.required(image.root);
    let mut needed = vec![false; graph.len()];
    for id in &required {
        needed[id.place()] = true;
    }
    let warned = graph
        .reachable(image.root)
        .into_iter()
        .filter(|id| !needed[id.place()] && (broken(id) || undecided(id)))
        .collect();
    let mut root = Root {
        graph: image.graph,
        node: image.root,
        broken: required.iter().copied().filter(broken).collect(),
        undecided: required.iter().copied().filter(undecided).collect(),
        warned,
        hurt: Casualties::default(),
        exit: Exit::Verified,
    };
    root.hurt = hurt::who_is_hurt(graph, &root);
    root.exit = if !root.broken.is_empty() {
        Exit::Broken
    } else if root
        .undecided
        .iter()
        .any(|id| graph.node(*id).verdict() == Verdict::Denied)
    {
        Exit::Denied
    } else if !root.undecided.is_empty() {
        Exit::Unknown
    } else if has_content(graph, image.root, &required) {
        Exit::Verified
    } else {
        Exit::Configuration
    };
    root
}

/// Whether anything that somebody would pull was read: a manifest below the root, or the root itself when it is one.
///
/// An index all of whose children may be missing is not proven by being readable, nor by its attestations.
fn has_content(graph: &Graph, root: NodeId, required: &[NodeId]) -> bool {
    required.iter().any(|id| {
        let node = graph.node(*id);
        let pulled = match node.kind() {
            Kind::Manifest | Kind::Artifact => true,
            Kind::Index => false,
            Kind::Attestation | Kind::Referrer => *id == root,
            // BuildKit lists the layers of a build cache in an index.
            Kind::Config | Kind::Layer => node
                .parents()
                .any(|parent| graph.node(parent).kind() == Kind::Index),
        };
        pulled && node.verdict() == Verdict::Ok
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example::{
        attestation, index, layer, manifest, nothing, plain, referrer, report,
    };
    use crate::report::{Finding, FindingKind};
    use crate::walk::source::Obstacle;

    fn exit(report: &Report) -> Exit {
        Judgement::of(report).exit
    }

    fn failing_with(status: u16) -> crate::report::example::Content {
        layer(0x66).found(Verdict::Unavailable, status, "five attempts")
    }

    #[test]
    fn every_verdict_of_a_needed_digest_has_its_end() {
        for verdict in Verdict::ALL {
            let image = plain(0x20)
                .with(layer(0x22))
                .with(layer(0x23).found(verdict, None, ""));
            let expected = match verdict {
                Verdict::Ok | Verdict::Skipped => Exit::Verified,
                Verdict::Denied => Exit::Denied,
                Verdict::RateLimited | Verdict::Unavailable | Verdict::NotChecked => Exit::Unknown,
                _ => Exit::Broken,
            };
            assert_eq!(exit(&report(&[("app:1", image)])), expected, "{verdict:?}");
        }
    }

    #[test]
    fn what_is_only_a_warning_breaks_nothing() {
        let image = index(0x10).with(manifest(0x20, "linux/amd64")).with(
            attestation(0x30)
                .with(layer(0x32).missing())
                .with(layer(0x33).denied())
                .minor(),
        );
        let report = report(&[("app:1", image)]);
        let judgement = Judgement::of(&report);
        assert_eq!(judgement.exit, Exit::Verified);
        assert_eq!(judgement.conclusion(), Conclusion::Passed);
        assert_eq!(judgement.roots()[0].warned.len(), 2);
        assert_eq!((judgement.counts.broken, judgement.counts.failures), (1, 0));
    }

    #[test]
    fn a_digest_that_is_needed_elsewhere_too_is_no_warning() {
        let image = index(0x10)
            .with(attestation(0x30).with(layer(0x55).missing()).minor())
            .with(manifest(0x20, "linux/amd64").with(layer(0x55)));
        assert_eq!(exit(&report(&[("app:1", image)])), Exit::Broken);
    }

    #[test]
    fn what_hangs_below_a_broken_parent_adds_nothing() {
        let image = index(0x10).with(
            manifest(0x20, "linux/amd64")
                .missing()
                .with(layer(0x22).not_checked()),
        );
        let report = report(&[("app:1", image)]);
        assert_eq!(exit(&report), Exit::Broken);
        assert_eq!(Judgement::of(&report).counts.failures, 1);
    }

    #[test]
    fn one_digest_at_5xx_while_others_answer_is_broken() {
        for (status, expected) in [
            (499, Exit::Unknown),
            (500, Exit::Broken),
            (599, Exit::Broken),
            (600, Exit::Unknown),
        ] {
            let image = plain(0x20).with(layer(0x22)).with(failing_with(status));
            assert_eq!(exit(&report(&[("app:1", image)])), expected, "{status}");
        }
    }

    #[test]
    fn a_5xx_is_undecided_when_it_may_be_the_registry() {
        let two = plain(0x20).with(failing_with(500)).with(layer(0x67).found(
            Verdict::Unavailable,
            500,
            "",
        ));
        assert_eq!(
            exit(&report(&[("app:1", two)])),
            Exit::Unknown,
            "two digests"
        );
        let mixed = plain(0x20)
            .with(failing_with(500))
            .with(layer(0x67).unreachable("connection reset"));
        assert_eq!(
            exit(&report(&[("app:1", mixed)])),
            Exit::Unknown,
            "the network fails too"
        );
        let alone = index(0x10).found(Verdict::Unavailable, 503, "");
        assert_eq!(
            exit(&report(&[("app:1", alone)])),
            Exit::Unknown,
            "nobody answers"
        );
        let tag = report(&[
            ("app:1", plain(0x20)),
            ("app:2", nothing().found(Verdict::Unavailable, 503, "")),
        ]);
        assert_eq!(exit(&tag), Exit::Unknown, "a tag is no digest");
        let mut stopped = report(&[("app:1", plain(0x20).with(failing_with(500)))]);
        stopped.stopped = Some(Stop::Timeout);
        assert_eq!(exit(&stopped), Exit::Unknown, "not everybody was asked");
        let mut down = report(&[("app:1", plain(0x20).with(failing_with(500)))]);
        down.graphs[0].set_still_answering(false);
        assert_eq!(exit(&down), Exit::Unknown, "nobody answers any more");
        let elsewhere = plain(0x20).with(failing_with(500).hindered(Obstacle::Elsewhere));
        assert_eq!(
            exit(&report(&[("app:1", elsewhere)])),
            Exit::Unknown,
            "somebody else fails"
        );
        let unable = plain(0x20).with(failing_with(501));
        assert_eq!(
            exit(&report(&[("app:1", unable)])),
            Exit::Unknown,
            "it cannot do it at all"
        );
    }

    #[test]
    fn nothing_checked_is_never_a_pass() {
        let skipped =
            |content: crate::report::example::Content| content.skipped("allowed to be missing");
        for image in [
            index(0x10),
            index(0x10).with(skipped(manifest(0x20, "linux/amd64"))),
            index(0x10)
                .with(skipped(manifest(0x20, "linux/amd64")))
                .with(attestation(0x30).with(layer(0x32))),
            index(0x10).with(referrer(0x40)),
            index(0x10).with(manifest(0x20, "linux/amd64").minor()),
            skipped(index(0x10)),
        ] {
            assert_eq!(
                exit(&report(&[("app:1", image.clone())])),
                Exit::Configuration,
                "{image:?}"
            );
        }
        assert_eq!(exit(&report(&[])), Exit::Configuration);
        assert_eq!(
            exit(&report(&[("app:1", index(0x10).with(layer(0x20)))])),
            Exit::Verified,
            "a build cache"
        );
        assert_eq!(
            exit(&report(&[("app:1", attestation(0x20).with(layer(0x21)))])),
            Exit::Verified,
            "asked for by digest"
        );
    }

    #[test]
    fn a_finding_breaks_an_image_that_is_whole() {
        let mut report = report(&[("app:1", plain(0x20)), ("app:2", plain(0x20))]);
        report.images[1].findings.push(Finding {
            kind: FindingKind::TagsDiffer,
            detail: String::new(),
        });
        let judgement = Judgement::of(&report);
        assert_eq!(judgement.exit, Exit::Broken);
        let conclusions = [0, 1].map(|image| judgement.image_conclusion(image));
        assert_eq!(conclusions, [Conclusion::Passed, Conclusion::Failed]);
    }

    #[test]
    fn never_forgives_images_and_nothing_else() {
        let never = |mut report: Report| {
            report.never_fail = true;
            exit(&report)
        };
        assert_eq!(
            never(report(&[("app:1", plain(0x20).missing())])),
            Exit::Verified
        );
        assert_eq!(
            never(report(&[("app:1", plain(0x20).denied())])),
            Exit::Verified
        );
        assert_eq!(
            never(report(&[("app:1", plain(0x20).unreachable(""))])),
            Exit::Verified
        );
        assert_eq!(never(report(&[])), Exit::Configuration);
        let mut stopped = report(&[("app:1", plain(0x20))]);
        stopped.stopped = Some(Stop::Terminate);
        assert_eq!(never(stopped), Exit::Terminated);
    }

    #[test]
    fn a_run_that_was_stopped_says_what_it_knows() {
        let ended = |stop: Stop, content: crate::report::example::Content| {
            let mut report = report(&[("app:1", content)]);
            report.stopped = Some(stop);
            let judgement = Judgement::of(&report);
            (judgement.exit, judgement.conclusion())
        };
        let lost = || plain(0x20).with(layer(0x22).missing());
        assert_eq!(
            ended(Stop::Timeout, plain(0x20)),
            (Exit::Unknown, Conclusion::Error)
        );
        assert_eq!(
            ended(Stop::Timeout, lost()),
            (Exit::Broken, Conclusion::Failed)
        );
        assert_eq!(
            ended(Stop::Interrupt, lost()),
            (Exit::Interrupted, Conclusion::Failed)
        );
        assert_eq!(
            ended(Stop::Terminate, plain(0x20)),
            (Exit::Terminated, Conclusion::Error)
        );
    }

    #[test]
    fn a_digest_counts_once_however_many_images_share_it() {
        let shared = || layer(0x55).missing();
        let report = report(&[
            ("app:1", plain(0x20).with(shared())),
            ("app:2", plain(0x20).with(shared())),
            (
                "app:3",
                plain(0x30)
                    .with(shared())
                    .with(layer(0x32).not_checked())
                    .with(layer(0x33).skipped("foreign")),
            ),
        ]);
        let counts = Judgement::of(&report).counts;
        assert_eq!((counts.images, counts.nodes, counts.checked), (3, 7, 5));
        assert_eq!(
            (counts.ok, counts.broken, counts.undecided, counts.skipped),
            (4, 1, 1, 1)
        );
        assert_eq!(counts.failures, 1);
    }
}
