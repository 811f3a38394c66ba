//! Which images are meant: references, repositories with their tags, and what the build left.

use oci_spec::image::Digest;

use super::auto_tag::{AutoTags, auto_tags};
use super::ci::Facts;
use super::files::Disk;
use super::list_source::ListSource;
use super::pushed::{NothingPushed, nothing_pushed};
use super::raw::Typed;
use super::value::{SettingText, or_empty};
use super::{Error, parse};
use crate::oci::reference::{is_bare, presentable};
use crate::text::quote::quoted;

/// The tag where none is named, as build plugins have it; `default_tag` does not change it.
const LATEST: &str = "latest";

/// The images to verify, as they were named.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// `images` and the command line's references.
    pub images: Vec<String>,
    /// `images_file`: where more references are.
    pub list: Option<ListSource>,
    /// `repo`.
    pub repositories: Vec<String>,
    /// The tags for `repo`, after `tags_file`, `.tags` and `auto_tag`.
    pub tags: Vec<String>,
    /// `registry`, if it was given: prefixes a `repo` without a host.
    pub registry: Option<String>,
    /// `digest`: every image must resolve to it.
    pub digest: Option<Digest>,
    /// The content of `metadata_file`.
    pub metadata: Option<Metadata>,
    /// `same_digest`, if it was given.
    pub same_digest: Option<bool>,
    /// `dry_run`, or what else says that nothing was pushed.
    pub nothing_pushed: Option<NothingPushed>,
}

/// The content of `metadata_file`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The setting as it was spelled, and the file if it names one; for error messages.
    pub name: String,
    /// The content.
    pub text: String,
}

/// Gathers the names, with a warning for each odd thing.
///
/// # Errors
///
/// When a value is not a valid list, digest or boolean, or a named file cannot be read.
pub(super) fn wanted(
    typed: &Typed,
    facts: &Facts<'_>,
    disk: &Disk<'_>,
    warnings: &mut Vec<String>,
) -> Result<Wanted, Error> {
    let mut wanted = named(typed, facts, warnings)?;
    // A build that pushes nothing may leave no list.
    if wanted.nothing_pushed.is_none() {
        let list = typed.images_file();
        wanted.list = list.map(|value| ListSource::named(value.text, disk));
    }
    warnings.extend(typed.tags().and_then(|value| unquoted_number(&value)));
    let written = written_tags(typed, disk);
    let has_auto_tag = typed.auto_tag().boolean()? && !wanted.repositories.is_empty();
    let computed = has_auto_tag
        .then(|| auto_tags(typed, facts, disk))
        .transpose();
    // A build that pushes nothing may leave no files, and needs no tags.
    let (written, computed) = if wanted.nothing_pushed.is_some() {
        (written.ok().flatten(), computed.ok().flatten())
    } else {
        wanted.metadata = typed
            .metadata_file()
            .map(|value| metadata(&value, disk))
            .transpose()?;
        let written = written?;
        if let Some(written) = &written {
            check_use(written, &wanted, typed, warnings)?;
        }
        let computed = computed?;
        if let Some(written) = &written {
            check_form(written, computed.as_ref(), &wanted)?;
        }
        (written, computed)
    };
    let written = written.map(|written| written.tags).unwrap_or_default();
    if let (Some(AutoTags::None(reference)), true, None) =
        (&computed, written.is_empty(), &wanted.nothing_pushed)
    {
        warnings.push(format!(
            "auto_tag: {reference} is neither a tag nor the default branch, where the buildx plugin \
             pushes {LATEST}, so that is verified"
        ));
    }
    let (references, tags) = all_tags(computed, written)
        .into_iter()
        .partition(|tag| is_reference(tag));
    wanted.images.extend::<Vec<_>>(references);
    wanted.tags = tags;
    Ok(wanted)
}

