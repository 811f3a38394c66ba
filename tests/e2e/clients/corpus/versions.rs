//! Where docker's classic store has learned something since 20.10, which the tests have.

use super::Case;

const NESTED: &str = "it follows an index in an index";
const ANY: &str = "a descriptor without a platform is for every platform";
const NAMES: &str = "it knows other spellings of a platform's name";
const ZSTD: &str = "it unpacks zstd";

/// What 28.5 pulls and 20.10 does not, and why.
const PULLED: &[(&str, &str)] = &[
    ("nested-1", NESTED),
    ("nested-1-platform", NESTED),
    ("nested-2", NESTED),
    ("nested-1--other-gone", NESTED),
    ("index-no-platforms", ANY),
    ("index-no-platform-amd64", ANY),
    ("index-platform-null", ANY),
    ("index-platform-empty", ANY),
    ("index-no-platforms--other-gone", ANY),
    ("index-no-platforms--config-no-os", ANY),
    ("child-type-unknown--index-no-platform-amd64", ANY),
    ("cache-index", ANY),
    ("index-platform-upper-case", NAMES),
    ("layer-foreign-zstd", ZSTD),
    ("layers-zstd", ZSTD),
    ("layers-docker-zstd", ZSTD),
    ("layers-zstd-said-gzip", ZSTD),
    ("layers-zstd--layer-size-0", ZSTD),
];

/// Notes it at each of them.
pub(super) fn note(cases: &mut [Case]) {
    for (name, why) in PULLED {
        let case = cases.iter_mut().find(|case| case.name == *name);
        let case = case.unwrap_or_else(|| panic!("there is no case {name}"));
        case.newer_docker_pulls = Some(why);
    }
}
