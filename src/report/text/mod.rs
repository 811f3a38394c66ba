//! The report for people: each image with its faults and whom they affect; the verdict is last.

mod alike;
mod entry;
mod paint;
mod tree;

use std::io::{self, Write};

pub(super) use self::entry::{faults, is_unresolved};
pub use self::paint::{Paint, Style};
use self::tree::Tree;
use super::exit::{Conclusion, Exit};
use super::headline;
use super::judged::Gravity;
use super::judgement::Judgement;
use super::plan;
use super::sentence;
use crate::oci::client::Clients;
use crate::oci::reference::Reference;
use crate::text::escape;
use crate::text::human::{self, count};
use crate::walk::checked::{Finding, Subject};
use crate::walk::rules::Depth;
use crate::walk::verdict::Verdict;

/// How one part of the text is folded away: not at all, or as GitHub's runner does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Groups {
    /// Everything is in view.
    None,
    /// Each image that is whole between `::group::` and `::endgroup::`.
    Commands,
}

/// Writes what is going to be checked: the version, the depth and the references; nothing when
/// there are none.
///
/// # Errors
/// When `out` cannot be written to.
pub fn write_header<'r>(
    depth: Depth,
    references: impl Iterator<Item = &'r Reference>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut references = references.peekable();
    if references.peek().is_some() {
        writeln!(
            out,
            "pullproof {}, depth {}",
            env!("CARGO_PKG_VERSION"),
            depth.as_str()
        )?;
    }
    references.try_for_each(|reference| writeln!(out, "  {}", escape::line(&reference.to_string())))
}

/// Writes the report as text, to follow the header; the verdict is the last line.
///
/// # Errors
/// When `out` cannot be written to.
pub fn write(judgement: &Judgement<'_>, style: Style, out: &mut dyn Write) -> io::Result<()> {
    write_before(judgement, style, Groups::None, out)?;
    write_body(judgement, style, Groups::None, out)?;
    write_end(judgement, style, out)
}

/// The verification before the rebuild, whole, and the pipeline that ran between the two.
pub(super) fn write_before(
    judgement: &Judgement<'_>,
    style: Style,
    groups: Groups,
    out: &mut dyn Write,
) -> io::Result<()> {
    if let Some(before) = &judgement.report.before {
        let before = Judgement::of(before);
        write_before(&before, style, groups, out)?;
        let what = before_what(judgement);
        writeln!(out, "\n{what}:")?;
        write_body(&before, style, groups, out)?;
        // After a repair the plan says what was done, and the hints that still count follow it.
        if judgement.report.pipeline.is_some() {
            write_remarks(&before, style, out)?;
        }
        // Not as the verdict of the run, which stands at its end.
        let verdict = format!("{what}: {}", headline::verdict(&before));
        writeln!(out, "{}\n", style.paint(Paint::Doubt, &verdict))?;
    }
    if let Some(plan) = judgement
        .report
        .plan
        .as_ref()
        .filter(|plan| plan.is_applied)
    {
        plan::write(plan, judgement.report.started_at, style, out)?;
    }
    // Without images the verdict line says it all.
    if let Some(pipeline) = judgement
        .report
        .pipeline
        .as_ref()
        .filter(|_| !judgement.report.is_empty())
    {
        let (status, url) = (escape::line(&pipeline.status), escape::line(&pipeline.url));
        writeln!(out, "pipeline {}: {status}, {url}", pipeline.number)?;
    }
    Ok(())
}

