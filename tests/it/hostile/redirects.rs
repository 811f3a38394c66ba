//! Redirects: where they may lead, what may go along, and that a signed URL is never used twice.

use super::trial::{DEPTHS, single_image, trial};
use crate::support::authority::Authority;
use crate::support::fake::content::ranged;
use crate::support::fake::{Registry, Storage, Tokens};
use crate::support::http::message::Body;
use crate::support::http::{Reply, Server};
use crate::support::recipe::single;

#[test]
fn credentials_do_not_follow_a_redirect_to_other_storage() {
    for depth in DEPTHS {
        let (registry, image, verify) = single_image();
        let tokens = Tokens::new().login("robot", "hunter2");
        registry
            .mount("/token", tokens.endpoint())
            .guarded(tokens.guard("/token"));
        let storage = Storage::of(&image);
        storage.is_behind(&registry);
        verify
            .depth(depth)
            .login(&registry.host(), "robot", "hunter2")
            .run()
            .passes();
        let asked = storage.server().requests();
        assert!(!asked.is_empty());
        assert!(
            asked
                .iter()
                .all(|request| request.header("Authorization").is_none()),
            "{asked:#?}"
        );
    }
}

#[test]
fn every_kind_of_redirect_is_followed_and_others_are_not() {
    for (status, followed) in [
        (301, true),
        (302, true),
        (303, true),
        (307, true),
        (308, true),
        (300, false),
        (304, false),
    ] {
        let (registry, image, verify) = single_image();
        let storage = Storage::of(&image);
        let layer = image.layer(0, 0);
        registry
            .on("GET", layer)
            .answers(Reply::status(status).header("Location", storage.url(layer)));
        let seen = verify.run();
        if followed {
            seen.passes()
        } else {
            seen.leaves_open(&[(layer, "unavailable")])
        };
    }
}

#[test]
fn a_manifest_may_be_elsewhere_too() {
    let (registry, image, verify) = single_image();
    let content = image.content(image.root()).unwrap().clone();
    let elsewhere = Server::start(move |_| Reply::ok(&content.media_type, content.bytes.to_vec()));
    registry
        .on("GET", "manifests/1")
        .redirects_to(&elsewhere.url("/manifest"));
    verify.run().passes();
}

#[test]
fn a_relative_redirect_stays_at_the_registry_with_its_token() {
    let (registry, image, verify) = single_image();
    let tokens = Tokens::new();
    registry
        .mount("/token", tokens.endpoint())
        .guarded(tokens.guard("/token"));
    let layer = image.layer(0, 0);
    let bytes = image.content(layer).unwrap().bytes.clone();
    registry.mount("/v2/elsewhere", move |request| {
        match request.header("Authorization") {
            Some(_) => ranged(request, &Body::Bytes(bytes.clone())),
            None => Reply::status(401),
        }
    });
    registry.on("GET", layer).redirects_to("../../elsewhere");
    verify.run().passes();
}

/// The detail about a layer whose question is redirected so; it is never definite, and no signature
/// is in it.
fn refused(location: Option<&str>) -> String {
    let (registry, image, verify) = single_image();
    let layer = image.layer(0, 0);
    let reply = Reply::status(307);
    let reply = location.map_or(reply.clone(), |location| reply.header("Location", location));
    registry.on("GET", layer).answers(reply);
    let seen = verify.run().leaves_open(&[(layer, "unavailable")]);
    assert!(
        !seen.text.contains("c2lnbmVk") && !seen.report.0.to_string().contains("c2lnbmVk"),
        "{seen}"
    );
    assert_eq!(registry.asked(layer).len(), 1, "a refusal of ours is final");
    seen.detail(layer)
}

#[test]
fn a_redirect_to_nowhere_is_refused() {
    for location in [
        None,
        Some(""),
        Some("https://[bad"),
        Some("ftp://files.test/x"),
        Some("file:///etc/passwd"),
    ] {
        // An empty location is the same place again: a loop.
        let detail = if location == Some("") {
            loops("")
        } else {
            refused(location)
        };
        assert!(detail.contains("redirect"), "{location:?}: {detail}");
    }
}

#[test]
fn a_redirect_to_a_link_local_address_is_refused() {
    for host in [
        "169.254.169.254",
        "[fe80::1]",
        "[::ffff:169.254.169.254]",
        "0xa9fea9fe",
        "100.100.100.200",
        "0.0.0.0",
    ] {
        let detail = refused(Some(&format!(
            "http://{host}/latest?{}",
            crate::support::fake::storage::SIGNATURE
        )));
        assert!(detail.contains("link-local"), "{host}: {detail}");
    }
}

#[test]
fn a_redirect_to_a_name_of_a_link_local_address_is_refused() {
    let (registry, image, verify) = single_image();
    let layer = image.layer(0, 0);
    registry
        .on("GET", layer)
        .redirects_to("http://metadata.test:8080/latest");
    let seen = verify
        .flag("resolve", "metadata.test:8080:169.254.169.254")
        .run();
    seen.leaves_open(&[(layer, "unavailable")])
        .says(layer, "169.254.169.254");
}

fn loops(location: &str) -> String {
    let (registry, image, verify) = single_image();
    let layer = image.layer(0, 0);
    registry.on("GET", layer).redirects_to(location);
    let seen = verify.run().leaves_open(&[(layer, "unavailable")]);
    assert_eq!(
        registry.asked(layer).len(),
        6,
        "one question and five redirects"
    );
    seen.detail(layer)
}

#[test]
fn five_redirects_are_followed_and_six_are_not() {
    assert!(loops("?again").contains("more than 5 redirects"));
    for (hops, followed) in [(5, true), (6, false)] {
        let (registry, image, verify) = single_image();
        let layer = image.layer(0, 0);
        registry.on("GET", layer).times(hops).redirects_to("?again");
        let seen = verify.run();
        if followed {
            seen.passes()
        } else {
            seen.leaves_open(&[(layer, "unavailable")])
        };
    }
}

#[test]
fn no_redirect_leads_from_https_to_http() {
    let authority = Authority::new();
    let registry = Registry::start_tls(&authority.issue(&["127.0.0.1"]));
    let image = registry.image("app:1", &single());
    let storage = Storage::of(&image);
    storage.is_behind(&registry);
    let seen = trial(registry.reference("app:1"))
        .trusting(&authority)
        .run();
    let layers = [0, 1, 2].map(|layer| (image.layer(0, layer), "unavailable"));
    let seen = seen.leaves_open(&[&layers[..], &[(image.config(0), "unavailable")]].concat());
    seen.says(image.layer(0, 0), "from https to http");
    assert!(storage.server().requests().is_empty());
}

#[test]
fn an_error_of_the_storage_is_reported_as_the_storages() {
    for (status, verdict) in [
        (403, "unavailable"),
        (404, "missing"),
        (401, "unavailable"),
        (429, "rate_limited"),
    ] {
        let (registry, image, verify) = single_image();
        let layer = image.layer(0, 0);
        let storage =
            Server::start(move |_| Reply::ok("application/xml", "<Error/>").but_status(status));
        registry
            .on("GET", layer)
            .redirects_to(&storage.url("/b?X-Signature=c2lnbmVk"));
        let seen = verify.run();
        let faults = [(layer, verdict)];
        let seen = if verdict == "missing" {
            seen.finds(&faults)
        } else {
            seen.leaves_open(&faults)
        };
        seen.says(layer, &format!("redirected to http://{}", storage.host()));
    }
}
