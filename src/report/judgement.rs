//! The judgement of a whole run: its judged repositories, and their sums.

use super::Report;
use super::exit::{Conclusion, Exit};
use super::hint::{Advice, Hint, short_names};
use super::judged::{Context, Gravity, Judged, Root, gravity_of};
use super::remedy::About;
use super::totals::{Counts, Totals};
use crate::oci::reference::Reference;
use crate::walk::checked::{Finding, Subject};
use crate::walk::stop::Stop;

/// A report with everything that follows from it; what every format is written from.
#[derive(Debug)]
pub struct Judgement<'a> {
    /// The report that was judged.
    pub report: &'a Report,
    /// Its repositories, judged, in the report's order.
    pub repositories: Vec<Judged<'a>>,
    /// How many of what.
    pub counts: Counts,
    /// The exit code of the run.
    pub exit: Exit,
    /// The hints, in the order in which they are to be followed.
    pub advice: Vec<Advice>,
    verdict: Exit,
    reason: Option<String>,
    remark: Option<String>,
    hint: Option<String>,
}

impl<'a> Judgement<'a> {
    /// Judges a report by its own content.
    #[must_use]
    pub fn of(report: &'a Report) -> Self {
        let context = Context {
            stopped: report.stopped,
            login_not_visible: report.login_not_visible,
            clients: report.clients,
            now: report.started_at,
        };
        let judged = |checked| Judged::of(checked, context);
        let repositories: Vec<Judged<'a>> = report.repositories.iter().map(judged).collect();
        let mut totals = Totals::new(match report.stopped {
            Some(_) => Exit::Unknown,
            None => Exit::Verified,
        });
        for judged in &repositories {
            totals.add(judged);
        }
        let verdict = verdict(report, totals.exit);
        let is_forgiven = report.never_fail && verdict.is_verdict();
        Self {
            report,
            counts: Counts {
                requests: report.requests,
                bytes: report.bytes,
                ..totals.counts
            },
            exit: if is_forgiven { Exit::Verified } else { verdict },
            advice: advice(report, totals),
            verdict,
            repositories,
            reason: None,
            remark: None,
            hint: None,
        }
    }

    /// The same, for a run whose result is not that of its images: wrong settings, a rebuild, a
    /// bug.
    ///
    /// `reason` is a fragment without secrets; it stands in the verdict line and is the JSON
    /// report's `error`.
    #[must_use]
    pub fn ending_in(mut self, exit: Exit, reason: Option<String>) -> Self {
        self.exit = exit;
        self.verdict = exit;
        self.reason = reason;
        self
    }

    /// The same, with a fragment without secrets for the verdict line that is not an error.
    #[must_use]
    pub fn remarking(mut self, remark: String) -> Self {
        self.remark = Some(remark);
        self
    }

    /// The same, with what to do about its reason.
    #[must_use]
    pub fn hinting(mut self, hint: String) -> Self {
        self.hint = Some(hint);
        self
    }

    /// What to do about the reason.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let of_rebuild = || Some(self.report.last_hint.as_ref()?.1.clone());
        self.hint.clone().or_else(of_rebuild)
    }

    /// What stands in the verdict line beside the verdict.
    #[must_use]
    pub fn remark(&self) -> Option<&str> {
        self.remark.as_deref().or(self.reason())
    }

    /// Why the run's result is not that of its images.
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

    /// The exit code of the images alone, before `fail_on: never`.
    #[must_use]
    pub fn cause(&self) -> Exit {
        self.verdict
    }

    /// Whether an image is definitely broken so that another build could help: content is missing or
    /// damaged, or an expectation is not met. It cannot help against a form that clients refuse, or
    /// a registry that answers wrongly.
    #[must_use]
    pub fn is_for_a_rebuild(&self) -> bool {
        let is_unmet = |finding: &Finding| finding.is_expectation();
        self.verdict == Exit::Broken
            && (self
                .report
                .images()
                .any(|image| image.findings.iter().any(is_unmet))
                || self.roots().any(Root::has_lost_content))
    }

    /// Every image with its place, in the order in which they were asked for.
    pub fn images(&self) -> impl Iterator<Item = (usize, &'a Subject)> + use<'a> {
        self.report.images().enumerate()
    }

    /// Every distinct root, repository by repository.
    pub fn roots(&self) -> impl Iterator<Item = &Root<'a>> {
        self.repositories.iter().flat_map(|judged| &judged.roots)
    }

    /// The root of the image at this place.
    #[must_use]
    pub fn root(&self, image: usize) -> &Root<'a> {
        let (judged, subject) = self.place(image);
        judged.root(subject)
    }

    /// The first image that resolves to the same root as the one at this place, when that is
    /// another one.
    #[must_use]
    pub fn twin(&self, image: usize) -> Option<&'a Subject> {
        let (judged, subject) = self.place(image);
        let first = *judged.root(subject).subjects.first()?;
        (first != subject).then(|| &judged.checked.subjects[first])
    }

    /// The exit code of one image; a finding breaks it even if its digests are fine.
    #[must_use]
    pub fn image_exit(&self, image: usize) -> Exit {
        let (judged, subject) = self.place(image);
        judged.exit(subject)
    }

    /// The result of one image.
    #[must_use]
    pub fn image_conclusion(&self, image: usize) -> Conclusion {
        self.subject_conclusion(self.image_exit(image))
    }

    /// The result of an image that comes to this.
    #[must_use]
    pub fn subject_conclusion(&self, exit: Exit) -> Conclusion {
        if self.report.skipped {
            Conclusion::Skipped
        } else {
            exit.into()
        }
    }

    /// How serious a finding is.
    #[must_use]
    pub fn gravity(&self, finding: &Finding) -> Gravity {
        gravity_of(finding, self.report.clients)
    }

    fn place(&self, image: usize) -> (&Judged<'a>, usize) {
        let (repository, subject) = self.report.order[image];
        (&self.repositories[repository], subject)
    }
}