/// What came after the first look.
fn before_what(judgement: &Judgement<'_>) -> &'static str {
    if judgement.report.pipeline.is_some() {
        "before the rebuild"
    } else {
        "before the repair"
    }
}

/// The images; nothing when there are none.
pub(super) fn write_body(
    judgement: &Judgement<'_>,
    style: Style,
    groups: Groups,
    out: &mut dyn Write,
) -> io::Result<()> {
    let report = judgement.report;
    if report.is_empty() {
        return Ok(());
    }
    let mut tree = Tree::new(judgement, style);
    for (place, image) in judgement.images() {
        let conclusion = judgement.image_conclusion(place);
        if style.only_failures && conclusion == Conclusion::Passed {
            continue;
        }
        let title = title(judgement, place, image);
        let is_whole = matches!(conclusion, Conclusion::Passed | Conclusion::Skipped);
        let is_folded = groups == Groups::Commands && is_whole;
        if is_folded {
            writeln!(out, "::group::{}", escape::command_message(&title))?;
        } else {
            writeln!(out, "\n{}", style.paint(paint_of(conclusion), &title))?;
        }
        for finding in &image.findings {
            let (mark, paint) = entry::mark(judgement.gravity(finding), Verdict::NotChecked);
            let line = format!(
                "{mark} {}",
                finding_line(judgement.gravity(finding), finding)
            );
            writeln!(out, "  {}", style.paint(paint, &line))?;
        }
        match judgement.twin(place) {
            _ if report.skipped => {}
            Some(twin) => {
                writeln!(
                    out,
                    "  same digest as {}",
                    escape::line(&twin.reference.to_string())
                )?;
            }
            None => tree.write(place, out)?,
        }
        if is_folded {
            writeln!(out, "::endgroup::")?;
        }
    }
    writeln!(out)
}

/// `platform_missing: expected linux/arm64, …`; with the clients, where not all are stopped.
pub(super) fn finding_line(gravity: Gravity, finding: &Finding) -> String {
    let line = format!(
        "{}: {}",
        finding.as_str(),
        escape::line(&sentence::finding(finding))
    );
    match gravity {
        Gravity::Undecided => line,
        _ if finding.stops() == Clients::ALL => line,
        _ => format!("{line} ({} cannot pull it)", finding.stops()),
    }
}

/// Counts, hints and the verdict.
pub(super) fn write_end(
    judgement: &Judgement<'_>,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    write_remarks(judgement, style, out)?;
    let verdict = format!("pullproof: {}", headline::headline(judgement));
    let verdict = style.paint(paint_of(judgement.conclusion()), &verdict);
    writeln!(out, "{verdict}{}", headline::link(judgement))
}

/// Counts and hints.
fn write_remarks(judgement: &Judgement<'_>, style: Style, out: &mut dyn Write) -> io::Result<()> {
    if let Some(plan) = judgement
        .report
        .plan
        .as_ref()
        .filter(|plan| !plan.is_applied && !plan.steps.is_empty())
    {
        plan::write(plan, judgement.report.started_at, style, out)?;
        writeln!(out)?;
    }
    if !judgement.report.is_empty() {
        write_counts(judgement, out)?;
    }
    for advice in &judgement.advice {
        let names = advice.addressees();
        let names = names.map(|names| format!(" ({})", escape::line(&names)));
        let names = names.unwrap_or_default();
        writeln!(
            out,
            "{} {}",
            style.paint(Paint::Doubt, &format!("hint{names}:")),
            advice.sentence()
        )?;
        if let Some(command) = advice.command() {
            writeln!(out, "  see it: {command}")?;
        }
    }
    // That of a rebuild is in the log.
    let last = judgement.report.last_hint.as_ref();
    if let Some((_, text)) = last.filter(|(id, _)| id.starts_with("repair-")) {
        let hint = style.paint(Paint::Doubt, "hint:");
        writeln!(out, "{hint} {}", escape::line(text))?;
    }
    for (exit, reason) in headline::names(judgement) {
        let (mark, paint) = match exit {
            Exit::Broken => ("✗", Paint::Bad),
            _ => ("?", Paint::Doubt),
        };
        writeln!(out, "{}", style.paint(paint, &format!("{mark} {reason}")))?;
    }
    Ok(())
}

fn title(judgement: &Judgement<'_>, place: usize, image: &Subject) -> String {
    let reference = escape::line(&image.reference.to_string());
    format!(
        "{reference}: {}",
        judgement.image_conclusion(place).as_str()
    )
}

fn paint_of(conclusion: Conclusion) -> Paint {
    match conclusion {
        Conclusion::Passed => Paint::Good,
        Conclusion::Failed => Paint::Bad,
        Conclusion::Error | Conclusion::Skipped => Paint::Doubt,
    }
}

fn write_counts(judgement: &Judgement<'_>, out: &mut dyn Write) -> io::Result<()> {
    let counts = &judgement.counts;
    let results = [
        Conclusion::Passed,
        Conclusion::Failed,
        Conclusion::Error,
        Conclusion::Skipped,
    ]
    .map(|conclusion| {
        let number = judgement
            .images()
            .filter(|(image, _)| judgement.image_conclusion(*image) == conclusion)
            .count();
        (number, conclusion.as_str())
    });
    let states = [
        (counts.ok, "ok"),
        (counts.broken, "broken"),
        (counts.undecided, "undecided"),
        (counts.skipped, "skipped"),
    ];
    writeln!(
        out,
        "{:<10}{:>6}{}",
        "images",
        counts.images,
        parts(&results)
    )?;
    writeln!(
        out,
        "{:<10}{:>6}{}",
        "digests",
        counts.nodes,
        parts(&states)
    )?;
    writeln!(
        out,
        "{:<10}{:>6}: {} in {}",
        "requests",
        counts.requests,
        human::bytes(counts.bytes),
        human::duration(judgement.report.duration)
    )
}

fn parts(numbers: &[(usize, &str)]) -> String {
    let parts: Vec<String> = numbers
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, word)| format!("{number} {word}"))
        .collect();
    if parts.is_empty() {
        String::new()
    } else {
        format!(": {}", parts.join(", "))
    }
}

