//! Reports for tests, written down as the images they tell of.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use oci_spec::image::Digest;

use super::{Image, Report};
use crate::oci::manifest::Kind;
use crate::oci::platform::Platform;
use crate::oci::reference::Reference;
use crate::walk::graph::{Care, Found, Graph, NodeId};
use crate::walk::rules::Depth;
use crate::walk::source::Obstacle;
use crate::walk::verdict::{Outcome, Verdict};

/// A digest with everything below it. Its name is one byte, which makes up the whole hash.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    name: u8,
    kind: Kind,
    size: u64,
    platform: Option<String>,
    care: Care,
    outcome: Outcome,
    children: Vec<Content>,
}

pub(crate) fn digest(name: u8) -> Digest {
    format!("sha256:{}", format!("{name:02x}").repeat(32))
        .parse()
        .unwrap()
}

fn content(kind: Kind, name: u8) -> Content {
    let outcome = Outcome {
        verdict: Verdict::Ok,
        detail: String::new(),
        status: Some(200),
        attempts: 1,
        duration: Duration::from_millis(20),
        obstacle: None,
    };
    Content {
        name,
        kind,
        size: 1000,
        platform: None,
        care: Care::Check,
        outcome,
        children: Vec::new(),
    }
}

pub(crate) fn index(name: u8) -> Content {
    content(Kind::Index, name)
}

/// A manifest for a platform, with the config `name + 1`.
pub(crate) fn manifest(name: u8, platform: &str) -> Content {
    Content {
        platform: Some(platform.to_owned()),
        ..content(Kind::Manifest, name)
    }
    .with(config(name + 1))
}

/// A manifest for a platform that is written down as it is, with nothing below.
pub(crate) fn child(name: u8, platform: &str) -> Content {
    Content {
        platform: Some(platform.to_owned()),
        ..content(Kind::Manifest, name)
    }
}

/// A manifest that stands alone, with the config `name + 1`.
pub(crate) fn plain(name: u8) -> Content {
    content(Kind::Manifest, name).with(config(name + 1))
}

pub(crate) fn attestation(name: u8) -> Content {
    Content {
        platform: Some("unknown/unknown".to_owned()),
        ..content(Kind::Attestation, name)
    }
}

pub(crate) fn referrer(name: u8) -> Content {
    content(Kind::Referrer, name)
}

pub(crate) fn config(name: u8) -> Content {
    content(Kind::Config, name)
}

pub(crate) fn layer(name: u8) -> Content {
    Content {
        size: 10_000_000,
        ..content(Kind::Layer, name)
    }
}

impl Content {
    pub(crate) fn with(mut self, child: Content) -> Self {
        self.children.push(child);
        self
    }

    /// Its faults are reported and break nothing.
    pub(crate) fn minor(mut self) -> Self {
        self.care = Care::Warn;
        self
    }

    pub(crate) fn found(
        mut self,
        verdict: Verdict,
        status: impl Into<Option<u16>>,
        detail: &str,
    ) -> Self {
        self.outcome.verdict = verdict;
        self.outcome.status = status.into();
        detail.clone_into(&mut self.outcome.detail);
        self
    }

    /// Answers 404, asked five times.
    pub(crate) fn missing(mut self) -> Self {
        self.outcome.attempts = 5;
        self.outcome.duration = Duration::from_millis(15_100);
        self.found(Verdict::Missing, 404, "expected it to be there, got 404")
    }

    pub(crate) fn denied(self) -> Self {
        self.found(Verdict::Denied, 401, "pull access refused")
    }

    pub(crate) fn unreachable(self, detail: &str) -> Self {
        self.found(Verdict::Unavailable, None, detail)
    }

    pub(crate) fn hindered(mut self, obstacle: Obstacle) -> Self {
        self.outcome.obstacle = Some(obstacle);
        self
    }

    pub(crate) fn not_checked(mut self) -> Self {
        self.outcome = Outcome::unasked(Verdict::NotChecked, "");
        self
    }

    pub(crate) fn skipped(mut self, detail: &str) -> Self {
        self.outcome = Outcome::unasked(Verdict::Skipped, detail);
        self
    }
}

/// A reference that leads to no digest.
pub(crate) fn nothing() -> Content {
    Content {
        name: 0,
        ..index(0)
    }
}

/// A node that says nothing of itself.
pub(crate) fn found(kind: Kind) -> Found {
    Found {
        digest: None,
        written: None,
        kind,
        media_type: "application/vnd.oci.image.manifest.v1+json".into(),
        size: None,
        platform: None,
        outcome: Outcome::unasked(Verdict::Ok, ""),
    }
}

/// A report of images of one repository.
pub(crate) fn report(images: &[(&str, Content)]) -> Report {
    let mut graph = Graph::default();
    let mut known = HashMap::new();
    let images = images
        .iter()
        .map(|(reference, content)| Image {
            reference: reference.parse::<Reference>().unwrap(),
            graph: 0,
            root: add(&mut graph, &mut known, content),
            findings: Vec::new(),
            alike: false,
            expected: None,
            unwanted: None,
            also: None,
        })
        .collect();
    graph.set_still_answering(true);
    Report {
        depth: Depth::Tail,
        started_at: SystemTime::UNIX_EPOCH + Duration::from_millis(1_782_900_000_123),
        duration: Duration::from_millis(2100),
        images,
        graphs: vec![graph],
        requests: 12,
        bytes: 48_200,
        stopped: None,
        settling: None,
        skipped: false,
        never_fail: false,
        login_not_visible: false,
        pipeline: None,
        before: None,
    }
}

/// Adds what is not known yet; a digest's name is its identity, whatever its state says the second time.
fn add(graph: &mut Graph, known: &mut HashMap<u8, NodeId>, content: &Content) -> NodeId {
    if let Some(id) = known.get(&content.name).filter(|_| content.name != 0) {
        return *id;
    }
    let digest = (content.name != 0).then(|| digest(content.name));
    let (size, outcome) = (Some(content.size), content.outcome.clone());
    let id = graph.add(&Found {
        digest,
        size,
        outcome,
        ..found(content.kind)
    });
    known.insert(content.name, id);
    for child in &content.children {
        let to = add(graph, known, child);
        let platform = child.platform.as_deref().map(|platform| {
            let mut parts = platform.splitn(3, '/').map(Box::from);
            let mut part = || parts.next();
            Platform {
                os: part().unwrap(),
                architecture: part().unwrap(),
                variant: part(),
            }
        });
        graph.connect(id, to, platform.as_ref(), child.care);
    }
    id
}
