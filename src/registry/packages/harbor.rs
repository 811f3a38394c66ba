//! Harbor's own API: when each tag was pushed, see
//! <https://github.com/goharbor/harbor/blob/main/api/v2.0/swagger.yaml>.

use serde::Deserialize;
use url::Url;

use super::{Page, below};
use crate::oci::date;
use crate::prune::versions::Version;

/// How many artifacts a page has, at most.
const PAGE: &str = "100";

#[derive(Deserialize)]
struct Artifact {
    id: u64,
    #[serde(default)]
    tags: Option<Vec<Tag>>,
}

#[derive(Deserialize)]
struct Tag {
    name: String,
    push_time: String,
}

/// The list of a repository's artifacts; the name of a repository is encoded twice.
pub(super) fn list(base: &Url, project: &str, name: &str) -> Url {
    let name = name.replace('/', "%2F");
    below(
        base,
        &["projects", project, "repositories", &name, "artifacts"],
    )
}

/// A page of it.
pub(super) fn page(list: &Url, number: usize) -> Url {
    let mut url = list.clone();
    url.query_pairs_mut()
        .append_pair("with_tag", "true")
        .append_pair("page_size", PAGE)
        .append_pair("page", &number.to_string());
    url
}

/// The tags of a page.
pub(super) fn read(body: &[u8]) -> serde_json::Result<Page> {
    let all: Vec<Artifact> = serde_json::from_slice(body)?;
    let numbers = all.iter().map(|artifact| artifact.id).collect();
    let tags = all
        .into_iter()
        .flat_map(|artifact| artifact.tags.unwrap_or_default());
    let versions = tags.map(|tag| Version::of_tag(tag.name, date::read(&tag.push_time)));
    Ok(Page {
        versions: versions.collect(),
        numbers,
    })
}
