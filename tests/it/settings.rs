//! Settings that would have passed silently, and results that would have contradicted the exit
//! code.

use std::fs::File;
use std::process::{Command, Stdio};

use crate::support::authority::Authority;
use crate::support::command::{Finished, binary, pullproof};
use crate::support::fake::Registry;
use crate::support::recipe::platforms;

fn last(text: &str) -> &str {
    text.lines().last().unwrap_or_default()
}

/// A run in Woodpecker with these settings.
fn woodpecker(settings: &[(&str, &str)]) -> Finished {
    let given = settings
        .iter()
        .map(|(name, value)| (format!("PLUGIN_{name}"), *value));
    given
        .fold(
            pullproof().variable("CI", "woodpecker"),
            |run, (name, value)| run.variable(&name, value),
        )
        .run()
}

#[test]
fn tags_are_never_replaced_by_latest_in_silence() {
    let registry = Registry::start();
    registry.image("app:latest", &platforms(1));
    let bare = registry.reference("app:latest").replace(":latest", "");
    for settings in [
        &[("IMAGES", bare.as_str()), ("TAGS", "1.4")][..],
        &[("REPO", &bare), ("TAGS", "feature/x")],
        &[("REPO", &bare), ("TAGS", "#1")],
    ] {
        let finished = woodpecker(settings).exits(2);
        assert!(
            finished.stderr.contains("tag") && finished.stderr.contains("\nhint: "),
            "{finished}"
        );
    }
    assert!(registry.requests().is_empty());
}

#[test]
fn the_warning_that_explains_an_error_stands_before_it() {
    let finished = woodpecker(&[
        ("IMAGES", "registry.invalid/app:1"),
        ("USERNAME", "ci"),
        ("PASSWRD", "x"),
    ])
    .exits(2);
    let lines: Vec<&str> = finished.stderr.lines().collect();
    assert_eq!(
        lines[0], "warning: unknown setting passwrd is ignored; did you mean password?",
        "{finished}"
    );
    assert!(
        lines[1].starts_with("error: username: there is no password"),
        "{finished}"
    );
}

#[test]
fn the_last_line_says_why_there_was_nothing_to_verify() {
    for (settings, reason) in [
        (
            &[("PUSH", "false")][..],
            "the build step that shares these settings pushes nothing (push: false)",
        ),
        (
            &[("OUTPUT", "type=local,dest=out")],
            "the build step that shares these settings pushes nothing (output: type=local)",
        ),
    ] {
        let facts = [
            ("CI", "woodpecker"),
            ("CI_COMMIT_REF", "refs/heads/x"),
            ("CI_REPO_DEFAULT_BRANCH", "main"),
        ];
        let run = facts
            .iter()
            .fold(pullproof(), |run, (name, value)| run.variable(name, *value));
        let run = run
            .variable("PLUGIN_REPO", "registry.invalid/app")
            .variable("NO_COLOR", "1");
        let given = settings
            .iter()
            .map(|(name, value)| (format!("PLUGIN_{name}"), *value));
        let finished = given
            .fold(run, |run, (name, value)| run.variable(&name, value))
            .run()
            .exits(0);
        let verdict = format!("pullproof: SKIPPED: {reason}; nothing was checked, exit code 0");
        assert_eq!(last(&finished.stdout), verdict, "{finished}");
    }
    let dry = woodpecker(&[("REPO", "registry.invalid/app"), ("DRY_RUN", "true")]).exits(0);
    assert!(
        last(&dry.stdout).contains("SKIPPED: nothing was pushed (dry run)"),
        "{dry}"
    );
}

#[test]
fn what_may_have_been_pushed_is_verified() {
    let registry = Registry::start();
    registry.image("app:latest", &platforms(1));
    let repo = registry.reference("app:latest").replace(":latest", "");
    let on_a_branch = [
        ("CI_COMMIT_REF", "refs/heads/x"),
        ("CI_REPO_DEFAULT_BRANCH", "main"),
    ];
    for settings in [
        &[("AUTO_TAG", "true"), ("DEFAULT_TAG", "edge")][..],
        &[("DRY_RUN", "yes")],
        &[("DRY_RUN", "1")],
        &[("DRY_RUN", "true"), ("OUTPUT", "type=registry")],
        &[("OUTPUT", "type=local,dest=out\ntype=registry")],
        &[("OUTPUT", "type=docker")],
        &[("PUSH", "true"), ("OUTPUT", "type=local,dest=out")],
        &[("PUSH", "false"), ("DRY_RUN", "false")],
    ] {
        let run = settings
            .iter()
            .fold(pullproof(), |run, (name, value)| {
                run.variable(&format!("PLUGIN_{name}"), *value)
            })
            .variable("CI", "woodpecker")
            .variable("PLUGIN_REPO", &repo);
        let finished = on_a_branch
            .iter()
            .fold(run, |run, (name, value)| run.variable(name, *value))
            .run()
            .exits(0);
        assert!(
            last(&finished.stdout).contains("PASSED"),
            "{settings:?}: {finished}"
        );
        assert!(
            finished.stdout.contains("app:latest"),
            "{settings:?}: {finished}"
        );
    }
}