/// What needs no file: names, expectations, and whether anything was pushed.
fn named(typed: &Typed, facts: &Facts<'_>, warnings: &mut Vec<String>) -> Result<Wanted, Error> {
    let nothing_pushed = nothing_pushed(typed, facts, warnings)?;
    Ok(Wanted {
        images: or_empty(typed.images(), SettingText::list)?,
        list: None,
        repositories: or_empty(typed.repo(), SettingText::list)?,
        tags: Vec::new(),
        registry: typed
            .registry()
            .if_given()
            .map(|value| value.text.to_owned()),
        digest: typed.digest().map(|value| value.digest()).transpose()?,
        metadata: None,
        same_digest: typed
            .same_digest()
            .map(|value| value.boolean())
            .transpose()?,
        nothing_pushed,
    })
}

/// An unquoted number that YAML or JSON may have changed before it came here.
fn unquoted_number(value: &SettingText<'_>) -> Option<String> {
    let items: Vec<serde_json::Value> = serde_json::from_str(value.text).ok()?;
    let number = items.iter().find(|item| item.is_f64())?;
    Some(format!(
        "{}: {number} is a number and tags are text: quote it, or 1.10 arrives as 1.1",
        value.spelled
    ))
}

/// Tags that were written down.
struct Written {
    /// What they were written in, for error messages.
    name: String,
    /// Whether a setting holds or names them, rather than the file `.tags`.
    is_given: bool,
    /// The tags.
    tags: Vec<String>,
}

/// The tags that were written down: in `tags_file`, else in `tags`, else in the file `.tags`, which
/// build plugins read too.
fn written_tags(typed: &Typed, disk: &Disk<'_>) -> Result<Option<Written>, Error> {
    let given = |value: &SettingText<'_>, tags| Written {
        name: value.spelled.to_owned(),
        is_given: true,
        tags,
    };
    if let Some(file) = typed.tags_file() {
        let text = disk.named(&file)?;
        return match parse::list(text.trim()) {
            None => Err(file.error("the file is not a list of tags")),
            Some(tags) if tags.is_empty() => Err(file.error("the file contains no tags")),
            Some(tags) => Ok(Some(given(&file, tags))),
        };
    }
    if let Some(value) = typed.tags() {
        return Ok(Some(given(&value, value.list()?)));
    }
    let text = disk
        .optional(&disk.directory.join(".tags"))
        .map_err(|error| Error::new(format!("tags: cannot read the file .tags: {error}")))?;
    let tags = text.and_then(|text| parse::list(text.trim()));
    Ok(tags.filter(|tags| !tags.is_empty()).map(|tags| Written {
        name: "the file .tags".to_owned(),
        is_given: false,
        tags,
    }))
}

/// The computed tags before the written ones, and `latest` where there are neither.
fn all_tags(computed: Option<AutoTags>, written: Vec<String>) -> Vec<String> {
    match computed {
        Some(AutoTags::These(computed)) => computed.into_iter().chain(written).collect(),
        Some(AutoTags::None(_)) | None if written.is_empty() => vec![LATEST.to_owned()],
        Some(AutoTags::None(_)) | None => written,
    }
}

/// No tag has a `/` in it, so what has one is a whole reference.
fn is_reference(tag: &str) -> bool {
    tag.contains('/')
}

/// Tags must be of use where they were written down: an error where `latest` would silently replace
/// them, a warning where nothing needs them.
fn check_use(
    written: &Written,
    wanted: &Wanted,
    typed: &Typed,
    warnings: &mut Vec<String>,
) -> Result<(), Error> {
    let name = &written.name;
    if !wanted.repositories.is_empty() {
        if written.tags.is_empty() {
            return Err(Error::new(format!("{name}: it contains no tag"))
                .with_hint("# starts a comment; to check latest, leave tags out"));
        }
        return Ok(());
    }
    // What a build step wrote into .tags was not meant for images that are named here.
    if !written.is_given || written.tags.iter().all(|tag| is_reference(tag)) {
        return Ok(());
    }
    let bare = wanted.images.iter().find(|image| is_bare(image));
    if let (Some(image), Some(images)) = (bare, typed.images()) {
        return Err(images
            .error(format!(
                "{} has no tag, and {name} is only combined with repo",
                presentable(image)
            ))
            .with_hint(
                "give it as repo, or write the tag behind it: registry.example.org/team/app:1.2",
            ));
    }
    warnings.push(format!(
        "{name} is ignored: it is only combined with repo, which is not set"
    ));
    Ok(())
}

