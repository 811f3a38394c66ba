//! The step summary: a box with the verdict, one table for all images, and every fault below it.

use std::collections::HashMap;
use std::io::{self, Write};

use super::super::audit::of_digests;
use super::super::exit::Exit;
use super::super::headline;
use super::super::judged::{Gravity, Judged, Root};
use super::super::judgement::Judgement;
use super::super::plan;
use super::super::sentence;
use super::super::text::is_unresolved;
use super::alert::{self, Alert};
use super::marks;
use crate::repair::Action;
use crate::text::escape;
use crate::text::human::{self, count};
use crate::text::markdown::{code, link, prose, short_digest, text};
use crate::walk::checked::Finding;
use crate::walk::graph::NodeId;
use crate::walk::verdict::Verdict;

/// GitHub drops a summary of more than 1 MiB as a whole; the three parts and the box together stay
/// below.
const TABLE: usize = 380_000;
const PLAN: usize = 80_000;
const DETAILS: usize = 400_000;

/// Writes the summary as markdown, always less than 1 MiB; rows that do not fit are counted.
///
/// # Errors
/// When `out` cannot be written to.
pub(crate) fn write_summary(judgement: &Judgement<'_>, out: &mut dyn Write) -> io::Result<()> {
    let warnings = judgement.counts.warnings;
    let alert = Alert::of(judgement.conclusion(), judgement.cause(), warnings);
    let verdict = prose(&headline::sentence(judgement));
    writeln!(out, "### {} pullproof: {verdict}\n", alert.mark())?;
    alert.write(&paragraphs(judgement, alert), out)?;
    if !judgement.report.is_empty() {
        write_images(judgement, out)?;
        write_plan(judgement, out)?;
        write_faults(judgement, alert, out)?;
    }
    if alert != Alert::Tip {
        let sums = sums(judgement).map(|sums| format!("{sums}; "));
        let code = headline::exit_code(judgement);
        writeln!(out, "{}{}", sums.unwrap_or_default(), prose(&code))?;
    }
    Ok(())
}

/// What stands in the box.
fn paragraphs(judgement: &Judgement<'_>, alert: Alert) -> Vec<String> {
    let mut paragraphs = Vec::new();
    if headline::is_refused(judgement) {
        paragraphs.extend(judgement.reason().map(text));
    }
    let grave = || {
        let images = judgement.images().map(|(image, _)| image);
        images.filter(|image| !judgement.report.skipped && is_grave(judgement, *image))
    };
    let lines = grave().map(|image| verdict_on(judgement, image));
    paragraphs.extend(alert::first_lines(lines, grave().count(), "more image"));
    if let Some(before) = &judgement.report.before {
        let before = headline::sentence(&Judgement::of(before));
        let what = match judgement.report.pipeline {
            Some(_) => "rebuild",
            None => "repair",
        };
        paragraphs.push(format!("Before the {what}: {}", prose(&before)));
    }
    if let Some(pipeline) = &judgement.report.pipeline {
        let page = link(&format!("Pipeline {}", pipeline.number), &pipeline.url);
        paragraphs.push(format!("{page}: {}", text(&pipeline.status)));
    }
    let plan = judgement.report.plan.as_ref();
    paragraphs.extend(plan.map(|plan| prose(&plan::closing(plan))));
    paragraphs.extend(alert::hints(&judgement.advice));
    paragraphs.extend(judgement.hint().map(|hint| alert::hint("", &hint)));
    if alert == Alert::Tip {
        paragraphs.extend(sums(judgement));
    }
    paragraphs
}

/// What was asked, and how long it took; `None` where no image was asked for.
fn sums(judgement: &Judgement<'_>) -> Option<String> {
    let counts = &judgement.counts;
    let requests = usize::try_from(counts.requests).unwrap_or(usize::MAX);
    (counts.images > 0).then(|| {
        format!(
            "{} checked of {}, {}, {} in {}",
            count(counts.checked, "digest"),
            counts.nodes,
            count(requests, "request"),
            human::bytes(counts.bytes),
            human::duration(judgement.report.duration)
        )
    })
}

