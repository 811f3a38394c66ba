//! THE table of all settings: every loader, every document and the help texts follow from it.

use std::time::Duration;

use serde::Deserialize;

use super::command::CommandName::{self, Audit, Prune, Rebuild, Repair, Verify};
use super::kind::ValueKind;
use super::raw::Typed;
use super::value::SettingText;
use crate::text::human;

/// The heading of what the command line alone takes.
const COMMAND_LINE: &str = "Command line";

/// One setting as people see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The heading under which documents list it.
    pub group: &'static str,
    /// Its name in `snake_case`.
    pub name: &'static str,
    /// Other names that mean the same.
    pub aliases: &'static [&'static str],
    /// Which commands take it.
    pub commands: &'static [CommandName],
    /// What its value looks like.
    pub kind: ValueKind,
    /// What holds when it is not given.
    pub default: DefaultValue,
    /// What holds instead in an audit, a prune and a repair of whole repositories.
    pub audit_default: Option<DefaultValue>,
    /// What it is for, in markdown; the first sentence alone must be clear.
    pub help: &'static str,
}

/// What holds when a setting is not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultValue {
    /// There is no default.
    None,
    /// This, as a user would write it.
    Value(&'static str),
    /// What these words describe.
    Described(&'static str),
}

impl DefaultValue {
    /// The default in words, if there is one.
    #[must_use]
    pub fn words(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Value(words) | Self::Described(words) => Some(words),
        }
    }
}

impl Setting {
    /// Its name and every alias.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }

    /// Its name as a flag, without the hyphens before it, and as an input of the GitHub action.
    #[must_use]
    pub fn kebab(&self) -> String {
        self.name.replace('_', "-")
    }

    /// Whether `command` takes it.
    #[must_use]
    pub fn is_for(&self, command: CommandName) -> bool {
        self.commands.contains(&command)
    }

    /// What holds when `command` is not given it. A repair is one of images.
    #[must_use]
    pub fn default_for(&self, command: CommandName) -> DefaultValue {
        match (command, self.audit_default) {
            (Audit | Prune, Some(default)) => default,
            _ => self.default,
        }
    }

    /// Its default in words, with that of an audit where it is another.
    #[must_use]
    pub fn defaults(&self, show: impl Fn(&str) -> String) -> Option<String> {
        let words = |default| match default {
            DefaultValue::None => None,
            DefaultValue::Value(value) => Some(show(value)),
            DefaultValue::Described(words) => Some(words.to_owned()),
        };
        let usual = words(self.default);
        let Some(other) = self.audit_default else {
            return usual;
        };
        let commands = [
            (Audit, "audit"),
            (Prune, "prune"),
            (Repair, "the repair of whole repositories"),
        ];
        let commands = commands
            .into_iter()
            .filter(|(command, _)| self.is_for(*command));
        let commands: Vec<_> = commands.map(|(_, words)| words).collect();
        Some(format!(
            "{}; {} in {}",
            usual.as_deref().unwrap_or("none"),
            words(other).as_deref().unwrap_or("none"),
            human::list(&commands)
        ))
    }

    /// Whether `command` takes a word of its kind: some are for an audit alone.
    #[must_use]
    pub fn has_word(&self, command: CommandName, word: &str) -> bool {
        let is_of_audit = matches!(
            (self.name, word),
            ("depth", "manifests") | ("fail_on", "in_use")
        );
        !is_of_audit || command == Audit
    }

    /// The first sentence of its help.
    #[must_use]
    pub fn summary(&self) -> &'static str {
        match self.help.split_once(". ") {
            Some((first, _)) => &self.help[..=first.len()],
            None => self.help,
        }
    }

    /// Whether it is a flag and nothing else: it has no variable, and is no input of the action.
    #[must_use]
    pub fn is_flag_only(&self) -> bool {
        self.group == COMMAND_LINE
    }

    /// Whether the GitHub action sets it by itself, so that a user may not have given it.
    #[must_use]
    pub fn comes_with_the_action(&self) -> bool {
        self.name == "github_token"
    }
}

