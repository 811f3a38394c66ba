//! The step's outputs, as the file behind `GITHUB_OUTPUT` takes them.

use std::collections::HashSet;
use std::io::{self, Write};

use super::super::judgement::Judgement;
use super::super::platforms::Platforms;
use crate::oci::platform::Platform;
use crate::text::escape;

/// What the outputs say beside the report.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Extras<'a> {
    /// Where the JSON report was written.
    pub report: Option<&'a str>,
    /// An unguessable word for the delimiter between two values.
    pub seed: u64,
}

/// Writes every output; one that has no value is written empty, so that an expression never meets
/// an old one.
///
/// `digest` is that of the first image that has one, `digests` a JSON object from reference to
/// digest; `images` and
/// `platforms` are JSON arrays; `failures` counts broken digests and findings.
///
/// # Errors
/// When `out` cannot be written to.
pub(crate) fn write_outputs(
    judgement: &Judgement<'_>,
    place: Extras<'_>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let pipeline = judgement.report.pipeline.as_ref();
    let (digest, digests) = digests(judgement);
    let text = |text: &str| escape::line(text);
    for (name, value) in [
        ("result", judgement.conclusion().as_str().to_owned()),
        ("exit-code", judgement.exit.code().to_string()),
        ("digest", digest),
        ("digests", digests),
        (
            "images",
            array(
                judgement
                    .report
                    .images()
                    .map(|image| image.reference.to_string()),
            ),
        ),
        ("platforms", array(platforms(judgement))),
        ("checked", judgement.counts.checked.to_string()),
        ("bytes", judgement.counts.bytes.to_string()),
        ("failures", judgement.counts.failures.to_string()),
        (
            "duration-ms",
            judgement.report.duration.as_millis().to_string(),
        ),
        (
            "report",
            place.report.map(str::to_owned).unwrap_or_default(),
        ),
        (
            "pipeline-number",
            pipeline
                .map(|pipeline| pipeline.number.to_string())
                .unwrap_or_default(),
        ),
        (
            "pipeline-url",
            pipeline
                .map(|pipeline| text(&pipeline.url))
                .unwrap_or_default(),
        ),
        (
            "pipeline-status",
            pipeline
                .map(|pipeline| text(&pipeline.status))
                .unwrap_or_default(),
        ),
    ] {
        write_value(name, &value, place.seed, out)?;
    }
    Ok(())
}

/// The digest of the first image that has one, and those of all as a JSON object.
fn digests(judgement: &Judgement<'_>) -> (String, String) {
    let mut digests = serde_json::Map::new();
    let mut first = None;
    for (place, image) in judgement.images() {
        if let Some(digest) = judgement.root(place).graph.node(image.root).digest() {
            first.get_or_insert_with(|| digest.to_string());
            digests.insert(image.reference.to_string(), digest.to_string().into());
        }
    }
    (
        first.unwrap_or_default(),
        serde_json::Value::Object(digests).to_string(),
    )
}

/// What all images offer together, each platform once.
fn platforms<'a>(judgement: &Judgement<'a>) -> impl Iterator<Item = String> + use<'a> {
    let mut platforms: Vec<&Platform> = Vec::new();
    for root in judgement.roots() {
        platforms.extend(Platforms::of(root.graph, root.node).offered);
    }
    let mut known = HashSet::new();
    platforms.retain(|platform| known.insert(*platform));
    platforms
        .into_iter()
        .map(|platform| escape::line(&platform.to_string()))
}

/// A JSON array, item by item: there may be tens of thousands.
fn array(items: impl Iterator<Item = String>) -> String {
    let mut text = String::from("[");
    for item in items {
        text.push_str(if text.len() > 1 { "," } else { "" });
        text.push_str(&serde_json::Value::from(item).to_string());
    }
    text + "]"
}

pub(in crate::report) fn write_value(
    name: &str,
    value: &str,
    seed: u64,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut number = seed;
    let mut delimiter = format!("pullproof_{number:016x}");
    while value.contains(&delimiter) {
        number = number.wrapping_add(1);
        delimiter = format!("pullproof_{number:016x}");
    }
    write!(out, "{name}<<{delimiter}\n{value}\n{delimiter}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example::{index, layer, manifest, nothing, report};
    use crate::report::{PipelineSummary, Report};

    fn outputs(report: &Report) -> String {
        let mut out = Vec::new();
        let place = Extras {
            report: Some("out/report.json"),
            seed: 1,
        };
        write_outputs(&Judgement::of(report), place, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_output_has_its_value() {
        let image = index(0x10)
            .with(manifest(0x20, "linux/amd64"))
            .with(manifest(0x30, "linux/arm64").with(layer(0x32).missing()));
        let mut report = report(&[("app:1", nothing().denied()), ("app:2", image)]);
        report.pipeline = Some(PipelineSummary {
            number: 7,
            url: "https://ci.example/7".into(),
            status: "failure".into(),
        });
        let expected = [
            ("result", "failed"),
            ("exit-code", "1"),
            ("digest", "sha256:1010101010101010101010101010101010101010101010101010101010101010"),
            (
                "digests",
                r#"{"docker.io/library/app:2":"sha256:1010101010101010101010101010101010101010101010101010101010101010"}"#,
            ),
            ("images", r#"["docker.io/library/app:1","docker.io/library/app:2"]"#),
            ("platforms", r#"["linux/amd64","linux/arm64"]"#),
            ("checked", "6"),
            ("bytes", "48200"),
            ("failures", "1"),
            ("duration-ms", "2100"),
            ("report", "out/report.json"),
            ("pipeline-number", "7"),
            ("pipeline-url", "https://ci.example/7"),
            ("pipeline-status", "failure"),
        ]
        .map(|(name, value)| format!("{name}<<pullproof_0000000000000001\n{value}\npullproof_0000000000000001\n"))
        .concat();
        assert_eq!(outputs(&report), expected);
    }

    #[test]
    fn a_value_cannot_end_itself() {
        let mut out = Vec::new();
        let value = "a\npullproof_0000000000000001\nresult<<x\npassed\nx";
        write_value("report", value, 1, &mut out).unwrap();
        let expected =
            format!("report<<pullproof_0000000000000002\n{value}\npullproof_0000000000000002\n");
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
