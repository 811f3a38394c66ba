//! Where pullproof does not follow a client's word, and why: shown in the table, and not compared.

use super::Case;
use crate::clients::pull::Client::{self, Cri2, Docker, Podman};

const ELSEWHERE: &str = "it depends on another host, which pullproof never asks";
const LARGE: &str = "pullproof reads no manifest that is larger than 4,393,216 bytes";
const TWICE: &str = "the client takes the first of two children; pullproof checks both";
const CONTRARY: &str = "the registry contradicts itself for good; pullproof asks by `GET` as well";
const CACHE: &str = "a build cache lists blobs, and this one lists a manifest";
const WINDOWS: &str = "docker on Linux refuses every Windows image";
const ENCODED: &str = "it ignores the encodings that it does not know; containerd 2 refuses them";
const ENDLESS: &str = "without a length pullproof reads no more than the descriptor promises";

const EVERYBODY: &[Client] = &[Cri2, Docker, Podman];

/// The cases, the clients whose word is not followed, and why.
const APART: &[(&str, &[Client], &str)] = &[
    ("child-urls", EVERYBODY, ELSEWHERE),
    ("config-urls", EVERYBODY, ELSEWHERE),
    ("layer-urls", EVERYBODY, ELSEWHERE),
    ("config-urls-404", EVERYBODY, ELSEWHERE),
    ("layer-urls-404", EVERYBODY, ELSEWHERE),
    ("layer-foreign-urls-gone", EVERYBODY, ELSEWHERE),
    ("layer-foreign-plain-urls-gone", EVERYBODY, ELSEWHERE),
    ("layer-foreign-zstd-urls-gone", EVERYBODY, ELSEWHERE),
    ("layer-docker-foreign-urls-gone", EVERYBODY, ELSEWHERE),
    (
        "whole-docker-list--layer-docker-foreign-urls-gone",
        EVERYBODY,
        ELSEWHERE,
    ),
    ("get-tag-404", &[Cri2, Docker], CONTRARY),
    ("get-tag-403", &[Cri2, Docker], CONTRARY),
    ("get-tag-500", &[Cri2, Docker], CONTRARY),
    ("tag-moved", &[Cri2, Docker], CONTRARY),
    ("index-4.2-mib", &[Docker], LARGE),
    ("index-4.4-mib", &[Docker], LARGE),
    ("manifest-4.2-mib", &[Cri2, Docker], LARGE),
    ("manifest-4.4-mib", &[Cri2, Docker], LARGE),
    ("manifest-4393217", &[Cri2, Docker], LARGE),
    ("whole-manifest--manifest-4.2-mib", &[Docker], LARGE),
    ("config-4-mib--config-data-right", &[Cri2, Docker], LARGE),
    ("index-two-amd64-second-gone", &[Docker, Podman], TWICE),
    (
        "index-two-amd64-second-gone--config-diff-ids-fewer",
        &[Podman],
        TWICE,
    ),
    ("index-no-platforms--other-gone", &[Docker, Podman], TWICE),
    ("cache-index", &[Docker, Podman], CACHE),
    ("single-windows", &[Docker], WINDOWS),
    ("config-os-windows", &[Docker], WINDOWS),
    ("layer-br-encoded", &[Docker, Podman], ENCODED),
    ("config-br-encoded", &[Docker, Podman], ENCODED),
    ("manifest-br-encoded", &[Docker, Podman], ENCODED),
    (
        "layer-size-small--layer-no-length",
        &[Docker, Podman],
        ENDLESS,
    ),
];

/// Notes it at each of them.
pub(super) fn note(cases: &mut [Case]) {
    for (name, clients, why) in APART {
        let case = cases.iter_mut().find(|case| case.name == *name);
        let case = case.unwrap_or_else(|| panic!("there is no case {name}"));
        case.apart = Some((clients, why));
    }
}
