//! Which repositories and tags are audited.

use super::audit;
use crate::support::command::Finished;
use crate::support::fake::Registry;
use crate::support::http::Reply;
use crate::support::recipe::{platforms, single};

/// `name:tag` of every image in the report, in order.
fn audited(finished: &Finished) -> Vec<String> {
    let report = finished.report();
    let mut names: Vec<String> = report
        .images()
        .into_iter()
        .map(|image| {
            let reference = image["reference"].as_str().unwrap();
            reference.split_once('/').unwrap().1.to_owned()
        })
        .collect();
    names.sort();
    names
}

fn registry() -> Registry {
    let registry = Registry::start();
    for name in ["team/app:1", "team/app:2", "team/cache:1", "infra/ci:1"] {
        registry.image(name, &single());
    }
    registry
}

#[test]
fn every_tag_of_a_registry_is_audited() {
    let registry = registry();
    let finished = audit(&registry.host()).run().exits(0);
    assert_eq!(
        audited(&finished),
        ["infra/ci:1", "team/app:1", "team/app:2", "team/cache:1"]
    );
    let report = finished.report();
    assert_eq!(report.count("repositories"), 3);
    assert_eq!(report.count("images"), 4);
}

#[test]
fn patterns_say_what_is_audited() {
    let registry = registry();
    let of = |target: &str, flags: &[&str]| {
        let target = format!("{}/{target}", registry.host());
        audited(
            &audit(&target)
                .arguments(flags.iter().copied())
                .run()
                .exits(0),
        )
    };
    assert_eq!(
        of("team/*", &["--exclude", "*cache*"]),
        ["team/app:1", "team/app:2"]
    );
    assert_eq!(of("*", &["--tags", "2"]), ["team/app:2"]);
    assert_eq!(
        of("*", &["--exclude", "team/app:1,infra/*"]),
        ["team/app:2", "team/cache:1"]
    );
    let shards: Vec<String> = (1..=3)
        .flat_map(|part| of("*", &["--shard", &format!("{part}/3"), "--allow-empty"]))
        .collect();
    assert_eq!(shards.len(), 4);
}

#[test]
fn a_repository_that_is_named_needs_no_catalog() {
    let registry = registry();
    registry.mount("/v2/_catalog", |_| Reply::status(500));
    let target = registry.reference("team/app");
    let finished = audit(&target).run().exits(0);
    assert_eq!(audited(&finished), ["team/app:1", "team/app:2"]);
    assert!(registry.asked("/_catalog").is_empty());
}

#[test]
fn a_plugin_names_the_registry_and_its_repositories() {
    let registry = registry();
    let run = |repo: &str| {
        let run = crate::support::command::pullproof()
            .variable("CI", "woodpecker")
            .variable("PLUGIN_MODE", "audit")
            .variable("PLUGIN_REGISTRY", registry.host())
            .variable("PLUGIN_FORMAT", "json");
        let run = if repo.is_empty() {
            run
        } else {
            run.variable("PLUGIN_REPO", repo)
        };
        audited(&run.file(".tags", "unused").run().exits(0))
    };
    assert_eq!(run("").len(), 4);
    assert_eq!(run("team/c*,infra/ci"), ["infra/ci:1", "team/cache:1"]);
}

#[test]
fn pages_are_read_to_the_end() {
    let registry = Registry::start();
    for number in 0..25 {
        registry.image(&format!("app{number:02}:1"), &single().layers(1));
    }
    // Whatever is asked for, a page has four names, and its link is absolute.
    let host = registry.host();
    registry.on("GET", "/v2/_catalog").asks_for(
        |request| {
            let from = request.parameter("last").unwrap_or_default();
            request.query = format!("n=4&last={from}");
        },
        move |_, reply| match reply.get_header("Link") {
            Some(link) => {
                let link = link.replacen("</v2", &format!("<http://{host}/v2"), 1);
                reply.but_header("Link", link)
            }
            None => reply,
        },
    );
    let finished = audit(&registry.host()).run().exits(0);
    assert_eq!(audited(&finished).len(), 25);
    assert_eq!(registry.asked("/_catalog").len(), 7);
}

