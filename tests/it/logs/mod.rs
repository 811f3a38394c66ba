//! The fifteen logs that somebody reads at night, whole, each in a text file beside this one.
//! `PULLPROOF_UPDATE_DOCS=1` writes them anew.

mod hints;
mod normal;

use std::path::PathBuf;
use std::time::Duration;

use self::normal::normal;
use crate::support::authority::Authority;
use crate::support::command::{Finished, Pullproof, pullproof};
use crate::support::distribution::{Damage, Distribution};
use crate::support::fake::{Registry, guard};
use crate::support::http::{Reply, Server};
use crate::support::image::{CONFIG, Image, LAYER, config_of};
use crate::support::recipe::{platforms, single};

/// `pullproof verify REFERENCE` with waits as short as a test wants them.
fn verify(reference: &str) -> Pullproof {
    let waits = [
        "--settle=0s",
        "--attempts=2",
        "--backoff=1ms",
        "--max-backoff=2ms",
    ];
    pullproof()
        .arguments(["verify", reference])
        .arguments(waits)
}

/// Compares a log with the one that is written down.
#[track_caller]
fn assert_reads(name: &str, finished: &Finished, port: u16) {
    let text = format!(
        "--- standard error\n{}--- standard output\n{}",
        finished.stderr, finished.stdout
    );
    let text = normal(&text, port);
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/logs/{name}.txt"));
    if std::env::var_os("PULLPROOF_UPDATE_DOCS").is_some_and(|value| !value.is_empty()) {
        std::fs::write(&path, &text).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        text, written,
        "PULLPROOF_UPDATE_DOCS=1 cargo test --test it logs writes {name}.txt anew"
    );
}

fn port_of(host: &str) -> u16 {
    host.rsplit_once(':').unwrap().1.parse().unwrap()
}

/// Distribution with an image of two platforms at `team/app:1.4` that it has delivered once.
fn served() -> (Distribution, Image, String) {
    let registry = Distribution::open();
    let image = platforms(2).attested().make();
    registry.push("team/app:1.4", &image);
    let reference = registry.reference("team/app:1.4");
    verify(&reference).argument("--depth=full").run().exits(0);
    (registry, image, reference)
}

#[test]
fn missing_child() {
    let (registry, image, reference) = served();
    registry.delete("team/app", image.child(1));
    let finished = verify(&reference).run().exits(1);
    assert_reads("missing-child", &finished, port_of(&registry.host()));
}

#[test]
fn collected_index() {
    let (mut registry, _, reference) = served();
    registry.garbage_collect_untagged();
    let finished = verify(&reference).run().exits(1);
    assert_reads("collected-index", &finished, port_of(&registry.host()));
}

#[test]
fn stale_cache() {
    let (registry, image, reference) = served();
    registry.damage("team/app", image.layer(1, 0), Damage::Deleted);
    let finished = verify(&reference).run().exits(1);
    assert_reads("stale-cache", &finished, port_of(&registry.host()));
}

/// An image whose config says when it was built.
fn dated() -> Image {
    let mut image = Image::empty();
    let layer = image.blob(LAYER, b"a layer".to_vec());
    let mut config = config_of("linux/amd64", std::slice::from_ref(&layer));
    config["created"] = "2024-03-01T14:02:33.5Z".into();
    let config = image.blob(CONFIG, config.to_string());
    let manifest = image.manifest(&config, &[layer]);
    image.begins_with(&manifest)
}

#[test]
fn wrong_digest() {
    let registry = Registry::start();
    registry.serve("team/app:1.4", &dated());
    let finished = verify(&registry.reference("team/app:1.4"))
        .argument(format!("--digest={}", platforms(2).make().root()))
        .run()
        .exits(1);
    assert_reads("wrong-digest", &finished, registry.server().port());
}

#[test]
fn platform_missing() {
    let registry = Registry::start();
    registry.image("team/app:1.4", &platforms(1));
    let finished = verify(&registry.reference("team/app:1.4"))
        .argument("--platforms=linux/amd64,linux/arm64")
        .run()
        .exits(1);
    assert_reads("platform-missing", &finished, registry.server().port());
}

