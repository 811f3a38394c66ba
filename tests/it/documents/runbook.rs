//! `docs/runbooks`: the incident on a real registry, and every command of the page as it stands
//! there, with the names of this machine filled in.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::json;

use super::page::blocks;
use super::text;
use crate::support::command::{binary, verify};
use crate::support::distribution::{Distribution, missing, require_success};
use crate::support::image::Image;
use crate::support::recipe::platforms;
use crate::support::scratch::Scratch;
use crate::support::skopeo;
use crate::woodpecker::{Fake, PIPELINE, REPOSITORY, Reply, TOKEN, pipeline, server};

const PAGE: &str = "docs/runbooks/orphaned-index.md";
const JOB: &str =
    "0 3 * * * root docker-registry garbage-collect -m /etc/docker/registry/config.yml\n";

/// How each block begins, and its exit code; `xargs` has one of its own.
const BLOCKS: [(&str, i32); 11] = [
    ("pullproof audit registry.example --broken-list", 1),
    ("pullproof verify registry.example/team/app:1.4", 1),
    ("grep ", 0),
    ("sed ", 0),
    // One of the two images has no copy anywhere.
    ("cut ", 123),
    ("pullproof repair /var/lib/docker-registry", 1),
    ("systemctl restart docker-registry", 0),
    ("pullproof verify registry.example/team/app:1.4", 0),
    ("skopeo copy ", 0),
    ("cut ", 0),
    ("pullproof audit registry.example", 0),
];

/// A registry after its collector ran beside it at night, one that has a copy of one of the images,
/// a CI that can build the other one, and a machine to work on.
struct Night {
    registry: Distribution,
    mirror: Distribution,
    woodpecker: Fake,
    machine: Scratch,
    built: Image,
    copied: Image,
}

impl Night {
    fn new() -> Self {
        let built = platforms(2).attested().seed(1).make();
        let copied = platforms(2).attested().seed(2).make();
        let (registry, mirror) = (Distribution::open(), Distribution::open());
        registry.push_by_skopeo("team/app:1.4", &built);
        registry.push_by_skopeo("infra/ci:latest", &copied);
        mirror.push_by_skopeo("infra/ci:latest", &copied);
        // Served once, so that the registry remembers what it has.
        verify(&registry.reference("team/app:1.4")).run().passes();
        verify(&registry.reference("infra/ci:latest"))
            .run()
            .passes();
        let night = Self {
            registry,
            mirror,
            woodpecker: server(),
            machine: Scratch::new("machine"),
            built,
            copied,
        };
        night.prepare();
        let audit = "pullproof audit registry.example --state /var/lib/pullproof";
        require_success(&night.shell(audit), audit);
        night.clean_up();
        night
    }

    fn file(&self, path: &str, content: &str) {
        let path = self.machine.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn prepare(&self) {
        self.file("etc/cron.d/registry", JOB);
        self.file("etc/systemd/system/other.service", "[Service]\n");
        self.file("home/woodpecker-token", TOKEN);
        let insecure = [&self.registry, &self.mirror].map(|registry| {
            format!(
                "[[registry]]\nlocation = \"{}\"\ninsecure = true\n",
                registry.host()
            )
        });
        self.file(
            "home/.config/containers/registries.conf",
            &insecure.concat(),
        );
        self.file(
            "home/.config/containers/policy.json",
            &json!({"default": [{"type": "insecureAcceptAnything"}]}).to_string(),
        );
        for (program, place) in [
            (binary(), "bin/pullproof"),
            ("/bin/true".into(), "bin/systemctl"),
        ] {
            let place = self.machine.path().join(place);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            std::os::unix::fs::symlink(program, place).unwrap();
        }
        let repository =
            json!({"id": 7, "full_name": "team/app", "default_branch": "main", "active": true});
        for route in ["GET /api/repos/lookup/team/app", REPOSITORY] {
            self.woodpecker.on(route, [Reply::json(&repository)]);
        }
        self.woodpecker
            .on(PIPELINE, [Reply::json(&pipeline("running"))]);
    }

    /// Text of the page with the names of this machine.
    fn filled_in(&self, text: &str) -> String {
        let below = |path: &str| self.machine.path().join(path).display().to_string();
        [
            ("registry.example", self.registry.host()),
            ("mirror.example", self.mirror.host()),
            ("https://ci.example", self.woodpecker.url("").to_string()),
            (
                "/etc/docker/registry/config.yml",
                self.registry.configuration().display().to_string(),
            ),
            (
                "/var/lib/docker-registry",
                self.registry.storage().display().to_string(),
            ),
            ("/var/lib/pullproof", below("state")),
            ("/etc/cron.d", below("etc/cron.d")),
            ("/etc/systemd", below("etc/systemd")),
        ]
        .iter()
        .fold(text.to_owned(), |text, (name, own)| text.replace(name, own))
    }

    /// What the machine does by itself at night, beside the registry that runs.
    fn clean_up(&self) {
        let table = fs::read_to_string(self.machine.path().join("etc/cron.d/registry")).unwrap();
        let (_, command) = table.trim_end().split_once(" root ").unwrap();
        require_success(&self.shell(command), command);
    }

    fn shell(&self, script: &str) -> Output {
        let path = self.machine.path();
        Command::new("bash")
            .args(["-euo", "pipefail", "-c", &self.filled_in(script)])
            .current_dir(path)
            .env_clear()
            .env("HOME", path.join("home"))
            .env(
                "PATH",
                format!("{}:/usr/bin:/bin", path.join("bin").display()),
            )
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| missing("bash", &error))
    }

