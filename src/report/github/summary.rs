//! The step summary: one table for all images, and what is broken folded below it.

use std::io::{self, Write};

use super::super::headline;
use super::super::judged::{Judged, Root};
use super::super::judgement::Judgement;
use super::super::platforms::Platforms;
use super::super::sentence;
use super::super::text::is_unresolved;
use crate::text::escape::markdown;
use crate::text::human::{self, count};
use crate::walk::graph::NodeId;

/// GitHub drops a summary of more than 1 MiB as a whole; the two parts together stay below.
const TABLE: usize = 400_000;
const DETAILS: usize = 500_000;

/// Writes the summary as markdown, always less than 1 MiB; rows that do not fit are counted.
///
/// # Errors
/// When `out` cannot be written to.
pub(crate) fn write_summary(judgement: &Judgement<'_>, out: &mut dyn Write) -> io::Result<()> {
    let verdict = markdown(&headline::headline(judgement));
    writeln!(out, "### pullproof: {verdict}\n")?;
    if let Some(reason) = judgement
        .reason()
        .filter(|_| headline::is_refused(judgement))
    {
        return writeln!(out, "{}", markdown(reason));
    }
    if !judgement.report.is_empty() {
        writeln!(
            out,
            "| image | result | digest | platforms | broken |\n|---|---|---|---|---|"
        )?;
        let rows = judgement
            .images()
            .map(|(place, _)| image_row(judgement, place));
        write_rows(rows, judgement.counts.images, TABLE, out)?;
        writeln!(out)?;
    }
    if let Some(pipeline) = &judgement.report.pipeline {
        writeln!(
            out,
            "Pipeline {}: {}, {}\n",
            pipeline.number,
            markdown(&pipeline.status),
            markdown(&pipeline.url)
        )?;
    }
    write_details(judgement, out)?;
    for advice in &judgement.advice {
        let names = advice.addressees();
        let names = names.map(|names| format!(" ({})", markdown(&names)));
        let names = names.unwrap_or_default();
        writeln!(out, "> **Hint{names}:** {}\n", advice.text())?;
    }
    let counts = &judgement.counts;
    if counts.images == 0 {
        return Ok(());
    }
    writeln!(
        out,
        "{} checked of {}, {}, {} in {}",
        count(counts.checked, "digest"),
        counts.nodes,
        count(
            usize::try_from(counts.requests).unwrap_or(usize::MAX),
            "request"
        ),
        human::bytes(counts.bytes),
        human::duration(judgement.report.duration)
    )
}

/// The rows that fit, and how many do not.
fn write_rows(
    rows: impl Iterator<Item = String>,
    total: usize,
    mut room: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    for (written, row) in rows.enumerate() {
        if row.len() > room {
            let rest = count(total - written, "more row");
            return writeln!(
                out,
                "| {rest}, left out because a summary has limited room |"
            );
        }
        room -= row.len();
        writeln!(out, "{row}")?;
    }
    Ok(())
}

fn image_row(judgement: &Judgement<'_>, place: usize) -> String {
    let image = judgement.report.image(place);
    let root = judgement.root(place);
    let graph = root.graph;
    let platforms = Platforms::of(graph, root.node).offered;
    let names: Vec<String> = platforms.iter().take(8).map(ToString::to_string).collect();
    let more = if platforms.len() > names.len() {
        ", …"
    } else {
        ""
    };
    let digest = graph
        .node(root.node)
        .digest()
        .map(|digest| markdown(digest.as_ref()))
        .unwrap_or_default();
    let broken = root.broken.len() + image.findings.len();
    format!(
        "| {} | {} | {digest} | {}{more} | {broken} |",
        markdown(&image.reference.to_string()),
        judgement.image_conclusion(place).as_str(),
        markdown(&names.join(", ")),
    )
}

fn write_details(judgement: &Judgement<'_>, out: &mut dyn Write) -> io::Result<()> {
    let findings = || {
        let images = judgement.report.images();
        images.flat_map(|image| image.findings.iter().map(move |one| (image, one)))
    };
    let faults = judgement.roots().flat_map(Root::faults).count();
    let total = findings().count() + faults;
    if total == 0 || judgement.report.skipped {
        return Ok(());
    }
    let title = count(total, "fault");
    writeln!(out, "<details><summary>{title}</summary>\n")?;
    let columns = "| image | what | verdict | affected | detail |\n|---|---|---|---|---|";
    writeln!(out, "{columns}")?;
    let of_images = findings().map(|(image, finding)| {
        let reference = markdown(&image.reference.to_string());
        let detail = markdown(&sentence::finding(finding));
        format!(
            "| {reference} | reference | {} | | {detail} |",
            finding.as_str()
        )
    });
    let of_roots = judgement.repositories.iter().flat_map(fault_rows);
    write_rows(of_images.chain(of_roots), total, DETAILS, out)?;
    writeln!(out, "\n</details>\n")
}

