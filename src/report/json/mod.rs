//! The report for programs: schema 1 (see `schema/report-1.schema.json`), whose names may be added
//! to and do not change.
//!
//! The types here are copies made for this format, so that a change to ours cannot change it by
//! accident. Nodes are written one by one, never gathered.

mod audit;
mod plan;
mod prune;

use std::io::{self, Write};

use oci_spec::image::Digest;
use serde::ser::SerializeSeq as _;
use serde::{Serialize, Serializer};
use serde_json::ser::Formatter;

pub(crate) use self::audit::{write_closing, write_opening, write_repository};
pub(crate) use self::plan::write as write_plan;
use self::plan::{PlanEntry, entries};
pub(crate) use self::prune::write as write_prune;
use super::exit::Conclusion;
use super::hint::Advice;
use super::judged::Judged;
use super::judgement::Judgement;
use super::platforms::Platforms;
use super::totals::Counts;
use super::{sentence, timestamp};
use crate::oci::client::{Client, Clients};
use crate::oci::platform::Platform;
use crate::text::escape;
use crate::walk::checked;
use crate::walk::graph::{Graph, NodeId};
use crate::walk::verdict::Verdict;

/// Writes the report as one line of JSON.
///
/// # Errors
/// When `out` cannot be written to.
pub fn write(judgement: &Judgement<'_>, out: &mut dyn Write) -> io::Result<()> {
    let before: Vec<Judgement<'_>> = judgement.report.before().map(Judgement::of).collect();
    let looks = before.iter().rev().chain([judgement]);
    let document = looks.fold(None, |before, look| {
        let document = ReportDocument::of(look);
        Some(Box::new(ReportDocument { before, ..document }))
    });
    document.map_or(Ok(()), |document| serialize(&document, out))
}

fn serialize(document: &ReportDocument<'_, '_>, out: &mut dyn Write) -> io::Result<()> {
    write_value(document, out)?;
    out.write_all(b"\n")
}

fn write_value(value: &impl Serialize, mut out: &mut dyn Write) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, Harmless);
    value.serialize(&mut serializer)?;
    Ok(())
}

/// How many users of an image are named.
const USERS: usize = 100;

const TOOL: Tool = Tool {
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
};

#[derive(Serialize)]
struct ReportDocument<'j, 'a> {
    schema: u8,
    kind: &'static str,
    tool: Tool,
    result: &'static str,
    exit_code: u8,
    depth: &'static str,
    started_at: String,
    duration_ms: u64,
    repositories: Repositories<'j, 'a>,
    counts: CountsEntry,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hints: Vec<HintEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<Vec<PlanEntry>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pipeline: Option<PipelineEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Box<ReportDocument<'j, 'a>>>,
}

impl<'j, 'a> ReportDocument<'j, 'a> {
    fn of(judgement: &'j Judgement<'a>) -> Self {
        let report = judgement.report;
        Self {
            schema: 1,
            kind: report.command,
            tool: TOOL,
            result: judgement.conclusion().as_str(),
            exit_code: judgement.exit.code(),
            depth: report.depth.as_str(),
            started_at: timestamp::utc(report.started_at),
            duration_ms: milliseconds(report.duration),
            repositories: Repositories(judgement),
            counts: CountsEntry::of(&judgement.counts),
            hints: hints(judgement),
            error: judgement.reason().map(escape::shortened),
            plan: report
                .plan
                .as_ref()
                .map(|plan| entries(plan, report.started_at)),
            pipeline: report.pipeline.as_ref().map(|pipeline| PipelineEntry {
                number: pipeline.number,
                url: escape::shortened(&pipeline.url),
                status: escape::shortened(&pipeline.status),
            }),
            before: None,
        }
    }
}