/// Where there is a repository, something must be a tag for it.
fn check_form(
    written: &Written,
    computed: Option<&AutoTags>,
    wanted: &Wanted,
) -> Result<(), Error> {
    match written.tags.first() {
        Some(first)
            if computed.is_none()
                && !wanted.repositories.is_empty()
                && written.tags.iter().all(|tag| is_reference(tag)) =>
        {
            Err(Error::new(format!(
                "{}: no entry is a tag for repo, because {} has a / in it and is a full reference",
                written.name,
                presentable(first)
            ))
            .with_hint(
                "no tag has a /: where a branch name is the tag, replace it as the build does, or \
                 leave out repo",
            ))
        }
        _ => Ok(()),
    }
}

/// What the build left, as the setting holds or names it.
fn metadata(value: &SettingText<'_>, disk: &Disk<'_>) -> Result<Metadata, Error> {
    let name = value.spelled.to_owned();
    if is_metadata(value.text) {
        return Ok(Metadata {
            name,
            text: value.text.to_owned(),
        });
    }
    Ok(Metadata {
        name: format!("{name} {}", quoted(value.text)),
        text: disk.named(value)?,
    })
}

/// Whether a `metadata_file` is the content itself rather than a path.
fn is_metadata(text: &str) -> bool {
    ["{", "[", "sha256:", "sha512:"]
        .iter()
        .any(|start| text.starts_with(start))
        || text.contains('\n')
}

#[cfg(test)]
mod tests {
    use super::super::support::{Surroundings, given, typed};
    use super::*;

    fn woodpecker(pairs: &[(&str, &str)]) -> Surroundings {
        given(&[&[("CI", "woodpecker"), ("PLUGIN_REPO", "team/app")], pairs].concat())
    }

    fn tags(surroundings: &Surroundings) -> Vec<String> {
        surroundings.settings().wanted.tags
    }

    #[test]
    fn tags_come_from_the_first_place_that_has_some() {
        let with_files = |pairs| {
            woodpecker(pairs)
                .and_file("/workspace/.tags", "dot\n")
                .and_file("/workspace/list", "# why\nx,y\nz\n")
        };
        assert_eq!(
            tags(&with_files(&[
                ("PLUGIN_TAGS_FILE", "list"),
                ("PLUGIN_TAGS", "a")
            ])),
            ["x", "y", "z"]
        );
        assert_eq!(tags(&with_files(&[("PLUGIN_TAGS", "a")])), ["a"]);
        assert_eq!(tags(&with_files(&[])), ["dot"]);
        assert_eq!(
            tags(&woodpecker(&[]).and_file("/workspace/.tags", "1,1.2,1.2.3\n")),
            ["1", "1.2", "1.2.3"]
        );
        assert_eq!(tags(&woodpecker(&[])), ["latest"]);
        assert_eq!(
            tags(&woodpecker(&[]).and_file("/workspace/.tags", " \n")),
            ["latest"]
        );
    }

    #[test]
    fn a_tag_with_a_slash_is_a_full_reference() {
        let wanted = woodpecker(&[
            ("PLUGIN_TAGS", "1,ghcr.io/team/app:1"),
            ("PLUGIN_EXTRA_TAGS", "a:1"),
        ])
        .settings()
        .wanted;
        assert_eq!(
            (wanted.tags, wanted.images),
            (
                vec!["1".to_owned()],
                vec!["a:1".to_owned(), "ghcr.io/team/app:1".to_owned()]
            )
        );
    }

