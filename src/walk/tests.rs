//! The walk over a source in memory.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::oci::client::{Client, Clients};
use crate::oci::media_type::{DOCKER_MANIFEST, OCI_CONFIG, OCI_INDEX, OCI_MANIFEST};
use crate::walk::cause::Place;
use crate::walk::graph::{MAX_NODES, Node};
use crate::walk::rules::AllowMissing;
use crate::walk::source::{CONFIG_LIMIT, Fault};
use crate::walk::stop::Stop;

const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// A config for so many layers.
fn config(os: &str, architecture: &str, layers: usize) -> String {
    let root_fs = json!({ "type": "layers", "diff_ids": vec![digest::sha256(b"diff id").to_string(); layers] });
    json!({ "os": os, "architecture": architecture, "rootfs": root_fs }).to_string()
}

/// Content by digest, tags, and everything that was asked.
#[derive(Default)]
struct Memory {
    content: HashMap<Digest, Vec<u8>>,
    tags: HashMap<String, Digest>,
    referring: HashMap<Digest, Vec<Referring>>,
    silent: bool,
    /// What only tags deliver.
    tagged_alone: HashSet<Digest>,
    /// What the server fails on.
    failing: HashSet<Digest>,
    claims: Option<String>,
    /// What `HEAD` says, if not the same as `GET`.
    head: Option<Head>,
    asked: RefCell<Vec<String>>,
}

impl Memory {
    fn put(&mut self, bytes: impl Into<Vec<u8>>) -> Digest {
        let bytes = bytes.into();
        let digest = digest::sha256(&bytes);
        self.content.insert(digest.clone(), bytes);
        digest
    }

    /// Stores content, and describes it.
    fn store(&mut self, media_type: &str, bytes: &str) -> Value {
        let size = bytes.len();
        let digest = self.put(bytes);
        json!({ "mediaType": media_type, "digest": digest, "size": size })
    }

    fn image(&mut self, platform: &str, layers: &[&str]) -> Value {
        let (os, architecture) = platform.split_once('/').unwrap();
        let config = self.store(OCI_CONFIG, &config(os, architecture, layers.len()));
        let layers: Vec<Value> = layers
            .iter()
            .map(|layer| self.store(OCI_LAYER, layer))
            .collect();
        let document = json!({ "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": layers });
        let mut descriptor = self.store(OCI_MANIFEST, &document.to_string());
        descriptor["platform"] = json!({ "os": os, "architecture": architecture });
        descriptor
    }

    fn index(&mut self, children: &[Value]) -> Value {
        self.store(
            OCI_INDEX,
            &json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children })
                .to_string(),
        )
    }

    fn tag(&mut self, name: &str, descriptor: &Value) {
        self.tags.insert(name.to_owned(), digest_of(descriptor));
    }

    fn deliver(&self, digest: &Digest) -> Result<Manifest, Fault> {
        let bytes = self.content.get(digest).cloned().ok_or_else(absent)?;
        Ok(Manifest {
            content_type: media_type(&bytes),
            body: Body::Whole(bytes),
            claimed: self.claims.clone(),
        })
    }

    async fn answer<T>(&self, what: String, answer: Result<T, Fault>) -> Asked<T> {
        self.asked.borrow_mut().push(what);
        if self.silent {
            std::future::pending::<()>().await;
        }
        let status = Some(if answer.is_ok() { 200 } else { 404 });
        Asked {
            answer,
            status,
            attempts: 1,
            duration: Duration::ZERO,
            appeared_after: None,
        }
    }
}

/// How a question was put, where it was not for the first time and without allowance.
fn suffix(look: Look) -> &'static str {
    match look {
        Look::First => "",
        Look::MayBeAbsent => " or not",
        Look::Again(_) => " again",
        Look::Witness => " as a witness",
    }
}

/// The type that a document states.
fn media_type(bytes: &[u8]) -> Option<String> {
    let document: Value = serde_json::from_slice(bytes).ok()?;
    Some(document["mediaType"].as_str()?.to_owned())
}

fn answered(status: u16) -> Cause {
    Cause::Status {
        status,
        place: Place::Registry,
        is_registrys: true,
        is_page: false,
        words: None,
    }
}

fn out_of_time() -> Cause {
    Cause::Stopped {
        stop: Stop::Timeout,
        timeout: Duration::from_secs(600),
        settle: None,
    }
}

fn absent() -> Fault {
    Fault {
        kind: FaultKind::NotFound,
        cause: answered(404),
    }
}

fn digest_of(descriptor: &Value) -> Digest {
    descriptor["digest"].as_str().unwrap().parse().unwrap()
}

impl Source for Memory {
    async fn resolve(&self, reference: &Reference, look: Look) -> Asked<Manifest> {
        let digest = reference
            .digest
            .as_ref()
            .or_else(|| self.tags.get(reference.tag.as_ref()?));
        let answer = digest
            .ok_or_else(absent)
            .and_then(|digest| self.deliver(digest));
        self.answer(format!("resolve {reference}{}", suffix(look)), answer)
            .await
    }

    async fn head(&self, reference: &Reference, _look: Look) -> Head {
        if let Some(head) = &self.head {
            return head.clone();
        }
        let digest = reference
            .digest
            .as_ref()
            .or_else(|| self.tags.get(reference.tag.as_ref()?));
        let bytes = digest.and_then(|digest| self.content.get(digest));
        Head::Stated {
            content_type: bytes.and_then(|bytes| media_type(bytes)),
            claimed: digest.map(ToString::to_string),
            length: bytes.map(|bytes| bytes.len() as u64),
        }
    }

    async fn is_there(&self) -> bool {
        true
    }

    async fn manifest(&self, digest: &Digest, look: Look) -> Asked<Manifest> {
        let leave = suffix(look);
        let answer = if self.tagged_alone.contains(digest) {
            Err(absent())
        } else {
            self.deliver(digest)
        };
        self.answer(format!("manifest {digest}{leave}"), answer)
            .await
    }

