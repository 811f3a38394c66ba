//! The step summary as a person sees it: rendered as GitHub does, in a browser 1,000 pixels wide.
//!
//! `PULLPROOF_SHOTS=DIRECTORY make e2e` keeps the pictures.

mod page;

use crate::support::command::{Finished, Pullproof, pullproof};
use crate::support::fake::Registry;
use crate::support::http::Reply;
use crate::support::image::{CONFIG, Image, LAYER, MANIFEST, config_of, index_of};
use crate::support::recipe::{platforms, single};

/// More platforms than a row of the table has room for.
const MANY: usize = 6;

/// A run in GitHub Actions that ends like this; gives its summary.
#[track_caller]
fn summary_of(run: Pullproof, code: i32) -> String {
    let finished: Finished = run
        .variable("GITHUB_ACTIONS", "true")
        .variable("GITHUB_STEP_SUMMARY", "summary.md")
        .run()
        .exits(code);
    finished.read("summary.md")
}

fn verify(references: &[String]) -> Pullproof {
    pullproof()
        .arguments(["verify", "--settle", "0s", "--backoff", "10ms"])
        .arguments(["--attempts", "2"])
        .arguments(references)
}

/// A registry with a whole image, one whose platforms are gone, one with an empty layer, and no
/// `latst`.
fn damaged() -> (Registry, Vec<String>) {
    let registry = Registry::start();
    registry.lenient();
    registry.image("b/fine:1.4", &platforms(2).attested());
    let lost = registry.image("infra/ci:latest", &platforms(2).seed(1).attested());
    registry.lose(lost.child(0)).lose(lost.child(1));
    let empty = registry.image("b/warm:1.4", &platforms(2).seed(2));
    registry.on("GET", empty.layer(1, 0)).empties();
    let names = [
        "b/warm:1.4",
        "infra/ci:latest",
        "b/fine:1.4",
        "b/fine:latst",
    ];
    let references = names.iter().map(|name| registry.reference(name)).collect();
    (registry, references)
}

#[test]
fn broken_images_are_a_picture_at_a_glance() {
    let (_registry, references) = damaged();
    let page = page::shown("broken", &summary_of(verify(&references), 1));
    assert_eq!(page.alerts, ["caution"]);
    assert_eq!((page.details, page.open_details), (1, 1));
    assert!(page.text.contains("❌ linux/arm64"), "{}", page.text);
    assert!(page.text.contains("✅ linux/amd64"), "{}", page.text);
    assert!(page.text.contains("Hint"), "{}", page.text);
}

#[test]
fn whole_images_are_green_and_short() {
    let registry = Registry::start();
    registry.image("team/app:1.4", &platforms(MANY).attested());
    registry.image("team/tool:2", &single());
    let references = ["team/app:1.4", "team/tool:2"].map(|name| registry.reference(name));
    let page = page::shown("whole", &summary_of(verify(&references), 0));
    assert_eq!((page.alerts, page.details), (vec!["tip".to_owned()], 0));
    assert!(page.height < 600, "{} pixels", page.height);
}

#[test]
fn what_could_not_be_checked_is_yellow() {
    let registry = Registry::start();
    let image = registry.image("team/app:1.4", &platforms(2));
    registry.on("GET", image.child(1)).answers_status(503);
    let references = [registry.reference("team/app:1.4")];
    let page = page::shown("undecided", &summary_of(verify(&references), 4));
    assert_eq!(page.alerts, ["warning"]);
    assert!(page.text.contains("⚠️ linux/arm64"), "{}", page.text);
}

/// The longest names that there are, and texts that would be markup.
fn hostile() -> (Registry, String) {
    let markup = "</code></td></details><img src=x onerror=alert(1)>|**x**`[y](javascript:alert(2))\
                  ![z](https://evil.example/z)<script>alert(3)</script> www.evil.example @somebody";
    let registry = Registry::start();
    registry.lenient();
    let mut image = Image::empty();
    let layer = image.blob(LAYER, "layer");
    let mut children = Vec::new();
    for (place, os) in [markup, &"long".repeat(60), "linux"]
        .into_iter()
        .enumerate()
    {
        let config = config_of("linux/amd64", std::slice::from_ref(&layer));
        let config = image.blob(CONFIG, format!("{config}{}", " ".repeat(place)));
        let child = image.manifest(&config, std::slice::from_ref(&layer));
        let platform = serde_json::json!({"os": os, "architecture": "amd64"});
        registry
            .on("GET", child.digest())
            .answers(Reply::error(404, markup, markup));
        children.push(child.with("platform", platform));
    }
    children.push(image.document_bytes(MANIFEST, markup));
    let root = image.document(&index_of(&children));
    let name = format!("{0}/{0}", "a".repeat(100));
    registry.serve(
        &format!("{name}:{}", "t".repeat(128)),
        &image.begins_with(&root),
    );
    let reference = registry.reference(&format!("{name}:{}", "t".repeat(128)));
    (registry, reference)
}

#[test]
fn hostile_and_endless_names_stay_text_on_the_page() {
    let (registry, reference) = hostile();
    let page = page::shown("hostile", &summary_of(verify(&[reference]), 1));
    assert_eq!(page.alerts, ["caution"]);
    assert!(page.text.contains("<img src=x"), "{}", page.text);
    let audit = pullproof().arguments(["audit", &registry.host()]);
    let page = page::shown("hostile-audit", &summary_of(audit, 1));
    assert_eq!(page.alerts, ["caution"]);
}

#[test]
fn an_audit_is_a_picture_at_a_glance() {
    let (registry, _) = damaged();
    let deployed = registry.reference("infra/ci:latest");
    let audit = || pullproof().arguments(["audit", &registry.host(), "--attempts", "2"]);
    let audit = audit()
        .arguments(["--backoff", "10ms", "--in-use", "deployed.txt"])
        .file("deployed.txt", deployed);
    let page = page::shown("audit", &summary_of(audit, 1));
    assert_eq!(page.alerts, ["caution"]);
    assert_eq!((page.details, page.open_details), (1, 1));
    assert!(page.text.contains("in use"), "{}", page.text);
}

#[test]
fn a_rebuild_that_does_not_start_and_wrong_settings_say_why() {
    let rebuild = pullproof()
        .arguments(["rebuild", "--woodpecker-url", "http://127.0.0.1:1"])
        .arguments(["--woodpecker-repo", "team/app", "--attempts", "1"])
        .variable("INPUT_WOODPECKER-TOKEN", "a-token");
    let page = page::shown("rebuild", &summary_of(rebuild, 5));
    assert_eq!(page.alerts, ["caution"]);
    assert!(page.text.contains("team/app"), "{}", page.text);
    let wrong = pullproof().arguments(["verify", "registry.invalid/app", "--depth", "deep"]);
    let page = page::shown("settings", &summary_of(wrong, 2));
    assert_eq!(page.alerts, ["caution"]);
    assert!(page.text.contains("deep"), "{}", page.text);
}
