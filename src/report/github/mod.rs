//! The report for GitHub Actions: the text with groups and annotations.

pub(super) mod alert;
mod annotation;
mod marks;
mod mask;
mod outputs;
mod summary;

use std::io::{self, Write};

pub(super) use self::annotation::{ANNOTATIONS, message};
pub(crate) use self::mask::write_masks;
pub(super) use self::outputs::write_value;
pub(crate) use self::outputs::{Extras, write_outputs};
pub(super) use self::summary::write_rows;
pub(crate) use self::summary::write_summary;
use super::exit::Exit;
use super::hint::Advice;
use super::judgement::Judgement;
use super::text::{self, Groups, Style};
use crate::report::judged::Gravity;
use crate::text::escape::{command_message, command_property, line};
use crate::text::human::count;

/// How many digests one annotation names.
const NAMED: usize = 5;

/// Writes the report as text, with a group for every image and an annotation for every one that is
/// not whole.
///
/// # Errors
/// When `out` cannot be written to.
pub(crate) fn write(
    judgement: &Judgement<'_>,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    text::write_before(judgement, style, Groups::Commands, out)?;
    text::write_body(judgement, style, Groups::Commands, out)?;
    write_annotations(judgement, out)?;
    text::write_end(judgement, style, out)
}

fn write_annotations(judgement: &Judgement<'_>, out: &mut dyn Write) -> io::Result<()> {
    if let Some(reason) = judgement.reason() {
        writeln!(
            out,
            "::error title=pullproof::{}",
            command_message(&message(
                &[line(reason)],
                judgement.hint().as_deref().map(line)
            ))
        )?;
    }
    let grave = |image: &usize| judgement.image_exit(*image) != Exit::Verified;
    let minor = |image: &usize| !grave(image) && !judgement.root(*image).warned.is_empty();
    let images = || {
        judgement
            .images()
            .map(|(image, _)| image)
            .filter(|_| !judgement.report.skipped)
    };
    write_kind(
        "error",
        judgement,
        &images().filter(grave).collect::<Vec<_>>(),
        out,
    )?;
    write_kind(
        "warning",
        judgement,
        &images().filter(minor).collect::<Vec<_>>(),
        out,
    )
}

fn write_kind(
    kind: &str,
    judgement: &Judgement<'_>,
    images: &[usize],
    out: &mut dyn Write,
) -> io::Result<()> {
    for image in images.iter().take(ANNOTATIONS) {
        let title = command_property(&line(&judgement.report.image(*image).reference.to_string()));
        writeln!(
            out,
            "::{kind} title={title}::{}",
            command_message(&of_image(judgement, *image))
        )?;
    }
    let rest = images.len().saturating_sub(ANNOTATIONS);
    if rest > 0 {
        let be = if rest == 1 { "is" } else { "are" };
        let more = count(rest, "more image");
        writeln!(
            out,
            "::{kind} title=pullproof::{more} {be} not whole, see the log of this step"
        )?;
    }
    Ok(())
}