/// `config, 12 layers, 214 MB`.
fn content(configs: usize, layers: usize, bytes: u64) -> String {
    let mut parts = Vec::new();
    match configs {
        0 => {}
        1 => parts.push("config".to_owned()),
        more => parts.push(count(more, "config")),
    }
    if layers > 0 {
        parts.push(count(layers, "layer"));
    }
    parts.push(human::bytes(bytes));
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example::platform_missing;
    use crate::report::example::{
        Content, attestation, digest, index, layer, manifest, nothing, plain, report,
    };
    use crate::report::exit::Exit;
    use crate::report::{PipelineSummary, Report};
    use crate::walk::graph::{Care, Graph};
    use crate::walk::stop::Stop;

    fn written(report: &Report, style: Style) -> String {
        let mut out = Vec::new();
        write_header(
            report.depth,
            report.images().map(|image| &image.reference),
            &mut out,
        )
        .unwrap();
        write(&Judgement::of(report), style, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn text(report: &Report) -> String {
        written(report, Style::default())
    }

    fn last_line(report: &Report) -> String {
        text(report).lines().last().unwrap().to_owned()
    }

    #[test]
    fn whole_images_take_few_lines() {
        let image = index(0x10)
            .with(
                manifest(0x20, "linux/amd64")
                    .with(layer(0x22))
                    .with(layer(0x23)),
            )
            .with(manifest(0x30, "linux/arm64").with(layer(0x32)))
            .with(attestation(0x40).with(layer(0x42)));
        let expected = "\
pullproof 0.1.0, depth tail
  registry.example/app:1
  registry.example/app:latest

registry.example/app:1: passed
  ✓ index sha256:1010101010101010101010101010101010101010101010101010101010101010 ok: 2 manifests, 1 attestation
    ✓ linux/amd64 sha256:202020202020 ok: config, 2 layers, 20 MB
    ✓ linux/arm64 sha256:303030303030 ok: config, 1 layer, 10 MB
    ✓ attestation sha256:404040404040 ok: 1 layer, 10 MB

registry.example/app:latest: passed
  same digest as registry.example/app:1

images         2: 2 passed
digests       10: 10 ok
requests      12: 48.2 kB in 2.1 s
pullproof: PASSED: 2 images, 10 digests checked in 2.1 s, exit code 0
";
        let images = [
            ("registry.example/app:1", image.clone()),
            ("registry.example/app:latest", image),
        ];
        assert_eq!(text(&report(&images)), expected);
    }

    #[test]
    fn every_broken_digest_is_shown_once_in_full_with_affected_platforms() {
        let shared = || {
            layer(0x55).found(
                Verdict::Truncated,
                206,
                "expected 10000000 bytes, the last did not come",
            )
        };
        let image = index(0x10)
            .with(
                manifest(0x20, "linux/amd64")
                    .with(shared())
                    .with(layer(0x22)),
            )
            .with(
                manifest(0x30, "linux/arm64")
                    .with(shared())
                    .with(layer(0x32).missing()),
            )
            .with(attestation(0x40).missing().minor());
        let expected = "\
pullproof 0.1.0, depth tail
  registry.example/app:1
  registry.example/app:2

registry.example/app:1: failed
  ✗ index sha256:1010101010101010101010101010101010101010101010101010101010101010 (itself ok) 2 manifests, 1 attestation; 2 broken, 1 with a warning
    ✗ linux/amd64 sha256:202020202020 (itself ok) config, 1 layer, 10 MB; 1 broken
      ✗ layer sha256:5555555555555555555555555555555555555555555555555555555555555555 truncated: expected 10000000 bytes, the last did not come
          no platform can be pulled; status 206, 1 request in 20 ms
    ✗ linux/arm64 sha256:303030303030 (itself ok) config, 1 kB; 2 broken
      ✗ layer sha256:555555555555 truncated (as above)
      ✗ layer sha256:3232323232323232323232323232323232323232323232323232323232323232 missing: expected it to be there, got 404
          linux/arm64 cannot be pulled; status 404, 5 requests in 15.1 s
    ! attestation sha256:4040404040404040404040404040404040404040404040404040404040404040 missing: expected it to be there, got 404
        provenance only; status 404, 5 requests in 15.1 s

registry.example/app:2: failed
  ✗ manifest sha256:6060606060606060606060606060606060606060606060606060606060606060 (itself ok) config, 1 kB; 1 broken
    ✗ layer sha256:555555555555 truncated (as above)
        the image cannot be pulled; status 206, 1 request in 20 ms

images         2: 2 failed
digests       11: 8 ok, 3 broken
requests      12: 48.2 kB in 2.1 s
";
        let text = text(&report(&[
            ("registry.example/app:1", image),
            ("registry.example/app:2", plain(0x60).with(shared())),
        ]));
        let (body, end) = text.split_at(text.find("hint:").unwrap());
        assert_eq!(body, expected);
        let hints: Vec<_> = end
            .lines()
            .filter(|line| line.starts_with("hint"))
            .collect();
        assert_eq!(hints.len(), 2, "{hints:#?}");
        assert!(
            hints[0].starts_with("hint: the registry states")
                && hints[1].starts_with("hint (app:1): some")
        );
        assert_eq!(
            end.lines().last(),
            Some(
                "pullproof: FAILED: 2 of 2 images cannot be pulled (2 broken digests), exit code 1"
            )
        );
    }

    #[test]
    fn the_last_line_is_the_verdict_for_every_end() {
        let whole = || ("app:1", plain(0x20).with(layer(0x22)));
        let lost = || ("app:2", plain(0x30).with(layer(0x32).missing()));
        let mut interrupted = report(&[
            whole(),
            ("app:3", plain(0x40).with(layer(0x42).not_checked())),
        ]);
        interrupted.stopped = Some(Stop::Interrupt);
        let mut late = report(&[whole()]);
        late.stopped = Some(Stop::Timeout);
        let mut terminated = report(&[lost()]);
        terminated.stopped = Some(Stop::Terminate);
        let mut forgiving = report(&[lost()]);
        forgiving.never_fail = true;
        let mut dry = report(&[("app:1", nothing().not_checked())]);
        dry.skipped = true;
        let mut other = report(&[whole(), lost()]);
        other.image_mut(0).findings.push(platform_missing("a"));
        for (report, expected) in [
            (
                report(&[whole(), lost()]),
                "FAILED: 1 of 2 images cannot be pulled (1 broken digest), exit code 1",
            ),
            (
                other,
                "FAILED: 1 of 2 images cannot be pulled, 1 of 2 images is not as expected (1 broken digest, 1 finding), \
                 exit code 1",
            ),
            (
                report(&[("app:1", nothing().denied())]),
                "REFUSED: docker.io refuses access to library/app, exit code 3",
            ),
            (
                report(&[whole(), ("app:3", nothing().unreachable("timed out"))]),
                "UNDECIDED: 1 of 2 images could not be checked, 1 digest undecided, exit code 4",
            ),
            (
                late,
                "UNDECIDED: stopped at `timeout`, 3 of at least 3 digests checked, exit code 4",
            ),
            (
                interrupted,
                "INTERRUPTED: 5 of at least 6 digests checked, nothing broken so far, exit code \
                 130",
            ),
            (
                terminated,
                "INTERRUPTED: so far library/app:2 cannot be pulled: 1 layer is missing, exit code \
                 143",
            ),
            (
                forgiving,
                "FAILED: library/app:2 cannot be pulled: 1 layer is missing, exit code 0 because of \
                 `fail_on: never`",
            ),
            (
                dry,
                "SKIPPED: nothing was pushed (dry run), so nothing was checked, exit code 0",
            ),
            (
                report(&[]),
                "ERROR: there is no image to check, exit code 2",
            ),
            (
                report(&[("app:1", index(0x10))]),
                "ERROR: 1 of 1 image had nothing to check, which is never a pass, exit code 2",
            ),
        ] {
            assert_eq!(last_line(&report), format!("pullproof: {expected}"));
        }
    }

    #[test]
    fn a_warning_does_not_make_the_whole_look_broken() {
        let image = index(0x10)
            .with(manifest(0x20, "linux/amd64"))
            .with(attestation(0x30).missing().minor());
        let text = text(&report(&[("app:1", image)]));
        assert!(
            text.contains("library/app:1: passed\n  ! index sha256:10"),
            "{text}"
        );
        assert!(text.contains("    ! attestation sha256:30"), "{text}");
        assert!(
            text.ends_with("PASSED, 1 warning: 1 image, 4 digests checked in 2.1 s, exit code 0\n"),
            "{text}"
        );
    }

    #[test]
    fn a_late_manifest_states_its_delay() {
        let late = |content: Content| content.found(Verdict::Ok, 200, "appeared after 6.2 s");
        let image = report(&[(
            "app:1",
            late(index(0x10).with(late(manifest(0x20, "linux/amd64")))),
        )]);
        let text = text(&image);
        assert!(
            text.contains(" ok: 1 manifest; appeared after 6.2 s\n"),
            "{text}"
        );
        assert!(
            text.contains(" ok: config, 1 kB; appeared after 6.2 s\n"),
            "{text}"
        );
    }

    #[test]
    fn a_reference_that_leads_nowhere_is_called_a_reference() {
        let text = text(&report(&[(
            "app:1",
            nothing().unreachable("cannot connect"),
        )]));
        assert!(
            text.contains("app:1: error\n  ? reference unavailable: cannot connect\n"),
            "{text}"
        );
    }

    #[test]
    fn wrong_settings_print_only_the_verdict() {
        let report = report(&[]);
        let judgement =
            Judgement::of(&report).ending_in(Exit::Configuration, Some("depth: got deep".into()));
        let mut out = Vec::new();
        write(&judgement, Style::default(), &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "pullproof: ERROR: nothing was checked, exit code 2\n"
        );
    }

    #[test]
    fn verbose_names_every_digest() {
        let image = report(&[(
            "app:1",
            index(0x10).with(manifest(0x20, "linux/amd64").with(layer(0x22))),
        )]);
        let text = written(
            &image,
            Style {
                verbose: true,
                ..Style::default()
            },
        );
        for name in [0x10, 0x20, 0x21, 0x22] {
            assert!(
                text.contains(digest(name).as_ref()),
                "{name:02x} is not in\n{text}"
            );
        }
    }

    #[test]
    fn more_than_fifty_whole_manifests_are_folded() {
        let manifests = |number: u8| {
            (0..number).fold(index(1), |index, place| {
                index.with(manifest(2 + 2 * place, &format!("linux/a{place}")))
            })
        };
        let fifty = text(&report(&[("app:1", manifests(50))]));
        assert!(!fifty.contains("whole manifests"), "{fifty}");
        assert!(fifty.contains("linux/a49"));
        let lost = manifest(0xe0, "linux/lost").with(layer(0xe2).missing());
        let text = text(&report(&[("app:1", manifests(51).with(lost))]));
        assert!(text.contains("✓ 51 whole manifests\n"), "{text}");
        assert!(!text.contains("linux/a1 "), "{text}");
        assert!(text.contains("linux/lost cannot be pulled"), "{text}");
    }

    #[test]
    fn a_rebuild_shows_both_verifications_and_the_second_is_last() {
        let mut after = report(&[("app:1", plain(0x20).with(layer(0x22)))]);
        after.before = Some(Box::new(report(&[(
            "app:1",
            plain(0x30).with(layer(0x32).missing()),
        )])));
        after.pipeline = Some(PipelineSummary {
            number: 7,
            url: "https://ci.example/repos/1/pipeline/7".into(),
            status: "success".into(),
        });
        let text = text(&after);
        let places = [
            "before the rebuild:",
            "FAILED: ",
            "pipeline 7: success, https://ci.example",
            "PASSED: 1 image",
        ]
        .map(|part| {
            text.find(part)
                .unwrap_or_else(|| panic!("{part} is not in\n{text}"))
        });
        assert!(places.is_sorted(), "{text}");
        assert!(text.ends_with("exit code 0\n"));
        let first =
            "\nbefore the rebuild: FAILED: library/app:1 cannot be pulled: 1 layer is missing\n";
        assert!(text.contains(first), "{text}");
        assert_eq!(text.matches("\npullproof: ").count(), 1, "{text}");
    }

    #[test]
    fn a_rebuild_alone_is_one_line_with_the_link_at_its_end() {
        let url = "https://ci.example/repos/1/pipeline/7";
        let mut rebuilt = report(&[]);
        rebuilt.pipeline = Some(PipelineSummary {
            number: 7,
            url: url.into(),
            status: "success".into(),
        });
        let written = |judgement: Judgement<'_>| {
            let mut out = Vec::new();
            write(&judgement, Style::default(), &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let good = Judgement::of(&rebuilt)
            .ending_in(Exit::Verified, None)
            .remarking("pipeline #7 succeeded".into());
        assert_eq!(
            written(good),
            format!("pullproof: PASSED: pipeline #7 succeeded, exit code 0: {url}\n")
        );
        let bad = Judgement::of(&rebuilt)
            .ending_in(Exit::RebuildFailed, Some("pipeline #7 failed".into()));
        assert_eq!(
            written(bad),
            format!("pullproof: FAILED: pipeline #7 failed, exit code 6: {url}\n")
        );
    }

    #[test]
    fn a_rebuild_that_fixes_nothing_reports_the_fault_and_the_link() {
        let url = "https://ci.example/repos/1/pipeline/7";
        let mut broken = report(&[("app:1", plain(0x20).with(layer(0x22).missing()))]);
        broken.pipeline = Some(PipelineSummary {
            number: 7,
            url: url.into(),
            status: "failure".into(),
        });
        let images = "library/app:1 cannot be pulled: 1 layer is missing";
        let headline =
            |judgement: Judgement<'_>| headline::headline(&judgement) + &headline::link(&judgement);
        for (exit, end) in [
            (
                Exit::RebuildFailed,
                "FAILED: {images}, and the rebuild ran and failed: why, exit code 6: {url}",
            ),
            (
                Exit::RebuildNotStarted,
                "FAILED: {images}, and the rebuild was not started: why, exit code 5: {url}",
            ),
            (
                Exit::Unknown,
                "FAILED: {images}, and the rebuild's result could not be read: why, exit code 4: \
                 {url}",
            ),
            (
                Exit::Terminated,
                "INTERRUPTED: so far {images}; why, exit code 143: {url}",
            ),
        ] {
            let judgement = Judgement::of(&broken).ending_in(exit, Some("why".into()));
            assert_eq!(
                headline(judgement),
                end.replace("{images}", images).replace("{url}", url)
            );
        }
        let started = Judgement::of(&broken).remarking("pipeline #7 was started".into());
        assert_eq!(
            headline(started),
            format!("FAILED: {images}; pipeline #7 was started, exit code 1: {url}")
        );
    }

    #[test]
    fn an_index_that_lists_a_manifest_twice_shows_it_once() {
        let mut report = report(&[(
            "app:1",
            index(0x10).with(manifest(0x20, "linux/amd64").with(layer(0x22).missing())),
        )]);
        let root = report.image(0).root;
        let graph: &mut Graph = report.graph_mut();
        let twice = graph.node(root).children().next().unwrap();
        let (to, platform) = (twice.to, twice.platform.cloned());
        graph.connect(root, to, platform.as_ref(), Care::Check);
        let text = text(&report);
        let line = format!("layer {} missing", digest(0x22));
        assert_eq!(text.matches(&line).count(), 1, "{text}");
        assert!(text.contains("1 broken (as above)\n"), "{text}");
        assert!(
            text.contains("cannot be pulled: 1 layer is missing"),
            "{text}"
        );
    }

    #[test]
    fn colours_are_only_there_when_wanted() {
        let image = report(&[("app:1", plain(0x20).with(layer(0x22).missing()))]);
        assert!(!text(&image).contains('\u{1b}'));
        let text = written(
            &image,
            Style {
                colour: true,
                ..Style::default()
            },
        );
        assert!(text.ends_with("exit code 1\u{1b}[0m\n"), "{text}");
        let mut rebuilt = report(&[]);
        rebuilt.pipeline = Some(PipelineSummary {
            number: 7,
            url: "https://ci.example/7".into(),
            status: "success".into(),
        });
        let mut out = Vec::new();
        let judgement = Judgement::of(&rebuilt)
            .ending_in(Exit::Verified, None)
            .remarking("pipeline #7".into());
        write(
            &judgement,
            Style {
                colour: true,
                ..Style::default()
            },
            &mut out,
        )
        .unwrap();
        assert!(
            out.ends_with(b"exit code 0\x1b[0m: https://ci.example/7\n"),
            "a link takes all up to a space"
        );
    }

    #[test]
    fn findings_stand_below_their_image() {
        let mut report = report(&[("app:1", plain(0x20).with(layer(0x22)))]);
        report.image_mut(0).findings.push(platform_missing("linux"));
        let text = text(&report);
        assert!(
            text.contains(
                "library/app:1: failed\n  ✗ platform_missing: expected linux/arm64, the image \
                 has linux/amd64\n"
            ),
            "{text}"
        );
        assert!(
            text.ends_with("FAILED: library/app:1 has no linux/arm64, exit code 1\n"),
            "{text}"
        );
    }
}
