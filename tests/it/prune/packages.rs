//! By a packages API, where each manifest is a version of its own.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::{manifests, tags};
use crate::support::command::{Finished, verify};
use crate::support::distribution::Distribution;
use crate::support::fake::Registry;
use crate::support::fake::guard::basic_credentials;
use crate::support::http::{Reply, Request, Server};
use crate::support::image::Image;
use crate::support::recipe::{platforms, single};

/// The repository: an owner, and a package with a slash in its name.
const NAME: &str = "team/group/app";

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Gitea,
    /// With the owner's: `orgs` or `users`.
    GitHub(&'static str),
}

#[derive(Clone)]
struct Version {
    id: usize,
    digest: String,
    /// The name of Gitea's version, or the tags of GitHub's.
    tags: Vec<String>,
    created: String,
    updated: String,
}

/// What a packages API has, and the registry that it deletes from.
struct State {
    kind: Kind,
    registry: Arc<Registry>,
    versions: Vec<Version>,
    /// The digest or tag whose deletion has this answer, and the list itself, or its first page.
    refusals: Vec<(String, Reply)>,
    /// What is pushed while the list is read.
    late: Option<Version>,
    deleted: BTreeSet<String>,
}

/// A packages API beside a registry.
struct Api {
    kind: Kind,
    server: Server,
    registry: Arc<Registry>,
    state: Arc<Mutex<State>>,
}

fn message(status: u16, text: &str) -> Reply {
    Reply::json(&json!({"message": text})).but_status(status)
}

impl State {
    fn key(&self, version: &Version) -> String {
        match (self.kind, &version.tags[..]) {
            (Kind::Gitea, [tag]) => tag.clone(),
            (Kind::Gitea, _) => version.digest.clone(),
            (Kind::GitHub(_), _) => version.id.to_string(),
        }
    }

    fn list(&self) -> String {
        match self.kind {
            Kind::Gitea => "/api/v1/packages/team".to_owned(),
            Kind::GitHub(owners) => {
                format!("/{owners}/team/packages/container/group%2Fapp/versions")
            }
        }
    }

    fn json(&self, version: &Version) -> Value {
        match self.kind {
            Kind::Gitea => json!({
                "id": version.id, "type": "container", "name": "group/app",
                "version": self.key(version), "created_at": version.created,
            }),
            Kind::GitHub(_) => json!({
                "id": version.id, "name": version.digest,
                "created_at": version.created, "updated_at": version.updated,
                "metadata": {"package_type": "container", "container": {"tags": version.tags}},
            }),
        }
    }

    /// Two versions a page, whatever was asked for; on Gitea with one of another package.
    fn page(&self, request: &Request) -> Reply {
        let number = request.parameter("page").expect("a page is asked for");
        let number: usize = number.parse().expect("it is a number");
        let page = self.versions.chunks(2).nth(number - 1).unwrap_or_default();
        let mut page: Vec<Value> = page.iter().map(|version| self.json(version)).collect();
        if self.kind == Kind::Gitea {
            assert_eq!(request.parameter("q").as_deref(), Some("group/app"));
            assert_eq!(request.parameter("type").as_deref(), Some("container"));
            page.extend((number == 1).then(|| {
                json!({"id": 999, "name": "group/app2", "version": "v1",
                       "created_at": "2026-01-01T00:00:00Z"})
            }));
        }
        Reply::json(&page.into())
    }

    fn delete(&mut self, key: &str) -> Reply {
        let place = self.versions.iter().position(|one| self.key(one) == key);
        let Some(place) = place else {
            return message(404, "Not Found");
        };
        let version = self.versions[place].clone();
        let is_named = |what: &String| *what == version.digest || version.tags.contains(what);
        if let Some((_, reply)) = self.refusals.iter().find(|(what, _)| is_named(what)) {
            return reply.clone();
        }
        self.versions.remove(place);
        self.deleted.insert(version.digest.clone());
        let has_others = self.versions.iter().any(|one| one.digest == version.digest);
        match (self.kind, version.tags.first()) {
            (Kind::Gitea, Some(tag)) if has_others => self.registry.lose_in(NAME, tag),
            _ => self.registry.lose_in(NAME, &version.digest),
        };
        Reply::status(204)
    }

