//! References from standard input and from files, and the forms in which they are accepted.

use crate::support::command::{Finished, Pullproof, Report, pullproof};
use crate::support::fake::Registry;
use crate::support::recipe::{platforms, single};

/// `pullproof verify` with these arguments after it, and the report on standard output.
fn verify(arguments: &[&str]) -> Pullproof {
    pullproof()
        .argument("verify")
        .arguments(arguments.iter().copied())
        .arguments(["--format=json", "--settle=0s", "--backoff=10ms"])
}

fn names(report: &Report) -> Vec<String> {
    let images = report.images().into_iter();
    images
        .map(|image| image["reference"].as_str().unwrap().to_owned())
        .collect()
}

fn refused(finished: &Finished) -> (String, &str) {
    let report = finished.report();
    assert_eq!(report.result(), "error");
    let hint = finished
        .stderr
        .lines()
        .find(|line| line.starts_with("hint: "));
    (report.error().to_owned(), hint.unwrap())
}

#[test]
fn what_kubectl_prints_is_verified_whole() {
    let registry = Registry::start();
    let image = registry.image("team/app:1", &platforms(2));
    registry.image("db:2", &single().seed(7));
    let host = registry.host();
    // One line without an end, as from `kubectl get pods -A -o jsonpath='{..image}'`: each pod's
    // image twice, and an image ID where a container runs an image without a name.
    let list = format!(
        "{host}/team/app:1 {host}/team/app:1 {host}/db:2 docker-pullable://{host}/team/app@{0} {0}",
        image.root()
    );
    let finished = verify(&["-"]).input(list).run().exits(0);
    let report = finished.report();
    assert_eq!(
        names(&report),
        [
            format!("{host}/team/app:1"),
            format!("{host}/team/app@{}", image.root()),
            format!("{host}/db:2"),
        ]
    );
    assert_eq!(
        finished.stderr, "warning: images_file: 1 image ID without a repository, skipped\n",
        "{finished}"
    );
}

#[test]
fn a_list_finds_the_image_that_would_not_come_up_again() {
    let registry = Registry::start();
    let broken = registry.image("team/app:1", &platforms(2));
    registry.image("db:2", &single().seed(7));
    registry.lose(broken.child(0));
    // One name a line, as from `docker compose config --images`.
    let list = format!("{0}/db:2\n{0}/team/app:1\n", registry.host());
    let report = verify(&["-"]).input(list).run().exits(1).report();
    assert_eq!(report.verdict(broken.child(0)), "missing");
    assert_eq!(report.images().len(), 2);
}

#[test]
fn a_list_in_a_file_comes_beside_other_references() {
    let registry = Registry::start();
    registry.image("a:1", &single());
    registry.image("b:1", &single().seed(2));
    let run = |run: Pullproof| names(&run.run().passes());
    let listed = format!("{}/a:1", registry.host());
    let named = registry.reference("b:1");
    let expected = [named.clone(), listed.clone()];
    assert_eq!(
        run(verify(&[&named, "--images-file", "list.txt"]).file("list.txt", &listed)),
        expected
    );
    assert_eq!(run(verify(&["-", &named]).input(&listed)), expected);
    let plugin = pullproof()
        .variable("CI", "woodpecker")
        .variable("PLUGIN_IMAGES_FILE", "list.txt")
        .variable("PLUGIN_FORMAT", "json")
        .file("list.txt", &listed);
    assert_eq!(run(plugin), [listed]);
}

#[test]
fn a_list_without_references_is_an_error_of_the_input() {
    let finished = verify(&["-"]).input("\n").run().exits(2);
    assert_eq!(
        refused(&finished),
        (
            "images_file: standard input is empty; there is nothing to check".to_owned(),
            "hint: see what the command before the pipe prints; an image ID does not say in which \
             repository the image is"
        )
    );
    let finished = verify(&["-"]).input("r.example/a:1 <none>").run().exits(2);
    let (error, hint) = refused(&finished);
    assert_eq!(
        error,
        "images_file: \"<none>\" in standard input is not an image reference"
    );
    assert!(hint.contains("separated by white space"), "{hint}");
    let missing = verify(&["--images-file=none.txt"]).run().exits(2);
    let error = missing.report().error().to_owned();
    assert!(
        error.starts_with("images_file: cannot read ") && error.contains("none.txt"),
        "{error}"
    );
}

#[test]
fn an_audit_says_which_command_takes_a_list() {
    let finished = pullproof().arguments(["audit", "-"]).run().exits(2);
    assert_eq!(
        finished.stderr,
        "error: audit takes no references from standard input\n\
         hint: to check such a list, use pullproof verify -; to give what is deployed, use \
         --in-use -\n"
    );
}

#[test]
fn the_transport_of_registries_is_accepted() {
    let registry = Registry::start();
    let image = registry.image("app:1", &single());
    for name in ["app:1".to_owned(), format!("app@{}", image.root())] {
        let reference = registry.reference(&name);
        let report = verify(&[&format!("docker://{reference}")]).run().passes();
        assert_eq!(names(&report), [reference]);
    }
}

#[test]
fn other_transports_are_refused_by_name() {
    for text in [
        "oci-archive:app.tar",
        "docker-archive:/tmp/app.tar",
        "containers-storage:localhost/app:1",
        "docker-daemon:app:latest",
        "dir:/tmp/app",
        "squashfs:./app",
    ] {
        let transport = text.split(':').next().unwrap();
        let (error, hint) = {
            let finished = verify(&[text]).run().exits(2);
            let (error, hint) = refused(&finished);
            (error, hint.to_owned())
        };
        assert_eq!(
            error,
            format!(
                "images: \"{text}\" is not in a registry: the transport {transport}: is not \
                 supported, only docker://, oci: or none"
            )
        );
        assert!(hint.contains("registry.example.org/team/app:1.2"), "{hint}");
    }
    let finished = verify(&["ftp://r.example/app"]).run().exits(2);
    assert!(
        refused(&finished).0.contains("its scheme is not docker://"),
        "{finished}"
    );
}