#[test]
fn an_image_without_host_is_on_the_registry_that_is_set() {
    let registry = Registry::start();
    registry.image("team/app:1", &platforms(1));
    let host = registry.reference("team/app:1").replace("/team/app:1", "");
    for settings in [&[("IMAGES", "team/app:1")][..], &[("TAGS", "team/app:1")]] {
        let settings = [settings, &[("REGISTRY", &host)]].concat();
        let finished = woodpecker(&settings).exits(0);
        assert!(last(&finished.stdout).contains("PASSED"), "{finished}");
        let line = format!("team/app:1 names no host, so {host}/team/app:1 is verified");
        assert!(finished.stderr.contains(&line), "{finished}");
    }
    let typed = pullproof()
        .arguments(["verify", "team/app:1", "--registry", &host])
        .run()
        .exits(0);
    assert!(typed.stderr.contains("names no host"), "{typed}");
    let named = [("IMAGES", registry.reference("team/app:1"))];
    let named = [(named[0].0, named[0].1.as_str()), ("REGISTRY", &host)];
    let finished = woodpecker(&named).exits(0);
    assert!(!finished.stderr.contains("names no host"), "{finished}");
}

/// The warnings about certificates that are not checked.
fn unchecked(finished: &Finished) -> Vec<&str> {
    let lines = finished.stderr.lines();
    lines
        .filter(|line| line.contains("certificates are NOT checked"))
        .collect()
}

#[test]
fn every_run_that_checks_no_certificates_says_so_once_and_names_the_hosts() {
    let authority = Authority::new();
    let registry = Registry::start_tls(&authority.issue(&["elsewhere.test"]));
    registry.image("app:1", &platforms(1));
    registry.image("app:2", &platforms(1));
    let host = registry.host();
    let images = ["app:1", "app:2"]
        .map(|image| registry.reference(image))
        .join(",");
    for (name, value, named) in [
        (
            "SKIP_TLS_VERIFY",
            "true",
            format!("of {host}, any other host"),
        ),
        ("SKIP_VERIFY", host.as_str(), format!("of {host}")),
        (
            "INSECURE_SKIP_VERIFY",
            "127.0.0.1",
            "of 127.0.0.1".to_owned(),
        ),
    ] {
        let finished = woodpecker(&[("IMAGES", &images), (name, value)]).exits(0);
        let [warning] = unchecked(&finished)[..] else {
            panic!("{finished}")
        };
        assert!(
            warning.starts_with("warning: skip_tls_verify: "),
            "{warning}"
        );
        assert!(warning.contains(&format!("({named})")), "{warning}");
    }
    let refused = woodpecker(&[("IMAGES", &images), ("ATTEMPTS", "1")]).exits(4);
    assert!(unchecked(&refused).is_empty(), "{refused}");
    let dry = [
        ("IMAGES", images.as_str()),
        ("SKIP_TLS_VERIFY", "yes"),
        ("DRY_RUN", "true"),
    ];
    assert_eq!(unchecked(&woodpecker(&dry).exits(0)).len(), 1);
}

#[test]
fn a_rebuild_that_checks_no_certificates_names_the_server() {
    let server = [
        ("WOODPECKER_URL", "https://127.0.0.1:1/ci"),
        ("WOODPECKER_TOKEN", "hunter2-hunter2"),
        ("WOODPECKER_REPO", "7"),
        ("SKIP_TLS_VERIFY", "true"),
        ("ATTEMPTS", "1"),
    ];
    let alone = [&[("MODE", "rebuild")][..], &server].concat();
    let finished = woodpecker(&alone).exits(5);
    assert!(
        unchecked(&finished)[0].contains("of 127.0.0.1:1, any other host"),
        "{finished}"
    );
    let registry = Registry::start();
    let image = registry.image("app:1", &platforms(1));
    registry.lose(image.layer(0, 0));
    let (reference, host) = (registry.reference("app:1"), registry.host());
    let then = [
        ("IMAGES", reference.as_str()),
        ("ON_BROKEN", "rebuild"),
        ("SETTLE", "0"),
    ];
    let finished = woodpecker(&[&then[..], &server].concat()).exits(5);
    let [warning] = unchecked(&finished)[..] else {
        panic!("{finished}")
    };
    let named = format!("of 127.0.0.1:1, {host}, any other host");
    assert!(warning.contains(&named), "{warning}");
}