    /// Runs a block while the CI does its part, if it is asked to.
    fn follow(&mut self, block: &str) -> Output {
        let output = std::thread::scope(|scope| {
            let run = scope.spawn(|| self.shell(block));
            while !run.is_finished() {
                if self.woodpecker.requests_to(PIPELINE).len() == 1 {
                    self.registry.push_by_skopeo("team/app:1.4", &self.built);
                    self.woodpecker
                        .on(PIPELINE, [Reply::json(&pipeline("success"))]);
                }
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            run.join().unwrap()
        });
        if block.starts_with("systemctl restart") {
            self.registry.restart();
        }
        output
    }
}

#[test]
fn the_runbook_leads_from_the_incident_to_whole_images() {
    let mut night = Night::new();
    let page = text(PAGE);
    let blocks = blocks(&page, "sh");
    assert_eq!(blocks.len(), BLOCKS.len());
    let mut told = Vec::new();
    for (block, (begin, code)) in blocks.iter().zip(BLOCKS) {
        assert!(block.starts_with(begin), "{block}");
        let output = night.follow(block);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{block}\n{said}\n{errors}"
        );
        told.push(said);
    }
    for words in ["team/app:1.4", "infra/ci:latest"] {
        assert!(told[0].contains(words), "{}", told[0]);
    }
    for words in ["(itself ok)", "missing", "404", "garbage-collect -m"] {
        assert!(told[1].contains(words), "{words}: {}", told[1]);
    }
    assert!(told[2].contains("garbage-collect -m"), "{}", told[2]);
    for words in [
        "infra/ci:latest: passed",
        "✓ put",
        "✓ upload",
        "team/app:1.4: failed",
        "remembered",
        "✗ lost",
    ] {
        assert!(told[4].contains(words), "{words}: {}", told[4]);
    }
    assert!(told[5].contains("✗ lost"), "{}", told[5]);
    // The next night takes nothing.
    night.clean_up();
    night.registry.restart();
    for (name, image) in [
        ("team/app:1.4", &night.built),
        ("infra/ci:latest", &night.copied),
    ] {
        let reference = night.registry.reference(name);
        let report = verify(&reference).run().passes();
        assert_eq!(report.images()[0]["digest"], image.root(), "{name}");
        let (pulls, said) = skopeo::pulls(&reference);
        assert!(pulls, "{name}: {said}");
    }
}

#[test]
fn without_a_restart_the_push_does_not_help() {
    let night = Night::new();
    let copy = blocks(&text(PAGE), "sh").remove(8);
    assert!(copy.starts_with("skopeo copy"));
    require_success(&night.shell(&copy), &copy);
    let report = verify(&night.registry.reference("infra/ci:latest"))
        .run()
        .exits(1)
        .report();
    assert!(
        report.faults().values().any(|verdict| verdict == "empty"),
        "{:?}",
        report.faults()
    );
}

#[test]
fn every_runbook_is_followed_by_a_test() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/runbooks");
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        assert!(
            PAGE.ends_with(path.file_name().unwrap().to_str().unwrap()),
            "{}",
            path.display()
        );
    }
}
