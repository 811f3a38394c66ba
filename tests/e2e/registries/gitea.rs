//! Gitea keeps what it knows of an image in its database, and ignores `Range`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::server::Server;
use super::{Case, NAME, TEAM, case, passes, reports};
use crate::support::distribution::{Damage, Door, push, require_success};
use crate::support::fake::guard::basic_credentials;
use crate::support::image::Image;
use crate::support::recipe::platforms;

/// The password of that user.
pub(super) const PASSWORD: &str = "correct horse";

/// A Gitea with one user, whose packages anybody may read.
pub(super) struct Gitea {
    pub(super) server: Server,
    pub(super) door: Door,
}

/// Starts an empty one.
pub(super) fn start() -> Gitea {
    let server = Server::start_as("E2E_GITEA", |directory, port| {
        let configuration = directory.join("app.ini");
        fs::write(&configuration, settings(directory, port)).expect("the directory is ours");
        manage(directory, &["migrate"]);
        let account = ["--username", TEAM, "--password", PASSWORD];
        let rest = [
            "--email",
            "team@example.com",
            "--must-change-password=false",
        ];
        manage(
            directory,
            &[&["admin", "user", "create"], &account[..], &rest[..]].concat(),
        );
        ["--config", &configuration.display().to_string(), "web"]
            .map(str::to_owned)
            .to_vec()
    });
    let mut door = Door::open(server.host());
    door.authorization = Some(basic_credentials(TEAM, PASSWORD));
    let answer = door.ask("GET", "/v2/token?service=container_registry", &[], &[]);
    let answer = answer.expect("it runs");
    let json: Value = serde_json::from_slice(&answer.body).expect("a token is JSON");
    let token = json["token"].as_str().expect("the login is right");
    door.authorization = Some(format!("Bearer {token}"));
    Gitea { server, door }
}

fn settings(directory: &Path, port: u16) -> String {
    let directory = directory.display();
    format!(
        "RUN_MODE = prod
I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true
WORK_PATH = {directory}
[server]
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {port}
ROOT_URL = http://127.0.0.1:{port}/
OFFLINE_MODE = true
DISABLE_SSH = true
[database]
DB_TYPE = sqlite3
PATH = {directory}/gitea.db
[security]
INSTALL_LOCK = true
[cron]
ENABLED = false
[log]
LEVEL = Warn
"
    )
}

/// Runs one of its commands to the end.
fn manage(directory: &Path, arguments: &[&str]) {
    let program = std::env::var("E2E_GITEA").expect("`make e2e` says where it is");
    let output = Command::new(program)
        .arg("--config")
        .arg(directory.join("app.ini"))
        .args(arguments)
        .env("HOME", directory)
        .output()
        .expect("it is a program");
    require_success(&output, "gitea");
}

impl Gitea {
    /// Where the content of a digest is.
    pub(super) fn data(&self, digest: &str) -> PathBuf {
        let (_, hex) = digest.split_once(':').expect("a digest has an algorithm");
        let packages = self.server.path().join("data/packages");
        packages.join(&hex[..2]).join(&hex[2..4]).join(hex)
    }

    /// Its API, for that user.
    pub(super) fn api(&self) -> Door {
        let mut door = Door::open(self.server.host());
        door.authorization = Some(basic_credentials(TEAM, PASSWORD));
        door
    }

    /// The first versions that the packages API lists, the newest first.
    pub(super) fn versions(&self) -> Vec<Value> {
        let path = format!("/api/v1/packages/{TEAM}?type=container&limit=50");
        let answer = self.api().ask("GET", &path, &[], &[]).expect("it runs");
        serde_json::from_slice(&answer.body).expect("it is a list")
    }

    /// Pushes an image of two platforms with layers of so many bytes.
    fn image(&self, layer_size: usize) -> Image {
        let image = platforms(2).layer_size(layer_size).make();
        push(&self.door, NAME, &image);
        image
    }
}

/// Fails unless each case is reported about the digest that is chosen.
#[track_caller]
fn each_is_reported(layer_size: usize, choose: fn(&Image) -> &str, cases: &[Case]) {
    let gitea = start();
    let image = gitea.image(layer_size);
    let digest = choose(&image);
    let path = gitea.data(digest);
    for case in cases {
        let whole = fs::read(&path).expect("it is there");
        case.damage.apply(&path);
        reports(&gitea.server.reference(), digest, case);
        fs::write(&path, whole).expect("the directory is ours");
    }
}

#[test]
fn a_whole_image_passes_at_every_depth() {
    let gitea = start();
    gitea.image(3000);
    passes(&gitea.server.reference());
}

#[test]
fn a_damaged_child_is_reported_as_a_pull_meets_it() {
    let cases = [
        case(Damage::Deleted, ["missing"; 3]),
        case(Damage::Emptied, ["empty"; 3]),
        case(Damage::Truncated, ["truncated"; 3]),
        case(Damage::Flipped, ["digest_mismatch"; 3]),
    ];
    each_is_reported(3000, |image| image.child(1), &cases);
}

#[test]
fn a_layer_is_read_whole_instead_of_its_last_byte() {
    let cases = [
        case(Damage::Deleted, ["missing"; 3]),
        case(Damage::Emptied, ["ok", "empty", "empty"]),
        case(Damage::Truncated, ["ok", "truncated", "truncated"]),
        case(
            Damage::Flipped,
            ["ok", "digest_mismatch", "digest_mismatch"],
        ),
    ];
    for layer_size in [3000, 3_000_000] {
        each_is_reported(layer_size, |image| image.layer(1, 1), &cases);
    }
}