#[test]
fn the_report_is_written_even_when_flags_are_wrong() {
    for arguments in [
        ["verify", "--report", "b.json", "--bogus"],
        ["verify", "--bogus", "--report", "b.json"],
    ] {
        let finished = pullproof().arguments(arguments).run().exits(2);
        assert!(
            finished.read("b.json").contains("unknown flag --bogus"),
            "{finished}"
        );
    }
}

#[test]
fn an_unwritable_report_is_an_error_before_anything_is_asked() {
    let registry = Registry::start();
    registry.image("app:1", &platforms(1));
    let reference = registry.reference("app:1");
    for (flag, path) in [
        ("report", "adir"),
        ("junit", "adir"),
        ("junit", "file/junit.xml"),
    ] {
        let finished = pullproof()
            .file("adir/file", "")
            .file("file", "")
            .arguments(["verify", &reference, &format!("--{flag}"), path])
            .variable("GITHUB_ACTIONS", "true")
            .variable("GITHUB_OUTPUT", "output.txt")
            .run()
            .exits(2);
        let reason = format!("::error title=pullproof::{flag}: cannot write {path}: ");
        assert!(finished.stdout.contains(&reason), "{finished}");
        assert_eq!(
            last(&finished.stdout),
            "pullproof: ERROR: nothing was checked, exit code 2"
        );
        let outputs = finished.read("output.txt");
        let value = |name: &str| {
            let mut lines = outputs
                .lines()
                .skip_while(|line| !line.starts_with(&format!("{name}<<")));
            lines.nth(1).unwrap().to_owned()
        };
        assert_eq!(
            [value("result"), value("exit-code"), value("report")],
            ["error", "2", ""],
            "{outputs}"
        );
    }
    assert!(registry.requests().is_empty());
}

#[cfg(target_os = "linux")]
#[test]
fn unwritable_standard_output_is_not_a_pass() {
    let registry = Registry::start();
    let image = registry.image("app:1", &platforms(1));
    let run = |arguments: &[&str], out: Stdio| {
        let output = Command::new(binary())
            .args(arguments)
            .env_clear()
            .stdout(out)
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let full = || Stdio::from(File::options().write(true).open("/dev/full").unwrap());
    let message = "error: cannot write to standard output: No space left on device (os error 28)\n"
        .to_owned();
    let reference = registry.reference("app:1");
    for format in ["text", "json"] {
        assert_eq!(
            run(&["verify", &reference, "--format", format], full()),
            (Some(2), message.clone())
        );
    }
    assert_eq!(run(&["help"], full()), (Some(2), message));
    // A reader that closes it reads the exit code at most.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    assert_eq!(
        run(&["verify", &reference], Stdio::from(writer)),
        (Some(0), String::new())
    );
    registry.lose(image.layer(0, 0));
    assert_eq!(
        run(
            &["verify", &reference, "--settle=0s", "--format", "json"],
            full()
        )
        .0,
        Some(1)
    );
}

#[test]
fn a_flag_of_another_command_is_an_error_that_names_the_command() {
    let finished = pullproof()
        .arguments(["rebuild", "--depth", "full", "--report", "report.json"])
        .run()
        .exits(2);
    assert_eq!(
        finished.stderr.lines().collect::<Vec<_>>(),
        [
            "error: --depth is a setting of verify, audit, repair and prune; rebuild does not take it",
            "hint: pullproof help rebuild lists its settings"
        ]
    );
    assert!(
        finished
            .read("report.json")
            .contains("--depth is a setting of verify"),
        "{finished}"
    );
}

#[test]
fn a_rebuild_ignores_settings_of_a_verification_with_one_warning() {
    let finished = woodpecker(&[
        ("MODE", "rebuild"),
        ("REPO", "registry.invalid/app"),
        ("TAGS", "1,2"),
        ("DEPTH", "full"),
        ("DOCKERFILE", "Dockerfile"),
    ])
    .exits(2);
    let lines: Vec<&str> = finished.stderr.lines().collect();
    assert_eq!(
        lines[0],
        "warning: repo, tags and depth are ignored: rebuild does not take them"
    );
    assert!(
        lines[1].starts_with("error: a rebuild needs the setting woodpecker_url"),
        "{finished}"
    );
}

#[test]
fn help_goes_to_standard_output() {
    for arguments in [&["verify", "-h"][..], &["help", "verify"]] {
        let finished = pullproof()
            .arguments(arguments.iter().copied())
            .run()
            .exits(0);
        assert!(
            finished.stdout.contains("\n  --depth ") && finished.stderr.is_empty(),
            "{finished}"
        );
    }
    let long = pullproof().arguments(["--help"]).run().exits(0);
    assert!(long.stdout.contains("\n  --tags, --tag <list>\n"), "{long}");
}
