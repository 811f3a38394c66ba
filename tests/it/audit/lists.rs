//! Lists in all the forms in which registries give them: every name is found exactly once.

use std::collections::BTreeSet;

use super::audit;
use crate::support::command::Report;
use crate::support::fake::Registry;
use crate::support::http::{Reply, Request};
use crate::support::image::Image;
use crate::support::recipe::single;

/// `name:tag` of every image in the report.
#[track_caller]
fn audited(report: &Report) -> BTreeSet<String> {
    let images = report.images();
    let names: BTreeSet<String> = images
        .iter()
        .map(|image| {
            let reference = image["reference"].as_str().unwrap();
            reference.split_once('/').unwrap().1.to_owned()
        })
        .collect();
    assert_eq!(names.len(), images.len(), "something is there twice");
    names
}

fn image() -> Image {
    single().layers(1).make()
}

/// How the address of the next page is written.
type Form = fn(host: &str, path: &str, query: &str) -> String;

const FORMS: [(&str, Form); 9] = [
    ("relative", |_, path, query| {
        format!("<{path}?{query}>; rel=\"next\"")
    }),
    ("absolute", |host, path, query| {
        format!("<http://{host}{path}?{query}>; rel=\"next\"")
    }),
    ("of another host", |_, path, query| {
        format!("<https://inside.example:8443/registry{path}?{query}>; rel=\"next\"")
    }),
    ("a query", |_, _, query| format!("<?{query}>; rel=\"next\"")),
    ("unquoted", |_, path, query| {
        format!("<{path}?{query}>; rel=next")
    }),
    ("without brackets", |_, path, query| {
        format!("{path}?{query}; rel=\"next\"")
    }),
    ("in other letters", |_, path, query| {
        format!("<{path}?{query}>;REL=\"NEXT\"")
    }),
    ("with more parameters", |_, path, query| {
        format!("<{path}?{query}>; title=\"a, b; c\"; rel=\"next\"")
    }),
    ("after another link", |_, path, query| {
        format!("<{path}>; rel=\"first\", <{path}?{query}>; rel=\"next\"")
    }),
];

/// Serves a list in pages of four, whatever is asked, with links in this form; `always` also on the
/// last page.
fn in_pages_of_four(registry: &Registry, path: &'static str, form: Form, always: bool) {
    let host = registry.host();
    registry.on("GET", path).asks_for(
        |request| {
            let from = request.parameter("last").unwrap_or_default();
            request.query = format!("n=4&last={from}");
        },
        move |request, reply| {
            let next = reply.get_header("Link").map(|link| {
                let query = link.split_once('?').unwrap().1.split_once('>').unwrap().0;
                query.to_owned()
            });
            let next = next.or_else(|| always.then(|| "last=zzz&n=4".to_owned()));
            match next {
                Some(query) => reply
                    .without("Link")
                    .header("Link", form(&host, &request.path, &query)),
                None => reply,
            }
        },
    );
}

#[test]
fn every_form_of_a_link_leads_to_every_name() {
    for (what, form) in FORMS {
        for always in [false, true] {
            let registry = Registry::start();
            let image = image();
            let mut expected = BTreeSet::new();
            for number in 0..6 {
                let names = [format!("app{number}:1"), format!("tagged:{number}")];
                for name in names {
                    registry.serve(&name, &image);
                    expected.insert(name);
                }
            }
            in_pages_of_four(&registry, "/v2/_catalog", form, always);
            in_pages_of_four(&registry, "/v2/tagged/tags/list", form, always);
            let report = audit(&registry.host()).run().exits(0).report();
            assert_eq!(audited(&report), expected, "{what}, always: {always}");
            // Seven names and six in pages of four, and an empty page where the last has a link.
            for path in ["/v2/_catalog", "/v2/tagged/tags/list"] {
                let pages = registry.asked(path).len();
                assert_eq!(pages, 2 + usize::from(always), "{what}: {path}");
            }
            let hosts = registry.requests();
            let host = registry.host();
            let is_here = |request: &Request| request.header("Host") == Some(&host);
            assert!(hosts.iter().all(is_here), "{what}");
        }
    }
}

#[test]
fn without_links_the_last_name_leads_on() {
    let registry = Registry::start();
    let image = image();
    let mut expected = BTreeSet::new();
    for number in 0..1_003 {
        let name = format!("tagged:v{number}");
        registry.serve(&name, &image);
        expected.insert(name);
    }
    registry
        .on("GET", "/v2/tagged/tags/list")
        .alters(|_, reply| reply.without("Link"));
    let report = audit(&registry.host()).run().exits(0).report();
    assert_eq!(audited(&report), expected);
    let queries: Vec<_> = registry
        .requests()
        .into_iter()
        .filter(|request| request.path.ends_with("/tags/list"))
        .map(|request| (request.parameter("n"), request.parameter("last")))
        .collect();
    let n = || Some("1000".to_owned());
    // Tags come in the order of their bytes.
    assert_eq!(queries, [(n(), None), (n(), Some("v996".to_owned()))]);
}

#[test]
fn a_catalog_that_never_ends_is_read_in_part_and_undecided() {
    // New names in every page, for ever.
    let registry = Registry::start();
    registry.lenient().serve("app:1", &image());
    registry.mount("/v2/_catalog", |request| {
        let page: u64 = request
            .parameter("last")
            .map_or(0, |last| last.parse().unwrap());
        let names: Vec<String> = (0..100_000).map(|at| format!("\"n{page}-{at}\"")).collect();
        let body = format!("{{\"repositories\": [\"app\", {}]}}", names.join(","));
        Reply::ok("application/json", body).header(
            "Link",
            format!("</v2/_catalog?last={}>; rel=next", page + 1),
        )
    });
    let finished = audit(&registry.host())
        .arguments(["--exclude", "n*"])
        .run()
        .exits(4);
    assert!(finished.report().error().contains("its list does not end"));
    assert_eq!(finished.report().count("images"), 1);
    assert!(registry.asked("/v2/_catalog").len() <= 11);
}

#[test]
fn a_catalog_that_repeats_its_pages_is_read_once() {
    // Two pages that name each other.
    let registry = Registry::start();
    for name in ["a:1", "b:1"] {
        registry.serve(name, &image());
    }
    registry.mount("/v2/_catalog", |request| {
        let (name, next) = match request.parameter("last").as_deref() {
            Some("a") => ("b", "b"),
            _ => ("a", "a"),
        };
        Reply::ok(
            "application/json",
            format!("{{\"repositories\": [\"{name}\"]}}"),
        )
        .header("Link", format!("</v2/_catalog?last={next}>; rel=next"))
    });
    let finished = audit(&registry.host()).run().exits(4);
    assert_eq!(finished.report().count("images"), 2);
    assert!(finished.report().error().contains("its list does not end"));
    assert!(registry.asked("/v2/_catalog").len() <= 5);
}

#[test]
fn a_name_that_comes_twice_is_audited_once() {
    let registry = Registry::start();
    let image = image();
    registry.serve("app:1", &image);
    registry.serve("app:2", &image);
    registry.mount("/v2/_catalog", |_| {
        Reply::ok("application/json", "{\"repositories\": [\"app\", \"app\"]}")
    });
    registry.on("GET", "/v2/app/tags/list").answers(Reply::ok(
        "application/json",
        "{\"name\": \"app\", \"tags\": [\"1\", \"2\", \"1\"]}",
    ));
    let report = audit(&registry.host()).run().exits(0).report();
    assert_eq!(audited(&report).len(), 2);
}