    #[test]
    fn unreadable_and_empty_files_are_errors() {
        let file = [("PLUGIN_TAG_FILE", "list")];
        assert_eq!(
            woodpecker(&file).error(),
            r#"tag_file: cannot read "/workspace/list": entity not found"#
        );
        assert_eq!(
            woodpecker(&file)
                .and_file("/workspace/list", "# none\n")
                .error(),
            "tag_file: the file contains no tags"
        );
        assert_eq!(
            woodpecker(&file).and_file("/workspace/list", "[1").error(),
            "tag_file: the file is not a list of tags"
        );
        assert!(
            woodpecker(&[])
                .and_broken_file("/workspace/.tags", 13)
                .error()
                .starts_with("tags: cannot read the file .tags")
        );
        let metadata = [("PLUGIN_DIGEST_FILE", "digest")];
        assert_eq!(
            woodpecker(&metadata).error(),
            r#"digest_file: cannot read "/workspace/digest": entity not found"#
        );
        assert_eq!(
            woodpecker(&metadata)
                .and_broken_file("/workspace/digest", 21)
                .error(),
            r#"digest_file: cannot read "/workspace/digest": is a directory"#
        );
    }

    #[test]
    fn metadata_is_a_file_or_the_content_itself() {
        let metadata = |text: &str| {
            let surroundings =
                woodpecker(&[("PLUGIN_METADATA", text)]).and_file("/workspace/m.json", "{file}");
            let Metadata { name, text } = surroundings.settings().wanted.metadata.unwrap();
            (name, text)
        };
        assert_eq!(
            metadata("m.json"),
            ("metadata \"m.json\"".to_owned(), "{file}".to_owned())
        );
        for text in ["{\"a\":1}", "[\"a\"]", "sha256:abc", "a\nb"] {
            assert_eq!(metadata(text), ("metadata".to_owned(), text.to_owned()));
        }
    }

    #[test]
    fn digests_are_checked_when_they_are_read() {
        let digest = format!("sha256:{}", "a".repeat(64));
        assert_eq!(
            woodpecker(&[("PLUGIN_EXPECTED_DIGEST", &digest)])
                .settings()
                .wanted
                .digest
                .unwrap()
                .to_string(),
            digest
        );
        assert_eq!(
            woodpecker(&[("PLUGIN_EXPECT_DIGEST", "latest")]).error(),
            "expect_digest: \"latest\" is not a digest (sha256: and 64 lower-case hex digits, or \
             sha512: and 128)"
        );
    }

    #[test]
    fn a_build_that_pushed_nothing_needs_no_files() {
        for pair in [
            ("PLUGIN_DRY_RUN", "true"),
            ("PLUGIN_SKIP_PUSH", "1"),
            ("PLUGIN_OUTPUT", "type=local,dest=x"),
        ] {
            let wanted = woodpecker(&[
                pair,
                ("PLUGIN_TAGS_FILE", "none"),
                ("PLUGIN_METADATA_FILE", "none"),
                ("PLUGIN_AUTO_TAG", "yes"),
            ]);
            assert!(
                wanted.settings().wanted.nothing_pushed.is_some(),
                "{pair:?}"
            );
        }
    }

    #[test]
    fn computed_tags_come_before_those_that_were_written_down() {
        let auto = |reference, pairs: &[(&str, &str)]| {
            let facts = [
                ("PLUGIN_AUTO_TAG", "true"),
                ("CI_COMMIT_REF", reference),
                ("CI_REPO_DEFAULT_BRANCH", "main"),
            ];
            woodpecker(&[&facts[..], pairs].concat())
        };
        let suffix = ("PLUGIN_DEFAULT_SUFFIX", "alpine");
        assert_eq!(tags(&auto("refs/tags/v1.2.3", &[])), ["1", "1.2", "1.2.3"]);
        assert_eq!(
            tags(&auto("refs/tags/v1.2.3", &[("PLUGIN_TAGS", "x")])),
            ["1", "1.2", "1.2.3", "x"]
        );
        assert_eq!(
            tags(&auto("refs/tags/v1.2.3", &[suffix])),
            ["1-alpine", "1.2-alpine", "1.2.3-alpine"]
        );
        assert_eq!(tags(&auto("refs/heads/main", &[])), ["latest"]);
        assert_eq!(tags(&auto("main", &[])), ["latest"]);
        assert_eq!(tags(&auto("refs/heads/main", &[suffix])), ["alpine"]);
        assert_eq!(
            tags(&auto("refs/heads/main", &[("PLUGIN_DEFAULT_TAG", "edge")])),
            ["edge"]
        );
        assert_eq!(
            auto("refs/tags/nightly", &[]).error(),
            "auto_tag: the git tag \"nightly\" is not a version"
        );
    }

