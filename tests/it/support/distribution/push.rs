//! A push by the few requests of the specification.

use serde_json::json;

use crate::support::http::client::ask;
use crate::support::image::Image;
use crate::support::scratch::Scratch;

/// Pushes by <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#push>.
pub(super) fn push(host: &str, name: &str, image: &Image) {
    let (name, tag) = name
        .split_once(':')
        .expect("an image is pushed as name:tag");
    for (digest, content) in image.contents() {
        if content.manifest {
            let place = if digest == image.root() { tag } else { digest };
            put_manifest(host, name, place, &content.media_type, &content.bytes);
        } else {
            put_blob(host, name, digest, &content.bytes);
        }
    }
}

fn put_blob(host: &str, name: &str, digest: &str, bytes: &[u8]) {
    let begun = request(
        "POST",
        &format!("http://{host}/v2/{name}/blobs/uploads/"),
        "",
        &[],
        202,
    );
    let joint = if begun.contains('?') { '&' } else { '?' };
    let url = if begun.starts_with('/') {
        format!("http://{host}{begun}")
    } else {
        begun
    };
    request(
        "PUT",
        &format!("{url}{joint}digest={digest}"),
        "application/octet-stream",
        bytes,
        201,
    );
}

fn put_manifest(host: &str, name: &str, place: &str, media_type: &str, bytes: &[u8]) {
    request(
        "PUT",
        &format!("http://{host}/v2/{name}/manifests/{place}"),
        media_type,
        bytes,
        201,
    );
}

/// Sends one request that must be answered so, and gives the `Location` of the answer.
#[track_caller]
fn request(method: &str, url: &str, content_type: &str, body: &[u8], expected: u16) -> String {
    let answer = ask(method, url, &[("Content-Type", content_type)], body);
    let answer = answer.unwrap_or_else(|error| panic!("{method} {url}: {error}"));
    assert_eq!(answer.status, expected, "{method} {url}: {}", answer.text());
    answer.header("Location").unwrap_or_default().to_owned()
}

/// Writes an image, by the name `pushed`, as
/// <https://github.com/opencontainers/image-spec/blob/main/image-layout.md>.
pub(crate) fn write_layout(layout: &Scratch, image: &Image) {
    let root = layout.path();
    for (digest, content) in image.contents() {
        let path = root.join("blobs").join(digest.replace(':', "/"));
        std::fs::create_dir_all(path.parent().expect("it is below blobs"))
            .expect("the directory is ours");
        std::fs::write(path, &content.bytes).expect("the directory is ours");
    }
    let descriptor = image
        .root_descriptor()
        .clone()
        .annotated("org.opencontainers.image.ref.name", "pushed");
    let index = json!({"schemaVersion": 2, "manifests": [descriptor.json()]});
    for (name, json) in [
        ("index.json", index),
        ("oci-layout", json!({"imageLayoutVersion": "1.0.0"})),
    ] {
        std::fs::write(root.join(name), json.to_string()).expect("the directory is ours");
    }
}