    fn answer(&mut self, request: &Request) -> Reply {
        let login = match self.kind {
            Kind::Gitea => basic_credentials("ci", "open-sesame"),
            Kind::GitHub(_) => "Bearer open-sesame".to_owned(),
        };
        if request.header("Authorization") != Some(&login) {
            return message(401, "Requires authentication");
        }
        let list = self.list();
        let below = match self.kind {
            Kind::Gitea => format!("{list}/container/group%2Fapp/"),
            Kind::GitHub(_) => format!("{list}/"),
        };
        match (request.method.as_str(), &*request.path) {
            ("GET", path) if path == list => {
                let once = self.refusals.iter().position(|(what, _)| what == "first");
                if let Some(once) = once {
                    return self.refusals.remove(once).1;
                }
                let refusal = self.refusals.iter().find(|(what, _)| what == "list");
                let reply = refusal.map_or_else(|| self.page(request), |(_, reply)| reply.clone());
                // The newest comes first, and moves the rest towards the end.
                if let Some(late) = self.late.take() {
                    self.versions.insert(0, late);
                }
                reply
            }
            ("DELETE", path) if path.starts_with(&below) => {
                let key = path[below.len()..].to_owned();
                self.delete(&key)
            }
            _ => message(404, "Not Found"),
        }
    }
}

impl Api {
    fn start(kind: Kind) -> Self {
        let registry = Arc::new(Registry::start());
        registry.writable();
        let state = Arc::new(Mutex::new(State {
            kind,
            registry: Arc::clone(&registry),
            versions: Vec::new(),
            refusals: Vec::new(),
            late: None,
            deleted: BTreeSet::new(),
        }));
        let answering = Arc::clone(&state);
        let server = Server::start(move |request| answering.lock().unwrap().answer(request));
        Self {
            kind,
            server,
            registry,
            state,
        }
    }

    /// Has an image since a day of January 2026, with these tags or without any.
    fn push(&self, tags: &[&str], image: &Image, day: usize) {
        self.registry.serve(NAME, image);
        for tag in tags {
            self.registry.serve(&format!("{NAME}:{tag}"), image);
        }
        let mut state = self.state.lock().unwrap();
        let date = format!("2026-01-{day:02}T00:00:00Z");
        let mut add = |digest: &str, tags: &[&str]| {
            let id = state.versions.len() + 1;
            state.versions.push(Version {
                id,
                digest: digest.to_owned(),
                tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
                created: date.clone(),
                updated: date.clone(),
            });
        };
        for (digest, _) in image.contents().filter(|(_, content)| content.manifest) {
            match tags {
                _ if digest != image.root() => add(digest, &[]),
                [] => add(digest, &[]),
                tags if self.kind == Kind::Gitea => {
                    for tag in tags {
                        add(digest, &[tag]);
                    }
                }
                tags => add(digest, tags),
            }
        }
    }

    fn refuse(&self, what: &str, reply: Reply) {
        let mut state = self.state.lock().unwrap();
        state.refusals.push((what.to_owned(), reply));
    }

    fn prune(&self, arguments: &[&str]) -> Finished {
        let end = match self.kind {
            Kind::Gitea => "/api/v1",
            Kind::GitHub(_) => "",
        };
        super::prune(&self.registry.reference(NAME))
            .arguments(["--packages-api", &self.server.url(end)])
            .arguments(["--registry", &self.registry.host(), "--username", "ci"])
            .arguments(["--password", "open-sesame", "--attempts", "2"])
            .arguments(["--max-deleted", "90%", "--backup", "none"])
            .arguments(arguments.iter().copied())
            .run()
    }

    fn has(&self, digest: &str) -> bool {
        let state = self.state.lock().unwrap();
        state
            .versions
            .iter()
            .any(|version| version.digest == digest)
    }

