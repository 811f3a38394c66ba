//! THE table of all settings: every loader, every document and the help text follow from it.

use serde::Deserialize;

use super::raw::{Typed, Value};

/// One setting as people see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The heading under which documents list it.
    pub group: &'static str,
    /// Its name in `snake_case`.
    pub name: &'static str,
    /// Other names that mean the same.
    pub aliases: &'static [&'static str],
    /// What its value looks like.
    pub kind: Kind,
    /// The default in words, empty when there is none.
    pub default: &'static str,
    /// What it is for, in one or two sentences of markdown.
    pub help: &'static str,
}

/// What a setting's value looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true`, `false` and their synonyms.
    Boolean,
    /// `true`, `false`, or a list of `host[:port]`.
    Hosts,
    /// One of these words.
    Words(&'static [&'static str]),
    /// A whole number.
    Number,
    /// `30`, `500ms`, `30s`, `5m`, `1h30m`.
    Duration,
    /// Anything on one line.
    Text,
    /// A text that is never shown.
    Secret,
    /// A web address.
    Url,
    /// `sha256:…` or `sha512:…`.
    Digest,
    /// A file's path.
    Path,
    /// A file's path, or the JSON itself.
    PathOrJson,
    /// A file's path, or the PEM text itself.
    PathOrPem,
    /// A file's path, or JSON that holds secrets.
    Credentials,
    /// A JSON or YAML list of logins.
    Logins,
    /// A list of texts.
    List,
    /// A list of `os/arch[/variant]`.
    Platforms,
    /// Names with values that may be secret.
    Map,
}

impl Kind {
    /// The type in documents.
    #[must_use]
    pub fn describe(self) -> String {
        match self {
            Self::Boolean => "bool".into(),
            Self::Hosts => "bool or list of hosts".into(),
            Self::Words(words) => words.join(", "),
            Self::Number => "number".into(),
            Self::Duration => "duration".into(),
            Self::Text => "text".into(),
            Self::Secret => "secret".into(),
            Self::Url => "URL".into(),
            Self::Digest => "digest".into(),
            Self::Path => "path".into(),
            Self::PathOrJson | Self::Credentials => "path or JSON".into(),
            Self::PathOrPem => "path or PEM".into(),
            Self::Logins => "JSON or YAML list".into(),
            Self::List => "list".into(),
            Self::Platforms => "list of platforms".into(),
            Self::Map => "map".into(),
        }
    }
}

impl Setting {
    /// Whether its value must not be shown in errors or logs.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        matches!(
            self.kind,
            Kind::Secret | Kind::Credentials | Kind::Logins | Kind::Map
        )
    }

    /// Its name and every alias.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }
}

/// The setting with this name or alias, in `snake_case`.
#[must_use]
pub fn find(name: &str) -> Option<&'static Setting> {
    TABLE
        .iter()
        .find(|setting| setting.names().any(|known| known == name))
}

macro_rules! settings {
    ($($group:literal { $($name:ident [$($alias:literal),*] $kind:expr, $default:literal, $help:literal;)* })*) => {
        /// All settings, in the order of the documents.
        pub const TABLE: &[Setting] = &[$($(Setting {
            group: $group,
            name: stringify!($name),
            aliases: &[$($alias),*],
            kind: $kind,
            default: $default,
            help: $help,
        }),*),*];

        /// What was typed, one text for each setting; nothing here is ever empty or has blanks around it.
        #[derive(Clone, Default, Deserialize)]
        pub(super) struct Raw {
            $($(pub(super) $name: Option<String>,)*)*
        }

        impl Typed {
            $($(
                #[doc = concat!("`", stringify!($name), "`, if it was typed.")]
                pub(super) fn $name(&self) -> Option<Value<'_>> {
                    self.value(stringify!($name), self.raw().$name.as_deref())
                }
            )*)*
        }
    };
}