#[test]
fn status_401() {
    let registry = Registry::start();
    registry.image("team/app:1.4", &single());
    registry.guarded(guard::basic("ci", "correct horse"));
    let finished = verify(&registry.reference("team/app:1.4"))
        .arguments(["--username=ci", "--password=correct horse"])
        .run()
        .exits(3);
    assert_reads("status-401", &finished, registry.server().port());
}

#[test]
fn status_403() {
    let registry = Registry::start();
    registry.image("b/fine:1.4", &single());
    registry.guarded(guard::basic("ci", "correct horse"));
    let denied = Reply::error(403, "DENIED", "requested access to the resource is denied");
    let reads = guard::basic("ci", "correct horse");
    registry.guarded(Box::new(move |request| {
        Some(reads(request).unwrap_or_else(|| denied.clone()))
    }));
    let finished = verify(&registry.reference("b/fine:1.4"))
        .arguments(["--username=ci", "--password=correct horse"])
        .argument(format!("--registry={}", registry.host()))
        .run()
        .exits(3);
    assert_reads("status-403", &finished, registry.server().port());
}

#[test]
fn tag_typo() {
    let (registry, image, _) = served();
    registry.push("team/app:1.5", &image);
    registry.push("team/app:latest", &image);
    let finished = verify(&registry.reference("team/app:latst")).run().exits(1);
    assert_reads("tag-typo", &finished, port_of(&registry.host()));
}

#[test]
fn registry_down() {
    let server = Server::start(|_| Reply::status(500));
    let (host, port) = (server.host(), server.port());
    drop(server);
    let finished = verify(&format!("{host}/team/app:1.4")).run().exits(4);
    assert_reads("registry-down", &finished, port);
}

#[test]
fn unknown_host() {
    let finished = verify("registry.invalid/team/app:1.4").run().exits(4);
    assert_reads("unknown-host", &finished, 0);
}

#[test]
fn self_signed() {
    let authority = Authority::new();
    let registry = Registry::start_tls(&authority.issue(&["registry.test"]));
    let port = registry.server().port();
    let finished = verify(&format!("registry.test:{port}/team/app:1.4"))
        .argument(format!("--resolve=registry.test:{port}:127.0.0.1"))
        .run()
        .exits(4);
    assert_reads("self-signed", &finished, port);
}

#[test]
fn http_for_https() {
    let registry = Registry::start();
    let port = registry.server().port();
    let finished = verify(&format!("registry.test:{port}/team/app:1.4"))
        .argument(format!("--resolve=registry.test:{port}:127.0.0.1"))
        .run()
        .exits(4);
    assert_reads("http-for-https", &finished, port);
}

#[test]
fn status_429() {
    let registry = Registry::start();
    let image = registry.image("team/app:1.4", &platforms(1).layers(13));
    for layer in 0..13 {
        let reply = Reply::error(429, "TOOMANYREQUESTS", "too many requests");
        registry.on("GET", image.layer(0, layer)).answers(reply);
    }
    // One after the other, so that the log names the same layer each time.
    let finished = verify(&registry.reference("team/app:1.4"))
        .argument("--concurrency=1")
        .run()
        .exits(4);
    assert_reads("status-429", &finished, registry.server().port());
}

#[test]
fn timeout() {
    let server = Server::start(|_| Reply::status(500).delayed(Duration::from_secs(30)));
    let finished = verify(&format!("{}/team/app:1.4", server.host()))
        .argument("--request-timeout=300ms")
        .run()
        .exits(4);
    assert_reads("timeout", &finished, server.port());
}

#[test]
fn disk_full() {
    let registry = Registry::start();
    registry.image("team/app:1.4", &single());
    let path = "/var/lib/registry/docker/registry/v2/repositories/team/app/_manifests";
    let body = serde_json::json!({"errors": [{
        "code": "UNKNOWN",
        "message": "unknown error",
        "detail": {
            "DriverName": "filesystem",
            "Enclosed": {"Op": "open", "Path": path, "Err": 28},
        },
    }]});
    let reply = Reply::json(&body)
        .but_status(500)
        .header("Docker-Distribution-Api-Version", "registry/2.0");
    registry.on("*", "").answers(reply);
    let finished = verify(&registry.reference("team/app:1.4")).run().exits(4);
    assert_reads("disk-full", &finished, registry.server().port());
}