#[derive(Serialize)]
struct Tool {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
struct CountsEntry {
    repositories: usize,
    images: usize,
    nodes: usize,
    checked: usize,
    ok: usize,
    broken: usize,
    undecided: usize,
    requests: u64,
    bytes: u64,
}

impl CountsEntry {
    fn of(counts: &Counts) -> Self {
        Self {
            repositories: counts.repositories,
            images: counts.images,
            nodes: counts.nodes,
            checked: counts.checked,
            ok: counts.ok,
            broken: counts.broken,
            undecided: counts.undecided,
            requests: counts.requests,
            bytes: counts.bytes,
        }
    }
}

#[derive(Serialize)]
struct HintEntry {
    id: &'static str,
    text: String,
    images: Vec<String>,
}

fn hints(judgement: &Judgement<'_>) -> Vec<HintEntry> {
    let of_rebuild = judgement
        .report
        .last_hint
        .as_ref()
        .map(|(id, text)| HintEntry {
            id,
            text: escape::shortened(text),
            images: Vec::new(),
        });
    let of_images = judgement.advice.iter().map(HintEntry::of);
    of_images.chain(of_rebuild).collect()
}

impl HintEntry {
    fn of(advice: &Advice) -> Self {
        Self {
            id: advice.hint.id(),
            text: advice.text(),
            images: advice.images.iter().map(ToString::to_string).collect(),
        }
    }
}

#[derive(Serialize)]
struct PipelineEntry {
    number: u64,
    url: String,
    status: String,
}

#[derive(Serialize)]
struct RepositoryEntry<'j, 'a> {
    #[serde(rename = "repository")]
    name: String,
    images: Images<'j, 'a>,
    nodes: Nodes<'a>,
}

#[derive(Serialize)]
struct ImageEntry<'a> {
    reference: String,
    tag: Option<&'a str>,
    digest: Option<Digest>,
    result: &'static str,
    platforms: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_use: Option<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    used_by: Vec<String>,
    findings: Vec<FindingEntry>,
    broken: Digests<'a>,
    undecided: Digests<'a>,
    clients: Vec<&'static str>,
}

#[derive(Serialize)]
struct FindingEntry {
    kind: &'static str,
    detail: String,
}

#[derive(Serialize)]
struct NodeEntry<'n> {
    digest: Option<Digest>,
    kind: &'static str,
    media_type: String,
    size: Option<u64>,
    platform: Option<String>,
    parents: Parents<'n>,
    verdict: &'static str,
    cause: &'static str,
    detail: String,
    clients: Vec<&'static str>,
    status: Option<u16>,
    attempts: u32,
    duration_ms: u64,
}

struct Repositories<'j, 'a>(&'j Judgement<'a>);

impl Serialize for Repositories<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.repositories.iter().map(RepositoryEntry::whole))
    }
}

impl<'j, 'a> RepositoryEntry<'j, 'a> {
    /// With all of its nodes.
    fn whole(judged: &'j Judged<'a>) -> Self {
        Self {
            name: judged.checked.repository.to_string(),
            images: Images(judged),
            nodes: Nodes::of(judged),
        }
    }

    /// With the nodes that are not ok alone.
    fn faults(judged: &'j Judged<'a>) -> Self {
        let mut entry = Self::whole(judged);
        let graph = entry.nodes.graph;
        for (id, node) in graph.iter() {
            entry.nodes.reached[id.place()] &= node.verdict() != Verdict::Ok;
        }
        entry
    }
}

struct Images<'j, 'a>(&'j Judged<'a>);

impl Serialize for Images<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut subjects: Vec<usize> = (0..self.0.checked.subjects.len()).collect();
        // What is broken and in use comes first.
        subjects.sort_by_key(|subject| !self.0.is_broken_in_use(*subject));
        serializer.collect_seq(subjects.into_iter().map(|subject| image(self.0, subject)))
    }
}

