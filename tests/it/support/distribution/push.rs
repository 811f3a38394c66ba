//! A push by the few requests of the specification.

use std::io;

use serde_json::json;

use crate::support::http::client::{Answer, ask};
use crate::support::image::{Content, Image};
use crate::support::scratch::Scratch;

/// A registry as one who pushes sees it.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    /// `host:port`.
    pub(crate) host: String,
    /// The value of `Authorization`, where the registry wants one.
    pub(crate) authorization: Option<String>,
}

impl Door {
    /// One that anybody may use.
    pub(crate) fn open(host: &str) -> Self {
        Self {
            host: host.to_owned(),
            authorization: None,
        }
    }

    /// Sends one request to a path, with these headers besides.
    ///
    /// # Errors
    /// As [`ask`].
    pub(crate) fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Answer> {
        let authorization = self.authorization.as_deref();
        let authorization = authorization.map(|value| ("Authorization", value));
        let headers: Vec<_> = headers.iter().copied().chain(authorization).collect();
        ask(
            method,
            &format!("http://{}{path}", self.host),
            &headers,
            body,
        )
    }

    fn put_blob(&self, name: &str, digest: &str, bytes: &[u8]) {
        let begun = self.request("POST", &format!("/v2/{name}/blobs/uploads/"), "", &[], 202);
        let joint = if begun.contains('?') { '&' } else { '?' };
        let own = format!("http://{}", self.host);
        let path = begun.strip_prefix(&own).unwrap_or(&begun);
        self.request(
            "PUT",
            &format!("{path}{joint}digest={digest}"),
            "application/octet-stream",
            bytes,
            201,
        );
    }

    fn put_manifest(&self, name: &str, place: &str, content: &Content) {
        self.request(
            "PUT",
            &format!("/v2/{name}/manifests/{place}"),
            &content.media_type,
            &content.bytes,
            201,
        );
    }

    /// Sends one request that must be answered so, and gives the `Location` of the answer.
    #[track_caller]
    fn request(
        &self,
        method: &str,
        path: &str,
        content_type: &str,
        body: &[u8],
        expected: u16,
    ) -> String {
        let answer = self.ask(method, path, &[("Content-Type", content_type)], body);
        let answer = answer.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        assert_eq!(
            answer.status,
            expected,
            "{method} {path}: {}",
            answer.text()
        );
        answer.header("Location").unwrap_or_default().to_owned()
    }
}

/// Pushes by <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#push>.
pub(crate) fn push(door: &Door, name: &str, image: &Image) {
    for (digest, content) in image.contents() {
        if digest == image.root() {
            put_root(door, name, image);
        } else {
            put(door, name, digest, content);
        }
    }
}

/// Pushes all of an image but its root.
pub(crate) fn push_below_root(door: &Door, name: &str, image: &Image) {
    for (digest, content) in image.contents() {
        if digest != image.root() {
            put(door, name, digest, content);
        }
    }
}

fn put(door: &Door, name: &str, digest: &str, content: &Content) {
    let (name, _) = split(name);
    if content.manifest {
        door.put_manifest(name, digest, content);
    } else {
        door.put_blob(name, digest, &content.bytes);
    }
}

/// Points a tag at an image that is there except for its root.
pub(crate) fn put_root(door: &Door, name: &str, image: &Image) {
    let (name, tag) = split(name);
    let root = image.content(image.root()).expect("an image has its root");
    door.put_manifest(name, tag, root);
}

fn split(name: &str) -> (&str, &str) {
    name.split_once(':')
        .expect("an image is pushed as name:tag")
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
