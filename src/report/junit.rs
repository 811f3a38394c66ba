//! The report as JUnit XML: a test suite per image, a test case per manifest and per digest that is
//! not ok.

use std::collections::HashSet;
use std::io::{self, Write};
use std::time::SystemTime;

use super::audit::{Audit, Fault};
use super::exit::{Conclusion, Exit};
use super::judged::{Judged, Root};
use super::judgement::Judgement;
use super::platforms::Platforms;
use super::text::is_unresolved;
use super::{sentence, timestamp};
use crate::oci::reference::Reference;
use crate::report::judged::Gravity;
use crate::text::escape;
use crate::walk::checked::Subject;
use crate::walk::graph::NodeId;
use crate::walk::verdict::Verdict;

/// Writes the start of an audit's report.
///
/// # Errors
/// When `out` cannot be written to.
pub(crate) fn write_opening(out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
    writeln!(out, r#"<testsuites name="pullproof">"#)
}

/// Writes a repository of an audit as a test suite, with a test case for each tag.
///
/// # Errors
/// When `out` cannot be written to.
pub(crate) fn write_repository(
    judged: &Judged<'_>,
    started_at: SystemTime,
    out: &mut dyn Write,
) -> io::Result<()> {
    let tags = |visit: &mut dyn FnMut(Case) -> io::Result<()>| {
        for (place, subject) in judged.checked.subjects.iter().enumerate() {
            let outcome = match judged.exit(place) {
                Exit::Verified => Outcome::Passed,
                exit => {
                    let fault = Fault::of(judged, place);
                    let used = Some(fault.use_in_words()).filter(|used| !used.is_empty());
                    let users = used.into_iter().chain(fault.users_in_words());
                    let lines = [fault.summary].into_iter().chain(users).chain(fault.lines);
                    let text = lines.collect::<Vec<_>>().join("\n");
                    let kind = Conclusion::from(exit).as_str().to_owned();
                    if exit == Exit::Broken {
                        Outcome::Failure(kind, text)
                    } else {
                        Outcome::Error(kind, text)
                    }
                }
            };
            visit(Case {
                name: case_name(&subject.reference),
                seconds: 0.0,
                outcome,
            })?;
        }
        Ok(())
    };
    write_cases(
        started_at,
        &judged.checked.repository.to_string(),
        &tags,
        out,
    )
}

/// A tag, or a digest that has none.
fn case_name(reference: &Reference) -> String {
    let digest = reference.digest.as_ref().map(ToString::to_string);
    reference.tag.clone().or(digest).unwrap_or_default()
}

/// Writes what could not be read, and the end of an audit's report.
///
/// # Errors
/// When `out` cannot be written to.
pub(crate) fn write_closing(audit: &Audit, out: &mut dyn Write) -> io::Result<()> {
    let unread = |visit: &mut dyn FnMut(Case) -> io::Result<()>| {
        let outcome = |text: &str| Outcome::Error("error".to_owned(), text.to_owned());
        for unread in &audit.unread {
            visit(Case {
                name: unread.name.clone(),
                seconds: 0.0,
                outcome: outcome(&unread.detail),
            })?;
        }
        match audit.reason().filter(|_| audit.unread.is_empty()) {
            Some(reason) => visit(Case {
                name: "run".to_owned(),
                seconds: 0.0,
                outcome: outcome(&reason),
            }),
            None => Ok(()),
        }
    };
    if audit.reason().is_some() {
        write_cases(audit.started_at, "pullproof", &unread, out)?;
    }
    writeln!(out, "</testsuites>")
}

/// Writes the report as JUnit XML.
///
/// # Errors
/// When `out` cannot be written to.
pub(crate) fn write(judgement: &Judgement<'_>, out: &mut dyn Write) -> io::Result<()> {
    let seconds = judgement.report.duration.as_secs_f64();
    writeln!(out, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
    writeln!(out, r#"<testsuites name="pullproof" time="{seconds:.3}">"#)?;
    for (place, image) in judgement.images() {
        write_suite(judgement, place, image, out)?;
    }
    if let Some(reason) = judgement.reason() {
        let outcome = || Outcome::Error("error".to_owned(), reason.to_owned());
        write_cases(
            judgement.report.started_at,
            "pullproof",
            &|visit| {
                visit(Case {
                    name: "run".to_owned(),
                    seconds: 0.0,
                    outcome: outcome(),
                })
            },
            out,
        )?;
    }
    writeln!(out, "</testsuites>")
}

/// The result of a test case.
enum Outcome {
    Passed,
    Failure(String, String),
    Error(String, String),
    Skipped(String),
}

struct Case {
    name: String,
    seconds: f64,
    outcome: Outcome,
}

/// Visited twice, first to be counted and then to be written: there may be a hundred thousand.
type Cases<'c> = &'c dyn Fn(&mut dyn FnMut(Case) -> io::Result<()>) -> io::Result<()>;

fn write_suite(
    judgement: &Judgement<'_>,
    place: usize,
    image: &Subject,
    out: &mut dyn Write,
) -> io::Result<()> {
    write_cases(
        judgement.report.started_at,
        &image.reference.to_string(),
        &|visit| cases(judgement, place, image, visit),
        out,
    )
}

fn write_cases(
    started_at: SystemTime,
    suite: &str,
    cases: Cases<'_>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let suite = escape::xml(suite);
    let (mut tests, mut failures, mut errors, mut skipped) = (0, 0, 0, 0);
    cases(&mut |case| {
        tests += 1;
        match case.outcome {
            Outcome::Passed => {}
            Outcome::Failure(..) => failures += 1,
            Outcome::Error(..) => errors += 1,
            Outcome::Skipped(..) => skipped += 1,
        }
        Ok(())
    })?;
    writeln!(
        out,
        r#"  <testsuite name="{suite}" tests="{tests}" failures="{failures}" errors="{errors}" skipped="{skipped}" timestamp="{}">"#,
        timestamp::utc(started_at),
    )?;
    cases(&mut |case| {
        let name = escape::xml(&case.name);
        write!(
            out,
            r#"    <testcase classname="{suite}" name="{name}" time="{:.3}""#,
            case.seconds
        )?;
        match &case.outcome {
            Outcome::Passed => writeln!(out, "/>"),
            Outcome::Skipped(why) => writeln!(
                out,
                r#"><skipped message="{}"/></testcase>"#,
                escape::xml(why)
            ),
            Outcome::Failure(kind, text) => writeln!(out, "{}", problem("failure", kind, text)),
            Outcome::Error(kind, text) => writeln!(out, "{}", problem("error", kind, text)),
        }
    })?;
    writeln!(out, "  </testsuite>")
}

fn problem(element: &str, kind: &str, text: &str) -> String {
    let (kind, text) = (escape::xml(kind), escape::xml(text));
    format!(r#"><{element} type="{kind}" message="{text}">{text}</{element}></testcase>"#)
}

/// Visits every case of one image.
fn cases(
    judgement: &Judgement<'_>,
    place: usize,
    image: &Subject,
    visit: &mut dyn FnMut(Case) -> io::Result<()>,
) -> io::Result<()> {
    let root = judgement.root(place);
    let graph = root.graph;
    let platforms = Platforms::of(graph, root.node);
    for finding in &image.findings {
        let kind = finding.as_str();
        let text = sentence::finding(finding);
        let outcome = match judgement.gravity(finding) {
            Gravity::Broken => Outcome::Failure(kind.to_owned(), text),
            Gravity::Undecided => Outcome::Error(kind.to_owned(), text),
            Gravity::Warned | Gravity::None => Outcome::Skipped(format!("{kind}: {text}")),
        };
        visit(Case {
            name: kind.to_owned(),
            seconds: 0.0,
            outcome,
        })?;
    }
    if judgement.image_exit(place) == Exit::Configuration && !judgement.report.skipped {
        let text = "nothing to check".to_owned();
        visit(Case {
            name: text.clone(),
            seconds: 0.0,
            outcome: Outcome::Error("nothing_to_check".to_owned(), text),
        })?;
    }
    let warned: HashSet<NodeId> = root.warned.iter().copied().collect();
    for id in graph.reachable(root.node) {
        let node = graph.node(id);
        if node.kind().is_manifest() || node.verdict() != Verdict::Ok {
            let platform = platforms
                .stated(id)
                .map(|platform| format!("{platform} "))
                .unwrap_or_default();
            let name = match node.digest() {
                Some(digest) => format!("{platform}{} {digest}", node.kind().as_str()),
                None if is_unresolved(root, id, node) => format!("reference {}", image.reference),
                None => format!("{platform}{} without a digest", node.kind().as_str()),
            };
            let outcome = outcome(judgement, root, id, warned.contains(&id));
            visit(Case {
                name,
                seconds: node.duration().as_secs_f64(),
                outcome,
            })?;
        }
    }
    Ok(())
}

fn outcome(judgement: &Judgement<'_>, root: &Root<'_>, id: NodeId, warned: bool) -> Outcome {
    let node = root.graph.node(id);
    let verdict = node.verdict().as_str().to_owned();
    let broken = root.is_broken(id);
    let detail = match sentence::cause(node.cause()) {
        cause if cause.is_empty() => verdict.clone(),
        cause => cause,
    };
    let outcome = match root.consequence(id) {
        Some(affected) => format!("{affected}: {detail}"),
        None => detail,
    };
    match node.verdict() {
        Verdict::Ok if warned => Outcome::Skipped(format!("warning: {outcome}")),
        Verdict::Ok => Outcome::Passed,
        Verdict::Skipped => Outcome::Skipped(outcome),
        _ if judgement.report.skipped || warned => {
            Outcome::Skipped(format!("{verdict}: {outcome}"))
        }
        _ if broken => Outcome::Failure(verdict, outcome),
        _ => Outcome::Error(verdict, outcome),
    }
}

#[cfg(test)]
mod tests {
    use crate::report::example::platform_missing;
    use std::time::SystemTime;

    use super::*;
    use crate::report::Report;
    use crate::report::example::{attestation, index, layer, manifest, nothing, plain, report};
    use crate::walk::cause::Cause;
    use crate::walk::rules::Depth;

    fn junit(judgement: &Judgement<'_>) -> String {
        let mut out = Vec::new();
        write(judgement, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn definite_is_a_failure_and_undecided_is_an_error() {
        let image = index(0x10)
            .with(manifest(0x20, "linux/amd64").with(layer(0x22).found(
                Verdict::Empty,
                206,
                "a <b> & \"c\"\u{1b}",
            )))
            .with(manifest(0x30, "linux/arm64").skipped(Cause::AllowedMissing))
            .with(attestation(0x40).missing().minor());
        let mut report = report(&[("app:1", image), ("app:2", nothing().denied())]);
        report.image_mut(1).findings.push(platform_missing("a"));
        let expected = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="pullproof" time="2.100">
  <testsuite name="docker.io/library/app:1" tests="5" failures="1" errors="0" skipped="2" timestamp="2026-07-01T10:00:00.123Z">
    <testcase classname="docker.io/library/app:1" name="index sha256:1010101010101010101010101010101010101010101010101010101010101010" time="0.020"/>
    <testcase classname="docker.io/library/app:1" name="linux/amd64 manifest sha256:2020202020202020202020202020202020202020202020202020202020202020" time="0.020"/>
    <testcase classname="docker.io/library/app:1" name="layer sha256:2222222222222222222222222222222222222222222222222222222222222222" time="0.020"><failure type="empty" message="linux/amd64 cannot be pulled: a &lt;b&gt; &amp; &quot;c&quot;\u{1b}">linux/amd64 cannot be pulled: a &lt;b&gt; &amp; &quot;c&quot;\u{1b}</failure></testcase>
    <testcase classname="docker.io/library/app:1" name="linux/arm64 manifest sha256:3030303030303030303030303030303030303030303030303030303030303030" time="0.000"><skipped message="not there, as allow_missing allows"/></testcase>
    <testcase classname="docker.io/library/app:1" name="unknown/unknown attestation sha256:4040404040404040404040404040404040404040404040404040404040404040" time="15.100"><skipped message="missing: provenance only: expected it to be there, got 404"/></testcase>
  </testsuite>
  <testsuite name="docker.io/library/app:2" tests="2" failures="1" errors="1" skipped="0" timestamp="2026-07-01T10:00:00.123Z">
    <testcase classname="docker.io/library/app:2" name="platform_missing" time="0.000"><failure type="platform_missing" message="expected linux/arm64, the image has a/amd64">expected linux/arm64, the image has a/amd64</failure></testcase>
    <testcase classname="docker.io/library/app:2" name="reference docker.io/library/app:2" time="0.020"><error type="denied" message="the image could not be checked: pull access refused">the image could not be checked: pull access refused</error></testcase>
  </testsuite>
</testsuites>
"#;
        assert_eq!(junit(&Judgement::of(&report)), expected);
    }

    #[test]
    fn nothing_to_check_and_wrong_settings_are_errors() {
        let empty = junit(&Judgement::of(&report(&[("app:1", index(0x10))])));
        assert!(
            empty.contains(r#"<error type="nothing_to_check""#),
            "{empty}"
        );
        let report = Report::empty(Depth::Tail, SystemTime::UNIX_EPOCH);
        let wrong = junit(
            &Judgement::of(&report).ending_in(Exit::Configuration, Some("depth: got deep".into())),
        );
        assert!(
            wrong.contains(r#"<error type="error" message="depth: got deep">"#),
            "{wrong}"
        );
    }

    #[test]
    fn a_dry_run_is_skipped() {
        let mut report = report(&[("app:1", nothing().not_checked())]);
        report.skipped = true;
        let junit = junit(&Judgement::of(&report));
        assert!(
            junit.contains(r#"tests="1" failures="0" errors="0" skipped="1""#),
            "{junit}"
        );
    }

    #[test]
    fn a_whole_image_has_a_case_for_each_manifest() {
        let junit = junit(&Judgement::of(&report(&[(
            "app:1",
            plain(0x20).with(layer(0x22)),
        )])));
        assert_eq!(junit.matches("<testcase").count(), 1, "{junit}");
        assert_eq!(junit.matches("/>").count(), 1, "{junit}");
    }
}
