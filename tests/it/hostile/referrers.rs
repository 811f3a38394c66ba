//! Signatures, SBOMs and other artifacts that refer to an image, wherever a registry keeps them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;

use super::trial::{Trial, trial};
use crate::support::command::verify;
use crate::support::fake::Registry;
use crate::support::http::Reply;
use crate::support::image::{Descriptor, INDEX, Image, Parts, index_of};
use crate::support::recipe::single;

const TYPE: &str = "application/vnd.example.signature";

/// An image with three signatures that the registry has.
fn signed() -> (Registry, Image, Vec<Parts>, Trial) {
    let registry = Registry::start();
    let mut image = single().make();
    let signatures = ["one", "two", "three"]
        .map(|text| image.referrer(TYPE, text))
        .to_vec();
    registry.serve("app:1", &image);
    let verify = trial(registry.reference("app:1")).flag("referrers", "check");
    (registry, image, signatures, verify)
}

fn list(signatures: &[Parts]) -> String {
    index_of(
        &signatures
            .iter()
            .map(|parts| parts.manifest.clone())
            .collect::<Vec<_>>(),
    )
    .to_string()
}

fn tag(image: &Image) -> String {
    image.root().replacen(':', "-", 1)
}

/// Loses the last signature's statement, then its manifest: both are found.
#[track_caller]
fn assert_followed(registry: &Registry, signatures: &[Parts], verify: &Trial) {
    verify
        .run()
        .passes()
        .says(signatures[2].manifest.digest(), "");
    let (statement, manifest) = (
        signatures[2].layers[0].digest(),
        signatures[2].manifest.digest(),
    );
    registry.lose(statement);
    verify.run().finds(&[(statement, "missing")]);
    verify
        .clone()
        .flag("referrers", "warn")
        .run()
        .ends_well_with(statement);
    registry.lose(manifest);
    verify.run().finds(&[(manifest, "missing")]);
}

impl super::trial::Seen {
    #[track_caller]
    fn ends_well_with(self, broken: &str) {
        assert_eq!(self.exit, 0, "{self}");
        assert_eq!(self.report.verdict(broken), "missing");
    }
}

#[test]
fn the_referrers_api_is_followed() {
    let (registry, _image, signatures, verify) = signed();
    assert_followed(&registry, &signatures, &verify);
}

#[test]
fn the_referrers_api_may_have_pages_which_stay_at_the_registry() {
    for link in [
        "/v2/app/referrers/x?page={}",
        "?page={}",
        "https://elsewhere.test/x?page={}",
    ] {
        let (registry, image, signatures, verify) = signed();
        let pages: Vec<String> = signatures
            .iter()
            .map(|parts| list(std::slice::from_ref(parts)))
            .collect();
        registry
            .on("GET", &format!("referrers/{}", image.root()))
            .alters(move |request, _| {
                let page: usize = request
                    .parameter("page")
                    .map_or(0, |page| page.parse().unwrap());
                let reply = Reply::ok(INDEX, pages[page].clone());
                let next = link.replace("{}", &(page + 1).to_string());
                if page < 2 {
                    reply.header("Link", format!("<{next}>; rel=\"next\""))
                } else {
                    reply
                }
            });
        assert_followed(&registry, &signatures, &verify);
    }
}

#[test]
fn endless_pages_of_referrers_are_not_followed_forever() {
    let (registry, image, signatures, verify) = signed();
    let (page, count) = (list(&signatures), AtomicUsize::new(0));
    registry
        .on("GET", &format!("referrers/{}", image.root()))
        .alters(move |_, _| {
            let next = count.fetch_add(1, Ordering::SeqCst);
            Reply::ok(INDEX, page.clone()).header("Link", format!("<?page={next}>; rel=next"))
        });
    verify.run();
    assert!(registry.asked(&format!("referrers/{}", image.root())).len() <= 100);
}

