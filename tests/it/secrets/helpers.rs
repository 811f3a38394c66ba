//! Credential helpers: each runs once for a server, however many repositories need its login.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::support::command::{Finished, Pullproof, pullproof};
use crate::support::fake::{Registry, guard};
use crate::support::recipe::single;

const NAMES: [&str; 3] = ["one:1", "team/two:1", "team/three:1"];

/// A registry with three repositories that want the login `me` with `password`.
fn guarded() -> Registry {
    let registry = Registry::start();
    for name in NAMES {
        registry.image(name, &single());
    }
    registry.guarded(guard::basic("me", "password"));
    registry
}

fn verify(registries: &[&Registry]) -> Pullproof {
    let references = registries
        .iter()
        .flat_map(|registry| NAMES.map(|name| registry.reference(name)));
    pullproof()
        .arguments(["verify", "--settle", "0s", "--backoff", "1ms"])
        .arguments(references)
}

/// Puts a helper into `PATH` that notes each start with the server it is asked for, takes its time,
/// and gives the login.
fn counting(run: Pullproof) -> Pullproof {
    let login = json!({"ServerURL": "x", "Username": "me", "Secret": "password"});
    let script = format!(
        "#!/bin/sh\nread -r server\necho \"$server\" >> \"$HOME/starts\"\n\
         sleep 0.2\necho '{login}'\n"
    );
    let run = run.file("bin/docker-credential-counting", script);
    let path = run.path("bin/docker-credential-counting");
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", run.path("bin").display());
    run.variable("PATH", path)
}

/// The servers that the helper was asked for, one for each start.
fn starts(finished: &Finished) -> Vec<String> {
    let starts = finished.read("starts");
    let mut starts: Vec<String> = starts.lines().map(str::to_owned).collect();
    starts.sort();
    starts
}

#[test]
fn a_helper_runs_once_for_all_repositories_of_a_host() {
    let registry = guarded();
    for config in [
        json!({"credsStore": "counting"}),
        json!({"credHelpers": {registry.host(): "counting"}}),
    ] {
        let run = verify(&[&registry]).file(".docker/config.json", config.to_string());
        let finished = counting(run).run().exits(0);
        assert_eq!(starts(&finished), [registry.host()], "{finished}");
    }
}

#[test]
fn a_helper_runs_once_for_each_of_two_hosts() {
    let (one, two) = (guarded(), guarded());
    let run = verify(&[&one, &two]).file(".docker/config.json", r#"{"credsStore":"counting"}"#);
    let finished = counting(run).run().exits(0);
    let mut hosts = [one.host(), two.host()];
    hosts.sort();
    assert_eq!(starts(&finished), hosts, "{finished}");
}

#[test]
fn a_helper_without_a_login_is_not_asked_again() {
    let registry = guarded();
    let run = verify(&[&registry]).file(".docker/config.json", r#"{"credsStore":"empty"}"#);
    let run = run.file(
        "bin/docker-credential-empty",
        "#!/bin/sh\nread -r server\necho \"$server\" >> \"$HOME/starts\"\n\
         echo 'credentials not found in native keychain'\nexit 1\n",
    );
    let path = run.path("bin/docker-credential-empty");
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", run.path("bin").display());
    let finished = run.variable("PATH", path).run().exits(3);
    assert_eq!(starts(&finished), [registry.host()], "{finished}");
}

#[test]
fn a_helper_that_fails_is_one_warning_for_all_repositories() {
    let registry = guarded();
    let run = verify(&[&registry]).file(".docker/config.json", r#"{"credsStore":"absent"}"#);
    let finished = run.run().exits(3);
    let warnings = finished.stderr.matches("docker-credential-absent").count();
    assert_eq!(warnings, 1, "{finished}");
}