    async fn blob(&self, promise: &Promise, look: Look) -> Asked<Blob> {
        let found = self.content.get(&promise.digest).ok_or_else(absent);
        let answer = found.map(|bytes| Blob::LastByte {
            length: Some(bytes.len() as u64),
        });
        let asked = self
            .answer(format!("blob {}{}", promise.digest, suffix(look)), answer)
            .await;
        if self.failing.contains(&promise.digest) {
            let fault = Fault {
                kind: FaultKind::Unavailable,
                cause: answered(500),
            };
            return Asked {
                answer: Err(fault),
                status: Some(500),
                ..asked
            };
        }
        asked
    }

    async fn config(&self, promise: &Promise, look: Look) -> Asked<Blob> {
        let found = self.content.get(&promise.digest).ok_or_else(absent);
        let answer = found.map(|bytes| Blob::Whole {
            length: bytes.len() as u64,
            digest: digest::sha256(bytes),
            bytes: Some(bytes.clone()),
        });
        self.answer(format!("config {}{}", promise.digest, suffix(look)), answer)
            .await
    }

    async fn referrers(&self, digest: &Digest, look: Look) -> Asked<Vec<Referring>> {
        let answer = Ok(self.referring.get(digest).cloned().unwrap_or_default());
        self.answer(format!("referrers {digest}{}", suffix(look)), answer)
            .await
    }
}

fn repository() -> Repository {
    references(&[":1"]).remove(0).repository
}

fn references(names: &[&str]) -> Vec<Reference> {
    names
        .iter()
        .map(|name| format!("registry.example/app{name}").parse().unwrap())
        .collect()
}

async fn walk_with(memory: &Memory, names: &[&str], rules: &Rules) -> Checked {
    walk(
        memory,
        &repository(),
        &references(names),
        rules,
        std::future::pending(),
        |_, _| {},
    )
    .await
}

async fn walk_tag(memory: &Memory) -> Checked {
    walk_with(memory, &[":1"], &Rules::default()).await
}

async fn walk_with_referrers(memory: &Memory) -> Checked {
    let rules = Rules {
        referrers: Concern::Check,
        ..Rules::default()
    };
    walk_with(memory, &[":1"], &rules).await
}

/// Every node that is not ok, by digest.
fn faults(walked: &Checked) -> BTreeMap<String, Verdict> {
    let node = |node: Node<'_>| {
        let digest = node.digest().map(|digest| digest.to_string());
        (
            digest
                .or(node.written().map(str::to_owned))
                .unwrap_or_default(),
            node.verdict(),
        )
    };
    walked
        .graph
        .iter()
        .map(|(_, found)| node(found))
        .filter(|(_, verdict)| *verdict != Verdict::Ok)
        .collect()
}

fn find<'a>(walked: &'a Checked, descriptor: &Value) -> Node<'a> {
    let digest = digest_of(descriptor);
    walked
        .graph
        .iter()
        .find(|(_, node)| node.has_digest(&digest))
        .unwrap()
        .1
}

fn two_platforms(memory: &mut Memory) -> [Value; 3] {
    let amd = memory.image("linux/amd64", &["base", "amd"]);
    let arm = memory.image("linux/arm64", &["base", "arm"]);
    let index = memory.index(&[amd.clone(), arm.clone()]);
    memory.tag("1", &index);
    [index, amd, arm]
}

#[tokio::test]
async fn a_whole_image_is_asked_for_once_and_is_ok() {
    let mut memory = Memory::default();
    two_platforms(&mut memory);
    let walked = walk_tag(&memory).await;
    assert_eq!(faults(&walked), BTreeMap::new());
    // index, 2 manifests, 2 configs, 3 layers of which one is shared
    assert_eq!(walked.graph.len(), 8);
    let asked = memory.asked.borrow();
    // and the tag
    assert_eq!(asked.len(), 8 + 1);
    assert_eq!(asked.iter().collect::<BTreeSet<_>>().len(), 8 + 1);
}

#[tokio::test]
async fn every_single_loss_is_reported_and_nothing_else() {
    let mut memory = Memory::default();
    two_platforms(&mut memory);
    let all: Vec<Digest> = memory.content.keys().cloned().collect();
    for lost in all {
        let kept = memory.content.remove(&lost).unwrap();
        let walked = walk_tag(&memory).await;
        let root = digest_of(&json!({ "digest": memory.tags["1"] }));
        let found = faults(&walked);
        let name = if lost == root {
            String::new()
        } else {
            lost.to_string()
        };
        assert_eq!(found, BTreeMap::from([(name, Verdict::Missing)]), "{lost}");
        memory.content.insert(lost, kept);
    }
}

#[tokio::test]
async fn content_that_is_not_what_its_digest_says_leads_nowhere() {
    let mut memory = Memory::default();
    let [_, amd, _] = two_platforms(&mut memory);
    let mut forged: Value = serde_json::from_slice(&memory.content[&digest_of(&amd)]).unwrap();
    forged["layers"] = json!([memory.store(OCI_LAYER, "evil")]);
    let mut forged = forged.to_string().into_bytes();
    let size = usize::try_from(amd["size"].as_u64().unwrap()).unwrap();
    forged.resize(size.max(forged.len()), b' ');
    memory.content.insert(digest_of(&amd), forged);
    let walked = walk_tag(&memory).await;
    let verdict = faults(&walked)[amd["digest"].as_str().unwrap()];
    assert!(
        matches!(
            verdict,
            Verdict::DigestMismatch | Verdict::SizeMismatch | Verdict::Truncated
        ),
        "{verdict:?}"
    );
    let evil = digest::sha256(b"evil").to_string();
    assert!(
        !memory
            .asked
            .borrow()
            .iter()
            .any(|asked| asked.contains(&evil))
    );
}