    #[track_caller]
    fn passes(&self, tag: &str) {
        verify(&self.registry.reference(&format!("{NAME}:{tag}")))
            .run()
            .passes();
    }
}

const KINDS: [Kind; 3] = [Kind::Gitea, Kind::GitHub("orgs"), Kind::GitHub("users")];

fn image(seed: u64) -> Image {
    platforms(2).attested().shared(1).seed(seed).make()
}

/// Everything of an image that is a version of its own.
fn versions_of(image: &Image) -> Vec<&str> {
    let manifests = image.contents().filter(|(_, content)| content.manifest);
    manifests.map(|(digest, _)| digest).collect()
}

fn deleted(is_done: bool) -> (String, bool) {
    ("delete".to_owned(), is_done)
}

#[test]
fn the_newest_by_the_date_of_their_push_stay_with_their_children() {
    for kind in KINDS {
        let api = Api::start(kind);
        let images: Vec<Image> = (1..=4).map(image).collect();
        // The names and the order of the list say nothing, and all were built on one day.
        for (tag, image, day) in [("d", 0, 1), ("b", 1, 9), ("a", 2, 3), ("c", 3, 8)] {
            api.push(&[tag], &images[image], day);
        }
        let done = api.prune(&["--keep-newest", "2", "--apply"]).exits(0);
        let gone: Vec<String> = tags(&done)
            .into_iter()
            .filter(|(_, fate)| *fate == deleted(true))
            .map(|(tag, _)| tag)
            .collect();
        assert_eq!(gone, ["a", "d"], "{done}");
        for (image, stays) in images.iter().zip([false, true, false, true]) {
            for digest in versions_of(image) {
                assert_eq!(api.has(digest), stays, "{digest}: {done}");
            }
        }
        for tag in ["b", "c"] {
            api.passes(tag);
        }
        // Each deletion went to the packages API.
        assert!(api.registry.writes().is_empty(), "{done}");
    }
}

#[test]
fn a_tag_beside_a_kept_one_goes_alone_only_where_that_can_be() {
    for (kind, goes) in [(Kind::Gitea, true), (Kind::GitHub("orgs"), false)] {
        let api = Api::start(kind);
        let (old, new) = (image(1), image(2));
        api.push(&["v1"], &old, 1);
        api.push(&["v2", "extra"], &new, 2);
        let done = api.prune(&["--keep", "v2", "--apply"]).exits(0);
        assert_eq!(tags(&done)["v1"], deleted(true), "{done}");
        assert_eq!(tags(&done)["extra"], deleted(goes), "{done}");
        assert!(!api.has(old.root()) && api.has(new.root()), "{done}");
        api.passes("v2");
    }
}

#[test]
fn where_a_version_cannot_be_deleted_its_children_stay_as_well() {
    let last = "You cannot delete the last tagged version of a package";
    for kind in [Kind::Gitea, Kind::GitHub("orgs")] {
        for (status, words) in [
            (400, last),
            (401, "Bad credentials"),
            (403, "Must have admin rights to Repository"),
            (404, ""),
            (429, "slow down"),
            (500, "no database"),
        ] {
            let api = Api::start(kind);
            let images: Vec<Image> = (1..=3).map(image).collect();
            for (image, day) in images.iter().zip(1..) {
                api.push(&[&format!("v{day}")], image, day);
            }
            api.refuse("v1", message(status, words));
            let done = api.prune(&["--keep", "v3", "--apply"]).exits(8);
            assert_eq!(tags(&done)["v1"], deleted(false), "{status}: {done}");
            assert_eq!(tags(&done)["v2"], deleted(true), "{status}: {done}");
            assert!(!manifests(&done)[images[0].child(0)], "{status}: {done}");
            assert!(manifests(&done)[images[1].child(0)], "{status}: {done}");
            assert!(done.stdout.contains(words), "{status}: {done}");
            for digest in versions_of(&images[0]) {
                assert!(status == 404 || api.has(digest), "{status}: {done}");
            }
            if status != 404 {
                api.passes("v1");
            }
            api.passes("v3");
        }
    }
}