fn image<'j>(judged: &'j Judged<'_>, place: usize) -> ImageEntry<'j> {
    let subject = &judged.checked.subjects[place];
    let root = judged.root(place);
    let graph = root.graph;
    let platforms = Platforms::of(root.graph, root.node).offered;
    let shown = |platform: &Platform| escape::shortened(&platform.to_string());
    let usage = judged.usage(place);
    let users = usage.into_iter().flat_map(|usage| &usage.users).take(USERS);
    ImageEntry {
        reference: subject.reference.to_string(),
        tag: subject.reference.tag.as_deref(),
        digest: root.graph.node(root.node).digest(),
        result: Conclusion::from(judged.exit(place)).as_str(),
        platforms: platforms.into_iter().map(shown).collect(),
        in_use: usage.map(|usage| usage.is_used),
        used_by: users.map(|user| escape::shortened(user)).collect(),
        findings: subject.findings.iter().map(finding).collect(),
        broken: Digests {
            graph,
            ids: &root.broken,
        },
        undecided: Digests {
            graph,
            ids: &root.undecided,
        },
        clients: names(judged.stops(place)),
    }
}

fn names(clients: Clients) -> Vec<&'static str> {
    clients.iter().map(Client::as_str).collect()
}

fn finding(finding: &checked::Finding) -> FindingEntry {
    FindingEntry {
        kind: finding.as_str(),
        detail: escape::shortened(&sentence::finding(finding)),
    }
}

/// Digests, written one by one: there may be a hundred thousand.
struct Digests<'j> {
    graph: &'j Graph,
    ids: &'j [NodeId],
}

impl Serialize for Digests<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write_digests(self.graph, self.ids.iter().copied(), serializer)
    }
}

fn write_digests<S: Serializer>(
    graph: &Graph,
    ids: impl Iterator<Item = NodeId>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut list = serializer.serialize_seq(None)?;
    for digest in ids.filter_map(|id| graph.node(id).digest()) {
        list.serialize_element(&digest)?;
    }
    list.end()
}

/// The nodes of one repository, in the order of discovery.
struct Nodes<'a> {
    graph: &'a Graph,
    /// What the first image that states one says of a node, by its place.
    platforms: Vec<Option<&'a Platform>>,
    /// Whether an image leads to a node, by its place: a tag that moved has left others behind.
    reached: Vec<bool>,
}

impl<'a> Nodes<'a> {
    fn of(judged: &Judged<'a>) -> Self {
        let graph = &judged.checked.graph;
        let mut platforms = vec![None; graph.len()];
        let mut reached = vec![false; graph.len()];
        for root in &judged.roots {
            for id in graph.reachable(root.node) {
                reached[id.place()] = true;
            }
            let stated = Platforms::of(graph, root.node);
            for id in graph.ids() {
                let platform: &mut Option<_> = &mut platforms[id.place()];
                *platform = platform.or(stated.stated(id));
            }
        }
        Self {
            graph,
            platforms,
            reached,
        }
    }

    fn node(&self, id: NodeId) -> NodeEntry<'_> {
        let node = self.graph.node(id);
        let platform = self.platforms[id.place()];
        NodeEntry {
            digest: node.digest(),
            kind: node.kind().as_str(),
            media_type: escape::shortened(node.media_type()),
            size: node.size(),
            platform: platform.map(|platform| escape::shortened(&platform.to_string())),
            parents: Parents {
                graph: self.graph,
                of: id,
            },
            verdict: node.verdict().as_str(),
            cause: node.cause().as_str(),
            detail: escape::shortened(&sentence::cause(node.cause())),
            clients: names(node.stops()),
            status: node.status(),
            attempts: node.attempts(),
            duration_ms: milliseconds(node.duration()),
        }
    }
}

impl Serialize for Nodes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let reached = self.graph.ids().filter(|id| self.reached[id.place()]);
        serializer.collect_seq(reached.map(|id| self.node(id)))
    }
}

/// The digests of those that refer to a node; a layer can have tens of thousands of them.
struct Parents<'n> {
    graph: &'n Graph,
    of: NodeId,
}