#[tokio::test]
async fn tags_of_one_digest_share_one_root_and_ask_nothing_twice() {
    let mut memory = Memory::default();
    let [index, ..] = two_platforms(&mut memory);
    memory.tag("2", &index);
    let by_digest = format!("@{}", digest_of(&index));
    let walked = walk_with(&memory, &[":1", ":2", &by_digest], &Rules::default()).await;
    assert_eq!(
        walked
            .subjects
            .iter()
            .map(|subject| subject.root)
            .collect::<HashSet<_>>()
            .len(),
        1
    );
    assert_eq!(
        (walked.graph.len(), memory.asked.borrow().len()),
        (8, 3 + 8)
    );
}

#[tokio::test]
async fn a_tag_stands_for_the_digest_that_is_claimed_and_true() {
    let mut memory = Memory::default();
    let amd = memory.image("linux/amd64", &[]);
    memory.tag("1", &amd);
    let zeros: Digest = format!("sha512:{}", "0".repeat(128)).parse().unwrap();
    let sha512 = digest::of_bytes(&memory.content[&digest_of(&amd)], &zeros).unwrap();
    let sha256 = digest_of(&amd);
    for (claimed, expected, other) in [
        (None, sha256.clone(), sha512.clone()),
        (Some(sha512.to_string()), sha512, sha256),
    ] {
        memory.claims = claimed;
        let walked = walk_tag(&memory).await;
        assert_eq!(
            walked.graph.node(walked.subjects[0].root).digest(),
            Some(expected)
        );
        assert_eq!(walked.subjects[0].also, Some(other));
    }
}

#[tokio::test]
async fn an_image_that_is_also_a_child_of_another_is_one_node() {
    let mut memory = Memory::default();
    let [_, amd, _] = two_platforms(&mut memory);
    memory.tag("amd", &amd);
    for names in [[":1", ":amd"], [":amd", ":1"]] {
        let walked = walk_with(&memory, &names, &Rules::default()).await;
        assert_eq!(walked.graph.len(), 8, "{names:?}");
    }
}

#[tokio::test]
async fn what_a_tag_delivers_has_to_be_there_by_its_digest_too() {
    let mut memory = Memory::default();
    let [index, amd, _] = two_platforms(&mut memory);
    memory.tag("amd", &amd);
    memory.tagged_alone.insert(digest_of(&amd));
    let lost = BTreeMap::from([(digest_of(&amd).to_string(), Verdict::Missing)]);
    for names in [&[":amd"][..], &[":1", ":amd"], &[":amd", ":1"]] {
        let walked = walk_with(&memory, names, &Rules::default()).await;
        assert_eq!(faults(&walked), lost, "{names:?}");
    }
    let walked = walk_with(&memory, &[":amd"], &Rules::default()).await;
    let root = find(&walked, &amd);
    assert_eq!(root.cause(), &Cause::OnlyByTag(Box::new(answered(404))));
    assert_eq!((root.attempts(), root.children().count()), (3, 3));
    memory.tagged_alone = HashSet::from([digest_of(&index)]);
    assert_eq!(
        faults(&walk_tag(&memory).await)
            .into_values()
            .collect::<Vec<_>>(),
        [Verdict::Missing]
    );
}

#[tokio::test]
async fn a_manifest_may_be_absent_only_where_every_parent_allows_it() {
    let rules = Rules {
        allow_missing: AllowMissing::Platforms(vec!["linux/arm/v6".parse().unwrap()]),
        ..Rules::default()
    };
    let mut memory = Memory::default();
    let shared = memory.image("linux/arm", &["base"]);
    let listed = |variant: &str| {
        let mut child = shared.clone();
        child["platform"] = json!({ "os": "linux", "architecture": "arm", "variant": variant });
        child
    };
    memory.content.remove(&digest_of(&shared));
    let all = [listed("v6"), listed("v7")];
    for (children, verdict) in [
        (vec![all[0].clone()], Verdict::Skipped),
        (vec![all[0].clone(), all[1].clone()], Verdict::Missing),
        (vec![all[1].clone(), all[0].clone()], Verdict::Missing),
    ] {
        let index = memory.index(&children);
        memory.tag("1", &index);
        let walked = walk_with(&memory, &[":1"], &rules).await;
        assert_eq!(find(&walked, &shared).verdict(), verdict);
    }
    // Where it was asked for, or settled, before any parent needed it, it is asked for again: a
    // first 404 is not enough then.
    let (one, other) = (
        memory.index(&[all[0].clone()]),
        memory.index(&[all[1].clone()]),
    );
    let late = memory.index(std::slice::from_ref(&other));
    for children in [[one.clone(), other], [one, late]] {
        let index = memory.index(&children);
        memory.tag("1", &index);
        memory.asked.take();
        let mut last = (0, 0);
        let walked = walk(
            &memory,
            &repository(),
            &references(&[":1"]),
            &rules,
            std::future::pending(),
            |found, settled| {
                last = (found, settled);
            },
        )
        .await;
        assert_eq!(last, (walked.graph.len(), walked.graph.len()));
        assert_eq!(find(&walked, &shared).verdict(), Verdict::Missing);
        let question = format!("manifest {}", digest_of(&shared));
        let asked = memory.asked.borrow();
        let asked: Vec<&String> = asked
            .iter()
            .filter(|asked| asked.starts_with(&question))
            .collect();
        let again = format!("{question} again");
        assert_eq!(asked, [&format!("{question} or not"), &question, &again]);
    }
}