#[test]
fn the_fallback_tag_is_followed_where_there_is_no_api() {
    for status in [404, 400, 405, 406, 501] {
        let (registry, image, signatures, verify) = signed();
        registry
            .on("GET", &format!("referrers/{}", image.root()))
            .answers_status(status);
        registry
            .on("GET", &format!("manifests/{}", tag(&image)))
            .answers(Reply::ok(INDEX, list(&signatures)));
        assert_followed(&registry, &signatures, &verify);
    }
}

/// The list has a tag, which is checked as well: whichever of the two is answered first.
#[test]
fn the_tag_that_lists_referrers_is_whole_by_itself() {
    for late in ["manifests/list", "referrers/{}"] {
        let (registry, image, signatures, _) = signed();
        let mut list = image.clone();
        let manifests: Vec<_> = signatures.iter().map(|one| one.manifest.clone()).collect();
        let index = list.document(&index_of(&manifests));
        registry.serve("app:list", &list.begins_with(&index));
        registry
            .on("GET", &late.replace("{}", image.root()))
            .delays(Duration::from_millis(300));
        for concern in ["warn", "check"] {
            verify(&registry.reference("app:1"))
                .argument(registry.reference("app:list"))
                .arguments(["--referrers", concern, "--artifacts", "pass"])
                .run()
                .passes();
        }
    }
}

#[test]
fn a_registry_without_api_and_tags_has_no_referrers() {
    for status in [404, 400, 405, 406, 501] {
        let (registry, image, _signatures, verify) = signed();
        let path = format!("referrers/{}", image.root());
        registry
            .on("GET", &path)
            .answers(Reply::ok("text/plain", "no").but_status(status));
        // There is no wait for what may well be absent.
        verify.clone().flag("settle", "1m").run().passes();
        assert_eq!(registry.asked(&path).len(), 1, "{status}");
    }
}

#[test]
fn what_cosign_keeps_under_tags_is_followed() {
    let (registry, image, signatures, verify) = signed();
    let empty = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": []});
    registry
        .on("GET", &format!("referrers/{}", image.root()))
        .answers(Reply::ok(INDEX, empty.to_string()));
    for (end, parts) in ["sig", "att", "sbom"].iter().zip(&signatures) {
        let content = image.content(parts.manifest.digest()).unwrap();
        let reply = Reply::ok(&content.media_type, content.bytes.to_vec());
        registry
            .on("GET", &format!("manifests/{}.{end}", tag(&image)))
            .answers(reply);
    }
    verify.run().passes();
    let statement = signatures[2].layers[0].digest();
    registry.lose(statement);
    verify.run().finds(&[(statement, "missing")]);
}

#[test]
fn a_list_of_referrers_that_fails_is_undecided() {
    for (reply, verdict) in [
        (Reply::status(500), "unavailable"),
        (Reply::status(403), "denied"),
        (Reply::ok("text/html", "<html>"), "unavailable"),
    ] {
        let (registry, image, _signatures, verify) = signed();
        registry
            .on("GET", &format!("referrers/{}", image.root()))
            .answers(reply);
        verify.run().leaves_open(&[("", verdict)]);
        let warned = verify.clone().flag("referrers", "warn").run();
        assert_eq!(warned.exit, 0, "{warned}");
    }
}

#[test]
fn every_report_agrees_with_the_exit_code_about_referrers() {
    for (reply, exit) in [
        (Reply::status(500), 4),
        (Reply::status(403), 3),
        (Reply::json(&json!({"ok": true})), 4),
    ] {
        let (registry, image, _signatures, _verify) = signed();
        registry
            .on("GET", &format!("referrers/{}", image.root()))
            .answers(reply);
        for (referrers, exit, result) in [("check", exit, "error"), ("warn", 0, "passed")] {
            let reference = registry.reference("app:1");
            let finished = crate::support::command::verify(&reference)
                .arguments(["--referrers", referrers, "--attempts", "1"])
                .arguments(["--report", "report.json", "--junit", "junit.xml"])
                .run()
                .exits(exit);
            let report = finished.report_in("report.json");
            assert_eq!(report.result(), result, "{finished}");
            assert_eq!(report.images()[0]["result"], result, "{finished}");
            let junit = finished.read("junit.xml");
            let errors = format!("failures=\"0\" errors=\"{}\"", usize::from(exit != 0));
            assert!(junit.contains(&errors), "{junit}");
            assert!(finished.stdout.contains("list of referrers"), "{finished}");
            let undecided = report.count("undecided");
            assert_eq!(undecided, 1, "{finished}");
        }
    }
}

