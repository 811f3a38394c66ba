//! The images that every client is asked to pull: whole, odd and broken.

mod answers;
mod apart;
mod artifacts;
mod configs;
mod descriptors;
mod documents;
mod indexes;
mod layers;
mod pairs;
mod versions;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::draft::Draft;
use super::pull::Client;
use crate::support::fake::Registry;
use crate::support::http::Reply;

type Change = dyn Fn(Draft) -> Draft + Send + Sync;

/// What is to be known about a case beside its name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// Only `--depth full` sees it.
    Full,
    /// The registry's answer may be another one tomorrow, so pullproof may call it undecided.
    Temporary,
    /// It is no image: `artifacts` decides, whatever a client does with it.
    Artifact,
    /// It is about what is inside a layer: pullproof unpacks none, and is not asked.
    Inside,
}

/// An image, and what is particular about it.
#[derive(Clone)]
pub(super) struct Case {
    /// Its name in the table, which is a part of its repositories' names.
    pub(super) name: String,
    /// What the registry serves, in one line.
    pub(super) what: String,
    marks: Vec<Mark>,
    /// Why docker's classic store pulls it since version 23, and 20.10 does not.
    pub(super) newer_docker_pulls: Option<&'static str>,
    /// The clients whose word pullproof does not follow here, and why.
    pub(super) apart: Option<(&'static [Client], &'static str)>,
    change: Arc<Change>,
}

fn case(
    name: impl Into<String>,
    what: impl Into<String>,
    change: impl Fn(Draft) -> Draft + Send + Sync + 'static,
) -> Case {
    Case {
        name: name.into(),
        what: what.into(),
        marks: Vec::new(),
        newer_docker_pulls: None,
        apart: None,
        change: Arc::new(change),
    }
}

impl Case {
    /// With a mark.
    fn mark(mut self, mark: Mark) -> Self {
        self.marks.push(mark);
        self
    }

    /// Whether it has a mark.
    pub(super) fn is(&self, mark: Mark) -> bool {
        self.marks.contains(&mark)
    }

    /// The same fault and another one in one image.
    fn and(&self, other: &Self) -> Self {
        let (first, second) = (Arc::clone(&self.change), Arc::clone(&other.change));
        Self {
            name: format!("{}--{}", self.name, other.name),
            what: format!("{}; {}", self.what, other.what),
            marks: [&self.marks[..], &other.marks].concat(),
            newer_docker_pulls: None,
            apart: None,
            change: Arc::new(move |draft| second(first(draft))),
        }
    }

    /// Whether pullproof does not follow this client's word here.
    pub(super) fn is_apart(&self, client: Client) -> bool {
        self.apart
            .is_some_and(|(clients, _)| clients.contains(&client))
    }

    /// The image, with bytes that no other seed has.
    pub(super) fn draft(&self, seed: &str) -> Draft {
        (self.change)(Draft::whole(seed))
    }
}

/// An image that every client pulls.
pub(super) fn control() -> Case {
    case("control", "a whole image", |draft| draft)
}

/// Every case, those of one fault first.
fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    cases.extend(indexes::cases());
    cases.extend(answers::cases());
    cases.extend(documents::cases());
    cases.extend(descriptors::cases());
    cases.extend(configs::cases());
    cases.extend(layers::cases());
    cases.extend(artifacts::cases());
    let pairs = pairs::of(&cases);
    cases.extend(pairs);
    versions::note(&mut cases);
    apart::note(&mut cases);
    cases
}

/// The cases whose name contains `E2E_CLIENTS_CASES`, and whether these are only some.
pub(super) fn selected() -> (Vec<Case>, bool) {
    let mut cases = cases();
    let part = std::env::var("E2E_CLIENTS_CASES").ok();
    cases.retain(|case| part.as_ref().is_none_or(|part| case.name.contains(part)));
    (cases, part.is_some())
}

/// Sets a key of a document or a descriptor.
fn set(key: &'static str, value: impl Into<Value>) -> impl Fn(&mut Value) + Send + Sync + Clone {
    let value = value.into();
    move |json| json[key] = value.clone()
}

/// Takes a key out of a document or a descriptor.
fn unset(key: &'static str) -> impl Fn(&mut Value) + Send + Sync + Clone {
    move |json| {
        json.as_object_mut().expect("it is one").remove(key);
    }
}

/// An answer without a body; one that slows clients down says for how long.
fn refused(status: u16) -> Reply {
    match status {
        401 => Reply::status(401).header("WWW-Authenticate", "Basic realm=\"tests\""),
        429 => Reply::status(429).header("Retry-After", "1"),
        _ => Reply::status(status),
    }
}

/// The rows of `name | what | key | value as JSON`.
fn rows(
    table: &'static str,
) -> impl Iterator<Item = (&'static str, &'static str, &'static str, Value)> {
    table.trim().lines().map(|line| {
        let mut cells = line.splitn(4, " | ");
        let mut cell = || cells.next().expect("it has four cells");
        let (name, what, key) = (cell(), cell(), cell());
        let value = serde_json::from_str(cell());
        (
            name,
            what,
            key,
            value.unwrap_or_else(|error| panic!("{name}: {error}")),
        )
    })
}

#[test]
fn every_image_can_be_served_under_a_name_of_its_own() {
    let registry = Registry::start();
    let cases = cases();
    assert!(cases.len() >= 150, "{}", cases.len());
    let mut names = BTreeSet::new();
    for case in cases {
        case.draft("seed").serve(&registry, &case.name);
        registry.drop_repository(&case.name);
        assert!(names.insert(case.name.clone()), "{}", case.name);
    }
}
