//! The real registry in its forms, and the damage that tests do to it.

use crate::support::digest::sha256;
use crate::support::distribution::{Distribution, PASSWORD, USERNAME};
use crate::support::fake::guard::basic_credentials;
use crate::support::http::client::{Answer, ask, ask_tls, get};
use crate::support::image::{INDEX, Image, MANIFEST};
use crate::support::recipe::{platforms, single};

fn manifest(registry: &Distribution, name: &str, reference: &str) -> Answer {
    let accept = [("Accept", INDEX), ("Accept", MANIFEST)];
    ask(
        "GET",
        &format!("http://{}/v2/{name}/manifests/{reference}", registry.host()),
        &accept,
        &[],
    )
    .unwrap()
}

fn blob(registry: &Distribution, name: &str, digest: &str) -> Answer {
    get(&format!(
        "http://{}/v2/{name}/blobs/{digest}",
        registry.host()
    ))
}

fn assert_whole(registry: &Distribution, name: &str, image: &Image) {
    for (digest, content) in image.contents() {
        let answer = if content.manifest {
            manifest(registry, name, digest)
        } else {
            blob(registry, name, digest)
        };
        assert_eq!(
            (answer.status, sha256(&answer.body).as_str()),
            (200, digest)
        );
    }
}

#[test]
fn what_is_pushed_comes_back() {
    let registry = Distribution::open();
    let image = registry.image("team/app:1", &platforms(2).attested());
    assert_whole(&registry, "team/app", &image);
    assert_eq!(
        sha256(&manifest(&registry, "team/app", "1").body),
        image.root()
    );
}

#[test]
fn what_skopeo_pushes_comes_back() {
    let registry = Distribution::open();
    let image = platforms(2).attested().make();
    registry.push_by_skopeo("app:1", &image);
    assert_whole(&registry, "app", &image);
    assert_eq!(sha256(&manifest(&registry, "app", "1").body), image.root());
}

#[test]
fn it_is_on_the_same_port_after_a_restart() {
    let mut registry = Distribution::open();
    let image = registry.image("app:1", &single());
    let host = registry.host();
    registry.restart();
    assert_eq!(registry.host(), host);
    assert_whole(&registry, "app", &image);
}

#[test]
fn garbage_collection_takes_every_child_of_an_index() {
    let mut registry = Distribution::open();
    let image = registry.image("app:1", &platforms(2).attested());
    registry.stop().garbage_collect_untagged().start();
    assert_eq!(manifest(&registry, "app", "1").status, 200);
    for child in [
        image.child(0),
        image.child(1),
        image.attestation(0),
        image.attestation(1),
    ] {
        assert_eq!(manifest(&registry, "app", child).status, 404, "{child}");
        assert!(registry.data(child).exists(), "{child}");
    }
}

#[test]
fn htpasswd_wants_the_right_password() {
    let registry = Distribution::htpasswd();
    registry.image("app:1", &single());
    let url = format!("http://{}/v2/", registry.host());
    let ask_as = |password| {
        ask(
            "GET",
            &url,
            &[("Authorization", &basic_credentials(USERNAME, password))],
            &[],
        )
        .unwrap()
        .status
    };
    assert_eq!(
        (get(&url).status, ask_as("wrong"), ask_as(PASSWORD)),
        (401, 401, 200)
    );
}

#[test]
fn tls_needs_trust_in_the_authority() {
    let registry = Distribution::tls();
    let url = format!("https://{}/v2/", registry.host());
    assert_eq!(
        ask_tls(&registry.authority().client(), "GET", &url, &[])
            .unwrap()
            .status,
        200
    );
}

#[test]
fn tokens_of_the_token_server_are_accepted() {
    let registry = Distribution::token();
    let image = registry.image("app:1", &single());
    let url = format!(
        "http://{}/v2/app/blobs/{}",
        registry.host(),
        image.layer(0, 0)
    );
    let challenge = get(&url).header("www-authenticate").unwrap().to_owned();
    let realm = registry.token_server().url("/token");
    assert!(
        challenge.starts_with(&format!("Bearer realm=\"{realm}\"")),
        "{challenge}"
    );
    let asked = format!("{realm}?service=registry.test&scope=repository:app:pull");
    assert_eq!(get(&asked).status, 401);
    let answer = ask(
        "GET",
        &asked,
        &[("Authorization", &basic_credentials(USERNAME, PASSWORD))],
        &[],
    )
    .unwrap();
    let json: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    let bearer = format!("Bearer {}", json["token"].as_str().unwrap());
    assert_eq!(
        ask("GET", &url, &[("Authorization", &bearer)], &[])
            .unwrap()
            .status,
        200,
        "{}",
        registry.log()
    );
}