fn verdict(report: &Report, images: Exit) -> Exit {
    match report.stopped {
        Some(Stop::Interrupt) => Exit::Interrupted,
        Some(Stop::Terminate) => Exit::Terminated,
        _ if report.skipped => Exit::Verified,
        _ if report.is_empty() => Exit::Configuration,
        _ => images,
    }
}

/// Every hint that applies to a report, each once, in the order in which they are to be followed.
fn advice(report: &Report, totals: Totals) -> Vec<Advice> {
    let images: Vec<&Reference> = report.images().map(|image| &image.reference).collect();
    let names = short_names(&images);
    let mut advice = totals.advice(images.len(), &names);
    if report.stopped == Some(Stop::Timeout) {
        advice.push(Advice {
            hint: match report.settling {
                Some(_) => Hint::TimeoutWhileSettling,
                None => Hint::Timeout,
            },
            about: About::default(),
            images: images.into_iter().cloned().collect(),
            names: Vec::new(),
        });
    }
    advice
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::client::{Client, Clients};
    use crate::oci::flaw::Flaw;
    use crate::report::example::{
        attestation, digest, index, layer, manifest, plain, referrer, report, status,
    };
    use crate::walk::cause::Cause;
    use crate::walk::verdict::Verdict;

    fn exit(report: &Report) -> Exit {
        Judgement::of(report).exit
    }

    fn failing_with(status: u16) -> crate::report::example::Content {
        layer(0x66).found(Verdict::Unavailable, status, self::status(status))
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
        assert_eq!(judgement.repositories[0].roots[0].warned.len(), 2);
        assert_eq!((judgement.counts.broken, judgement.counts.failures), (1, 0));
    }

    #[test]
    fn a_digest_that_is_needed_elsewhere_too_is_not_a_warning() {
        let image = index(0x10)
            .with(attestation(0x30).with(layer(0x55).missing()).minor())
            .with(manifest(0x20, "linux/amd64").with(layer(0x55)));
        assert_eq!(exit(&report(&[("app:1", image)])), Exit::Broken);
    }

    #[test]
    fn children_of_a_broken_parent_add_nothing() {
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
    fn what_fails_alone_is_broken_and_other_failures_are_undecided() {
        let failing = || plain(0x20).with(layer(0x22)).with(failing_with(500));
        assert_eq!(exit(&report(&[("app:1", failing())])), Exit::Unknown);
        let alone = Cause::FailsAlone(Box::new(status(500)));
        let lost = layer(0x66).found(Verdict::Unavailable, 500, alone);
        let image = plain(0x20).with(layer(0x22)).with(lost);
        let report = report(&[("app:1", image)]);
        assert_eq!(exit(&report), Exit::Broken);
        assert!(Judgement::of(&report).is_for_a_rebuild());
    }

    #[test]
    fn what_stops_other_clients_alone_is_a_warning_that_names_them() {
        let docker_and_podman = Clients::of(&[Client::Docker, Client::Podman]);
        let rare = Flaw::RareAlgorithm("sha512".into());
        let image = plain(0x20).with(layer(0x66).refused(rare, docker_and_podman));
        let mut report = report(&[("app:1", image)]);
        let judgement = Judgement::of(&report);
        assert_eq!(
            (judgement.exit, judgement.counts.warnings),
            (Exit::Verified, 1)
        );
        let root = &judgement.repositories[0].roots[0];
        let consequence = root.consequence(root.warned[0]).unwrap();
        assert_eq!(consequence, "docker and podman cannot pull it");
        report.clients = Clients::of(&[Client::Podman]);
        let judgement = Judgement::of(&report);
        assert_eq!(
            (judgement.exit, judgement.counts.failures),
            (Exit::Broken, 1)
        );
        assert!(
            !judgement.is_for_a_rebuild(),
            "a build would give the same form"
        );
    }

    #[test]
    fn an_unanswered_head_is_undecided_where_containerd_counts() {
        let mut report = report(&[("app:1", plain(0x20))]);
        let unanswered = Finding::HeadUnanswered(Box::new(status(503)));
        report.image_mut(0).findings.push(unanswered);
        assert_eq!(exit(&report), Exit::Unknown);
        report.clients = Clients::of(&[Client::Docker, Client::Podman]);
        assert_eq!(exit(&report), Exit::Verified);
        report.image_mut(0).findings.push(Finding::HeadRefused(403));
        assert_eq!(exit(&report), Exit::Verified);
        report.clients = Clients::ALL;
        assert_eq!(exit(&report), Exit::Broken);
        assert!(!Judgement::of(&report).is_for_a_rebuild());
    }

    #[test]
    fn nothing_checked_is_never_a_pass() {
        let skipped =
            |content: crate::report::example::Content| content.skipped(Cause::AllowedMissing);
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
        report
            .image_mut(1)
            .findings
            .push(Finding::StillWrong(digest(0x20)));
        let judgement = Judgement::of(&report);
        assert_eq!(judgement.exit, Exit::Broken);
        let conclusions = [0, 1].map(|image| judgement.image_conclusion(image));
        assert_eq!(conclusions, [Conclusion::Passed, Conclusion::Failed]);
    }

    #[test]
    fn fail_on_never_applies_to_images_alone() {
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
                    .with(layer(0x33).skipped(Cause::Foreign)),
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