/// The setting with this name or alias, in `snake_case`.
#[must_use]
pub fn find(name: &str) -> Option<&'static Setting> {
    TABLE
        .iter()
        .find(|setting| setting.names().any(|known| known == name))
}

/// The settings in their groups, each with its heading.
pub fn groups() -> impl Iterator<Item = (&'static str, &'static [Setting])> {
    TABLE
        .chunk_by(|one, next| one.group == next.group)
        .map(|settings| (settings[0].group, settings))
}

macro_rules! default_value {
    () => {
        DefaultValue::None
    };
    (= $value:literal) => {
        DefaultValue::Value($value)
    };
    (else $words:literal) => {
        DefaultValue::Described($words)
    };
}

macro_rules! audit_default {
    () => {
        None
    };
    (none) => {
        Some(DefaultValue::None)
    };
    ($words:literal) => {
        Some(DefaultValue::Described($words))
    };
    (= $value:literal) => {
        Some(DefaultValue::Value($value))
    };
}

macro_rules! accessor {
    ($name:ident) => {
        #[doc = concat!("`", stringify!($name), "`, if it was given.")]
        pub(super) fn $name(&self) -> Option<SettingText<'_>> {
            self.given(stringify!($name), self.raw().$name.as_deref())
        }
    };
    ($name:ident = $default:literal) => {
        #[doc = concat!("`", stringify!($name), "`, or its default.")]
        pub(super) fn $name(&self) -> SettingText<'_> {
            self.given(stringify!($name), self.raw().$name.as_deref())
                .unwrap_or_else(|| SettingText::default_of(stringify!($name), $default))
        }
    };
}

/// A row: the name, its aliases, the commands that take it, the kind of its value, the default as a
/// value (`= "5"`) or in words (`else "…"`), that of an audit where it is another (`audit = "4"`,
/// `audit "all"`, `audit none`), and what it is for.
macro_rules! settings {
    ($($group:literal { $(
        $name:ident [$($alias:literal),*] [$($command:ident)*] $kind:expr,
        $(= $default:literal,)? $(else $words:literal,)?
        $(audit $(= $audit:literal)? $($other:literal)? $($none:ident)?,)? $help:literal;
    )* })*) => {
        /// All settings, in the order of the documents.
        pub const TABLE: &[Setting] = {
            use ValueKind::*;
            &[$($(Setting {
                group: $group,
                name: stringify!($name),
                aliases: &[$($alias),*],
                commands: &[$($command),*],
                kind: $kind,
                default: default_value!($(= $default)? $(else $words)?),
                audit_default: audit_default!($($(= $audit)? $($other)? $($none)?)?),
                help: $help,
            }),*),*]
        };

        /// What was typed, one text for each setting; none is empty or has blanks around it.
        #[derive(Clone, Default, Deserialize)]
        pub(super) struct Raw {
            $($(pub(super) $name: Option<String>,)*)*
        }

        impl Typed {
            $($(accessor!($name $(= $default)?);)*)*
        }
    };
}

const ANY: Duration = Duration::ZERO;
const MILLISECOND: Duration = Duration::from_millis(1);
const TENTH: Duration = Duration::from_millis(100);
const SECOND: Duration = Duration::from_secs(1);