#[test]
fn what_is_no_index_is_no_list_of_referrers() {
    let index = |manifests: serde_json::Value| json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests});
    for (body, is_list) in [
        (index(json!([])), true),
        (index(json!(null)), true),
        (json!({"schemaVersion": 2, "manifests": []}), true),
        (json!({"mediaType": INDEX, "manifests": []}), true),
        (json!({"ok": true}), false),
        (json!({}), false),
        (json!([]), false),
        (json!("ok"), false),
        (json!(null), false),
        (json!({"errors": [{"code": "UNSUPPORTED"}]}), false),
        (json!({"schemaVersion": 2, "mediaType": INDEX}), false),
        (json!({"manifests": []}), false),
        (
            json!({"schemaVersion": 2, "mediaType": "text/plain", "manifests": []}),
            false,
        ),
        (json!({"schemaVersion": 1, "manifests": []}), false),
    ] {
        for type_ in [INDEX, "application/json", "text/plain"] {
            let (registry, image, _signatures, verify) = signed();
            registry
                .on("GET", &format!("referrers/{}", image.root()))
                .answers(Reply::ok(type_, body.to_string()));
            let verify = verify.flag("attempts", "1");
            if is_list {
                verify.run().passes();
            } else {
                let seen = verify.run().leaves_open(&[("", "unavailable")]);
                seen.says("", "not an index");
            }
        }
    }
    for text in ["ok", ""] {
        let (registry, image, _signatures, verify) = signed();
        registry
            .on("GET", &format!("referrers/{}", image.root()))
            .answers(Reply::ok(INDEX, text));
        verify
            .flag("attempts", "1")
            .run()
            .leaves_open(&[("", "unavailable")]);
    }
}

#[test]
fn one_fallback_tag_does_not_hide_another_that_fails() {
    for (status, verdict) in [(500, "unavailable"), (404, "denied")] {
        let (registry, image, signatures, verify) = signed();
        let content = image.content(signatures[0].manifest.digest()).unwrap();
        let signature = Reply::ok(&content.media_type, content.bytes.to_vec());
        registry
            .on("GET", &format!("referrers/{}", image.root()))
            .answers_status(status);
        registry
            .on("GET", &format!("manifests/{}.sig", tag(&image)))
            .answers(signature);
        registry
            .on("GET", &format!("manifests/{}", tag(&image)))
            .answers_status(403);
        verify.run().leaves_open(&[("", verdict)]);
    }
}

#[test]
fn an_invalid_list_is_malformed_and_a_bad_entry_affects_itself() {
    let (registry, image, signatures, verify) = signed();
    let path = format!("referrers/{}", image.root());
    registry
        .on("GET", &path)
        .answers(Reply::ok(INDEX, "{\"manifests\": 7}"));
    verify.run().finds(&[("", "malformed")]);
    assert_eq!(registry.asked(&path).len(), 2);
    registry.forget_rules();
    let bad = Descriptor::promising(TYPE, "sha256:12", 7);
    let children = [bad, signatures[0].manifest.clone()];
    let index = json!({
        "schemaVersion": 2, "mediaType": INDEX,
        "manifests": children.iter().map(Descriptor::json).collect::<Vec<_>>(),
    });
    registry
        .on("GET", &path)
        .answers(Reply::ok(INDEX, index.to_string()));
    let seen = verify.run();
    assert_eq!((seen.exit, seen.report.count("broken")), (1, 1), "{seen}");
}

#[test]
fn referrers_are_not_requested_by_default() {
    let (registry, image, _signatures, _verify) = signed();
    trial(registry.reference("app:1")).run().passes();
    assert!(
        registry
            .asked(&format!("referrers/{}", image.root()))
            .is_empty()
    );
}
