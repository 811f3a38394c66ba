//! Configs: what they say, and how.

use serde_json::Value;

use super::{Case, Mark, case, rows, set, unset};
use crate::clients::draft::{At, Part};
use crate::support::http::Reply;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = texts();
    cases.extend(root_file_systems());
    cases.extend(values());
    cases.extend(served());
    cases
}

fn texts() -> Vec<Case> {
    type Rewrite = fn(Vec<u8>) -> Vec<u8>;
    let rewrites: [(&str, &str, Rewrite); 17] = [
        ("not-json", "that is text", |_| {
            b"this is no config".to_vec()
        }),
        ("object", "`{}`", |_| b"{}".to_vec()),
        ("null", "`null`", |_| b"null".to_vec()),
        ("list", "`[]`", |_| b"[]".to_vec()),
        ("text", "`\"text\"`", |_| b"\"text\"".to_vec()),
        ("empty", "of no bytes", |_| Vec::new()),
        ("cut", "that is not complete", |bytes| {
            bytes[..bytes.len() - 10].to_vec()
        }),
        ("trailing-text", "followed by other text", |bytes| {
            [&bytes[..], b"more"].concat()
        }),
        ("trailing-object", "followed by another object", |bytes| {
            [&bytes[..], b"{}"].concat()
        }),
        ("newline", "that ends with a line break", |bytes| {
            [&bytes[..], b"\n"].concat()
        }),
        ("bom", "that begins with a byte order mark", |bytes| {
            [b"\xef\xbb\xbf", &bytes[..]].concat()
        }),
        (
            "duplicate-key-first",
            "with `rootfs` twice, the last one right",
            |bytes| {
                [
                    br#"{"rootfs":{"type":"layers","diff_ids":[]},"#,
                    &bytes[1..],
                ]
                .concat()
            },
        ),
        (
            "duplicate-key-last",
            "with `rootfs` twice, the last one empty",
            |bytes| {
                [
                    &bytes[..bytes.len() - 1],
                    br#","rootfs":{"type":"layers","diff_ids":[]}}"#,
                ]
                .concat()
            },
        ),
        ("key-case", "with `RootFS` for `rootfs`", |bytes| {
            String::from_utf8(bytes)
                .expect("it is JSON")
                .replace("rootfs", "RootFS")
                .into_bytes()
        }),
        ("not-utf-8", "with a label that is not UTF-8", |bytes| {
            [br#"{"author":""#, &b"\xff"[..], br#"","#, &bytes[1..]].concat()
        }),
        ("4-mib", "of more than 4 MiB", |bytes| {
            padded(&bytes, 4 * 1024 * 1024 + 500_000)
        }),
        ("8-mib", "of more than 8 MiB", |bytes| {
            padded(&bytes, 8 * 1024 * 1024 + 500_000)
        }),
    ];
    let cases = rewrites.into_iter().map(|(name, what, rewrite)| {
        case(
            format!("config-{name}"),
            format!("the config {what}"),
            move |draft| draft.rewritten(Part::Config, rewrite),
        )
    });
    let mut cases: Vec<_> = cases.collect();
    cases.push(case("config-4.1-mib", "the config of 4.1 MiB", |draft| {
        draft.rewritten(Part::Config, |bytes| padded(&bytes, 4_299_161))
    }));
    cases.push(case(
        "config-4-mib-exactly",
        "the config of 4 MiB",
        |draft| draft.rewritten(Part::Config, |bytes| padded(&bytes, 4_194_304)),
    ));
    cases.push(case(
        "config-4-mib-1",
        "the config of 4 MiB and a byte",
        |draft| draft.rewritten(Part::Config, |bytes| padded(&bytes, 4_194_305)),
    ));
    cases
}

fn padded(bytes: &[u8], size: usize) -> Vec<u8> {
    let (before, after) = (br#"{"author":""#, br#"","#);
    let pad = size - before.len() - after.len() - (bytes.len() - 1);
    [&before[..], &vec![b'x'; pad], after, &bytes[1..]].concat()
}

fn root_file_systems() -> Vec<Case> {
    fn ids(config: &mut Value) -> &mut Vec<Value> {
        config["rootfs"]["diff_ids"]
            .as_array_mut()
            .expect("it has them")
    }
    let written = |name: &str, what: &str, edit: fn(&mut Value)| {
        case(
            format!("config-{name}"),
            format!("the config {what}"),
            move |draft| draft.written(Part::Config, edit),
        )
    };
    vec![
        written("no-rootfs", "without `rootfs`", |config| {
            unset("rootfs")(config);
        }),
        written("rootfs-null", "with `rootfs: null`", |config| {
            set("rootfs", Value::Null)(config);
        }),
        written("rootfs-text", "with `rootfs` a text", |config| {
            set("rootfs", "x")(config);
        }),
        written("rootfs-no-type", "without `rootfs.type`", |config| {
            unset("type")(&mut config["rootfs"]);
        }),
        written("rootfs-other-type", "with `rootfs.type: other`", |config| {
            set("type", "other")(&mut config["rootfs"]);
        }),
        written("no-diff-ids", "without `diff_ids`", |config| {
            unset("diff_ids")(&mut config["rootfs"]);
        }),
        written("diff-ids-null", "with `diff_ids: null`", |config| {
            set("diff_ids", Value::Null)(&mut config["rootfs"]);
        }),
        written("diff-ids-empty", "with `diff_ids: []`", |config| {
            ids(config).clear();
        }),
        written(
            "diff-ids-fewer",
            "with one diff id less than layers",
            |config| {
                ids(config).pop();
            },
        ),
        written(
            "diff-ids-more",
            "with one diff id more than layers",
            |config| {
                let last = ids(config)[1].clone();
                ids(config).push(last);
            },
        ),
        written("diff-ids-swapped", "with its diff ids swapped", |config| {
            ids(config).swap(0, 1);
        })
        .mark(Mark::Inside),
        written(
            "diff-ids-wrong",
            "with a diff id of other content",
            |config| {
                ids(config)[1] = format!("sha256:{}", "2".repeat(64)).into();
            },
        )
        .mark(Mark::Inside),
        written(
            "diff-ids-form",
            "with a diff id that is no digest",
            |config| ids(config)[1] = "x".into(),
        ),
        written(
            "diff-ids-md5",
            "with a diff id of an unknown algorithm",
            |config| {
                ids(config)[1] = format!("md5:{}", "0".repeat(32)).into();
            },
        ),
        written(
            "diff-ids-number",
            "with a diff id that is a number",
            |config| ids(config)[1] = 1.into(),
        ),
        written("diff-ids-text", "with `diff_ids` a text", |config| {
            set("diff_ids", "x")(&mut config["rootfs"]);
        }),
    ]
}

/// Keys of a config and their values, as [`rows`] reads them.
const VALUES: &str = r#"
created-no-date | `created` no date | created | "yesterday"
created-empty | `created` empty | created | ""
created-number | `created` a number | created | 1
created-null | `created: null` | created | null
created-zone | `created` in another time zone | created | "2026-11-01T00:00:00.5+02:00"
created-space | `created` with a space | created | "2026-11-01 00:00:00"
author-number | `author` a number | author | 1
os-number | `os` a number | os | 1
os-empty | `os` empty | os | ""
os-windows | `os: windows` | os | "windows"
os-version-number | `os.version` a number | os.version | 1
os-features-text | `os.features` a text | os.features | "x"
architecture-empty | `architecture` empty | architecture | ""
architecture-number | `architecture` a number | architecture | 1
variant-number | `variant` a number | variant | 1
history-null | `history: null` | history | null
history-object | `history` an object | history | {}
history-short | less history than layers | history | [{"created_by": "x"}]
history-long | more history than layers | history | [{}, {}, {}]
history-empty-layers | history of only empty layers | history | [{"empty_layer":true},{"empty_layer":true}]
history-created-no-date | `created` no date in the history | history | [{"created": "x"}, {}]
history-text | history of texts | history | ["x", "y"]
history-empty-layer-text | `empty_layer` a text | history | [{"empty_layer": "no"}, {}]
config-null | `config: null` | config | null
config-text | `config` a text | config | "x"
container-config-text | `container_config` a text | container_config | "x"
docker-version-number | `docker_version` a number | docker_version | 1
id-number | `id` a number | id | 1
parent-number | `parent` a number | parent | 1
unknown-key | an unknown key | x | [{}]
"#;

/// Keys of its `config`.
const RUN_VALUES: &str = r#"
env-text | `Env` a text | Env | "A=B"
env-numbers | `Env` of numbers | Env | [1]
env-form | `Env` without `=` | Env | ["A"]
cmd-text | `Cmd` a text | Cmd | "sh -c true"
cmd-object | `Cmd` an object | Cmd | {}
entrypoint-text | `Entrypoint` a text | Entrypoint | "/bin/sh"
labels-list | `Labels` a list | Labels | ["a=b"]
label-number | a label that is a number | Labels | {"a": 1}
ports-list | `ExposedPorts` a list | ExposedPorts | ["80/tcp"]
ports-form | `ExposedPorts` of no port | ExposedPorts | {"http": {}}
port-number | a value in `ExposedPorts` | ExposedPorts | {"80/tcp": 1}
volumes-list | `Volumes` a list | Volumes | ["/data"]
user-number | `User` a number | User | 1000
working-dir-number | `WorkingDir` a number | WorkingDir | 1
stop-signal-number | `StopSignal` a number | StopSignal | 9
stop-signal-unknown | an unknown `StopSignal` | StopSignal | "NOTHING"
healthcheck-text | `Healthcheck` a text | Healthcheck | "x"
healthcheck-interval-text | `Healthcheck.Interval` a text | Healthcheck | {"Interval": "30s"}
shell-text | `Shell` a text | Shell | "sh"
on-build-text | `OnBuild` a text | OnBuild | "RUN x"
args-escaped-text | `ArgsEscaped` a text | ArgsEscaped | "true"
tty-text | `Tty` a text | Tty | "true"
hostname-number | `Hostname` a number | Hostname | 1
stop-timeout-text | `StopTimeout` a text | StopTimeout | "10"
"#;

fn values() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, what, key, value) in rows(VALUES) {
        cases.push(case(
            format!("config-{name}"),
            format!("the config with {what}"),
            move |draft| draft.written(Part::Config, set(key, value.clone())),
        ));
    }
    for key in ["created", "os", "architecture", "config", "history"] {
        cases.push(case(
            format!("config-no-{key}"),
            format!("the config without `{key}`"),
            move |draft| draft.written(Part::Config, unset(key)),
        ));
    }
    for (name, what, key, value) in rows(RUN_VALUES) {
        cases.push(case(
            format!("config-{name}"),
            format!("the config with {what}"),
            move |draft| {
                let set = set(key, value.clone());
                draft.written(Part::Config, move |config| set(&mut config["config"]))
            },
        ));
    }
    cases
}

fn served() -> Vec<Case> {
    let mut cases = vec![
        case("config-gone", "the config gone", |draft| {
            draft.gone(Part::Config)
        }),
        case(
            "config-other-bytes",
            "other bytes than the config's digest says, as many",
            |draft| {
                draft.answers(At::Digest(Part::Config), "GET", |_, reply| {
                    let mut bytes = reply.body_bytes();
                    if let Some(byte) = bytes.iter_mut().find(|byte| **byte == b'6') {
                        *byte = b'7';
                    }
                    reply.body(bytes)
                })
            },
        ),
        case("config-text-plain", "the config as text/plain", |draft| {
            draft.answers(At::Digest(Part::Config), "*", |_, reply| {
                reply.but_header("Content-Type", "text/plain")
            })
        }),
    ];
    for status in [403, 500] {
        cases.push(
            case(
                format!("config-{status}"),
                format!("the config answered with {status}"),
                move |draft| {
                    draft.answers(At::Digest(Part::Config), "*", move |_, _| {
                        Reply::status(status)
                    })
                },
            )
            .mark(Mark::Temporary),
        );
    }
    cases
}