fn is_grave(judgement: &Judgement<'_>, image: usize) -> bool {
    judgement.image_exit(image) != Exit::Verified
}

/// Whether the registry does not know the reference that leads here.
fn is_absent(root: &Root<'_>) -> bool {
    let node = root.graph.node(root.node);
    is_unresolved(root, root.node, node) && node.verdict() == Verdict::Missing
}

/// `<code>team/app:1.4</code>: **linux/arm64 cannot be pulled**, layer missing (404)`.
fn verdict_on(judgement: &Judgement<'_>, image: usize) -> String {
    let root = judgement.root(image);
    let consequence = match judgement.image_exit(image) {
        Exit::Broken if is_absent(root) => {
            let reference = &judgement.report.image(image).reference;
            return format!("{}: **does not exist**", code(&reference.to_string()));
        }
        Exit::Broken if root.cannot_be_pulled() => (root.affected.of_any(&root.broken))
            .map_or("cannot be pulled".to_owned(), |one| one.sentence(true)),
        Exit::Broken => "not as expected".to_owned(),
        Exit::Denied => "access is refused".to_owned(),
        Exit::Unknown => (root.affected.of_any(&root.undecided))
            .map_or("could not be checked".to_owned(), |one| one.sentence(false)),
        _ => "nothing to check, which is never a pass".to_owned(),
    };
    let what = what(judgement, image);
    let comma = if what.is_empty() { "" } else { ", " };
    let reference = &judgement.report.image(image).reference;
    format!(
        "{}: **{}**{comma}{what}",
        code(&reference.to_string()),
        text(&consequence)
    )
}

fn write_images(judgement: &Judgement<'_>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "| | image | digest | platforms | broken |\n|:-:|---|---|---|---|"
    )?;
    // Many tags may be one image.
    let mut platforms: HashMap<*const Root<'_>, String> = HashMap::new();
    let rows = judgement.images().map(|(image, subject)| {
        let root = judgement.root(image);
        let platforms = platforms
            .entry(std::ptr::from_ref(root))
            .or_insert_with(|| marks::of_platforms(root));
        let digest = root.graph.node(root.node).digest();
        let is_whole = !is_grave(judgement, image);
        format!(
            "| {} | {} | {} | {} | {} |",
            Alert::of(
                judgement.image_conclusion(image),
                judgement.image_exit(image),
                usize::from(is_whole && !root.warned.is_empty())
            )
            .mark(),
            text(&subject.reference.to_string()),
            digest.map_or(String::new(), |digest| short_digest(digest.as_ref())),
            platforms,
            what(judgement, image)
        )
    });
    write_rows(rows, judgement.counts.images, 5, TABLE, out)?;
    writeln!(out)
}

/// What is wrong with one image: its first finding, and what is wrong with its digests.
fn what(judgement: &Judgement<'_>, image: usize) -> String {
    if judgement.report.skipped {
        return String::new();
    }
    let root = judgement.root(image);
    let counted =
        |one: &&Finding| !is_grave(judgement, image) || judgement.gravity(one) != Gravity::Warned;
    let findings: Vec<&Finding> = (judgement.report.image(image).findings.iter())
        .filter(counted)
        .collect();
    let mut parts: Vec<String> = (findings.iter().take(1))
        .map(|one| text(&sentence::finding(one)))
        .collect();
    if findings.len() > 1 {
        parts.push(count(findings.len() - 1, "more finding"));
    }
    let states = [
        (&root.broken, "broken"),
        (&root.undecided, "undecided"),
        (&root.warned, "with a warning"),
    ];
    let mut states = states.into_iter().filter(|(ids, _)| !ids.is_empty());
    parts.extend(states.next().and_then(|(ids, state)| {
        let digest = match &**ids {
            [only] => root.graph.node(*only).digest(),
            _ => None,
        };
        let digest = digest.map(|digest| format!(" {}", short_digest(digest.as_ref())));
        if is_absent(root) {
            return Some("does not exist".to_owned());
        }
        let words = of_digests(root, ids, state)?.replace('_', " ");
        Some(text(&words) + &digest.unwrap_or_default())
    }));
    parts.join("; ")
}