#[test]
fn what_has_no_tag_goes_when_it_is_old_and_nothing_that_stays_leads_to_it() {
    for kind in KINDS {
        let api = Api::start(kind);
        // Each with a signature that no tag leads to and only its subject gives a meaning.
        let (mut kept, mut old) = (image(1), image(2));
        for image in [&mut kept, &mut old] {
            image.referrer("application/vnd.example.signature", "signed");
            let list = format!("/referrers/{}", image.root());
            api.registry.on("GET", &list).loses();
        }
        api.push(&["v1"], &kept, 20);
        api.push(&[], &old, 3);
        // An old child below a young index without a tag.
        let young = image(3);
        api.push(&[], &young, 4);
        let mut state = api.state.lock().unwrap();
        let root = state
            .versions
            .iter_mut()
            .find(|one| one.digest == young.root());
        root.unwrap().created = "2090-01-01T00:00:00Z".to_owned();
        drop(state);
        let planned = api.prune(&["--keep", "*", "--apply"]).exits(0);
        assert!(manifests(&planned).is_empty(), "{planned}");
        let arguments = ["--keep", "*", "--delete-untagged", "1d", "--apply"];
        let done = api.prune(&arguments).exits(0);
        for (image, stays) in [(&kept, true), (&old, false), (&young, true)] {
            for digest in versions_of(image) {
                assert_eq!(api.has(digest), stays, "{digest}: {done}");
            }
        }
        api.passes("v1");
    }
}

#[test]
fn a_list_that_cannot_be_had_holds_everything_back() {
    for (status, code) in [(401, 3), (403, 3), (404, 4), (500, 4)] {
        let api = Api::start(Kind::GitHub("orgs"));
        api.push(&["v1"], &image(1), 1);
        api.push(&["v2"], &image(2), 2);
        api.refuse("list", message(status, "no list for you"));
        let refused = api.prune(&["--keep", "v2", "--apply"]).exits(code);
        assert_eq!(
            tags(&refused)["v1"],
            ("keep".to_owned(), false),
            "{refused}"
        );
        let why = "the packages API does not say when its tags were pushed";
        assert!(refused.report().error().contains(why), "{refused}");
        api.passes("v1");
    }
}

