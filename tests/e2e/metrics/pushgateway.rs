//! A real Pushgateway takes what an audit pushes, and keeps what a failed look must not lose.

use super::program::Program;
use super::{ACCESSIBLE, FAILURES, LAST_SUCCESS, REPOSITORY, audit, damaged, darken, lines, value};
use crate::support::command::Finished;
use crate::support::fake::Registry;
use crate::support::fake::guard::basic_credentials;
use crate::support::http::client::{ask, get};

fn start() -> Program {
    Program::start("E2E_PUSHGATEWAY", "/-/ready", |_| Vec::new())
}

fn push(registry: &Registry, gateway: &Program, flags: &[&str]) -> Finished {
    let run = audit(registry).arguments(["--pushgateway", &gateway.at("")]);
    let finished = run.arguments(flags.iter().copied()).run();
    assert!(!finished.stderr.contains("pushgateway"), "{finished}");
    finished
}

#[test]
fn a_group_is_replaced_with_every_push() {
    let (registry, lost) = damaged();
    let (gateway, host) = (start(), registry.host());
    push(&registry, &gateway, &[]).exits(1);
    let page = get(&gateway.at("/metrics")).text();
    assert_eq!(value(&page, FAILURES, &host), Some(1.0));
    assert_eq!(value(&page, REPOSITORY, &host), Some(1.0));
    let group = lines(&page, "push_time_seconds", &host);
    assert!(group[0].contains("job=\"pullproof\""), "{group:?}");
    assert_eq!(value(&page, "push_failure_time_seconds", &host), Some(0.0));
    registry.find(&lost);
    push(&registry, &gateway, &[]).exits(0);
    let page = get(&gateway.at("/metrics")).text();
    assert_eq!(value(&page, FAILURES, &host), Some(0.0));
    assert_eq!(value(&page, REPOSITORY, &host), None);
}

#[test]
fn a_failed_look_keeps_what_was_known() {
    let (registry, _) = damaged();
    let (gateway, host) = (start(), registry.host());
    push(&registry, &gateway, &[]).exits(1);
    let before = get(&gateway.at("/metrics")).text();
    darken(&registry);
    push(&registry, &gateway, &[]).exits(4);
    let page = get(&gateway.at("/metrics")).text();
    assert_eq!(value(&page, ACCESSIBLE, &host), Some(0.0));
    for name in [FAILURES, LAST_SUCCESS, REPOSITORY] {
        assert_eq!(
            value(&page, name, &host),
            value(&before, name, &host),
            "{name}"
        );
    }
}

#[test]
fn every_job_and_shard_is_a_group_of_its_own() {
    let (registry, _) = damaged();
    let (gateway, host) = (start(), registry.host());
    for job in ["nightly", "a/b", "ä ?#%\\\"", ".."] {
        let flags = ["--shard", "1/1", "--pushgateway-job", job];
        push(&registry, &gateway, &flags).exits(1);
    }
    let page = get(&gateway.at("/metrics")).text();
    let groups = lines(&page, FAILURES, &host);
    for job in ["nightly", "a/b", "ä ?#%\\\\\\\"", ".."] {
        let label = format!("job=\"{job}\"");
        let group: Vec<_> = groups.iter().filter(|line| line.contains(&label)).collect();
        assert_eq!(group.len(), 1, "{job}: {groups:#?}");
        assert!(group[0].contains("shard=\"1/1\""), "{group:?}");
    }
    // A failed look finds its own group again among them.
    darken(&registry);
    let odd = ["--shard", "1/1", "--pushgateway-job", "ä ?#%\\\""];
    push(&registry, &gateway, &odd).exits(4);
    let page = get(&gateway.at("/metrics")).text();
    assert_eq!(lines(&page, FAILURES, &host).len(), 4);
    let dark = lines(&page, ACCESSIBLE, &host).into_iter();
    assert_eq!(dark.filter(|line| line.ends_with(" 0")).count(), 1);
}

#[test]
fn a_login_is_needed_where_the_pushgateway_says_so() {
    let (registry, _) = damaged();
    let gateway = Program::start("E2E_PUSHGATEWAY", "/metrics", |directory| {
        // `push-password-7`
        let users = "basic_auth_users:\n  \
                     me: $2b$05$RhOSYmQVIGzDrbVweJoyhOyXplk.X8MVDIcTokNTe1N0C1QqVzJGq\n";
        let file = directory.join("web.yml");
        std::fs::write(&file, users).expect("the directory is ours");
        vec![format!("--web.config.file={}", file.display())]
    });
    let run = |password: &str| {
        audit(&registry)
            .arguments(["--pushgateway", &gateway.at("")])
            .arguments(["--pushgateway-username", "me"])
            .variable("PLUGIN_PUSHGATEWAY_PASSWORD", password)
            .run()
            .exits(1)
    };
    let refused = run("wrong-password");
    let words = "it refuses the login (401)";
    assert!(refused.stderr.contains(words), "{refused}");
    let taken = run("push-password-7");
    assert!(!taken.stderr.contains("pushgateway"), "{taken}");
    let login = basic_credentials("me", "push-password-7");
    let headers = [("Authorization", &*login)];
    let page = ask("GET", &gateway.at("/metrics"), &headers, &[])
        .unwrap()
        .text();
    assert_eq!(value(&page, FAILURES, &registry.host()), Some(1.0));
}