#[test]
fn a_registry_without_a_catalog_is_an_error_with_the_way_out() {
    for (status, code, words) in [
        (
            404,
            2,
            "it has no catalog (404), so name its repositories instead",
        ),
        (401, 3, "it refuses its catalog"),
        (403, 3, "it refuses its catalog"),
        (500, 4, "its catalog could not be read"),
    ] {
        let registry = registry();
        registry.mount("/v2/_catalog", move |_| Reply::status(status));
        let finished = audit(&registry.host())
            .arguments(["--attempts", "2"])
            .run()
            .exits(code);
        let report = finished.report();
        let error = report.error();
        assert!(error.contains(words), "{status}: {error}");
    }
}

#[test]
fn a_list_that_is_no_list_is_undecided() {
    for page in [
        Reply::ok("text/html", "<!doctype html><title>Sign in</title>"),
        Reply::ok("application/json", "[]"),
        Reply::ok("application/json", "{\"ok\": true}"),
        Reply::ok("application/json", "{\"repositories\": \"all\"}"),
    ] {
        let registry = registry();
        registry.mount("/v2/_catalog", move |_| page.clone());
        audit(&registry.host())
            .arguments(["--attempts", "2"])
            .run()
            .exits(4);
    }
    // It names a next page for ever.
    let registry = registry();
    registry.mount("/v2/_catalog", |_| {
        Reply::ok("application/json", "{\"repositories\": [\"team/app\"]}")
            .header("Link", "</v2/_catalog?last=team/app>; rel=next")
    });
    let finished = audit(&registry.host()).run().exits(4);
    assert!(finished.report().error().contains("does not end"));
    assert_eq!(audited(&finished), ["team/app:1", "team/app:2"]);
}

#[test]
fn names_that_no_reference_can_have_are_left_out_with_a_warning() {
    let registry = registry();
    registry.mount("/v2/_catalog", |_| {
        let names = "{\"repositories\": [\"team/app\", \"Team\", \"../../x\", \"a b\", 7, null]}";
        Reply::ok("application/json", names)
    });
    let finished = audit(&registry.host()).run().exits(0);
    assert_eq!(audited(&finished).len(), 2);
    assert!(
        finished
            .stderr
            .contains("names that no reference could have; left out")
    );
}

#[test]
fn nothing_to_audit_is_an_error_unless_it_is_allowed() {
    let registry = Registry::start();
    let finished = audit(&registry.host()).run().exits(2);
    assert_eq!(finished.report().error(), "there is no tag to audit");
    audit(&registry.host())
        .argument("--allow-empty")
        .run()
        .exits(0);
    registry.lenient();
    audit(&registry.reference("team/typo")).run().exits(2);
    audit("/var/lib/registry").run().exits(2);
}

#[test]
fn a_login_goes_along_where_strangers_see_a_part() {
    let registry = Registry::start();
    registry.image("public/app:1", &single());
    registry.image("private/app:1", &platforms(2));
    registry.mount("/v2/_catalog", |request| {
        let names = match request.header("Authorization") {
            Some(_) => "{\"repositories\": [\"public/app\", \"private/app\"]}",
            None => "{\"repositories\": [\"public/app\"]}",
        };
        Reply::ok("application/json", names)
    });
    let run = |flags: &[&str]| {
        audited(
            &audit(&registry.host())
                .arguments(flags.iter().copied())
                .run()
                .exits(0),
        )
        .len()
    };
    assert_eq!(run(&[]), 1);
    assert_eq!(run(&["--username", "ci", "--password", "open-sesame"]), 2);
}

#[test]
fn so_many_requests_a_second_are_sent_and_no_more() {
    let registry = Registry::start();
    registry.image("app:1", &single().layers(1));
    let finished = audit(&registry.host())
        .arguments(["--rate", "20"])
        .run()
        .exits(0);
    let requests = finished.report().count("requests");
    assert!(requests >= 5, "{requests}");
    let least = std::time::Duration::from_millis(50 * (requests - 1));
    assert!(finished.took >= least, "{:?} for {requests}", finished.took);
}

#[test]
fn a_registry_that_is_down_is_undecided_with_a_hint() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = port.local_addr().unwrap().to_string();
    drop(port);
    let finished = audit(&host).arguments(["--attempts", "2"]).run().exits(4);
    assert_eq!(finished.report().0["hints"][0]["id"], "connection-refused");
}
