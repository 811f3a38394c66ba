//! Logins from the files that podman and its relatives keep.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::support::command::{Finished, Pullproof, verify};
use crate::support::fake::Registry;
use crate::support::fake::guard::basic;
use crate::support::recipe::single;

/// A registry that lets `ci` in, and has `team/app:1`.
fn registry() -> Registry {
    let registry = Registry::start();
    registry.image("team/app:1", &single());
    registry.guarded(basic("ci", "s3cret-of-ci"));
    registry
}

/// A file with a login for each key.
fn auth_file(logins: &[(&str, &str)]) -> String {
    let entry = |(key, login): &(&str, &str)| {
        let auth = BASE64_STANDARD.encode(login);
        ((*key).to_owned(), json!({ "auth": auth }))
    };
    let auths: Value = logins.iter().map(entry).collect();
    json!({ "auths": auths }).to_string()
}

fn run(registry: &Registry, set: impl Fn(Pullproof) -> Pullproof) -> Finished {
    set(verify(&registry.reference("team/app:1"))).run()
}

#[test]
fn podmans_login_is_found_where_podman_keeps_it() {
    let registry = registry();
    let host = registry.host();
    let file = auth_file(&[(&host, "ci:s3cret-of-ci")]);
    run(&registry, |run| run).exits(3);
    for (variable, directory, name) in [
        ("XDG_RUNTIME_DIR", "run", "run/containers/auth.json"),
        ("XDG_CONFIG_HOME", "etc", "etc/containers/auth.json"),
        ("REGISTRY_AUTH_FILE", "mine.json", "mine.json"),
        ("UNUSED", "", ".config/containers/auth.json"),
    ] {
        let finished = run(&registry, |run| {
            run.variable(variable, directory).file(name, &file)
        });
        finished.passes();
    }
}

#[test]
fn the_login_of_the_longest_path_is_sent() {
    let registry = registry();
    let host = registry.host();
    let (right, wrong) = ("ci:s3cret-of-ci", "other:s3cret-of-other");
    let at = |path: &str| format!("{host}{path}");
    for (paths, code) in [
        ([("", wrong), ("/team", right)], 0),
        ([("/team", wrong), ("/team/app", right)], 0),
        ([("/team/app", wrong), ("/team", right)], 3),
        ([("/team/application", wrong), ("", right)], 0),
    ] {
        let keys = paths.map(|(path, login)| (at(path), login));
        let file = auth_file(&keys.each_ref().map(|(key, login)| (key.as_str(), *login)));
        let finished = run(&registry, |run| {
            run.variable("REGISTRY_AUTH_FILE", "auth.json")
                .file("auth.json", &file)
        });
        let finished = finished.exits(code);
        assert!(!format!("{finished}").contains("s3cret"), "{finished}");
    }
}

#[test]
fn a_file_without_this_registry_leaves_the_next_one_to_be_asked() {
    let registry = registry();
    let finished = run(&registry, |run| {
        run.file(
            ".docker/config.json",
            auth_file(&[("other.example", "other:s3cret-of-other")]),
        )
        .variable("XDG_RUNTIME_DIR", "run")
        .file(
            "run/containers/auth.json",
            auth_file(&[(&registry.host(), "ci:s3cret-of-ci")]),
        )
    });
    finished.passes();
}
