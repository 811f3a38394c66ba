//! The fake registry in HTTP/2: the same answers, and the same ways to break them.

use reqwest::{Client, Version};

use crate::support::authority::Authority;
use crate::support::digest::sha256;
use crate::support::fake::Registry;
use crate::support::http::Break;
use crate::support::recipe::single;

/// `GET` in HTTP/2: the status, and the body or nothing when it broke.
fn get(authority: &Authority, url: &str) -> Result<(u16, Option<Vec<u8>>), reqwest::Error> {
    let mut tls = (*authority.client()).clone();
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let client = Client::builder().tls_backend_preconfigured(tls).build()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let response = client.get(url).send().await?;
        assert_eq!(response.version(), Version::HTTP_2);
        Ok((
            response.status().as_u16(),
            response.bytes().await.ok().map(Into::into),
        ))
    })
}

#[test]
fn blobs_are_served_and_broken_stream_by_stream() {
    let authority = Authority::new();
    let registry = Registry::start_two(&authority.issue(&["127.0.0.1"]));
    let image = registry.image("app:1", &single().layer_size(100_000));
    registry
        .on("GET", image.layer(0, 1))
        .breaks(Break::Close, 400);
    registry
        .on("GET", image.layer(0, 2))
        .breaks_anywhere(Break::Reset, 20);
    let url = |layer| {
        registry
            .server()
            .url(&format!("/v2/app/blobs/{}", image.layer(0, layer)))
    };
    let (status, body) = get(&authority, &url(0)).unwrap();
    assert_eq!(
        (status, sha256(&body.unwrap()).as_str()),
        (200, image.layer(0, 0))
    );
    assert_eq!(get(&authority, &url(1)).unwrap(), (200, None));
    assert!(get(&authority, &url(2)).is_err());
}
