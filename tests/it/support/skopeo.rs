//! skopeo: pushes and pulls by a tool that this project did not write.

use std::process::{Command, Stdio};

use super::distribution::{missing, require_success, write_layout};
use super::image::Image;
use super::scratch::Scratch;

/// Pushes an image as `name:tag` with `skopeo copy` from an OCI layout, byte for byte.
pub(crate) fn push(host: &str, name: &str, image: &Image) {
    push_as(None, host, name, image);
}

/// The same with a login, `user:password`.
pub(crate) fn push_as(login: Option<&str>, host: &str, name: &str, image: &Image) {
    let layout = Scratch::new("layout");
    write_layout(&layout, image);
    let output = Command::new("skopeo")
        .args([
            "--insecure-policy",
            "copy",
            "--all",
            "--preserve-digests",
            "--quiet",
            "--dest-tls-verify=false",
        ])
        .args(login.map(|login| format!("--dest-creds={login}")))
        .arg(format!("oci:{}:pushed", layout.path().display()))
        .arg(format!("docker://{host}/{name}"))
        .env("HOME", layout.path())
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| missing("skopeo", &error));
    require_success(&output, "skopeo copy");
}

/// Deletes what `name:tag` stands for with `skopeo delete`: by its digest, with all of its tags.
pub(crate) fn delete_as(login: Option<&str>, host: &str, name: &str) {
    let home = Scratch::new("delete");
    let output = Command::new("skopeo")
        .args(["--insecure-policy", "delete", "--tls-verify=false"])
        .args(login.map(|login| format!("--creds={login}")))
        .arg(format!("docker://{host}/{name}"))
        .env("HOME", home.path())
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| missing("skopeo", &error));
    require_success(&output, "skopeo delete");
}

/// Whether skopeo can copy every platform of a reference, and what it prints; it checks every byte.
pub(crate) fn pulls(reference: &str) -> (bool, String) {
    let copy = Scratch::new("copy");
    let output = Command::new("skopeo")
        .args([
            "--insecure-policy",
            "copy",
            "--all",
            "--quiet",
            "--src-tls-verify=false",
        ])
        .arg(format!("docker://{reference}"))
        .arg(format!("dir:{}", copy.path().display()))
        .env("HOME", copy.path())
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| missing("skopeo", &error));
    (
        output.status.success(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}
