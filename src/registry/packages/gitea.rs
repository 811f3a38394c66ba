//! The packages API of Forgejo and Gitea, see <https://docs.gitea.com/api/#tag/package>. Each tag is a
//! version, and so is each digest that was pushed without one, as every child of an index is.

use serde::Deserialize;
use url::Url;

use super::{Page, below};
use crate::oci::date;
use crate::prune::versions::Version;

/// How many versions a page has: the most that it has by default.
const PAGE: &str = "50";

#[derive(Deserialize)]
struct Wire {
    id: u64,
    name: String,
    version: String,
    created_at: String,
}

/// The list of all packages of an owner.
pub(super) fn list(base: &Url, owner: &str) -> Url {
    below(base, &["packages", owner])
}

/// A page of it. The name is looked for anywhere in the names of packages.
pub(super) fn page(list: &Url, name: &str, number: usize) -> Url {
    let mut url = list.clone();
    url.query_pairs_mut()
        .append_pair("type", "container")
        .append_pair("q", name)
        .append_pair("page", &number.to_string())
        .append_pair("limit", PAGE);
    url
}

/// The versions of a page; those of other packages are left out.
pub(super) fn read(body: &[u8], name: &str) -> serde_json::Result<Page> {
    let all: Vec<Wire> = serde_json::from_slice(body)?;
    let numbers = all.iter().map(|wire| wire.id).collect();
    let own = all.into_iter().filter(|wire| wire.name == name);
    let versions = own.map(|wire| {
        let digest = wire.version.parse().ok();
        // The registry lists tags in lower case, whatever they were pushed as.
        let tag = digest.is_none().then(|| wire.version.to_ascii_lowercase());
        Version {
            key: wire.version,
            digest,
            tags: tag.into_iter().collect(),
            pushed: date::read(&wire.created_at),
            changed: None,
        }
    });
    Ok(Page {
        versions: versions.collect(),
        numbers,
    })
}

/// A version: a tag or a digest.
pub(super) fn version(list: &Url, name: &str, key: &str) -> Url {
    below(list, &["container", name, key])
}
