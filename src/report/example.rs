//! Reports for tests, written as the images that they describe.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use oci_spec::image::Digest;

use super::Report;
use crate::oci::client::Clients;
use crate::oci::flaw::Flaw;
use crate::oci::kind::Kind;
use crate::oci::platform::Platform;
use crate::oci::reference::Reference;
use crate::walk::cause::{Cause, Place, Trouble};
use crate::walk::checked::{Checked, Finding, Subject};
use crate::walk::graph::{Care, Found, Graph, NodeId};
use crate::walk::known::Known;
use crate::walk::product::Product;
use crate::walk::rules::Depth;
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
    refusal: Option<(Cause, Clients)>,
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
        cause: Cause::Plain,
        status: Some(200),
        attempts: 1,
        duration: Duration::from_millis(20),
    };
    Content {
        name,
        kind,
        size: 1000,
        platform: None,
        care: Care::Check,
        outcome,
        refusal: None,
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

    /// With another verdict; a text as its cause stands for a registry's answer in these words.
    pub(crate) fn found(
        mut self,
        verdict: Verdict,
        status: impl Into<Option<u16>>,
        cause: impl Into<Cause>,
    ) -> Self {
        self.outcome.verdict = verdict;
        self.outcome.status = status.into();
        self.outcome.cause = cause.into();
        self
    }

    /// Whole, and refused by these clients for its form.
    pub(crate) fn refused(mut self, flaw: Flaw, stops: Clients) -> Self {
        self.refusal = Some((Cause::Unusable(flaw), stops));
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

    pub(crate) fn unreachable(self, words: &str) -> Self {
        self.found(
            Verdict::Unavailable,
            None,
            trouble(Trouble::Connection, words),
        )
    }

    pub(crate) fn not_checked(mut self) -> Self {
        self.outcome = Outcome::unasked(Verdict::NotChecked, Cause::Plain);
        self
    }

    pub(crate) fn skipped(mut self, cause: Cause) -> Self {
        self.outcome = Outcome::unasked(Verdict::Skipped, cause);
        self
    }
}

/// Trouble of this kind on the way to the registry, in these words.
pub(crate) fn trouble(trouble: Trouble, words: &str) -> Cause {
    Cause::Unreached {
        trouble,
        place: Place::Registry,
        words: words.into(),
    }
}

/// A registry's answer with this status.
pub(crate) fn status(status: u16) -> Cause {
    Cause::Status {
        status,
        place: Place::Registry,
        is_registrys: true,
        is_page: false,
        words: None,
    }
}

impl From<&str> for Cause {
    fn from(words: &str) -> Self {
        trouble(Trouble::Connection, words)
    }
}

/// A finding whose sentence ends in the name of a platform that a registry states.
pub(crate) fn platform_missing(os: &str) -> Finding {
    let present = Platform {
        os: os.into(),
        architecture: "amd64".into(),
        variant: None,
    };
    Finding::PlatformMissing {
        expected: "linux/arm64".parse().unwrap(),
        present: vec![present],
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
        outcome: Outcome::unasked(Verdict::Ok, Cause::Plain),
    }
}

/// A report of images of one repository.
pub(crate) fn report(images: &[(&str, Content)]) -> Report {
    let mut graph = Graph::default();
    let mut known = HashMap::new();
    let subject = |(reference, content): &(&str, Content)| Subject {
        reference: reference.parse::<Reference>().unwrap(),
        root: add(&mut graph, &mut known, content),
        also: None,
        findings: Vec::new(),
    };
    let subjects: Vec<Subject> = images.iter().map(subject).collect();
    let checked = subjects.first().map(|first| Checked {
        repository: first.reference.repository.clone(),
        product: Product::Unknown,
        graph,
        subjects: subjects.clone(),
        known: Known::default(),
    });
    Report {
        duration: Duration::from_millis(2100),
        order: (0..subjects.len()).map(|subject| (0, subject)).collect(),
        repositories: checked.into_iter().collect(),
        requests: 12,
        bytes: 48_200,
        ..Report::empty(
            Depth::Tail,
            SystemTime::UNIX_EPOCH + Duration::from_millis(1_782_900_000_123),
        )
    }
}

impl Report {
    /// The image at this place, to be changed.
    pub(crate) fn image_mut(&mut self, place: usize) -> &mut Subject {
        let (repository, subject) = self.order[place];
        &mut self.repositories[repository].subjects[subject]
    }

    /// The graph of the only repository, to be changed.
    pub(crate) fn graph_mut(&mut self) -> &mut Graph {
        &mut self.repositories[0].graph
    }
}

/// Adds what is not known yet; a digest's name is its identity, and its first state counts.
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
    if let Some((why, stops)) = &content.refusal {
        graph.refuse(id, why, *stops, Clients::CONTAINERD);
    }
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
