//! GitHub's packages API, see <https://docs.github.com/rest/packages/packages>. Each digest is a
//! version with its tags; a tag cannot be deleted alone.

use serde::Deserialize;
use url::Url;

use super::{Page, below};
use crate::oci::date;
use crate::prune::versions::Version;

/// How many versions a page has, at most.
const PAGE: &str = "100";

#[derive(Deserialize)]
struct Wire {
    id: u64,
    name: String,
    created_at: String,
    updated_at: Option<String>,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Default, Deserialize)]
struct Metadata {
    #[serde(default)]
    container: Container,
}

#[derive(Default, Deserialize)]
struct Container {
    #[serde(default)]
    tags: Vec<String>,
}

/// The list of a package's versions: nobody knows before whether its owner is a user.
pub(super) fn lists(base: &Url, owner: &str, name: &str) -> [Url; 2] {
    ["orgs", "users"].map(|kind| {
        let rest = ["packages", "container", name, "versions"];
        below(base, &[&[kind, owner][..], &rest[..]].concat())
    })
}

/// A page of it.
pub(super) fn page(list: &Url, number: usize) -> Url {
    let mut url = list.clone();
    url.query_pairs_mut()
        .append_pair("per_page", PAGE)
        .append_pair("page", &number.to_string());
    url
}

/// The versions of a page.
pub(super) fn read(body: &[u8]) -> serde_json::Result<Page> {
    let all: Vec<Wire> = serde_json::from_slice(body)?;
    let numbers = all.iter().map(|wire| wire.id).collect();
    let versions = all.into_iter().map(|wire| Version {
        key: wire.id.to_string(),
        digest: wire.name.parse().ok(),
        tags: wire.metadata.container.tags,
        // What has lost a tag is younger by its last change, and was not pushed then.
        pushed: date::read(&wire.created_at),
        changed: wire.updated_at.and_then(|text| date::read(&text)),
    });
    Ok(Page {
        versions: versions.collect(),
        numbers,
    })
}

/// A version.
pub(super) fn version(list: &Url, key: &str) -> Url {
    below(list, &[key])
}
