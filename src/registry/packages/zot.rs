//! zot's search extension: when what each tag leads to was pushed, see
//! <https://github.com/project-zot/zot/blob/main/pkg/extensions/search/search.md>.

use serde::Deserialize;
use serde::de::Error as _;
use url::Url;

use super::Page;
use crate::oci::date;
use crate::prune::versions::Version;

#[derive(Deserialize)]
struct Answer {
    data: Option<Data>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Data {
    image_list: Option<Images>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Images {
    results: Option<Vec<Image>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Image {
    tag: String,
    push_timestamp: Option<String>,
}

/// The question for a repository's tags, which has one page.
pub(super) fn page(search: &Url, repository: &str) -> Url {
    let query = format!(r#"{{ImageList(repo:"{repository}"){{Results{{Tag PushTimestamp}}}}}}"#);
    let mut url = search.clone();
    url.query_pairs_mut().append_pair("query", &query);
    url
}

/// The tags.
pub(super) fn read(body: &[u8]) -> serde_json::Result<Page> {
    let answer: Answer = serde_json::from_slice(body)?;
    let images = answer.data.and_then(|data| data.image_list?.results);
    let images = images.ok_or_else(|| serde_json::Error::custom("it has no list of images"))?;
    let numbers = (0..).take(images.len()).collect();
    let versions = images.into_iter().map(|image| {
        let pushed = image.push_timestamp.as_deref().and_then(date::read);
        Version::of_tag(image.tag, pushed)
    });
    Ok(Page {
        versions: versions.collect(),
        numbers,
    })
}