settings! {
    "Images" {
        mode [] Kind::Words(&["verify", "rebuild"]), "verify",
            "What to do: `verify` checks images, `rebuild` starts a Woodpecker pipeline and follows it to its end.";
        images ["image", "destinations", "extra_tags"] Kind::List, "",
            "Full references to check, as `name[:tag][@digest]`.";
        repo [] Kind::List, "",
            "Repositories to check, each combined with every tag.";
        tags ["tag"] Kind::List, "file `.tags`, else `latest`",
            "Tags for `repo`. An entry with a `/` is a full reference. Quote tags that look like numbers.";
        tags_file ["tag_file"] Kind::Path, "",
            "File with the tags for `repo`, one per line or separated by commas; wins over `tags`.";
        auto_tag [] Kind::Boolean, "false",
            "Computes the tags from the git reference as the buildx plugin does: `1`, `1.2` and `1.2.3` for the git tag `v1.2.3`, `default_tag` on the default branch.";
        default_tag [] Kind::Text, "latest",
            "The tag that `auto_tag` computes on the default branch.";
        auto_tag_suffix ["default_suffix"] Kind::Text, "",
            "Suffix for every tag that `auto_tag` computes: `1.2-alpine`; it replaces `default_tag`.";
        registry [] Kind::Text, "docker.io",
            "Registry that `username` and `password` are for; it also prefixes a `repo` that names no host.";
    }
    "Expectations" {
        digest ["expected_digest", "expect_digest"] Kind::Digest, "",
            "Digest that every image must resolve to: `sha256:…` or `sha512:…`.";
        metadata_file ["digest_file", "artifact_file", "metadata"] Kind::PathOrJson, "",
            "What the build left, as a path or the content itself: metadata of buildx, bake or imagetools, digest and image files of kaniko or buildah, artifact files, lists of references. Gives names and expected digests.";
        platforms ["platform"] Kind::Platforms, "",
            "Platforms that every image must have, as `os/arch[/variant]`.";
        same_digest [] Kind::Boolean, "true for `repo` × `tags` and what a build left, false for `images` and command-line references",
            "All tags that are given for one repository must be the same digest.";
        attestations [] Kind::Words(&["check", "warn", "ignore"]), "check",
            "How much provenance and SBOM attestations matter: `check` fails on a broken one, `warn` reports it, `ignore` does not ask.";
        allow_missing [] Kind::Platforms, "",
            "Platforms whose content may be absent, as in a sparse index or a pull-through cache; reported, not failed.";
        referrers [] Kind::Words(&["ignore", "warn", "check"]), "ignore",
            "How much signatures, SBOMs and other artifacts that refer to the image matter.";
        depth [] Kind::Words(&["head", "tail", "full"]), "tail",
            "What is asked of every blob: `head` its header, `tail` its last byte, `full` every byte, hashed.";
    }
    "Login" {
        username [] Kind::Text, "",
            "User for `registry`.";
        password [] Kind::Secret, "",
            "Password or token for `registry`.";
        logins ["registry_auth"] Kind::Logins, "",
            "Logins for several registries: `[{registry, username, password}]`.";
        docker_config ["config", "docker_config_json", "registry_config"] Kind::Credentials, "`$DOCKER_CONFIG/config.json`, `~/.docker/config.json`",
            "Docker's own credential file, as a path or the JSON itself; its credential helpers are run where they are installed.";
        github_token [] Kind::Secret, "`${{ github.token }}` in the action",
            "GitHub token, used for ghcr.io when no other login matches; needs `packages: read`.";
        anonymous ["public"] Kind::Boolean, "false",
            "Checks as a stranger: sends no credentials at all, whatever other settings say.";
    }
    "Patience" {
        attempts ["retries"] Kind::Number, "5",
            "How often a request is tried, 1 to 100: connection errors, timeouts, 408, 429 and 5xx are tried again.";
        backoff ["retry_wait"] Kind::Duration, "500ms",
            "First wait between attempts; it doubles, with jitter. A server's Retry-After wins.";
        max_backoff ["retry_max_wait"] Kind::Duration, "30s",
            "Longest wait between attempts.";
        settle [] Kind::Duration, "15s",
            "One window for the whole run in which 404 means \"not yet\"; `0` takes the first answer.";
        request_timeout [] Kind::Duration, "30s",
            "How long to wait for an answer's headers, and between two pieces of its body.";
        timeout [] Kind::Duration, "10m",
            "Limit for one whole verification.";
        concurrency [] Kind::Number, "16",
            "Requests in flight per registry, 1 to 256.";
    }
    "Network" {
        ca ["ca_cert", "ca_file", "certificate"] Kind::PathOrPem, "",
            "More root certificates, as a path or the PEM text itself; added to the known ones, never replacing them.";
        skip_tls_verify ["skip_verify", "insecure_skip_verify"] Kind::Hosts, "false",
            "Accepts any certificate, from all hosts or from these (`host[:port]`). Warns loudly.";
        insecure ["insecure_registry"] Kind::Hosts, "false",
            "Allows plain HTTP, for all hosts or for these (`host[:port]`); loopback is always allowed.";
        resolve ["connect_to"] Kind::List, "",
            "Where to dial instead of what DNS says, as curl writes it: `host:port:address[,address]`. The name stays for TLS and Host; holds for token servers and Woodpecker too.";
    }
    "Output" {
        report ["output"] Kind::Path, "",
            "File for the JSON report, written whatever the verdict.";
        junit [] Kind::Path, "",
            "File for a JUnit XML report.";
        format [] Kind::Words(&["auto", "text", "json", "github"]), "auto",
            "Standard output: `auto` is `github` in GitHub Actions, else `text`.";
        summary [] Kind::Boolean, "true",
            "Writes a GitHub step summary.";
        log_level [] Kind::Words(&["error", "warn", "info", "debug", "trace"]), "info",
            "How much is logged; at least `debug` when a GitHub job runs with debug logging.";
        fail_on [] Kind::Words(&["broken", "never"]), "broken",
            "`never` only reports: the exit code is 0 whatever the images are like.";
        dry_run ["skip_push", "no_push"] Kind::Boolean, "false",
            "Nothing was pushed: says so, asks nothing, and ends with result `skipped` and exit code 0.";
        on_broken [] Kind::Words(&["fail", "rebuild"]), "fail",
            "`rebuild` starts a Woodpecker pipeline when an image is definitely broken, waits for it and verifies again; the second verdict counts.";
    }
    "Rebuild" {
        woodpecker_url ["woodpecker_server", "server"] Kind::Url, "the server the pipeline runs on",
            "Woodpecker server; may have a path.";
        woodpecker_token ["token"] Kind::Secret, "",
            "Personal access token of a user who may push to the repository.";
        woodpecker_repo [] Kind::Text, "the repository the pipeline runs for",
            "Repository to rebuild, as `owner/name[@branch]` or its number on the server.";
        branch [] Kind::Text, "`@branch` of `woodpecker_repo`, else the default branch",
            "Branch to build.";
        variables ["params"] Kind::Map, "",
            "Variables for the pipeline, as a map or `NAME=value` entries.";
        method [] Kind::Words(&["create", "restart"]), "create",
            "`create` starts a new manual pipeline; `restart` repeats one and keeps its event, git reference and thereby its secrets.";
        pipeline [] Kind::Text, "current",
            "Which pipeline to restart: its number, `latest` of the branch, or `current`, the one this step runs in.";
        workflow ["workflows"] Kind::List, "all",
            "Workflows whose state decides.";
        wait ["follow"] Kind::Boolean, "true",
            "Follows the pipeline to its end; `false` only starts it.";
        wait_timeout [] Kind::Duration, "30m",
            "How long to follow the pipeline.";
        poll_interval [] Kind::Duration, "5s",
            "Pause between two looks at the pipeline, at least `100ms`.";
        logs [] Kind::Words(&["none", "failed", "all"]), "failed",
            "Which steps' logs are shown at the end, each shortened to its tail.";
        max_rebuilds [] Kind::Number, "1",
            "Loop guard: how many rebuilds may follow from one pipeline, 1 to 100.";
    }
}