    #[test]
    fn on_another_branch_a_build_with_auto_tag_pushes_what_it_pushes_without() {
        let facts = [
            ("PLUGIN_AUTO_TAG", "true"),
            ("CI_COMMIT_REF", "refs/heads/x"),
            ("CI_REPO_DEFAULT_BRANCH", "main"),
            // Neither of these matters to what is pushed there.
            ("PLUGIN_DEFAULT_TAG", "edge"),
            ("PLUGIN_AUTO_TAG_SUFFIX", "alpine"),
        ];
        let on_x = |pairs: &[(&str, &str)]| woodpecker(&[&facts[..], pairs].concat());
        let (settings, warnings) = on_x(&[]).run();
        let wanted = settings.wanted;
        assert_eq!(
            (wanted.nothing_pushed, &wanted.tags[..]),
            (None, &["latest".to_owned()][..])
        );
        assert_eq!(
            warnings,
            [
                "auto_tag: refs/heads/x is neither a tag nor the default branch, where the buildx \
                 plugin pushes latest, so that is verified"
            ]
        );
        assert_eq!(tags(&on_x(&[("PLUGIN_TAGS", "pr")])), ["pr"]);
        assert!(on_x(&[("PLUGIN_TAGS", "pr")]).warnings().is_empty());
        assert_eq!(
            tags(&on_x(&[]).and_file("/workspace/.tags", "dot")),
            ["dot"]
        );
        assert_eq!(
            tags(&on_x(&[("PLUGIN_TAGS_FILE", "list")]).and_file("/workspace/list", "one")),
            ["one"]
        );
        let named = on_x(&[("PLUGIN_IMAGES", "a")]).settings().wanted;
        assert_eq!(named.tags, ["latest"]);
        let dry = on_x(&[("PLUGIN_DRY_RUN", "true")]).run();
        assert_eq!(dry.0.wanted.nothing_pushed, Some(NothingPushed::DryRun));
        assert!(dry.1.is_empty(), "{:?}", dry.1);
        let reference = on_x(&[("PLUGIN_TAGS", "ghcr.io/team/app:pr")]).settings();
        assert_eq!(reference.wanted.images, ["ghcr.io/team/app:pr"]);
    }

    #[test]
    fn auto_tag_needs_to_know_what_was_built() {
        let auto = ("PLUGIN_AUTO_TAG", "true");
        assert_eq!(
            woodpecker(&[auto]).error(),
            "auto_tag: the CI system does not say which git reference was built"
        );
        assert_eq!(
            woodpecker(&[auto, ("CI_COMMIT_BRANCH", "x")]).error(),
            "auto_tag: the CI system does not name the repository's default branch"
        );
        assert!(given(&[auto, ("PLUGIN_IMAGES", "a")]).command().is_ok());
    }

    #[test]
    fn the_default_branch_on_github_comes_from_the_event() {
        let surroundings = given(&[
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_REF", "refs/heads/main"),
            ("GITHUB_EVENT_PATH", "/github/workflow/event.json"),
            ("INPUT_REPO", "team/app"),
            ("INPUT_AUTO-TAG", "true"),
        ]);
        let event = r#"{"repository":{"default_branch":"main"}}"#;
        assert_eq!(
            tags(
                &surroundings
                    .clone()
                    .and_file("/github/workflow/event.json", event)
            ),
            ["latest"]
        );
        assert!(surroundings.error().contains("default branch"));
    }