/// What the APIs answer that say no more than when tags were pushed: `a` before `b`.
fn dates(request: &Request) -> Reply {
    let dates = [
        ("a", "2026-01-01T00:00:00Z"),
        ("b", "2026-01-02T00:00:00.5+01:00"),
    ];
    let harbor = "/api/v2.0/projects/team/repositories/group%252Fapp/artifacts";
    match &*request.path {
        "/v2/_zot/ext/search" => {
            let query = request.parameter("query").unwrap();
            assert!(
                query.contains(r#"ImageList(repo:"team/group/app")"#),
                "{query}"
            );
            let of = |(tag, date)| json!({"Tag": tag, "PushTimestamp": date});
            Reply::json(&json!({"data": {"ImageList": {"Results": dates.map(of)}}}))
        }
        path if path == harbor && request.parameter("page").as_deref() == Some("1") => {
            assert_eq!(request.parameter("with_tag").as_deref(), Some("true"));
            let of = |(tag, date)| json!({"name": tag, "push_time": date});
            let tags = dates.map(of);
            Reply::json(&json!([{"id": 7, "tags": tags}, {"id": 8, "tags": null}]))
        }
        path if path == harbor => Reply::json(&json!([])),
        path => panic!("{path} is not asked for"),
    }
}

/// A registry where `a` was built after `b`, and a prune of it that keeps the newest.
fn built_the_other_way(api: &Server, end: &str) -> (Distribution, Finished) {
    let registry = Distribution::open();
    for (tag, day) in [("a", 9), ("b", 8)] {
        let built = format!("2025-12-{day:02}T00:00:00Z");
        registry.image(
            &format!("{NAME}:{tag}"),
            &single().seed(day).created(&built),
        );
    }
    let finished = super::prune(&registry.reference(NAME))
        .arguments(["--packages-api", &api.url(end), "--attempts", "1"])
        .arguments(["--keep-newest", "1", "--apply", "--backup", "none"])
        .run();
    (registry, finished)
}

const DATED: [&str; 2] = ["/v2/_zot/ext/search", "/api/v2.0"];

#[test]
fn zot_and_harbor_say_when_a_tag_was_pushed_and_the_registry_deletes() {
    for end in DATED {
        let (registry, done) = built_the_other_way(&Server::start(dates), end);
        let done = done.exits(0);
        assert_eq!(tags(&done)["a"], deleted(true), "{done}");
        verify(&registry.reference(&format!("{NAME}:b")))
            .run()
            .passes();
    }
}

#[test]
fn where_zot_and_harbor_do_not_say_when_the_date_of_the_build_counts() {
    for (end, status) in [(DATED[0], 404), (DATED[0], 422), (DATED[1], 404)] {
        let api = Server::start(move |_| message(status, "no such question"));
        let (_, done) = built_the_other_way(&api, end);
        let done = done.exits(0);
        assert_eq!(tags(&done)["b"], deleted(true), "{status}: {done}");
    }
    for end in DATED {
        let api = Server::start(|_| message(500, "no database"));
        let (_, refused) = built_the_other_way(&api, end);
        let refused = refused.exits(4);
        for tag in ["a", "b"] {
            assert_eq!(tags(&refused)[tag], ("keep".to_owned(), false), "{refused}");
        }
    }
}

#[test]
fn a_redirect_of_the_api_gets_no_login() {
    let elsewhere = Server::start(|_| message(404, "nothing here"));
    for kind in KINDS {
        let api = Api::start(kind);
        api.push(&["v1"], &image(1), 1);
        api.push(&["v2"], &image(2), 2);
        let redirect = Reply::status(302).header("Location", elsewhere.url("/"));
        api.refuse("list", redirect);
        let refused = api.prune(&["--keep", "v2", "--apply"]).exits(4);
        let why = "it redirects, and a login never follows a redirect";
        assert!(refused.report().error().contains(why), "{refused}");
        assert!(elsewhere.requests().is_empty(), "{refused}");
        api.passes("v1");
    }
}

#[test]
fn githubs_rate_limit_is_waited_for() {
    let api = Api::start(Kind::GitHub("orgs"));
    for day in 1..=2 {
        api.push(&[&format!("v{day}")], &image(day as u64), day);
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let reset = now.as_secs() + 2;
    let limited = message(403, "API rate limit exceeded")
        .header("X-RateLimit-Remaining", "0")
        .header("X-RateLimit-Reset", reset.to_string());
    api.refuse("first", limited);
    let done = api.prune(&["--keep", "v2", "--apply"]).exits(0);
    let after = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    assert!(after.as_secs() >= reset, "{done}");
    assert_eq!(tags(&done)["v1"], deleted(true), "{done}");
}

#[test]
fn a_push_while_the_list_is_read_costs_nothing() {
    for kind in KINDS {
        let api = Api::start(kind);
        for day in 1..=3 {
            api.push(&[&format!("v{day}")], &image(day as u64), day);
        }
        let late = image(4);
        api.registry.serve(&format!("{NAME}:late"), &late);
        api.state.lock().unwrap().late = Some(Version {
            id: 500,
            digest: late.root().to_owned(),
            tags: vec!["late".to_owned()],
            created: "2026-01-20T00:00:00Z".to_owned(),
            updated: "2026-01-20T00:00:00Z".to_owned(),
        });
        let done = api.prune(&["--keep-newest", "2", "--apply"]).exits(0);
        assert!(!api.has(image(1).root()), "{done}");
        for tag in ["v2", "v3", "late"] {
            api.passes(tag);
        }
    }
}