/// What is wrong with one image, in a few lines, and what to do.
fn of_image(judgement: &Judgement<'_>, image: usize) -> String {
    let findings = judgement.report.image(image).findings.iter();
    let counted = findings.filter(|one| judgement.gravity(one) != Gravity::Warned);
    let mut lines: Vec<String> = counted
        .map(|finding| text::finding_line(judgement.gravity(finding), finding))
        .collect();
    let root = judgement.root(image);
    let more = root.faults().count().saturating_sub(NAMED);
    lines.extend(text::faults(root).take(NAMED));
    if more > 0 {
        lines.push(format!(
            "and {}, see the log of this step",
            count(more, "more digest")
        ));
    }
    if lines.is_empty() {
        lines.push("nothing to check, which is never a pass".to_owned());
    }
    let reference = &judgement.report.image(image).reference;
    let advice = (judgement.advice.iter()).filter(|advice| advice.images.contains(reference));
    message(&lines, advice.map(Advice::text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Report;
    use crate::report::example::{
        attestation, index, layer, manifest, plain, platform_missing, report,
    };

    fn github(report: &Report) -> String {
        let mut out = Vec::new();
        write(&Judgement::of(report), Style::default(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    /// The lines that the runner would obey.
    fn commands(text: &str) -> Vec<&str> {
        text.lines()
            .filter(|line| line.trim_start().starts_with("::") || line.contains("##["))
            .collect()
    }

    #[test]
    fn a_broken_image_is_in_view_and_an_annotation() {
        let mut report = report(&[
            ("app:1", plain(0x20).with(layer(0x22).missing())),
            (
                "app:2",
                index(0x10)
                    .with(manifest(0x30, "linux/amd64"))
                    .with(attestation(0x40).missing().minor()),
            ),
        ]);
        report
            .image_mut(0)
            .findings
            .push(platform_missing("a,\n100%"));
        let text = github(&report);
        let without_hints = |line: &str| line.split("%0Ahint: ").next().unwrap().to_owned();
        assert_eq!(
            commands(&text)
                .into_iter()
                .map(without_hints)
                .collect::<Vec<_>>(),
            [
                "::group::docker.io/library/app:2: passed",
                "::endgroup::",
                "::error title=docker.io/library/app%3A1::platform_missing: expected linux/arm64, the image has a, 100%25/amd64%0A\
                 layer sha256:2222222222222222222222222222222222222222222222222222222222222222 missing: \
                 expected it to be there, got 404 (the image cannot be pulled)",
                "::warning title=docker.io/library/app%3A2::\
                 attestation sha256:4040404040404040404040404040404040404040404040404040404040404040 missing: \
                 expected it to be there, got 404 (provenance only)",
            ]
        );
        assert!(
            text.starts_with("\ndocker.io/library/app:1: failed\n"),
            "{text}"
        );
        assert!(text.ends_with(", exit code 1\n"), "{text}");
    }

    #[test]
    fn only_what_is_whole_is_folded() {
        let lost = |name| plain(name).with(layer(name + 2).missing());
        let text = github(&report(&[
            ("app:1", plain(0x20)),
            ("app:2", lost(0x30)),
            ("app:3", plain(0x40).with(layer(0x42).denied())),
        ]));
        let groups = text.matches("::group::").count();
        assert_eq!(
            (groups, text.matches("::endgroup::").count()),
            (1, 1),
            "{text}"
        );
        let folded = text.split("::group::").nth(1).unwrap();
        let folded = folded.split("::endgroup::").next().unwrap();
        assert!(
            folded.starts_with("docker.io/library/app:1: passed\n"),
            "{text}"
        );
        assert!(
            !folded.contains("app:2") && !folded.contains("app:3"),
            "{text}"
        );
    }

    #[test]
    fn an_annotation_ends_with_the_hints_for_its_image() {
        let text = github(&report(&[
            ("app:1", plain(0x20).with(layer(0x22).missing())),
            ("app:2", plain(0x30).with(layer(0x32).denied())),
        ]));
        let message = |tag: &str| {
            let start = format!("::error title=docker.io/library/app%3A{tag}::");
            let line = text.lines().find_map(|line| line.strip_prefix(&start));
            line.unwrap_or_else(|| panic!("{tag}: {text}")).to_owned()
        };
        let (lost, denied) = (message("1"), message("2"));
        let hint = "%0Ahint: a manifest is there, but content it refers to answers 404";
        assert!(lost.contains(hint) && !denied.contains(hint), "{text}");
        let hint = "%0Ahint: docker.io wants a login for library/app";
        assert!(denied.contains(hint) && !lost.contains(hint), "{text}");
    }

    #[test]
    fn a_reason_is_annotated_with_its_hint() {
        let report = report(&[]);
        let judgement = Judgement::of(&report)
            .ending_in(Exit::Configuration, Some("no url".into()))
            .hinting("set woodpecker_url ##[x]".into());
        let mut out = Vec::new();
        write(&judgement, Style::default(), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let line = "::error title=pullproof::no url%0Ahint: set woodpecker_url # #[x]\n";
        assert!(text.starts_with(line), "{text}");
    }

    #[test]
    fn a_broken_image_has_no_warning_beside_its_error() {
        let image = index(0x10)
            .with(manifest(0x20, "linux/amd64").missing())
            .with(attestation(0x30).missing().minor());
        let text = github(&report(&[("app:1", image)]));
        assert_eq!(text.matches("\n::error ").count(), 1, "{text}");
        assert_eq!(text.matches("\n::warning ").count(), 0, "{text}");
    }

    #[test]
    fn the_tenth_annotation_is_the_sum_of_the_rest() {
        let names: Vec<String> = (0..12).map(|number| format!("app:{number}")).collect();
        let images: Vec<_> = names
            .iter()
            .map(|name| (name.as_str(), plain(0x20).missing()))
            .collect();
        let text = github(&report(&images));
        let errors: Vec<_> = commands(&text)
            .into_iter()
            .filter(|line| line.starts_with("::error"))
            .collect();
        assert_eq!(errors.len(), 10);
        assert_eq!(
            errors[9],
            "::error title=pullproof::3 more images are not whole, see the log of this step"
        );
    }

    #[test]
    fn an_image_with_many_faults_is_one_short_annotation() {
        let image = (0x30..0x80).fold(plain(0x20), |image, name| image.with(layer(name).missing()));
        let text = github(&report(&[("app:1", image)]));
        let error = text
            .lines()
            .find(|line| line.starts_with("::error"))
            .unwrap();
        assert!(
            error.len() < 4096
                && error.contains("%0Aand 75 more digests, see the log of this step%0Ahint: "),
            "{error}"
        );
    }
}