/// What is wrong with the digests of one repository, a row for each.
fn fault_rows<'j>(judged: &'j Judged<'_>) -> impl Iterator<Item = String> + use<'j> {
    judged.roots.iter().flat_map(move |root| {
        let images = names(judged, root);
        let row = move |id| format!("| {images} {}", fault(root, id));
        root.faults().map(row)
    })
}

/// The images that have one root: the first of them, and how many more there are.
fn names(judged: &Judged<'_>, root: &Root<'_>) -> String {
    let first = root.subjects.first().map(|first| {
        let reference = &judged.checked.subjects[*first].reference;
        markdown(&reference.to_string())
    });
    let first = first.unwrap_or_default();
    match root.subjects.len() {
        0 | 1 => first,
        all => format!("{first} and {} more", all - 1),
    }
}

fn fault(root: &Root<'_>, id: NodeId) -> String {
    let node = root.graph.node(id);
    let affected = root.consequence(id).map(|one| markdown(&one));
    let what = match node.digest() {
        Some(digest) => format!("{} {}", node.kind().as_str(), markdown(digest.as_ref())),
        None if is_unresolved(root, id, node) => "reference".to_owned(),
        None => format!("{} without a digest", node.kind().as_str()),
    };
    format!(
        "| {what} | {} | {} | {} |",
        node.verdict().as_str(),
        affected.unwrap_or_default(),
        markdown(&sentence::cause(node.cause()))
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Report;
    use crate::report::example::{
        index, layer, manifest, nothing, plain, platform_missing, report,
    };
    use crate::walk::verdict::Verdict;

    #[test]
    fn wrong_settings_are_reported_and_nothing_else() {
        let report = report(&[]);
        let judgement = Judgement::of(&report)
            .ending_in(crate::report::exit::Exit::Configuration, Some("a|b".into()));
        let mut out = Vec::new();
        write_summary(&judgement, &mut out).unwrap();
        let expected = "### pullproof: ERROR&#58; nothing was checked, exit code 2\n\na&#124;b\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    fn summary(report: &Report) -> String {
        let mut out = Vec::new();
        write_summary(&Judgement::of(report), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_whole_image_is_one_row() {
        let report = report(&[(
            "registry.example/app:1",
            index(0x10).with(manifest(0x20, "linux/amd64")),
        )]);
        let expected = "\
### pullproof: PASSED&#58; 1 image, 3 digests checked in 2.1 s, exit code 0

| image | result | digest | platforms | broken |
|---|---|---|---|---|
| registry.example/app&#58;1 | passed | sha256&#58;1010101010101010101010101010101010101010101010101010101010101010 | linux/amd64 | 0 |

3 digests checked of 3, 12 requests, 48.2 kB in 2.1 s
";
        assert_eq!(summary(&report), expected);
    }

    #[test]
    fn faults_are_folded_below_the_table() {
        let lost = layer(0x22).found(Verdict::Malformed, None, "got <b>|</b> `x`");
        let mut report = report(&[("app:1", plain(0x20).with(lost))]);
        report.image_mut(0).findings.push(platform_missing("a|b"));
        let expected = "
<details><summary>2 faults</summary>

| image | what | verdict | affected | detail |
|---|---|---|---|---|
| docker.io/library/app&#58;1 | reference | platform_missing | | expected linux/arm64, the image has a&#124;b/amd64 |
| docker.io/library/app&#58;1 | layer sha256&#58;2222222222222222222222222222222222222222222222222222222222222222 | malformed | the image cannot be pulled | got &#60;b&#62;&#124;&#60;/b&#62; &#96;x&#96; |

</details>
";
        let summary = summary(&report);
        assert!(summary.contains(expected), "{summary}");
    }

    #[test]
    fn references_that_lead_nowhere_are_distinguished() {
        let nowhere = |tag| (tag, nothing().missing());
        let shared = || plain(0x20).with(layer(0x22).missing());
        let summary = summary(&report(&[
            nowhere("app:1"),
            nowhere("app:2"),
            ("app:3", shared()),
            ("app:4", shared()),
        ]));
        for row in [
            "| docker.io/library/app&#58;1 | reference | missing |",
            "| docker.io/library/app&#58;2 | reference | missing |",
            "| docker.io/library/app&#58;3 and 1 more | layer sha256",
        ] {
            assert_eq!(summary.matches(row).count(), 1, "{row}: {summary}");
        }
    }

    #[test]
    fn a_summary_stays_below_its_limit_and_says_what_is_cut() {
        let mut report = report(&[("app:1", plain(0x20))]);
        let image = report.image(0).clone();
        report.repositories[0].subjects = vec![image; 5000];
        report.order = (0..5000).map(|subject| (0, subject)).collect();
        report.image_mut(0).findings = vec![platform_missing(&"#".repeat(1000)); 2000];
        let summary = summary(&report);
        assert!(summary.len() < 1_000_000, "{} bytes", summary.len());
        assert_eq!(
            summary
                .matches("left out because a summary has limited room")
                .count(),
            2
        );
        assert!(summary.ends_with("in 2.1 s\n"));
    }
}