impl Serialize for Parents<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write_digests(self.graph, self.graph.node(self.of).parents(), serializer)
    }
}

fn milliseconds(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Compact JSON whose strings carry nothing that a terminal or a CI would obey.
///
/// `serde_json` escapes what JSON must have escaped; other hidden characters, and the second of two
/// `#` (GitHub's runner obeys `##[` anywhere in a line), are written as `\u….`, which reads back as
/// the same text.
struct Harmless;

impl Formatter for Harmless {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut written = 0;
        let mut last = None;
        for (place, character) in fragment.char_indices() {
            if escape::is_hidden(character) || (character == '#' && last == Some('#')) {
                writer.write_all(&fragment.as_bytes()[written..place])?;
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
                written = place + character.len_utf8();
            }
            last = Some(character);
        }
        writer.write_all(&fragment.as_bytes()[written..])
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use serde_json::Value;

    use super::*;
    use crate::report::Report;
    use crate::report::audit::{Audit, Unread};
    use crate::report::example::{
        Content, attestation, digest, index, layer, manifest, nothing, plain, report,
    };
    use crate::report::exit::Exit;
    use crate::report::judged::Context;
    use crate::walk::rules::Depth;
    use crate::walk::stop::Stop;

    fn json(judgement: &Judgement<'_>) -> Value {
        let mut out = Vec::new();
        write(judgement, &mut out).unwrap();
        assert_eq!(
            out.iter().position(|byte| *byte == b'\n'),
            Some(out.len() - 1),
            "a report is one line"
        );
        serde_json::from_slice(&out).unwrap()
    }

    #[track_caller]
    fn assert_valid(report: &Value) {
        let schema: Value =
            serde_json::from_str(include_str!("../../../schema/report-1.schema.json")).unwrap();
        let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
        compiler
            .add_resource("report-1.schema.json", schema)
            .unwrap();
        let schema = compiler
            .compile("report-1.schema.json", &mut schemas)
            .unwrap();
        if let Err(error) = schemas.validate(report, schema) {
            panic!("{error:#}\n{report:#}");
        }
    }

    #[test]
    fn a_report_is_written_as_promised() {
        let image = index(0x10)
            .with(manifest(0x20, "linux/amd64").with(layer(0x22).missing()))
            .with(attestation(0x40).not_checked());
        let mut report = report(&[("app:1", image)]);
        report
            .image_mut(0)
            .findings
            .push(checked::Finding::PlatformMissing {
                expected: "linux/s390x".parse().unwrap(),
                present: Vec::new(),
            });
        let json = json(&Judgement::of(&report));
        let digest = |name: &str| name.repeat(32);
        let node = |name: &str, kind: &str, size: u64, platform: Option<&str>, parents: &[&str]| {
            serde_json::json!({
                "digest": format!("sha256:{}", digest(name)),
                "kind": kind,
                "media_type": "application/vnd.oci.image.manifest.v1+json",
                "size": size,
                "platform": platform,
                "parents": parents.iter().map(|name| format!("sha256:{}", digest(name))).collect::<Vec<_>>(),
                "verdict": "ok",
                "cause": "",
                "detail": "",
                "clients": [],
                "status": 200,
                "attempts": 1,
                "duration_ms": 20,
            })
        };
        let mut lost = node("22", "layer", 10_000_000, None, &["20"]);
        lost["verdict"] = "missing".into();
        lost["cause"] = "connection".into();
        lost["detail"] = "expected it to be there, got 404".into();
        lost["clients"] = serde_json::json!(["containerd", "docker", "podman"]);
        lost["status"] = 404.into();
        lost["attempts"] = 5.into();
        lost["duration_ms"] = 15_100.into();
        let mut unasked = node("40", "attestation", 1000, Some("unknown/unknown"), &["10"]);
        unasked["verdict"] = "not_checked".into();
        unasked["status"] = Value::Null;
        unasked["attempts"] = 0.into();
        unasked["duration_ms"] = 0.into();
        let mut expected = serde_json::json!({
            "schema": 1,
            "kind": "verify",
            "tool": {"name": "pullproof", "version": env!("CARGO_PKG_VERSION")},
            "result": "failed",
            "exit_code": 1,
            "depth": "tail",
            "started_at": "2026-07-01T10:00:00.123Z",
            "duration_ms": 2100,
            "repositories": [{
                "repository": "docker.io/library/app",
                "images": [{
                    "reference": "docker.io/library/app:1",
                    "tag": "1",
                    "digest": format!("sha256:{}", digest("10")),
                    "result": "failed",
                    "platforms": ["linux/amd64"],
                    "findings": [{
                        "kind": "platform_missing",
                        "detail": "expected linux/s390x, the image states no platform",
                    }],
                    "broken": [format!("sha256:{}", digest("22"))],
                    "undecided": [format!("sha256:{}", digest("40"))],
                    "clients": ["containerd", "docker", "podman"],
                }],
                "nodes": [
                    node("10", "index", 1000, None, &[]),
                    node("20", "manifest", 1000, Some("linux/amd64"), &["10"]),
                    node("21", "config", 1000, None, &["20"]),
                    lost,
                    unasked,
                ],
            }],
            "counts": {
                "repositories": 1, "images": 1, "nodes": 5, "checked": 4, "ok": 3, "broken": 1,
                "undecided": 1, "requests": 12, "bytes": 48_200,
            },
        });
        expected["hints"] = json["hints"].clone();
        assert_eq!(json, expected);
        assert_valid(&json);
    }

    #[test]
    fn reports_of_every_kind_follow_the_schema() {
        for verdict in Verdict::ALL {
            let image = plain(0x20).with(layer(0x22).found(verdict, 200, "as it came"));
            assert_valid(&json(&Judgement::of(&report(&[
                ("app:1", image),
                ("app:2", nothing().missing()),
            ]))));
        }
        for stop in [Stop::Timeout, Stop::Interrupt, Stop::Terminate] {
            let mut report = report(&[("app:1", plain(0x20).not_checked())]);
            report.stopped = Some(stop);
            assert_valid(&json(&Judgement::of(&report)));
        }
        let mut dry = report(&[("app:1", nothing().not_checked())]);
        dry.skipped = true;
        assert_valid(&json(&Judgement::of(&dry)));
        let mut rebuilt = report(&[("app:1", plain(0x20))]);
        rebuilt.before = Some(Box::new(report(&[("app:1", plain(0x20).missing())])));
        rebuilt.pipeline = Some(crate::report::PipelineSummary {
            number: 7,
            url: "https://ci/7".into(),
            status: "success".into(),
        });
        let json = json(&Judgement::of(&rebuilt));
        assert_valid(&json);
        assert_eq!(
            (&json["result"], &json["before"]["result"]),
            (&"passed".into(), &"failed".into())
        );
        assert_eq!(json["pipeline"]["number"], 7);
    }

    /// The report of an audit of these repositories, and of lists that could not be read.
    fn audited(images: &[(&str, Content)], unread: &[(&str, Exit)]) -> (Audit, Value) {
        let report = report(images);
        let mut audit = Audit::new(vec!["docker.io".into()], Depth::Tail, Clients::CONTAINERD);
        let mut out = Vec::new();
        write_opening("audit", audit.depth, audit.started_at, &mut out).unwrap();
        for (number, checked) in report.repositories.iter().enumerate() {
            let context = Context {
                stopped: None,
                login_not_visible: false,
                clients: Clients::CONTAINERD,
                now: std::time::SystemTime::UNIX_EPOCH,
            };
            let judged = Judged::of(checked, context);
            write_repository(&judged, number, &mut out).unwrap();
            audit.add(&judged);
        }
        for (name, exit) in unread {
            audit.add_unread(Unread::new((*name).into(), "status 503", *exit));
        }
        audit.finish();
        write_closing(&audit, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().count(), 1);
        (audit, serde_json::from_str(&text).unwrap())
    }

    #[test]
    fn an_audit_follows_the_schema_whatever_it_finds() {
        for verdict in Verdict::ALL {
            let image = plain(0x20).with(layer(0x22).found(verdict, 200, "as it came"));
            let images = [("app:1", image), ("other:2", nothing().missing())];
            assert_valid(&audited(&images, &[]).1);
        }
        for exit in [Exit::Configuration, Exit::Denied, Exit::Unknown] {
            assert_valid(&audited(&[], &[("docker.io", exit)]).1);
        }
        assert_valid(&audited(&[], &[]).1);
    }

    #[test]
    fn an_audit_has_what_is_not_ok_and_the_lists_that_it_could_not_read() {
        let broken = index(0x10).with(manifest(0x20, "linux/amd64").missing());
        let images = [("app:1", plain(0x30)), ("app:2", broken)];
        let unread = [("docker.io/library/dark", Exit::Unknown)];
        let (audit, json) = audited(&images, &unread);
        assert_valid(&json);
        assert_eq!(
            (&json["kind"], &json["exit_code"]),
            (&"audit".into(), &1.into())
        );
        let repository = &json["repositories"][0];
        assert_eq!(repository["images"].as_array().unwrap().len(), 2);
        let nodes = repository["nodes"].as_array().unwrap();
        assert_eq!(nodes.len(), 1, "{nodes:?}");
        assert_eq!(nodes[0]["digest"], digest(0x20).as_ref());
        let entry = serde_json::json!({
            "name": "docker.io/library/dark", "result": "error", "detail": "status 503",
        });
        assert_eq!(json["unread"], serde_json::json!([entry]));
        assert_eq!(json["counts"]["nodes"], audit.counts().nodes);
    }

    #[test]
    fn a_run_with_wrong_settings_says_why() {
        let report = Report::empty(Depth::Full, SystemTime::UNIX_EPOCH);
        let wrong = Judgement::of(&report).ending_in(
            Exit::Configuration,
            Some("depth: expected head, tail or full".into()),
        );
        let json = json(&wrong);
        assert_valid(&json);
        assert_eq!(
            (&json["result"], &json["exit_code"]),
            (&"error".into(), &2.into())
        );
        assert_eq!(json["error"], "depth: expected head, tail or full");
        assert_eq!(json["repositories"], serde_json::json!([]));
    }

    #[test]
    fn a_node_stands_once_with_its_parents_of_all_images() {
        let report = report(&[
            ("app:1", plain(0x20).with(layer(0x55))),
            ("app:2", plain(0x30).with(layer(0x55))),
        ]);
        let json = json(&Judgement::of(&report));
        let nodes = json["repositories"][0]["nodes"].as_array().unwrap();
        let is_shared = |node: &&Value| node["digest"] == digest(0x55).as_ref();
        let shared: Vec<&Value> = nodes.iter().filter(is_shared).collect();
        assert_eq!((nodes.len(), shared.len()), (5, 1));
        let parents = [0x20, 0x30].map(|parent| digest(parent).to_string());
        assert_eq!(shared[0]["parents"], serde_json::json!(parents));
    }

    #[test]
    fn hidden_characters_are_written_as_escapes_and_read_back() {
        let detail = "\u{9b}31m\u{202e}##[error]\u{e0041}ü\n";
        let report = report(&[("app:1", plain(0x20).found(Verdict::Malformed, 200, detail))]);
        let mut out = Vec::new();
        write(&Judgement::of(&report), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(
            text.contains(r"\u009b31m\u202e#\u0023[error]\udb40\udc41ü\n"),
            "{text}"
        );
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["repositories"][0]["nodes"][0]["detail"], detail);
    }
}