/// Settings of build plugins (buildx, kaniko, buildah) that mean nothing here and are accepted silently, so that a
/// build step and a verify step can share their settings; `*` at the end stands for anything.
pub(super) const BUILD_ONLY: &[&str] = &[
    "add_host",
    "add_hosts",
    "allow",
    "annotation*",
    "args",
    "attest",
    "auths_file",
    "auto_label*",
    "aws_*",
    "base_image*",
    "bip",
    "build_*",
    "builder*",
    "buildkit*",
    "cache*",
    "call",
    "cgroup_parent",
    "cleanup",
    "compress*",
    "containerfile",
    "context*",
    "custom_dns*",
    "custom_labels",
    "custom_platform",
    "daemon*",
    "debug",
    "default_label*",
    "dockerfile",
    "driver*",
    "ecr_*",
    "email",
    "enable_cache",
    "entrypoint",
    "env_file",
    "environment",
    "epoch",
    "expand_tag",
    "experimental",
    "extra_hosts",
    "file",
    "force*",
    "git",
    "http_proxy",
    "https_proxy",
    "ignore_*",
    "image_*",
    "insecure_pull",
    "ipv6",
    "isolation",
    "json_key",
    "kaniko_*",
    "label*",
    "layers",
    "link",
    "load",
    "log_timestamp",
    "max_concurrent_uploads",
    "mirror",
    "mirrors",
    "mtu",
    "named_context*",
    "network*",
    "no_cache*",
    "no_proxy",
    "no_push_cache",
    "oci_*",
    "outputs",
    "privileged",
    "progress",
    "provenance*",
    "pull",
    "pull_image",
    "purge",
    "push",
    "push_*",
    "qemu*",
    "quiet",
    "registries_*",
    "registry_map",
    "registry_mirror*",
    "remote_*",
    "reproducible",
    "s3_*",
    "sbom*",
    "search_registry",
    "secret",
    "secret_*",
    "secrets",
    "secrets_*",
    "shm_size",
    "single_snapshot",
    "skip_build",
    "skip_default_registry_fallback",
    "skip_push_permission_check",
    "skip_tls_verify_pull",
    "skip_unused_stages",
    "snapshot*",
    "source_date_epoch",
    "squash",
    "ssh",
    "ssh_*",
    "storage_*",
    "tar_path",
    "tarball*",
    "target",
    "ulimit*",
    "use_new_run",
    "verbosity",
];