/// The rows that fit, and how many do not.
pub(in crate::report) fn write_rows(
    rows: impl Iterator<Item = String>,
    total: usize,
    columns: usize,
    mut room: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    for (written, row) in rows.enumerate() {
        if row.len() > room {
            let rest = count(total - written, "more row");
            let cells = " |".repeat(columns - 1);
            return writeln!(
                out,
                "|{cells} {rest}, left out because a summary has limited room |"
            );
        }
        room -= row.len();
        writeln!(out, "{row}")?;
    }
    Ok(())
}

/// The plan of a repair as a table: a sign for what was done, and where the bytes are.
fn write_plan(judgement: &Judgement<'_>, out: &mut dyn Write) -> io::Result<()> {
    let report = judgement.report;
    let plan = report.plan.as_ref().filter(|plan| !plan.steps.is_empty());
    let Some(plan) = plan else {
        return Ok(());
    };
    writeln!(
        out,
        "| | repair | digest | size | image | from |\n|:-:|---|---|--:|---|---|"
    )?;
    let rows = plan.steps.iter().map(|step| {
        let mark = match (&step.action, &step.end) {
            (Action::Lost(_), _) | (_, Some(Err(_))) => "❌",
            (_, Some(Ok(()))) => "✅",
            (_, None) => "",
        };
        let (first, more) = (step.images.first(), step.images.len().saturating_sub(1));
        let more = (more > 0).then(|| format!(" and {more} more"));
        format!(
            "| {mark} | {} {} | {} | {} | {}{} | {} |",
            step.action.as_str(),
            step.kind.as_str(),
            short_digest(step.digest.as_ref()),
            step.size.map(human::bytes).unwrap_or_default(),
            text(&first.map(ToString::to_string).unwrap_or_default()),
            more.unwrap_or_default(),
            text(&escape::shortened(&plan::reason(step, report.started_at)))
        )
    });
    write_rows(rows, plan.steps.len(), 6, PLAN, out)?;
    writeln!(out)
}

fn write_faults(judgement: &Judgement<'_>, alert: Alert, out: &mut dyn Write) -> io::Result<()> {
    let findings = || {
        let images = judgement.report.images();
        images.flat_map(|image| image.findings.iter().map(move |one| (image, one)))
    };
    let faults = judgement.roots().flat_map(Root::faults).count();
    let total = findings().count() + faults;
    if total == 0 || judgement.report.skipped {
        return Ok(());
    }
    let (open, title) = (alert.open(), count(total, "fault"));
    writeln!(out, "<details{open}><summary>{title}</summary>\n")?;
    let columns = "| image | what | verdict | affected | detail |\n|---|---|---|---|---|";
    writeln!(out, "{columns}")?;
    let of_images = findings().map(|(image, finding)| {
        let reference = text(&image.reference.to_string());
        let detail = text(&sentence::finding(finding));
        format!(
            "| {reference} | reference | {} | | {detail} |",
            finding.as_str().replace('_', " ")
        )
    });
    let of_roots = judgement.repositories.iter().flat_map(fault_rows);
    write_rows(of_images.chain(of_roots), total, 5, DETAILS, out)?;
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
        text(&reference.to_string())
    });
    let first = first.unwrap_or_default();
    match root.subjects.len() {
        0 | 1 => first,
        all => format!("{first} and {} more", all - 1),
    }
}

