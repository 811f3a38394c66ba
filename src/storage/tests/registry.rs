//! Debian's distribution on a disk that is written to meanwhile.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::*;
use crate::storage::beside::{NEW, NEW_DIRECTORY};

const APP: &str = "team/app";

struct Registry {
    process: Child,
    port: u16,
    configuration: PathBuf,
}

impl Registry {
    fn on(disk: &Disk) -> Self {
        for _ in 0..20 {
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = free.local_addr().unwrap().port();
            drop(free);
            let configuration = disk.path.with_extension("yml");
            let text = format!(
                r#"{{"version": "0.1", "log": {{"level": "error"}}, "storage": {{
                "filesystem": {{"rootdirectory": "{}"}},
                "cache": {{"blobdescriptor": "inmemory"}}}},
                "http": {{"addr": "127.0.0.1:{port}", "secret": "tests"}}}}"#,
                disk.path.display()
            );
            fs::write(&configuration, text).unwrap();
            let mut process = Command::new("docker-registry")
                .arg("serve")
                .arg(&configuration)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("docker-registry: `make test` installs it");
            for _ in 0..500 {
                if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    return Self {
                        process,
                        port,
                        configuration,
                    };
                }
                if process.try_wait().unwrap().is_some() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            let _ = process.kill();
            process.wait().unwrap();
        }
        panic!("docker-registry does not start");
    }

    /// The status and the body of an answer.
    fn get(&self, path: &str) -> (u16, Vec<u8>) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(
            stream,
            "GET /v2/{path} HTTP/1.0\r\nAccept: application/vnd.oci.image.manifest.v1+json\r\n\r\n"
        )
        .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .unwrap();
        let status = str::from_utf8(&answer[9..12]).unwrap().parse().unwrap();
        (status, answer.split_off(end + 4))
    }

    fn collect(&self) {
        let output = Command::new("docker-registry")
            .arg("garbage-collect")
            .arg(&self.configuration)
            .arg("-m")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_file(&self.configuration);
    }
}

const CONFIG: &[u8] = br#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers"}}"#;

const LAYER: &[u8] = b"not really a layer";

fn manifest() -> Vec<u8> {
    let descriptor = |media_type: &str, bytes: &[u8]| {
        format!(
            r#"{{"mediaType":"application/vnd.oci.image.{media_type}","digest":"{}","size":{}}}"#,
            sha256(bytes),
            bytes.len()
        )
    };
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{media_type}","config":{},"layers":[{}]}}"#,
        descriptor("config.v1+json", CONFIG),
        descriptor("layer.v1.tar", LAYER)
    )
    .into_bytes()
}

fn write_image(disk: &Disk) {
    let mut writer = disk.writer();
    for blob in [CONFIG, LAYER] {
        writer.data(&sha256(blob), &content(blob)).unwrap();
        writer.link_layer(APP, &sha256(blob)).unwrap();
    }
    let manifest = manifest();
    let digest = sha256(&manifest);
    writer.data(&digest, &content(&manifest)).unwrap();
    writer.link_manifest(APP, &digest).unwrap();
    writer.link_tag(APP, "1.4", &digest).unwrap();
}

#[test]
fn what_is_written_is_served_at_once() {
    let disk = Disk::new();
    let registry = Registry::on(&disk);
    let manifest = manifest();
    let digest = sha256(&manifest);
    let by_tag = format!("{APP}/manifests/1.4");
    let by_digest = format!("{APP}/manifests/{digest}");
    let layer = format!("{APP}/blobs/{}", sha256(LAYER));
    for path in [&by_tag, &by_digest, &layer] {
        assert_eq!(registry.get(path).0, 404, "{path}");
    }
    write_image(&disk);
    assert_eq!(registry.get(&by_tag), (200, manifest.clone()));
    assert_eq!(registry.get(&by_digest), (200, manifest.clone()));
    assert_eq!(registry.get(&layer), (200, LAYER.to_vec()));
    let list = registry.get(&format!("{APP}/tags/list")).1;
    assert!(
        list.ends_with(b"\"tags\":[\"1.4\"]}\n"),
        "{}",
        list.escape_ascii()
    );

    disk.remove(&place::revision(APP, &digest));
    assert_eq!(registry.get(&by_digest).0, 404);
    disk.writer().link_manifest(APP, &digest).unwrap();
    assert_eq!(registry.get(&by_digest), (200, manifest));

    let damaged = vec![b'x'; LAYER.len()];
    disk.put(&place::data(&sha256(LAYER)), &damaged);
    assert_eq!(registry.get(&layer), (200, damaged));
    let mut writer = disk.writer();
    let wrote = writer.data(&sha256(LAYER), &content(LAYER)).unwrap();
    assert_eq!(wrote, Wrote::Replaced);
    assert_eq!(registry.get(&layer), (200, LAYER.to_vec()));
    drop(writer);

    disk.undo();
    assert_eq!(registry.get(&by_tag).0, 404);
    assert_eq!(registry.get(&format!("{APP}/tags/list")).0, 404);
}

#[test]
fn what_a_kill_leaves_stops_no_collection() {
    let disk = Disk::new();
    write_image(&disk);
    let whole = disk.everything();
    // Killed in the middle of each thing that is written.
    let digest = sha256(b"next");
    let directory = |path: String| {
        let path = disk.path.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
    };
    disk.put(NEW, b"half");
    fs::create_dir(disk.path.join(NEW_DIRECTORY)).unwrap();
    directory(place::data(&digest));
    directory(place::layer(APP, &digest));
    directory(place::revision(APP, &digest));
    directory(place::tag_history(APP, "2", &digest));
    let registry = Registry::on(&disk);
    registry.collect();
    for (path, content) in whole {
        let now = fs::read(disk.path.join(&path)).unwrap_or_default();
        assert_eq!(now, content, "{}", path.display());
    }
    assert_eq!(registry.get(&format!("{APP}/manifests/1.4")).0, 200);
}