    #[test]
    fn tags_are_never_ignored_in_silence() {
        let image = |pairs: &[(&str, &str)]| given(&[&[("CI", "woodpecker")], pairs].concat());
        let error = "images: \"r.io/app\" has no tag, and tags is only combined with repo";
        assert_eq!(
            image(&[
                ("PLUGIN_IMAGES", "r.io/b:1,r.io/app"),
                ("PLUGIN_TAGS", "1.4")
            ])
            .error(),
            error
        );
        assert_eq!(
            image(&[
                ("PLUGIN_DESTINATIONS", "r.io/app"),
                ("PLUGIN_TAG_FILE", "list")
            ])
            .and_file("/workspace/list", "1.4")
            .error(),
            "destinations: \"r.io/app\" has no tag, and tag_file is only combined with repo"
        );
        let refused = typed(&["verify", "r.io:5000/app", "--tags", "x"])
            .command()
            .unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the command line: \"r.io:5000/app\" has no tag, and --tags is only combined with repo"
        );
        assert!(refused.hint().unwrap().contains("repo"));
        for pairs in [
            &[("PLUGIN_IMAGES", "r.io/app")][..],
            &[
                ("PLUGIN_IMAGES", "r.io/app"),
                ("PLUGIN_REPO", "r.io/b"),
                ("PLUGIN_TAGS", "1"),
            ],
            &[
                ("PLUGIN_IMAGES", "r.io/app"),
                ("PLUGIN_TAGS", "1"),
                ("PLUGIN_DRY_RUN", "true"),
            ],
            &[("PLUGIN_IMAGES", "r.io/app"), ("PLUGIN_TAGS", "r.io/b:1")],
        ] {
            assert!(image(pairs).warnings().is_empty(), "{pairs:?}");
        }
        assert!(
            image(&[("PLUGIN_IMAGES", "r.io/app")])
                .and_file("/workspace/.tags", "1")
                .warnings()
                .is_empty()
        );
    }

    #[test]
    fn tags_beside_tagged_images_are_a_warning() {
        for image in ["r.io/app:1", "r.io/app@sha256:1"] {
            let pairs = [
                ("CI", "woodpecker"),
                ("PLUGIN_DESTINATION", ""),
                ("PLUGIN_IMAGES", image),
                ("PLUGIN_TAGS", "2"),
            ];
            assert_eq!(
                given(&pairs).warnings(),
                ["tags is ignored: it is only combined with repo, which is not set"],
                "{image}"
            );
        }
    }

    #[test]
    fn tags_that_are_all_full_references_are_an_error() {
        assert_eq!(
            woodpecker(&[("PLUGIN_TAGS", "feature/x")]).error(),
            "tags: no entry is a tag for repo, because \"feature/x\" has a / in it and is a full \
             reference"
        );
        assert!(
            woodpecker(&[])
                .and_file("/workspace/.tags", "feature/x")
                .error()
                .starts_with("the file .tags: no entry")
        );
        assert!(
            woodpecker(&[("PLUGIN_TAGS_FILE", "list")])
                .and_file("/workspace/list", "feature/x")
                .error()
                .starts_with("tags_file: no entry")
        );
        for text in ["#1", ",", "[]", "# none\n"] {
            let error = woodpecker(&[("PLUGIN_TAGS", text)]).command().unwrap_err();
            assert_eq!(error.to_string(), "tags: it contains no tag", "{text:?}");
            assert_eq!(
                error.hint(),
                Some("# starts a comment; to check latest, leave tags out")
            );
        }
        let dry = woodpecker(&[("PLUGIN_TAGS", "#1"), ("PLUGIN_DRY_RUN", "true")]);
        assert!(dry.settings().wanted.nothing_pushed.is_some());
    }

    #[test]
    fn a_tag_that_is_a_number_is_a_warning() {
        let warnings = |text| woodpecker(&[("PLUGIN_TAGS", text)]).warnings();
        for text in ["[1.1]", "[1,1.1,1e2]"] {
            assert_eq!(
                warnings(text),
                ["tags: 1.1 is a number and tags are text: quote it, or 1.10 arrives as 1.1"]
            );
        }
        for text in ["[1, 20240131]", r#"["1.10"]"#, "1.10", "1.1,1e2"] {
            assert!(warnings(text).is_empty(), "{text}");
        }
    }
}
