//! What a repository has, as its registry answers, and what its manifests refer to.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::support::distribution::Door;
use crate::support::image::{Content, DOCKER_LIST, DOCKER_MANIFEST, INDEX, Image, MANIFEST};

/// The tags of a repository with their digests, and its manifests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    pub(super) tags: BTreeMap<String, String>,
    pub(super) manifests: BTreeSet<String>,
}

impl State {
    /// Asks for each tag that is listed, and each manifest that was ever pushed.
    pub(super) fn of(door: &Door, repository: &str, stock: &Stock) -> Self {
        let tags = listed(door, repository).into_iter().map(|tag| {
            let digest = head(door, repository, &tag);
            let digest = digest.unwrap_or_else(|| panic!("{repository}:{tag} is listed, and gone"));
            (tag, digest)
        });
        let manifests = stock.manifests();
        let manifests = manifests.filter(|digest| head(door, repository, digest).is_some());
        Self {
            tags: tags.collect(),
            manifests: manifests.cloned().collect(),
        }
    }
}

fn listed(door: &Door, repository: &str) -> Vec<String> {
    let path = format!("/v2/{repository}/tags/list");
    let answer = door.ask("GET", &path, &[], &[]).expect("it runs");
    if answer.status == 404 {
        return Vec::new();
    }
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    let json: Value = serde_json::from_slice(&answer.body).expect("a list is JSON");
    let tags = json["tags"].as_array().cloned().unwrap_or_default();
    let name = |tag: &Value| tag.as_str().expect("a tag is text").to_owned();
    tags.iter().map(name).collect()
}

/// The digest of a tag or a manifest; none where it is not there.
fn head(door: &Door, repository: &str, place: &str) -> Option<String> {
    let accept = [INDEX, MANIFEST, DOCKER_LIST, DOCKER_MANIFEST].join(", ");
    let path = format!("/v2/{repository}/manifests/{place}");
    let answer = door.ask("HEAD", &path, &[("Accept", &accept)], &[]);
    let answer = answer.expect("it runs");
    assert!(matches!(answer.status, 200 | 404), "{path}: {answer:?}");
    (answer.status == 200).then(|| {
        let digest = answer.header("Docker-Content-Digest");
        digest.expect("it says which digest").to_owned()
    })
}

/// Everything that was ever pushed to a repository.
#[derive(Default)]
pub(super) struct Stock {
    contents: BTreeMap<String, Content>,
}

impl Stock {
    pub(super) fn add(&mut self, image: &Image) {
        let contents = image.contents();
        let contents = contents.map(|(digest, content)| (digest.to_owned(), content.clone()));
        self.contents.extend(contents);
    }

    fn manifests(&self) -> impl Iterator<Item = &String> {
        let manifests = self.contents.iter().filter(|(_, content)| content.manifest);
        manifests.map(|(digest, _)| digest)
    }

    pub(super) fn size(&self, digests: &BTreeSet<String>) -> u64 {
        let sizes = digests.iter().map(|one| self.contents[one].bytes.len());
        sizes.sum::<usize>() as u64
    }

    /// How large everything is, by its digest.
    pub(super) fn sizes(&self) -> BTreeMap<String, u64> {
        let sizes = self.contents.iter();
        let sizes = sizes.map(|(digest, content)| (digest.clone(), content.bytes.len() as u64));
        sizes.collect()
    }

    fn document(&self, digest: &str) -> Value {
        let content = &self.contents[digest];
        serde_json::from_slice(&content.bytes).expect("it was written as JSON")
    }

    /// Those of the manifests that are there which these lead to, and where it is asked for what they
    /// name as their subjects.
    pub(super) fn reached<'d>(
        &self,
        roots: impl Iterator<Item = &'d String>,
        there: &BTreeSet<String>,
        with_subjects: bool,
    ) -> BTreeSet<String> {
        let mut next: Vec<String> = roots.cloned().collect();
        let mut reached = BTreeSet::new();
        while let Some(digest) = next.pop() {
            if !there.contains(&digest) || !reached.insert(digest.clone()) {
                continue;
            }
            let document = self.document(&digest);
            next.extend(digests(&document["manifests"]));
            if with_subjects {
                next.extend(document["subject"]["digest"].as_str().map(str::to_owned));
            }
        }
        reached
    }

    /// These manifests, and what each of them lists: a collection leaves that alone, even a child
    /// that is deleted.
    pub(super) fn content_of(&self, manifests: &BTreeSet<String>) -> BTreeSet<String> {
        let mut content = manifests.clone();
        for digest in manifests {
            let document = self.document(digest);
            content.extend(document["config"]["digest"].as_str().map(str::to_owned));
            content.extend(digests(&document["layers"]));
            content.extend(digests(&document["manifests"]));
        }
        content
    }
}

fn digests(list: &Value) -> Vec<String> {
    let all = list.as_array().into_iter().flatten();
    all.filter_map(|one| Some(one["digest"].as_str()?.to_owned()))
        .collect()
}