settings! {
    "Command" {
        mode [] [Verify Audit Repair Prune Rebuild] Words(CommandName::WORDS), = "verify",
            "What to do. `verify` checks images; `audit` checks every tag of a registry; `repair` puts \
             back what is missing; `prune` deletes the tags that no rule keeps; `rebuild` starts a \
             Woodpecker pipeline and follows it to its end.";
    }
    "Images" {
        images ["image", "destinations", "extra_tags"] [Verify Audit Repair Prune] List,
            "Full references to check, as `name[:tag][@digest]`. For an audit: registries, \
             repositories, and patterns such as `registry.example.org/infra/*`.";
        images_file [] [Verify Repair] Path,
            "File of references, `-` for standard input. They are separated by white space, as \
             `kubectl get pods -A -o jsonpath='{..image}'` prints them; bare image IDs are skipped.";
        repo [] [Verify Audit Repair Prune] List,
            "Repositories to check, each combined with every tag. For an audit they may be patterns.";
        tags ["tag"] [Verify Audit Repair Prune] List, else "file `.tags`, else `latest`",
            audit "all",
            "Tags for `repo`. An entry with a `/` is a full reference. Quote tags that look like \
             numbers. An audit and a prune take patterns.";
        tags_file ["tag_file"] [Verify] Path,
            "File with the tags for `repo`. One per line, or separated by commas; wins over \
             `tags`.";
        auto_tag [] [Verify] Boolean, = "false",
            "Computes the tags from the git reference. They are those of the buildx plugin: `1`, \
             `1.2` and `1.2.3` for the git tag `v1.2.3`, `default_tag` on the default branch, and on \
             another branch what is pushed without `auto_tag`.";
        default_tag [] [Verify] Text, = "latest",
            "Tag that `auto_tag` computes on the default branch.";
        auto_tag_suffix ["default_suffix"] [Verify] Text,
            "Suffix for every tag that `auto_tag` computes. With `alpine`, `1.2` becomes \
             `1.2-alpine`, and `default_tag` becomes `alpine`.";
        registry [] [Verify Audit Repair Prune] Text, = "docker.io", audit none,
            "Registry that `username` and `password` are for. It also prefixes a `repo` that \
             names no host, and where it is set, an image of `images` that has a `/` and no host. \
             An audit checks all of it where it has no `repo`.";
        exclude [] [Audit Repair Prune] List,
            "Patterns of what to leave out, as `repository[:tag]`. `*` stands for any text, `?` for \
             any character.";
        in_use [] [Audit Prune] Path,
            "What is deployed: a file of references, `-` for standard input, or `cluster`. What is \
             broken and in use comes first, and what is in use and not in the registry is broken. \
             `cluster` asks the Kubernetes cluster that it runs in.";
        in_use_host [] [Audit Prune] List,
            "Other names of the registry in the list of `in_use`, as `host[:port]`.";
        shard [] [Audit] Text,
            "Part of the repositories to audit, as `i/n`. With `3/8` it is the third of eight parts, \
             which are always the same.";
        allow_empty [] [Audit] Boolean, = "false",
            "Accepts that there is nothing to audit. Otherwise that is an error.";
    }
    "Expectations" {
        digest ["expected_digest", "expect_digest"] [Verify] Digest,
            "Digest that every image must resolve to: `sha256:…` or `sha512:…`.";
        metadata_file ["digest_file", "artifact_file", "metadata"] [Verify] PathOrJson,
            "What the build left, with names and expected digests. A path or the content itself: \
             metadata of buildx, bake or imagetools, digest and image files of kaniko or \
             buildah, artifact files, lists of references.";
        platforms ["platform"] [Verify] Platforms,
            "Platforms that every image must have, as `os/arch[/variant]`.";
        same_digest [] [Verify] Boolean,
            else "true for `repo` × `tags` and what a build left, false for `images` and \
             command-line references",
            "All tags given for one repository must have the same digest.";
        attestations [] [Verify Audit Repair Prune] Words(&["check", "warn", "ignore"]), = "check",
            "How much attestations matter. `check` fails on broken provenance or SBOMs, `warn` \
             reports them, `ignore` does not ask for them.";
        allow_missing [] [Verify Audit Repair Prune] PlatformsOrAll,
            "Platforms whose content may be absent. A sparse index or a pull-through cache lacks \
             them; they are reported, and nothing fails. `all` is for whatever an index lists.";
        referrers [] [Verify Audit Repair] Words(&["ignore", "warn", "check"]), = "ignore",
            "How much referrers matter. They are artifacts that refer to the image, such as \
             signatures and SBOMs.";
        clients [] [Verify Audit Repair Prune] WordList(&["containerd", "docker", "podman"]),
            "Clients that must be able to pull every image. By default what stops containerd \
             fails, and what stops only others is a warning.";
        artifacts [] [Verify Audit Repair] Words(&["fail", "pass"]), = "fail", audit = "pass",
            "What to do with content that is no image. Helm charts and build caches are such; \
             `fail` fails, `pass` accepts them when they are complete.";
        only_platforms [] [Verify Audit Repair] Platforms,
            else "all",
            "Platforms to check, leaving out the rest. `platforms` is still judged by what the \
             index lists.";
        depth [] [Verify Audit Repair Prune] Words(&["head", "tail", "full", "manifests"]), = "tail",
            "What is asked of every blob. `head` asks for its header, `tail` for its last byte, \
             `full` for every byte, hashed. `manifests` asks for no blob, and only an audit takes it.";
    }
    "Memory" {
        state [] [Verify Audit Repair Prune] Path,
            "Directory for what is remembered of each registry. With it a run asks for what is new, \
             has moved, was not whole or is due, and for every tag. A repair looks at everything all \
             the same, and puts back the manifests that are remembered.";
        recheck_manifests [] [Audit] Interval, = "1h",
            "How long a manifest counts as proven. With `state`; then its header is asked for again.";
        recheck_blobs [] [Audit] Interval, = "24h",
            "How long a blob counts as proven. With `state`; then its header is asked for again.";
        recheck_tail [] [Audit] Interval, = "7d",
            "How long the last byte of a blob counts as proven. With `state`; manifests are then \
             fetched again.";
        recheck_full [] [Audit] Interval, = "never",
            "How long all bytes of a blob count as proven. With `state`; then they are fetched and \
             hashed again.";
    }
    "Repair" {
        from [] [Verify Repair] List,
            "Where missing content may come from. A repository of this or another registry, a \
             registry that has the same repositories, `oci:DIR`, `oci-archive:FILE` or \
             `docker-archive:FILE`. Nothing else is a source. In the repair of whole repositories the \
             tags that `oci:DIR` names and the registry has not come back, too.";
        storage [] [Verify Repair] Path,
            "Directory of the registry's own storage, to take content from. With `gc_stopped` its \
             links and files are repaired, too.";
        gc_stopped [] [Verify Repair Prune] Boolean, = "false",
            "You promise that no garbage collection runs. Without it nothing is written to a disk.";
        apply [] [Repair Prune] Boolean, = "false",
            "Does what the plan says. Without it only the plan is made.";
        plan [] [Repair Prune] Path,
            "File for the plan. It is written without `apply`, and read with it: then nothing is \
             done that is not in it.";
    }
    "Prune" {
        keep [] [Prune] List,
            "Patterns of tags that stay. `*` stands for anything, `?` for one character.";
        keep_newest [] [Prune] Number { least: 1, most: 1_000_000 },
            "How many digests of a repository stay, the newest first. Those that are as old as the \
             last of them stay, too.";
        keep_younger [] [Prune] Duration { least: ANY },
            "What is younger stays.";
        policy [] [Prune] PathOrYaml,
            "File with rules for each repository, or the YAML itself. The first entry whose \
             pattern a repository matches counts; a repository that matches none is left alone. \
             Woodpecker sorts the names of a map: write it there as text of several lines.";
        delete_broken [] [Prune] Boolean, = "false",
            "Deletes the tags that are definitely broken and not in use. It needs no other rule, \
             and then nothing else goes. A `backup` cannot bring such a tag back whole.";
        delete_untagged [] [Prune] Duration { least: ANY },
            "Deletes what has no tag and is older, and nothing that stays leads to. By default it \
             stays. Only Forgejo, Gitea and GHCR list it.";
        min_age [] [Prune] Duration { least: ANY }, = "1h",
            "What is younger by any date that is known is never touched. A tag that was pushed just \
             now may have an old date alone: without dates of pushes and without `state` that is \
             when the image was built.";
        max_deleted [] [Prune] Percentage, = "50%",
            "The most that may go of a repository's tags. Where more would, nothing goes.";
        allow_untagged_repository [] [Prune] Boolean, = "false",
            "A repository may lose its last tag.";
        backup [] [Prune] Path,
            "Directory for every manifest before it is deleted, as an OCI image layout with its \
             tags; or `none`. `apply` needs it.";
        packages_api [] [Prune] Url, else "by the registry: Forgejo's, Gitea's, Harbor's or zot's own, GitHub's for ghcr.io",
            "Where the API is that the dates of pushes come from. What ends in `/api/v1` is the \
             packages API of Forgejo or Gitea, in `/api/v2.0` Harbor's API, in \
             `/v2/_zot/ext/search` zot's search; anything else is GitHub's packages API. Versions \
             are deleted through a packages API. It gets the registry's login.";
    }
    "Login" {
        username [] [Verify Audit Repair Prune] Text,
            "User for `registry`.";
        password [] [Verify Audit Repair Prune] Secret,
            "Password or token for `registry`.";
        password_file [] [Verify Audit Repair Prune] Path,
            "File with the password, instead of `password`. Its last line break does not count.";
        logins ["registry_auth"] [Verify Audit Repair Prune] Logins,
            "Logins for several registries: `[{registry, username, password}]`.";
        docker_config ["config", "docker_config_json", "registry_config"] [Verify Audit Repair Prune] Credentials,
            else "`$REGISTRY_AUTH_FILE`, `$DOCKER_CONFIG/config.json`, `~/.docker/config.json`, \
                  podman's `auth.json`",
            "Docker's or podman's credential file, as a path or the JSON itself. Its credential \
             helpers are run where they are installed.";
        github_token [] [Verify Audit Repair Prune] Secret, else "`${{ github.token }}` in the action",
            "GitHub token for ghcr.io, used when no other login matches. It needs `packages: \
             read`.";
        github_token_file [] [Verify Audit Repair Prune] Path,
            "File with the GitHub token, instead of `github_token`.";
        anonymous ["public"] [Verify Audit Repair Prune] Boolean, = "false",
            "Checks without a login. No credentials are sent at all, regardless of other settings.";
    }
    "Patience" {
        attempts ["retries"] [Verify Audit Repair Prune Rebuild] Number { least: 1, most: 100 }, = "5",
            "How often a request is tried. Connection errors, timeouts, 408, 429 and 5xx are \
             tried again.";
        backoff ["retry_wait"] [Verify Audit Repair Prune Rebuild] Duration { least: ANY }, = "500ms",
            "First wait between attempts. It doubles, with jitter; a server's Retry-After wins.";
        max_backoff ["retry_max_wait"] [Verify Audit Repair Prune Rebuild] Duration { least: ANY }, = "30s",
            "Longest wait between attempts.";
        settle [] [Verify Audit Repair Prune] Duration { least: ANY }, = "15s", audit = "0",
            "How long a 404 means \"not yet\". It is one window for the whole run; `0` takes the \
             first answer.";
        request_timeout [] [Verify Audit Repair Prune Rebuild] Duration { least: MILLISECOND }, = "30s",
            "How long to wait for an answer's headers. The same limit holds between two pieces \
             of its body.";
        timeout [] [Verify Audit Repair Prune] Duration { least: MILLISECOND }, = "10m", audit none,
            "Limit for one whole verification, audit or prune.";
        concurrency [] [Verify Audit Repair Prune] Number { least: 1, most: 256 }, = "16", audit = "4",
            "Requests in flight per registry.";
        rate [] [Audit Repair Prune] Number { least: 1, most: 100_000 },
            "Requests a second per registry, at most. On a disk they are files that are opened.";
    }
    "Network" {
        ca ["ca_cert", "ca_file", "certificate"] [Verify Audit Repair Prune Rebuild] PathOrPem,
            "More root certificates, as a path or the PEM text itself. They are added to the \
             known ones and replace none.";
        skip_tls_verify ["skip_verify", "insecure_skip_verify"] [Verify Audit Repair Prune Rebuild] Hosts, = "false",
            "Accepts any certificate, from all hosts or from these (`host[:port]`). It logs a \
             warning.";
        insecure ["insecure_registry"] [Verify Audit Repair Prune Rebuild] Hosts, = "false",
            "Allows plain HTTP, for all hosts or for these (`host[:port]`). Loopback is always \
             allowed.";
        resolve ["connect_to"] [Verify Audit Repair Prune Rebuild] Pins,
            "Addresses to connect to instead of those in DNS. As curl writes them: \
             `host:port:address[,address]`. TLS and the Host header keep the name; token servers \
             and Woodpecker are included.";
    }
    "Output" {
        report ["output"] [Verify Audit Repair Prune Rebuild] Path,
            "File for the JSON report, written whatever the verdict. `-` writes it to standard \
             output, and the text to standard error.";
        junit [] [Verify Audit Repair Rebuild] Path,
            "File for a JUnit XML report.";
        broken_list [] [Audit] Path,
            "File for the broken tags. Each is a line: repository, tag, digest.";
        format [] [Verify Audit Repair Prune Rebuild] Words(&["auto", "text", "json", "github"]), = "auto",
            "Form of standard output. `auto` is `github` in GitHub Actions, else `text`.";
        summary [] [Verify Audit Repair Prune Rebuild] Boolean, = "true",
            "Writes a GitHub step summary.";
        log_level [] [Verify Audit Repair Prune Rebuild] Words(&["error", "warn", "info", "debug", "trace"]), = "info",
            "How much is logged. It is at least `debug` when a GitHub job runs with debug logging.";
        fail_on [] [Verify Audit] Words(&["broken", "in_use", "never"]), = "broken",
            "When the run fails. `never` only reports: the exit code is 0 whatever is wrong with \
             the images. An audit with in_use fails only for what is in use.";
        dry_run ["skip_push", "no_push"] [Verify] Boolean, = "false",
            "Nothing was pushed, so nothing is checked. The run ends with result `skipped` and \
             exit code 0. It does not count where a build step with the same settings may push \
             all the same.";
        on_broken [] [Verify] WordList(&["fail", "repair", "rebuild"]), = "fail",
            "What to do about a broken image. `repair` puts back what is missing, \
             `rebuild` starts a Woodpecker pipeline and waits for it; both verify again, and the \
             last verdict counts. A list is done in its order until the image is whole.";
    }
    "Command line" {
        quiet [] [Verify Audit Repair Prune Rebuild] Boolean, = "false",
            "Prints nothing but warnings when everything passes. Otherwise it prints what fails, \
             the hints and the verdict.";
        only_failures [] [Verify] Boolean, = "false",
            "Leaves images that pass out of the text.";
        undo [] [Repair] Boolean, = "false",
            "Takes back the links that earlier repairs wrote to `storage`. Nothing else is done.";
        color [] [Verify Audit Repair Prune Rebuild] Words(&["auto", "always", "never"]), = "auto",
            "Whether the text is coloured. `auto` colours it on a terminal and in the logs of \
             GitHub, GitLab and Woodpecker; `NO_COLOR`, `FORCE_COLOR` and `CLICOLOR_FORCE` change \
             that.";
    }
    "Metrics" {
        metrics_file [] [Audit] Path,
            "File for metrics, replaced at the end of each run. Prometheus' node_exporter reads it \
             where its name ends in `.prom`.";
        pushgateway [] [Audit] Url,
            "URL of a Pushgateway that gets the metrics; it may have a path.";
        pushgateway_username [] [Audit] Text,
            "User for the Pushgateway, which gets no other login.";
        pushgateway_password [] [Audit] Secret,
            "Password for the Pushgateway.";
        pushgateway_password_file [] [Audit] Path,
            "File with the Pushgateway's password, instead of `pushgateway_password`.";
        pushgateway_job [] [Audit] Text, = "pullproof",
            "Job under which metrics are pushed. The registry and the `shard` are a part of the \
             grouping key, too.";
        interval [] [Audit] Duration { least: SECOND },
            "Time from the start of an audit to the start of the next one. Without it there is one \
             audit; with it they end with a signal alone.";
        listen [] [Audit] Text,
            "Address at which `/metrics` and `/healthz` are served. As `127.0.0.1:9464`, or `:9464` \
             for all addresses; it needs `interval`.";
    }
    "Rebuild" {
        woodpecker_url ["woodpecker_server", "server"] [Verify Rebuild] Url,
            else "the server the pipeline runs on",
            "URL of the Woodpecker server; it may have a path.";
        woodpecker_token ["token"] [Verify Rebuild] Secret,
            "Personal access token of a user who may push to the repository.";
        woodpecker_token_file [] [Verify Rebuild] Path,
            "File with the access token, instead of `woodpecker_token`.";
        woodpecker_repo [] [Verify Rebuild] Text, else "the repository the pipeline runs for",
            "Repository to rebuild, as `owner/name[@branch]` or its number on the server.";
        branch [] [Verify Rebuild] Text,
            else "`@branch` of `woodpecker_repo`, else the default branch",
            "Branch to build.";
        variables ["params"] [Verify Rebuild] Map,
            "Variables for the pipeline, as a map or `NAME=value` entries.";
        method [] [Verify Rebuild] Words(&["create", "restart"]), = "create",
            "How the pipeline is started. `create` starts a new manual pipeline; `restart` \
             repeats one and keeps its event, git reference and so its secrets.";
        pipeline [] [Verify Rebuild] Text, = "current",
            "Which pipeline to restart. A number, `latest` of the branch, or `current`, the one \
             this step runs in.";
        workflow ["workflows"] [Verify Rebuild] List, = "all",
            "Workflows whose state decides.";
        wait ["follow"] [Verify Rebuild] Boolean, = "true",
            "Follows the pipeline to its end. `false` only starts it.";
        wait_timeout [] [Verify Rebuild] Duration { least: ANY }, = "30m",
            "How long to follow the pipeline.";
        poll_interval [] [Verify Rebuild] Duration { least: TENTH }, = "5s",
            "Pause between two looks at the pipeline.";
        logs [] [Verify Rebuild] Words(&["none", "failed", "all"]), = "failed",
            "Which steps' logs are shown at the end. Each is shortened to its last lines.";
        max_rebuilds [] [Verify Rebuild] Number { least: 1, most: 100 }, = "1",
            "How many rebuilds may follow from one pipeline. This stops rebuilds that start one \
             another without end.";
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::build_only::is_build_only;
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
                    !is_build_only(name) || setting.is_flag_only(),
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
            for sentence in [setting.help, setting.summary()] {
                assert!(
                    sentence.ends_with('.') && sentence.len() > 10,
                    "{}: {sentence}",
                    setting.name
                );
            }
            assert!(
                !setting.help.contains(['|', '\n']),
                "{} would break a table",
                setting.name
            );
        }
    }

    #[test]
    fn the_mode_explains_every_command() {
        let help = find("mode").unwrap().help;
        for command in CommandName::ALL {
            assert!(help.contains(&format!("`{command}` ")), "{command}");
        }
    }

    #[test]
    fn every_setting_is_taken_by_a_command() {
        for setting in TABLE {
            assert!(!setting.commands.is_empty(), "{}", setting.name);
        }
        let headings: Vec<_> = groups().map(|(heading, _)| heading).collect();
        let unique: HashSet<_> = headings.iter().collect();
        assert_eq!(headings.len(), unique.len(), "a group is cut in two");
    }

    #[test]
    fn every_default_is_accepted_by_its_own_kind() {
        let mut checked = 0;
        for setting in TABLE {
            let DefaultValue::Value(text) = setting.default else {
                continue;
            };
            let value = SettingText::default_of(setting.name, text);
            let accepted = match setting.kind {
                ValueKind::Boolean => value.boolean().map(drop),
                ValueKind::Hosts => value.hosts().map(drop),
                ValueKind::Words(_) => value.word().map(drop),
                ValueKind::WordList(_) => value.words().map(drop),
                ValueKind::Number { .. } => value.number().map(drop),
                ValueKind::Duration { .. } => value.duration().map(drop),
                ValueKind::Interval => value.interval().map(drop),
                ValueKind::Percentage => value.percentage().map(drop),
                ValueKind::List => value.list().map(drop),
                ValueKind::Text => Ok(()),
                kind => panic!("{}: no default is expected of {kind:?}", setting.name),
            };
            assert_eq!(accepted, Ok(()), "{}", setting.name);
            checked += 1;
        }
        assert!(checked > 30, "only {checked} defaults were checked");
    }

    #[test]
    fn what_may_hold_a_secret_is_known() {
        let secret: Vec<_> = TABLE
            .iter()
            .filter(|setting| setting.kind.is_secret())
            .map(|setting| setting.name)
            .collect();
        assert_eq!(
            secret,
            [
                "password",
                "logins",
                "docker_config",
                "github_token",
                "pushgateway_password",
                "woodpecker_token",
                "variables"
            ]
        );
    }
}
