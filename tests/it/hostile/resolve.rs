//! A reference is resolved by `HEAD`, too: containerd does it so, and believes every refusal but
//! 405.

use serde_json::Value;

use super::trial::{Seen, Trial, single_image, trial};
use crate::support::digest::sha256;
use crate::support::fake::Registry;
use crate::support::image::{DOCKER_LIST, INDEX, Image, index_of};

const TAG: &str = "/manifests/1";

/// The only image's findings with the clients that the image stops.
fn found(seen: &Seen) -> (Vec<&str>, Vec<&str>) {
    let images = seen.report.images();
    let image = images[0];
    let list = |name: &str| image[name].as_array().unwrap().iter();
    let kinds = list("findings").map(|one| one["kind"].as_str().unwrap());
    let clients = list("clients").map(|one| one.as_str().unwrap());
    (kinds.collect(), clients.collect())
}

/// Only containerd is stopped, and that counts unless another client does.
#[track_caller]
fn stops(verify: &Trial, kinds: &[&str], clients: &[&str]) {
    let is_broken = clients.contains(&"containerd");
    let seen = verify.run();
    assert_eq!(seen.exit, u8::from(is_broken), "{seen}");
    assert_eq!(found(&seen), (kinds.to_vec(), clients.to_vec()), "{seen}");
    for client in ["containerd", "docker", "podman"] {
        let seen = verify.clone().flag("clients", client).run();
        let exit = u8::from(clients.contains(&client));
        assert_eq!(seen.exit, exit, "{client}: {seen}");
        assert_eq!(found(&seen).0, kinds, "{client}: {seen}");
    }
}

#[test]
fn a_refused_head_stops_containerd_and_no_other() {
    for status in [400, 403, 404, 406, 410] {
        let (registry, _, verify) = single_image();
        registry.on("HEAD", TAG).answers_status(status);
        stops(&verify, &["head_refused"], &["containerd"]);
        let seen = verify.clone().run();
        let said = "while GET is answered";
        let seen = seen.prints("head_refused: HEAD is ").prints(said);
        seen.prints(&format!("{status}, {said}")).prints("hint: ");
        let podman = verify.flag("clients", "podman").run().passes();
        podman.prints(said).prints("PASSED, 1 warning");
    }
}

#[test]
fn a_head_that_is_refused_once_is_fine() {
    for status in [400, 403, 404] {
        let (registry, _, verify) = single_image();
        registry.on("HEAD", TAG).times(1).answers_status(status);
        let seen = verify.run().passes();
        assert_eq!(found(&seen).0, [""; 0], "{seen}");
        // GET and HEAD, twice; a 403 of a registry that delivers other things is retried at once.
        let times = if status == 403 { 3 } else { 4 };
        assert_eq!(registry.asked(TAG).len(), times, "{status}");
    }
}

#[test]
fn a_head_that_is_not_allowed_leads_to_get() {
    let (registry, _, verify) = single_image();
    registry.on("HEAD", TAG).answers_status(405);
    let seen = verify.run().passes();
    assert_eq!(found(&seen).0, [""; 0], "{seen}");
    assert_eq!(registry.asked(TAG).len(), 2);
}

#[test]
fn a_head_that_fails_leaves_it_open() {
    for status in [500, 502, 503, 504, 429] {
        let (registry, _, verify) = single_image();
        registry.on("HEAD", TAG).answers_status(status);
        let verify = verify.flag("attempts", "2");
        let seen = verify.run();
        assert_eq!((seen.exit, seen.report.result()), (4, "error"), "{seen}");
        assert_eq!(found(&seen).0, ["head_unanswered"], "{seen}");
        assert_eq!(registry.asked(TAG).len(), 3, "{seen}");
        let podman = verify.flag("clients", "podman").run();
        assert_eq!(podman.exit, 0, "{podman}");
    }
}

#[test]
fn a_head_without_a_type_or_a_length_stops_docker() {
    let (registry, _, verify) = single_image();
    registry
        .on("HEAD", TAG)
        .alters(|_, reply| reply.without("Content-Type"));
    let kinds = ["head_disagrees", "head_lacks"];
    stops(&verify, &kinds, &["containerd", "docker"]);
    registry.forget_rules();
    registry
        .on("HEAD", TAG)
        .alters(|_, reply| reply.without("Content-Length"));
    stops(&verify, &["head_lacks"], &["docker"]);
}

#[test]
fn a_head_that_states_something_else_than_get_is_not_believed() {
    let other = sha256(b"another image");
    let claims: [(&str, &str, &[&str]); 3] = [
        ("Docker-Content-Digest", &other, &["containerd", "docker"]),
        ("Content-Length", "7", &["containerd"]),
        ("Content-Type", "text/plain", &["containerd"]),
    ];
    for (header, value, clients) in claims {
        let (registry, _, verify) = single_image();
        let (name, value) = (header.to_owned(), value.to_owned());
        registry
            .on("HEAD", TAG)
            .alters(move |_, reply| reply.but_header(&name, value.clone()));
        let seen = verify.run();
        seen.prints(&format!("{header} of HEAD is "));
        stops(&verify, &["head_disagrees"], clients);
    }
}

#[test]
fn a_wrong_digest_in_the_answer_to_get_is_ignored() {
    let (registry, image, verify) = single_image();
    let other = sha256(b"another image");
    registry
        .on("GET", TAG)
        .alters(move |_, reply| reply.but_header("Docker-Content-Digest", other.clone()));
    let seen = verify.run().passes();
    assert_eq!(seen.report.images()[0]["digest"], image.root(), "{seen}");
}

#[test]
fn the_head_goes_beside_the_walk() {
    let (registry, _, verify) = single_image();
    let delay = std::time::Duration::from_millis(400);
    registry.on("*", "").delays(delay);
    let seen = verify.run().passes();
    // The tag; then its digest, the config, the layers and HEAD at once.
    assert!(seen.took < 3 * delay, "{seen}");
}

#[test]
fn an_index_without_images_is_no_image_whoever_refuses_its_form() {
    for delivered in [INDEX, DOCKER_LIST] {
        let mut image = Image::empty();
        let text: Value = index_of(&[]);
        let root = image.document_bytes(INDEX, text.to_string());
        let registry = Registry::start();
        registry.serve("app:1", &image.begins_with(&root));
        registry
            .on("*", "")
            .alters(move |_, reply| reply.but_header("Content-Type", delivered));
        let seen = trial(registry.reference("app:1")).run();
        assert_eq!((seen.exit, seen.report.result()), (1, "failed"), "{seen}");
        assert!(found(&seen).0.contains(&"not_an_image"), "{seen}");
    }
}

#[test]
fn a_manifest_of_another_type_is_refused_by_those_that_read_it() {
    let (registry, _, verify) = single_image();
    registry
        .on("*", TAG)
        .alters(|_, reply| reply.but_header("Content-Type", "application/json"));
    let seen = verify.run();
    assert_eq!(seen.exit, 1, "{seen}");
    let (kinds, clients) = found(&seen);
    assert!(kinds.contains(&"content_type"), "{seen}");
    assert!(clients.contains(&"containerd"), "{seen}");
    registry.forget_rules();
    verify.run().passes();
}