/// Whether a name in `snake_case` is a build plugin's alone.
pub(super) fn is_build_only(name: &str) -> bool {
    BUILD_ONLY
        .iter()
        .any(|known| match known.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == *known,
        })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_name_and_alias_belongs_to_one_setting() {
        let mut seen = HashSet::new();
        for setting in TABLE {
            for name in setting.names() {
                assert!(seen.insert(name), "{name} stands twice in the table");
                assert!(
                    name.bytes()
                        .all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
                    "{name}"
                );
                assert!(
                    !is_build_only(name),
                    "{name} would be ignored as a build setting"
                );
                assert_eq!(find(name).map(|found| found.name), Some(setting.name));
            }
        }
        assert_eq!(find("dockerfile"), None);
    }

    #[test]
    fn every_setting_is_explained_by_a_sentence() {
        for setting in TABLE {
            assert!(
                setting.help.ends_with('.') && setting.help.len() > 10,
                "{}",
                setting.name
            );
            assert!(
                !setting.help.contains(['|', '\n']),
                "{} would break a table",
                setting.name
            );
        }
    }

    #[test]
    fn what_may_hold_a_secret_is_known() {
        let secret: Vec<_> = TABLE
            .iter()
            .filter(|setting| setting.is_secret())
            .map(|setting| setting.name)
            .collect();
        assert_eq!(
            secret,
            [
                "password",
                "logins",
                "docker_config",
                "github_token",
                "woodpecker_token",
                "variables"
            ]
        );
    }

    #[test]
    fn settings_of_build_plugins_are_told_from_ours() {
        for name in [
            "dockerfile",
            "build_args",
            "build_args_from_env",
            "cache_from",
            "buildkit_config",
            "ecr_create_repository",
        ] {
            assert!(is_build_only(name), "{name}");
        }
        for name in ["docker", "mirror_x", "tagz"] {
            assert!(!is_build_only(name), "{name}");
        }
    }
}