fn fault(root: &Root<'_>, id: NodeId) -> String {
    let node = root.graph.node(id);
    let affected = root.consequence(id).map(|one| text(&one));
    let what = match node.digest() {
        Some(digest) => format!("{} {}", node.kind().as_str(), code(digest.as_ref())),
        None if is_unresolved(root, id, node) => "reference".to_owned(),
        None => format!("{} without a digest", node.kind().as_str()),
    };
    format!(
        "| {what} | {} | {} | {} |",
        node.verdict().as_str().replace('_', " "),
        affected.unwrap_or_default(),
        text(&sentence::cause(node.cause()))
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example::{
        attestation, index, layer, manifest, nothing, plain, platform_missing, report,
    };
    use crate::report::{PipelineSummary, Report};

    #[test]
    fn wrong_settings_are_reported_and_nothing_else() {
        let report = report(&[]);
        let judgement = Judgement::of(&report)
            .ending_in(crate::report::exit::Exit::Configuration, Some("a|b".into()));
        let mut out = Vec::new();
        write_summary(&judgement, &mut out).unwrap();
        let expected =
            "### ❌ pullproof: nothing was checked\n\n> [!CAUTION]\n> a&#124;b\n\nexit code 2\n";
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
### ✅ pullproof: 1 image, 3 digests checked in 2.1 s

> [!TIP]
> 3 digests checked of 3, 12 requests, 48.2 kB in 2.1 s

| | image | digest | platforms | broken |
|:-:|---|---|---|---|
| ✅ | registry.example/<wbr>app&#58;1 | <code>101010101010</code> | ✅&nbsp;linux/amd64 |  |

";
        assert_eq!(summary(&report), expected);
    }

    #[test]
    fn a_broken_image_is_a_box_with_the_verdict_and_the_hint() {
        let image = index(0x10)
            .with(manifest(0x20, "linux/amd64"))
            .with(manifest(0x30, "linux/arm64").missing());
        let summary = summary(&report(&[("app:1", image), ("app:2", plain(0x40))]));
        for part in [
            "### ❌ pullproof: 1 of 2 images cannot be pulled &#40;1 broken digest&#41;\n\n\
             > [!CAUTION]\n\
             > <code>docker.io/<wbr>library/<wbr>app&#58;1</code>: \
             **linux/arm64 cannot be pulled**, linux/arm64 manifest missing &#40;404&#41; \
             <code>303030303030</code>\n>\n> **Hint (app&#58;1):** ",
            "| ❌ | docker.io/<wbr>library/<wbr>app&#58;1 | <code>101010101010</code> \
             | ✅&nbsp;linux/amd64 ❌&nbsp;linux/arm64 \
             | linux/arm64 manifest missing &#40;404&#41; <code>303030303030</code> |\n",
            "| ✅ | docker.io/<wbr>library/<wbr>app&#58;2 | <code>404040404040</code> |  |  |\n",
            "<details open><summary>1 fault</summary>",
            "in 2.1 s; exit code 1\n",
        ] {
            assert!(summary.contains(part), "{part} is not in\n{summary}");
        }
    }

    #[test]
    fn what_passes_with_a_warning_is_yellow_and_says_why() {
        let image = index(0x10)
            .with(manifest(0x20, "linux/amd64"))
            .with(attestation(0x30).missing().minor());
        let summary = summary(&report(&[("app:1", image)]));
        assert!(
            summary.starts_with("### ⚠️ pullproof: 1 image"),
            "{summary}"
        );
        assert!(
            summary.contains("> [!WARNING]\n> **Hint:** the image itself"),
            "{summary}"
        );
        assert!(
            summary.contains("| ✅&nbsp;linux/amd64 | attestation missing &#40;404&#41; <code>30"),
            "{summary}"
        );
    }

    #[test]
    fn a_rebuild_is_linked_and_the_first_look_is_said() {
        let mut after = report(&[("app:1", plain(0x20))]);
        let lost = plain(0x30).with(layer(0x32).missing());
        after.before = Some(Box::new(report(&[("app:1", lost)])));
        after.pipeline = Some(PipelineSummary {
            number: 7,
            url: "https://ci.example/repos/1/pipeline/7".into(),
            status: "success".into(),
        });
        let summary = summary(&after);
        let first =
            "> Before the rebuild: library/app&#58;1 cannot be pulled&#58; 1 layer is missing\n";
        let link = "> [Pipeline 7](https://ci.example/repos/1/pipeline/7): success\n";
        assert!(
            summary.contains(first) && summary.contains(link),
            "{summary}"
        );
        let mut alone = report(&[]);
        alone.pipeline = after.pipeline;
        alone.last_hint = Some(("agent", "start an agent".into()));
        let judgement =
            Judgement::of(&alone).ending_in(Exit::RebuildFailed, Some("it failed".into()));
        let mut out = Vec::new();
        write_summary(&judgement, &mut out).unwrap();
        let expected = "### ❌ pullproof: it failed\n\n> [!CAUTION]\n\
                        > [Pipeline 7](https://ci.example/repos/1/pipeline/7): success\n>\n\
                        > **Hint:** start an agent\n\nexit code 6\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn faults_stand_below_the_table_and_are_open() {
        let lost = layer(0x22).found(Verdict::Malformed, None, "got <b>|</b> `x`");
        let mut report = report(&[("app:1", plain(0x20).with(lost))]);
        report.image_mut(0).findings.push(platform_missing("a|b"));
        let hash = |hash: &str| {
            format!(
                "<code>sha256&#58;<wbr>{}</code>",
                hash.replace(' ', "<wbr>")
            )
        };
        let digest = hash(&[18, 18, 18, 10].map(|long| "2".repeat(long)).join(" "));
        let expected = format!(
            "
<details open><summary>2 faults</summary>

| image | what | verdict | affected | detail |
|---|---|---|---|---|
| docker.io/<wbr>library/<wbr>app&#58;1 | reference | platform missing | | expected linux/arm64, the image has a&#124;b/amd64 |
| docker.io/<wbr>library/<wbr>app&#58;1 | layer {digest} | malformed | the image cannot be pulled | got &#60;b&#62;&#124;&#60;/b&#62; &#96;x&#96; |

</details>
"
        );
        let summary = summary(&report);
        assert!(summary.contains(&expected), "{summary}");
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
        assert!(
            summary.contains("app&#58;2</code>: **does not exist**<br>"),
            "{summary}"
        );
        assert!(
            summary.contains("app&#58;1 |  |  | does not exist |"),
            "{summary}"
        );
        for row in [
            "| docker.io/<wbr>library/<wbr>app&#58;1 | reference | missing |",
            "| docker.io/<wbr>library/<wbr>app&#58;2 | reference | missing |",
            "| docker.io/<wbr>library/<wbr>app&#58;3 and 1 more | layer <code>sha256",
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
        assert!(summary.ends_with("in 2.1 s; exit code 1\n"));
    }

    #[test]
    fn a_plan_of_any_length_leaves_room() {
        use crate::repair::{Loss, Step};
        use crate::report::example::digest;
        use crate::report::plan::Plan;

        let mut report = report(&[("app:1", plain(0x20).with(layer(0x22).missing()))]);
        let reference = report.image(0).reference.clone();
        let step = Step {
            repository: reference.repository.clone(),
            images: vec![reference.clone(), reference],
            digest: digest(0x22),
            kind: crate::oci::kind::Kind::Layer,
            platform: None,
            size: Some(1000),
            action: Action::Lost(Loss::Nowhere),
            end: None,
        };
        report.plan = Some(Plan {
            steps: vec![step; 10_000],
            is_applied: false,
        });
        let summary = summary(&report);
        let row = "| ❌ | lost layer | <code>222222222222</code> | 1 kB | ";
        assert!(summary.contains(row), "{summary}");
        assert!(summary.contains(" and 1 more | found nowhere |"));
        assert!(summary.contains("more rows, left out because"));
        assert!(summary.len() < 2 * PLAN, "{}", summary.len());
    }
}
