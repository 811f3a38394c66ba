//! The program for another processor, under emulation. Nothing of that processor's system is there,
//! so it also shows that the program is static.

use std::process::{Command, Output};

use crate::support::command::ends;
use crate::support::distribution::{Damage, Distribution};
use crate::support::recipe::platforms;

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("`make arm64` and `make armv7` set {name}"))
}

/// Runs it with an empty environment.
fn emulated(arguments: &[&str]) -> Output {
    Command::new("/usr/bin/env")
        .args(["-i", &variable("E2E_EMULATOR"), &variable("E2E_PROGRAM")])
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn the_program_is_for_that_processor() {
    let (class, machine) = match &*variable("E2E_PROCESSOR") {
        "arm64" => (2, 183),
        "armv7" => (1, 40),
        other => panic!("{other}"),
    };
    // https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html
    let header = std::fs::read(variable("E2E_PROGRAM")).unwrap();
    assert_eq!(&header[..5], [0x7f, b'E', b'L', b'F', class]);
    assert_eq!(u16::from_le_bytes([header[18], header[19]]), machine);
    let version = concat!("pullproof ", env!("CARGO_PKG_VERSION"), "\n");
    ends(&emulated(&["version"]), 0, version);
}

#[test]
fn a_whole_image_passes_at_every_depth() {
    let registry = Distribution::open();
    registry.image("app:1", &platforms(2).layers(2).layer_size(100_000));
    let reference = registry.reference("app:1");
    for depth in ["head", "tail", "full"] {
        let output = emulated(&["verify", &reference, "--depth", depth]);
        ends(&output, 0, "PASSED: 1 image");
    }
}

#[test]
fn a_corrupted_layer_is_found() {
    let registry = Distribution::open();
    let image = registry.image("app:1", &platforms(2));
    registry.damage("app", image.layer(1, 0), Damage::Flipped);
    let output = emulated(&[
        "verify",
        &registry.reference("app:1"),
        "--depth",
        "full",
        "--settle",
        "0s",
    ]);
    ends(&output, 1, "linux/arm64 cannot be pulled");
}

#[test]
fn tls_works() {
    let registry = Distribution::tls();
    registry.image("app:1", &platforms(1));
    let pem = registry.authority().pem();
    let output = emulated(&["verify", &registry.reference("app:1"), "--ca", &pem]);
    ends(&output, 0, "PASSED: 1 image");
}
