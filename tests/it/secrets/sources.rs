//! A password, from every place it can come from: only the registry gets it.

use std::os::unix::fs::PermissionsExt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::plant::{Face, Planted, received, set, shows_nothing};
use crate::support::command::Pullproof;
use crate::support::fake::{Registry, guard};
use crate::support::http::Reply;
use crate::support::recipe::single;

/// Where a login can come from.
type Source = fn(Pullproof, Face, host: &str, password: &str) -> Pullproof;

const SOURCES: [(&str, Source); 13] = [
    ("settings", |run, face, host, password| {
        set(
            set(set(run, face, "username", "me"), face, "password", password),
            face,
            "registry",
            host,
        )
    }),
    ("flags", |run, _, host, password| {
        run.arguments([
            "--username",
            "me",
            "--password",
            password,
            "--registry",
            host,
        ])
    }),
    ("a file with the password", |run, face, host, password| {
        let run = run.file("secrets/password", format!("{password}\n"));
        let run = set(run, face, "password_file", "secrets/password");
        set(set(run, face, "username", "me"), face, "registry", host)
    }),
    ("logins as JSON", |run, face, host, password| {
        set(
            run,
            face,
            "logins",
            json!([{"registry": host, "username": "me", "password": password}]).to_string(),
        )
    }),
    ("logins as YAML", |run, face, host, password| {
        let quoted = password.replace('\'', "''");
        set(
            run,
            face,
            "logins",
            format!("- registry: {host}\n  username: me\n  password: '{quoted}'\n"),
        )
    }),
    ("docker_config as JSON", |run, face, host, password| {
        set(run, face, "docker_config", auths(host, password))
    }),
    ("docker_config as a path", |run, face, host, password| {
        set(
            run.file("logins/docker.json", auths(host, password)),
            face,
            "docker_config",
            "logins/docker.json",
        )
    }),
    ("docker's own file", |run, _, host, password| {
        run.file(".docker/config.json", auths(host, password))
    }),
    ("DOCKER_CONFIG", |run, _, host, password| {
        let run = run.file("elsewhere/config.json", auths(host, password));
        let path = run.path("elsewhere").display().to_string();
        run.variable("DOCKER_CONFIG", path)
    }),
    (
        "a user and a password in docker's file",
        |run, _, host, password| {
            run.file(
                ".docker/config.json",
                json!({"auths": {host: {"username": "me", "password": password}}}).to_string(),
            )
        },
    ),
    ("credsStore", |run, _, _, password| {
        helper(
            run.file(".docker/config.json", r#"{"credsStore":"planted"}"#),
            &answer(password),
        )
    }),
    ("credHelpers", |run, _, host, password| {
        helper(
            run.file(
                ".docker/config.json",
                json!({"credHelpers": {host: "planted"}}).to_string(),
            ),
            &answer(password),
        )
    }),
    ("DOCKER_AUTH_CONFIG", |run, face, host, password| {
        let run = run
            .variable("GITLAB_CI", "true")
            .variable("DOCKER_AUTH_CONFIG", auths(host, password));
        // In GitHub Actions there is no GitLab; the same file then comes as a setting.
        if face == Face::GitHub {
            set(run, face, "docker_config", auths(host, password))
        } else {
            run
        }
    }),
];

fn auths(host: &str, password: &str) -> String {
    json!({"auths": {host: {"auth": STANDARD.encode(format!("me:{password}"))}}}).to_string()
}

fn answer(password: &str) -> String {
    json!({"ServerURL": "x", "Username": "me", "Secret": password}).to_string()
}

/// Puts a credential helper into `PATH` that says `answer` on both of its outputs.
pub(super) fn helper(run: Pullproof, answer: &str) -> Pullproof {
    let run = run.file("answer", answer).file(
        "bin/docker-credential-planted",
        "#!/bin/sh\ncat > /dev/null\ncat \"$HOME/answer\" >&2\ncat \"$HOME/answer\"\n",
    );
    let script = run.path("bin/docker-credential-planted");
    std::fs::set_permissions(script, PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", run.path("bin").display());
    run.variable("PATH", path)
}

/// Refuses every request, and repeats its credentials in every form.
fn echoing(registry: &Registry) {
    registry.guarded(Box::new(|request| {
        let shown = request.header("Authorization").unwrap_or_default();
        let encoded = shown.strip_prefix("Basic ").unwrap_or_default();
        let decoded =
            String::from_utf8(STANDARD.decode(encoded).unwrap_or_default()).unwrap_or_default();
        let form: String = url::form_urlencoded::byte_serialize(decoded.as_bytes()).collect();
        let password = decoded
            .split_once(':')
            .map(|(_, password)| password)
            .unwrap_or_default();
        let said = format!("wrong: {password} in {decoded} from {shown}, that is {form}");
        Some(
            Reply::error(401, "UNAUTHORIZED", &said)
                .header("WWW-Authenticate", "Basic realm=\"tests\""),
        )
    }));
}

#[test]
fn a_right_password_goes_to_its_registry_and_nowhere_else() {
    for (name, source) in SOURCES {
        let registry = Registry::start();
        registry.image("app:1", &single());
        let planted = Planted::password("right");
        registry.guarded(guard::basic("me", &planted.value));
        println!("{name}");
        shows_nothing(&[&planted], 0, |face, run| {
            source(
                run.argument(registry.reference("app:1")),
                face,
                &registry.host(),
                &planted.value,
            )
        });
        assert!(
            planted.is_in(&received(&registry.requests())),
            "{name}: it was never sent"
        );
    }
}

#[test]
fn a_wrong_password_is_redacted_even_when_the_registry_repeats_it() {
    for (name, source) in SOURCES {
        let registry = Registry::start();
        registry.image("app:1", &single());
        echoing(&registry);
        let planted = Planted::password("wrong");
        println!("{name}");
        shows_nothing(&[&planted], 3, |face, run| {
            source(
                run.argument(registry.reference("app:1")),
                face,
                &registry.host(),
                &planted.value,
            )
        });
        assert!(
            planted.is_in(&received(&registry.requests())),
            "{name}: it was never sent"
        );
    }
}

#[test]
fn an_anonymous_run_takes_no_password_out_of_its_place() {
    for (name, source) in SOURCES {
        let registry = Registry::start();
        registry.image("app:1", &single());
        echoing(&registry);
        let planted = Planted::password("unused");
        let run = super::plant::verify(Face::Text, "trace")
            .argument(registry.reference("app:1"))
            .argument("--anonymous");
        source(run, Face::Text, &registry.host(), &planted.value)
            .run()
            .exits(3);
        assert!(!planted.is_in(&received(&registry.requests())), "{name}");
    }
}

#[test]
fn the_output_of_a_failing_helper_is_not_shown() {
    let planted = Planted::password("helper");
    for (answer, exit) in [
        (format!("no JSON but {}", planted.value), 3),
        (json!({"Username": planted.value}).to_string(), 3),
        (
            json!({"Username": "<token>", "Secret": planted.value}).to_string(),
            3,
        ),
    ] {
        let registry = Registry::start();
        registry.image("app:1", &single());
        registry.guarded(guard::refusal_of_all());
        shows_nothing(&[&planted], exit, |_, run| {
            let run = run.argument(registry.reference("app:1"));
            helper(
                run.file(".docker/config.json", r#"{"credsStore":"planted"}"#),
                &answer,
            )
        });
        assert!(!planted.is_in(&received(&registry.requests())), "{answer}");
    }
}