#[tokio::test]
async fn an_attestation_that_is_also_listed_for_a_platform_is_an_image() {
    let mut memory = Memory::default();
    let image = memory.image("linux/amd64", &["base"]);
    let mut attestation = image.clone();
    attestation["platform"] = json!({ "os": "unknown", "architecture": "unknown" });
    for children in [
        [attestation.clone(), image.clone()],
        [image.clone(), attestation.clone()],
    ] {
        let index = memory.index(&children);
        memory.tag("1", &index);
        let walked = walk_tag(&memory).await;
        let node = find(&walked, &image);
        assert_eq!(
            (node.kind(), node.platform().unwrap().to_string()),
            (Kind::Manifest, "linux/amd64".to_owned())
        );
    }
    // For the parent that listed it first it stays.
    let mut again = image.clone();
    again["platform"] = json!({ "os": "linux", "architecture": "arm64" });
    let index = memory.index(&[image.clone(), again]);
    memory.tag("1", &index);
    assert_eq!(
        find(&walk_tag(&memory).await, &image)
            .platform()
            .unwrap()
            .to_string(),
        "linux/amd64"
    );
}

fn fails_alone(checked: &Checked) -> bool {
    let alone = |(_, node): (NodeId, Node<'_>)| matches!(node.cause(), Cause::FailsAlone(_));
    checked.graph.iter().any(alone)
}

#[tokio::test]
async fn when_one_digest_fails_another_is_asked_as_a_control() {
    let mut memory = Memory::default();
    let [index, ..] = two_platforms(&mut memory);
    let again = |memory: &Memory| {
        let question = format!("manifest {}", digest_of(&index));
        memory
            .asked
            .take()
            .iter()
            .filter(|asked| asked.starts_with(&question))
            .count()
    };
    assert!(!fails_alone(&walk_tag(&memory).await));
    assert_eq!(again(&memory), 1);
    memory.failing.insert(digest::sha256(b"arm"));
    assert!(fails_alone(&walk_tag(&memory).await));
    assert_eq!(again(&memory), 2);
    memory.failing.insert(digest::sha256(b"amd"));
    assert!(!fails_alone(&walk_tag(&memory).await));
    assert_eq!(again(&memory), 1);
}

#[tokio::test]
async fn the_control_request_is_for_a_manifest_that_was_delivered() {
    use base64::Engine as _;
    let mut memory = Memory::default();
    let arm = memory.image("linux/arm64", &["arm"]);
    memory.tag("1", &arm);
    memory.tagged_alone.insert(digest_of(&arm));
    memory.failing.insert(digest::sha256(b"arm"));
    assert!(
        !fails_alone(&walk_tag(&memory).await),
        "nothing but a config was delivered"
    );
    let mut inline = memory.image("linux/amd64", &["amd"]);
    let bytes = memory.content.remove(&digest_of(&inline)).unwrap();
    inline["data"] = json!(base64::prelude::BASE64_STANDARD.encode(bytes));
    memory.tagged_alone.clear();
    let index = memory.index(&[inline, arm]);
    memory.tag("1", &index);
    memory.tagged_alone.insert(digest_of(&index));
    assert!(
        fails_alone(&walk_tag(&memory).await),
        "the second of the two was"
    );
}

#[tokio::test]
async fn signatures_of_signatures_have_a_depth_limit() {
    let mut memory = Memory::default();
    let image = memory.image("linux/amd64", &["base"]);
    memory.tag("1", &image);
    let mut subject = digest_of(&image);
    for number in 0..20 {
        let signed = memory.image("linux/amd64", &[&number.to_string()]);
        let signature = memory.index(std::slice::from_ref(&signed));
        let bytes = memory.content[&digest_of(&signature)].clone();
        let manifest = Manifest {
            body: Body::Whole(bytes),
            content_type: None,
            claimed: None,
        };
        memory
            .referring
            .insert(subject, vec![Referring::Tagged(manifest)]);
        subject = digest_of(&signed);
    }
    let rules = Rules {
        referrers: Concern::Check,
        ..Rules::default()
    };
    let index = memory.index(std::slice::from_ref(&image));
    memory.tag("index", &index);
    // Each signature is an index with the next image: 1 and 2 deep, 3 and 4, up to 8; below an
    // index 2 and 3, up to 8 alone.
    for (tag, too_deep) in [(":1", Kind::Referrer), (":index", Kind::Manifest)] {
        let walked = walk_with(&memory, &[tag], &rules).await;
        let with = |verdict| {
            walked
                .graph
                .iter()
                .filter(move |(_, node)| node.verdict() == verdict)
        };
        assert_eq!(
            with(Verdict::Ok)
                .filter(|(_, node)| node.kind() == Kind::Referrer)
                .count(),
            4,
            "{tag}"
        );
        assert_eq!(
            with(Verdict::Malformed)
                .map(|(_, node)| node.kind())
                .collect::<Vec<_>>(),
            [too_deep],
            "{tag}"
        );
    }
}

#[tokio::test]
async fn a_child_of_the_other_form_than_its_index_says_stops_containerd() {
    for (media_type, stops) in [
        (DOCKER_MANIFEST, Clients::NONE),
        (OCI_INDEX, Clients::CONTAINERD),
        ("application/x", Clients::CONTAINERD),
    ] {
        let mut memory = Memory::default();
        let mut amd = memory.image("linux/amd64", &["base"]);
        amd["mediaType"] = json!(media_type);
        let index = memory.index(std::slice::from_ref(&amd));
        memory.tag("1", &index);
        let walked = walk_tag(&memory).await;
        assert_eq!(find(&walked, &amd).stops(), stops, "{media_type}");
        assert_eq!(find(&walked, &amd).children().count(), 2, "{media_type}");
    }
}

#[tokio::test]
async fn the_platform_in_the_index_wins_over_the_config() {
    let mut memory = Memory::default();
    let mut amd = memory.image("linux/amd64", &["base"]);
    amd["platform"] = json!({ "os": "linux", "architecture": "arm64" });
    let index = memory.index(std::slice::from_ref(&amd));
    memory.tag("1", &index);
    let walked = walk_tag(&memory).await;
    assert_eq!(
        find(&walked, &amd).platform().unwrap().to_string(),
        "linux/arm64"
    );
}

#[tokio::test]
async fn a_reference_that_leads_nowhere_has_a_root_that_says_so() {
    let memory = Memory::default();
    let walked = walk_tag(&memory).await;
    let root = walked.graph.node(walked.subjects[0].root);
    assert_eq!(
        (root.verdict(), root.status(), root.digest()),
        (Verdict::Missing, Some(404), None)
    );
}

#[tokio::test]
async fn a_digest_that_delivers_other_bytes_is_a_mismatch_at_the_root() {
    let mut memory = Memory::default();
    let [index, ..] = two_platforms(&mut memory);
    memory.content.insert(digest_of(&index), b"{}".to_vec());
    let walked = walk_with(
        &memory,
        &[&format!("@{}", digest_of(&index))],
        &Rules::default(),
    )
    .await;
    assert_eq!(
        walked.graph.node(walked.subjects[0].root).verdict(),
        Verdict::DigestMismatch
    );
    assert_eq!(walked.graph.len(), 1);
    assert_eq!(walked.subjects[0].also, None, "they are not its own");
}

#[tokio::test]
async fn the_platform_comes_from_the_index_and_else_from_the_config() {
    let mut memory = Memory::default();
    let [_, amd, _] = two_platforms(&mut memory);
    memory.tag("alone", &amd);
    let walked = walk_with(&memory, &[":alone"], &Rules::default()).await;
    let platform = walked.graph.node(walked.subjects[0].root).platform();
    assert_eq!(platform.unwrap().to_string(), "linux/amd64");
    let walked = walk_tag(&memory).await;
    assert_eq!(
        find(&walked, &amd).platform().unwrap().to_string(),
        "linux/amd64"
    );
}

#[tokio::test]
async fn a_known_config_gives_its_platform_to_manifests_without_one() {
    let mut memory = Memory::default();
    let platform = json!({ "os": "linux", "architecture": "amd64" });
    let config = memory.store(OCI_CONFIG, &platform.to_string());
    let mut manifest = |text: &str| {
        let layers = [memory.store(OCI_LAYER, text)];
        let document = json!({ "schemaVersion": 2, "config": config, "layers": layers });
        memory.store(OCI_MANIFEST, &document.to_string())
    };
    let [early, late, mut stated] = ["early", "late", "stated"].map(&mut manifest);
    stated["platform"] = json!({ "os": "linux", "architecture": "arm64" });
    // So deep that the config was answered before.
    let deep = (0..6).fold(memory.index(&[late.clone(), stated.clone()]), |index, _| {
        memory.index(&[index])
    });
    let index = memory.index(&[early.clone(), deep]);
    memory.tag("1", &index);
    let walked = walk_tag(&memory).await;
    for (descriptor, platform) in [
        (early, "linux/amd64"),
        (late, "linux/amd64"),
        (stated, "linux/arm64"),
    ] {
        assert_eq!(
            find(&walked, &descriptor).platform().unwrap().to_string(),
            platform
        );
    }
}

fn attested(memory: &mut Memory) -> Value {
    let amd = memory.image("linux/amd64", &["base"]);
    let attestation = memory.image("unknown/unknown", &["provenance"]);
    let index = memory.index(&[amd, attestation.clone()]);
    memory.tag("1", &index);
    attestation
}

#[tokio::test]
async fn attestations_are_checked_warned_about_or_ignored_as_set() {
    for (concern, care, verdict) in [
        (Concern::Check, Care::Check, Verdict::Missing),
        (Concern::Warn, Care::Warn, Verdict::Missing),
        (Concern::Ignore, Care::Warn, Verdict::Skipped),
    ] {
        let mut memory = Memory::default();
        let attestation = attested(&mut memory);
        memory.content.remove(&digest_of(&attestation));
        let walked = walk_with(
            &memory,
            &[":1"],
            &Rules {
                attestations: concern,
                ..Rules::default()
            },
        )
        .await;
        let node = find(&walked, &attestation);
        assert_eq!(
            (node.kind(), node.verdict()),
            (Kind::Attestation, verdict),
            "{concern:?}"
        );
        assert_eq!(
            walked
                .graph
                .node(walked.subjects[0].root)
                .children()
                .nth(1)
                .unwrap()
                .care,
            care,
            "{concern:?}"
        );
        let asked = memory
            .asked
            .borrow()
            .iter()
            .any(|asked| asked.contains(node.digest().unwrap().as_ref()));
        assert_eq!(asked, concern != Concern::Ignore, "{concern:?}");
    }
}

#[tokio::test]
async fn a_child_that_may_be_absent_is_skipped_or_checked() {
    let mut memory = Memory::default();
    let [_, amd, arm] = two_platforms(&mut memory);
    let rules = Rules {
        allow_missing: AllowMissing::Platforms(vec!["linux/arm64".parse().unwrap()]),
        ..Rules::default()
    };
    let layer = digest::sha256(b"arm");
    memory.content.remove(&layer);
    let walked = walk_with(&memory, &[":1"], &rules).await;
    assert_eq!(
        faults(&walked),
        BTreeMap::from([(layer.to_string(), Verdict::Missing)])
    );
    assert!(
        memory
            .asked
            .borrow()
            .contains(&format!("manifest {} or not", digest_of(&arm)))
    );
    memory.content.remove(&digest_of(&arm));
    memory.content.remove(&digest_of(&amd));
    let walked = walk_with(&memory, &[":1"], &rules).await;
    assert_eq!(find(&walked, &arm).verdict(), Verdict::Skipped);
    assert_eq!(find(&walked, &amd).verdict(), Verdict::Missing);
}

#[tokio::test]
async fn with_all_every_child_may_be_absent_and_no_blob() {
    let mut memory = Memory::default();
    let [_, amd, arm] = two_platforms(&mut memory);
    let rules = Rules {
        allow_missing: AllowMissing::All,
        ..Rules::default()
    };
    memory.content.remove(&digest_of(&arm));
    let walked = walk_with(&memory, &[":1"], &rules).await;
    assert_eq!(find(&walked, &arm).verdict(), Verdict::Skipped);
    assert_eq!(find(&walked, &arm).cause(), &Cause::AllowedMissing);
    assert_eq!(find(&walked, &amd).verdict(), Verdict::Ok);
    let layer = digest::sha256(b"amd");
    memory.content.remove(&layer);
    let walked = walk_with(&memory, &[":1"], &rules).await;
    let absent = (digest_of(&arm).to_string(), Verdict::Skipped);
    assert_eq!(
        faults(&walked),
        BTreeMap::from([absent, (layer.to_string(), Verdict::Missing)])
    );
    memory.content.remove(&digest_of(&amd));
    let walked = walk_with(&memory, &[":1"], &rules).await;
    assert!(faults(&walked).values().all(|one| *one == Verdict::Skipped));
}

fn manifest_of(memory: &mut Memory, layers: &[Value]) {
    let config = memory.store(OCI_CONFIG, &config("linux", "amd64", layers.len()));
    let document = json!({ "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": layers });
    let manifest = memory.store(OCI_MANIFEST, &document.to_string());
    memory.tag("1", &manifest);
}

#[tokio::test]
async fn foreign_layers_are_not_asked_for() {
    let mut memory = Memory::default();
    let mut layer = memory.store(
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "foreign",
    );
    layer["urls"] = json!(["https://elsewhere.example/layer"]);
    manifest_of(&mut memory, std::slice::from_ref(&layer));
    memory.content.remove(&digest_of(&layer));
    let walked = walk_tag(&memory).await;
    assert_eq!(
        faults(&walked),
        BTreeMap::from([(digest_of(&layer).to_string(), Verdict::Skipped)])
    );
}

#[tokio::test]
async fn inline_data_helps_containerd_alone_where_the_registry_has_none() {
    let docker_and_podman = Clients::of(&[Client::Docker, Client::Podman]);
    // Data of another length does not count.
    for (data, is_there, verdict, stops) in [
        ("aW5saW5l", true, Verdict::Ok, Clients::NONE),
        ("aW5saW5l", false, Verdict::Unsupported, docker_and_podman),
        (
            "aW5saW5m",
            true,
            Verdict::DigestMismatch,
            Clients::CONTAINERD,
        ),
        ("aW5saW5m", false, Verdict::Missing, Clients::ALL),
        ("aW4=", true, Verdict::Ok, Clients::NONE),
        ("aW4=", false, Verdict::Missing, Clients::ALL),
    ] {
        let mut memory = Memory::default();
        let mut layer = memory.store(OCI_LAYER, "inline");
        layer["data"] = json!(data);
        manifest_of(&mut memory, std::slice::from_ref(&layer));
        if !is_there {
            memory.content.remove(&digest_of(&layer));
        }
        let walked = walk_tag(&memory).await;
        let node = find(&walked, &layer);
        let found = (node.verdict(), node.stops());
        assert_eq!(
            found,
            (verdict, stops),
            "{data} {is_there}: {:?}",
            node.cause()
        );
    }
}

#[tokio::test]
async fn an_inline_manifest_is_followed() {
    use base64::Engine as _;
    let mut memory = Memory::default();
    let mut amd = memory.image("linux/amd64", &["lost"]);
    let bytes = memory.content.remove(&digest_of(&amd)).unwrap();
    amd["data"] = json!(base64::prelude::BASE64_STANDARD.encode(bytes));
    let index = memory.index(&[amd]);
    memory.tag("1", &index);
    memory.content.remove(&digest::sha256(b"lost"));
    let walked = walk_tag(&memory).await;
    let lost = digest::sha256(b"lost").to_string();
    assert_eq!(faults(&walked)[&lost], Verdict::Missing);
}

#[tokio::test]
async fn one_digest_with_two_sizes_is_two_checks() {
    let mut memory = Memory::default();
    let right = memory.store(OCI_LAYER, "content");
    let mut wrong = right.clone();
    wrong["size"] = json!(6);
    manifest_of(&mut memory, &[right, wrong]);
    let walked = walk_tag(&memory).await;
    assert_eq!(
        faults(&walked).into_values().collect::<Vec<_>>(),
        [Verdict::SizeMismatch]
    );
}

#[tokio::test]
async fn a_config_that_is_also_a_layer_is_asked_for_once() {
    let mut memory = Memory::default();
    let text = config("linux", "amd64", 1);
    let (digest, size) = (digest::sha256(text.as_bytes()), text.len());
    let layer = json!({ "mediaType": OCI_LAYER, "digest": digest, "size": size });
    manifest_of(&mut memory, &[layer]);
    let walked = walk_tag(&memory).await;
    assert_eq!(
        (walked.graph.len(), memory.asked.borrow().len()),
        (2, 1 + 2)
    );
}

#[tokio::test]
async fn a_config_too_large_to_keep_is_checked_like_a_layer() {
    let mut memory = Memory::default();
    for (size, what) in [(CONFIG_LIMIT, "config"), (CONFIG_LIMIT + 1, "blob")] {
        let digest = digest::sha256(format!("{size}").as_bytes());
        let config = json!({ "mediaType": OCI_CONFIG, "digest": digest, "size": size });
        let document = json!({ "schemaVersion": 2, "config": config, "layers": [] });
        let manifest = memory.store(OCI_MANIFEST, &document.to_string());
        memory.tag("1", &manifest);
        walk_tag(&memory).await;
        assert!(
            memory.asked.borrow().contains(&format!("{what} {digest}")),
            "{size}"
        );
    }
}

#[tokio::test]
async fn indexes_nest_eight_deep_and_no_deeper() {
    for (levels, fine) in [(7, true), (8, false)] {
        let mut memory = Memory::default();
        let mut descriptor = memory.image("linux/amd64", &["base"]);
        for _ in 0..=levels {
            descriptor = memory.index(&[descriptor]);
        }
        memory.tag("1", &descriptor);
        let walked = walk_tag(&memory).await;
        let too_deep = |(_, node): &(NodeId, Node<'_>)| *node.cause() == Cause::TooDeep;
        let found = walked.graph.iter().filter(too_deep).count();
        assert_eq!(found, usize::from(!fine), "{levels}");
    }
}

#[tokio::test]
async fn a_hundred_thousand_nodes_are_followed_and_no_more() {
    // An index of that size is larger than podman reads.
    for (children, nodes, verdict) in [
        (MAX_NODES - 1, MAX_NODES, Verdict::Unsupported),
        (MAX_NODES, 1, Verdict::Malformed),
    ] {
        let mut memory = Memory::default();
        let layer = |number: usize| {
            let digest = digest::sha256(&number.to_be_bytes());
            json!({ "digest": digest, "size": 1, "mediaType": "application/vnd.oci.image.layer.v1.tar" })
        };
        let index = memory.index(&(0..children).map(layer).collect::<Vec<_>>());
        memory.tag("1", &index);
        let walked = walk_tag(&memory).await;
        assert_eq!(walked.graph.len(), nodes);
        assert_eq!(
            walked.graph.node(walked.subjects[0].root).verdict(),
            verdict
        );
    }
}

#[tokio::test]
async fn a_bad_descriptor_has_a_node_of_its_own() {
    let mut memory = Memory::default();
    let amd = memory.image("linux/amd64", &["base"]);
    let platform = json!({ "os": "linux", "architecture": "arm64" });
    let index = memory.index(&[
        json!({ "digest": "sha256:nonsense", "size": 1, "platform": platform }),
        amd.clone(),
    ]);
    memory.tag("1", &index);
    let walked = walk_tag(&memory).await;
    assert_eq!(
        faults(&walked),
        BTreeMap::from([("sha256:nonsense".to_owned(), Verdict::Malformed)])
    );
    let edge = walked
        .graph
        .node(walked.subjects[0].root)
        .children()
        .next()
        .unwrap();
    for platform in [edge.platform, walked.graph.node(edge.to).platform()] {
        assert_eq!(platform.unwrap().to_string(), "linux/arm64");
    }
    assert_eq!(find(&walked, &amd).verdict(), Verdict::Ok);
}

#[tokio::test]
async fn referrers_are_followed_when_they_matter() {
    for (concern, care) in [
        (Concern::Check, Some(Care::Check)),
        (Concern::Warn, Some(Care::Warn)),
        (Concern::Ignore, None),
    ] {
        let mut memory = Memory::default();
        let amd = memory.image("linux/amd64", &["base"]);
        memory.tag("1", &amd);
        let signature = memory.image("linux/amd64", &["signature"]);
        let tagged = memory.image("linux/amd64", &["tagged"]);
        let list = memory.index(std::slice::from_ref(&signature));
        let referring = vec![
            Referring::List(memory.deliver(&digest_of(&list)).unwrap()),
            Referring::Tagged(memory.deliver(&digest_of(&tagged)).unwrap()),
        ];
        memory.referring.insert(digest_of(&amd), referring);
        for lost in ["signature", "tagged"] {
            memory.content.remove(&digest::sha256(lost.as_bytes()));
        }
        let walked = walk_with(
            &memory,
            &[":1"],
            &Rules {
                referrers: concern,
                ..Rules::default()
            },
        )
        .await;
        let missing: Vec<Verdict> = faults(&walked).into_values().collect();
        let Some(care) = care else {
            assert_eq!(missing, []);
            assert!(
                !memory
                    .asked
                    .borrow()
                    .iter()
                    .any(|asked| asked.starts_with("referrers"))
            );
            continue;
        };
        assert_eq!(missing, [Verdict::Missing, Verdict::Missing], "{concern:?}");
        let root = walked.graph.node(walked.subjects[0].root);
        let cares: Vec<Care> = root.children().map(|edge| edge.care).collect();
        assert_eq!(cares, [Care::Check, Care::Check, care, care], "{concern:?}");
        for descriptor in [&signature, &tagged] {
            let node = find(&walked, descriptor);
            assert_eq!(
                (node.kind(), node.status(), node.attempts()),
                (Kind::Referrer, Some(200), 1)
            );
        }
        // Signatures of signatures are not checked.
        assert_eq!(
            memory
                .asked
                .borrow()
                .iter()
                .filter(|asked| asked.starts_with("referrers"))
                .count(),
            1
        );
    }
}

#[tokio::test]
async fn an_unreadable_list_of_referrers_is_a_fault_of_its_own() {
    let mut memory = Memory::default();
    let amd = memory.image("linux/amd64", &["base"]);
    memory.tag("1", &amd);
    for (body, verdict) in [
        (r#"{"manifests": 7}"#, Verdict::Malformed),
        // This says nothing about referrers.
        (r#"{"ok": true}"#, Verdict::Unavailable),
        ("<html>", Verdict::Unavailable),
        ("", Verdict::Unavailable),
    ] {
        let nonsense = Manifest {
            body: Body::Whole(body.into()),
            content_type: None,
            claimed: None,
        };
        memory
            .referring
            .insert(digest_of(&amd), vec![Referring::List(nonsense)]);
        let walked = walk_with_referrers(&memory).await;
        assert_eq!(
            faults(&walked),
            BTreeMap::from([(String::new(), verdict)]),
            "{body}"
        );
    }
}

#[tokio::test]
async fn an_early_end_leaves_open_requests_unavailable_and_the_rest_not_checked() {
    let mut memory = Memory::default();
    let [index, ..] = two_platforms(&mut memory);
    let by_digest = format!("@{}", digest_of(&index));
    memory.silent = true;
    let stop = async { out_of_time() };
    let walked = walk(
        &memory,
        &repository(),
        &references(&[":1", &by_digest]),
        &Rules::default(),
        stop,
        |_, _| {},
    )
    .await;
    for subject in &walked.subjects {
        let outcome = walked.graph.node(subject.root);
        assert_eq!(
            (outcome.verdict(), outcome.cause()),
            (Verdict::Unavailable, &out_of_time())
        );
    }
}

#[tokio::test]
async fn what_was_found_before_the_end_is_kept() {
    let mut memory = Memory::default();
    let manifests: Vec<Value> = (0..WIDTH + 10)
        .map(|number| memory.image("linux/amd64", &[&format!("layer {number}")]))
        .collect();
    let index = memory.index(&manifests);
    memory.tag("1", &index);
    let stopped = RefCell::new(false);
    let stop = std::future::poll_fn(|_| {
        if *stopped.borrow() {
            std::task::Poll::Ready(out_of_time())
        } else {
            std::task::Poll::Pending
        }
    });
    let rules = Rules::default();
    let walked = walk(
        &memory,
        &repository(),
        &references(&[":1"]),
        &rules,
        stop,
        |found, settled| {
            assert!(settled <= found);
            *stopped.borrow_mut() = settled == 1;
        },
    )
    .await;
    assert_eq!(
        walked.graph.node(walked.subjects[0].root).verdict(),
        Verdict::Ok
    );
    let verdicts: BTreeSet<Verdict> = walked
        .graph
        .iter()
        .map(|(_, node)| node.verdict())
        .collect();
    assert_eq!(
        verdicts,
        BTreeSet::from([Verdict::Ok, Verdict::Unavailable, Verdict::NotChecked])
    );
}

#[tokio::test]
async fn content_that_appears_late_reports_its_delay() {
    struct Late(Memory);
    impl Source for Late {
        async fn resolve(&self, reference: &Reference, look: Look) -> Asked<Manifest> {
            let appeared_after = Some(Duration::from_millis(6200));
            Asked {
                appeared_after,
                attempts: 3,
                duration: Duration::from_secs(7),
                ..self.0.resolve(reference, look).await
            }
        }
        async fn head(&self, reference: &Reference, look: Look) -> Head {
            self.0.head(reference, look).await
        }
        async fn manifest(&self, digest: &Digest, look: Look) -> Asked<Manifest> {
            Asked {
                duration: Duration::from_secs(2),
                ..self.0.manifest(digest, look).await
            }
        }
        async fn blob(&self, promise: &Promise, look: Look) -> Asked<Blob> {
            Asked {
                appeared_after: Some(Duration::from_millis(3100)),
                ..self.0.blob(promise, look).await
            }
        }
        async fn config(&self, promise: &Promise, look: Look) -> Asked<Blob> {
            self.0.config(promise, look).await
        }
        async fn referrers(&self, digest: &Digest, look: Look) -> Asked<Vec<Referring>> {
            self.0.referrers(digest, look).await
        }
        async fn is_there(&self) -> bool {
            self.0.is_there().await
        }
    }
    let mut memory = Memory::default();
    two_platforms(&mut memory);
    let references = references(&[":1"]);
    let layer = digest::sha256(b"amd");
    let mut late = Late(memory);
    let walked = walk(
        &late,
        &repository(),
        &references,
        &Rules::default(),
        std::future::pending(),
        |_, _| {},
    )
    .await;
    let root = walked.graph.node(walked.subjects[0].root);
    assert_eq!(
        root.cause(),
        &Cause::AppearedAfter(Duration::from_millis(6200))
    );
    let is_it = |node: &Node<'_>| node.has_digest(&layer);
    let cause = walked
        .graph
        .iter()
        .map(|(_, node)| node)
        .find(is_it)
        .map(Node::cause);
    let late_by = Duration::from_millis(3100);
    assert_eq!(cause, Some(&Cause::AppearedAfter(late_by)));
    // What the tag took, and the digest.
    assert_eq!((root.attempts(), root.duration().as_secs()), (3 + 1, 7 + 2));
    late.0.tagged_alone.extend(root.digest());
    let walked = walk(
        &late,
        &repository(),
        &references,
        &Rules::default(),
        std::future::pending(),
        |_, _| {},
    )
    .await;
    assert_eq!(
        walked.graph.node(walked.subjects[0].root).cause(),
        &Cause::OnlyByTag(Box::new(answered(404)))
    );
}

#[tokio::test]
async fn every_finding_is_settled_at_the_end() {
    let mut memory = Memory::default();
    let mut foreign = memory.store(OCI_LAYER, "foreign");
    foreign["urls"] = json!(["https://elsewhere.example/layer"]);
    let mut inline = memory.store(OCI_LAYER, "inline");
    inline["data"] = json!("aW5saW5l");
    let config = memory.store(OCI_CONFIG, "{}");
    let document = json!({ "schemaVersion": 2, "config": config, "layers": [foreign, inline] });
    let image = memory.store(OCI_MANIFEST, &document.to_string());
    let attestation = memory.image("unknown/unknown", &["provenance"]);
    let index = memory.index(&[image, attestation, json!({ "digest": "nonsense" })]);
    memory.tag("1", &index);
    let nonsense = Manifest {
        body: Body::Whole(b"<html>".to_vec()),
        content_type: None,
        claimed: None,
    };
    let failing = (digest_of(&index), vec![Referring::List(nonsense)]);
    memory.referring.extend([failing]);
    let rules = Rules {
        attestations: Concern::Ignore,
        referrers: Concern::Check,
        ..Rules::default()
    };
    let mut last = (0, 0);
    let walked = walk(
        &memory,
        &repository(),
        &references(&[":1"]),
        &rules,
        std::future::pending(),
        |found, settled| {
            last = (found, settled);
        },
    )
    .await;
    // index, image, config, two layers, attestation, the invalid descriptor, the invalid list
    assert_eq!((walked.graph.len(), last), (8, (8, 8)));
}
