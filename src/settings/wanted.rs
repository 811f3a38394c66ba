//! Which images are meant: references, repositories with their tags, and what the build left.

use super::auto_tag::{AutoTags, auto_tags};
use super::ci::Facts;
use super::environment::builds_without_push;
use super::files::Disk;
use super::raw::{Typed, Value};
use super::{Error, Wanted, parse};

/// Gathers the names, with a warning for each odd thing.
///
/// # Errors
///
/// When a list, digest or boolean is none, or a named file cannot be read.
pub(super) fn wanted(
    typed: &Typed,
    facts: &Facts<'_>,
    disk: &Disk<'_>,
    warnings: &mut Vec<String>,
) -> Result<Wanted, Error> {
    let mut wanted = Wanted {
        images: items(typed.images())?,
        repositories: items(typed.repo())?,
        tags: Vec::new(),
        registry: typed.registry().map(|value| value.text.to_owned()),
        digest: typed.digest().map(|value| value.read(DIGEST, parse::digest)).transpose()?,
        metadata: None,
        same_digest: claim(typed.same_digest())?,
        dry_run: claim(typed.dry_run())?.unwrap_or(false),
    };
    if builds_without_push(facts) {
        warnings.push("the build step that shares these settings pushes nothing (output or push)".to_owned());
        wanted.dry_run = true;
    }
    let dry_run = wanted.dry_run;
    wanted.metadata = typed.metadata_file().filter(|_| !dry_run).map(|value| metadata(&value, disk)).transpose()?;
    let supplied = needed(supplied_tags(typed, disk), dry_run)?.flatten();
    let auto = claim(typed.auto_tag())?.unwrap_or(false) && !wanted.repositories.is_empty();
    let computed = if auto { needed(auto_tags(typed, facts, disk), dry_run)? } else { None };
    let tags = match (computed, supplied) {
        (Some(AutoTags::These(computed)), supplied) => {
            computed.into_iter().chain(supplied.unwrap_or_default()).collect()
        }
        (_, Some(supplied)) => supplied,
        (Some(AutoTags::NothingBuilt(reference)), None) => {
            if wanted.images.is_empty() && wanted.metadata.is_none() {
                warnings
                    .push(format!("auto_tag: {reference} is no tag and not the default branch, so nothing was built"));
                wanted.dry_run = true;
            }
            Vec::new()
        }
        (None, None) => vec!["latest".to_owned()],
    };
    let (references, tags): (Vec<_>, Vec<_>) = tags.into_iter().partition(|tag| tag.contains('/'));
    wanted.images.extend(references);
    wanted.tags = tags;
    Ok(wanted)
}

const DIGEST: &str = "a digest (sha256: and 64 lower-case hex digits, or sha512: and 128)";

/// What must be there unless nothing was pushed: then files that the build would have left may be missing.
fn needed<T>(result: Result<T, Error>, dry_run: bool) -> Result<Option<T>, Error> {
    if dry_run { Ok(result.ok()) } else { result.map(Some) }
}

fn claim(value: Option<Value<'_>>) -> Result<Option<bool>, Error> {
    value.map(|value| value.read("true or false", parse::boolean)).transpose()
}

/// The tags that somebody wrote down: `tags_file`, else `tags`, else the file `.tags`, which build plugins read too.
fn supplied_tags(typed: &Typed, disk: &Disk<'_>) -> Result<Option<Vec<String>>, Error> {
    if let Some(file) = typed.tags_file() {
        let text = disk.named(&file)?;
        let tags = parse::list(text.trim()).ok_or_else(|| file.error("the file is not a list of tags"))?;
        return if tags.is_empty() { Err(file.error("the file has no tags in it")) } else { Ok(Some(tags)) };
    }
    if let Some(tags) = typed.tags() {
        return items(Some(tags)).map(|tags| Some(tags).filter(|tags| !tags.is_empty()));
    }
    let text = disk
        .optional(&disk.directory.join(".tags"))
        .map_err(|error| Error::new(format!("tags: cannot read the file .tags: {error}")))?;
    Ok(text.and_then(|text| parse::list(text.trim())).filter(|tags| !tags.is_empty()))
}

/// What the build left, as the setting holds or names it.
fn metadata(value: &Value<'_>, disk: &Disk<'_>) -> Result<String, Error> {
    if is_metadata(value.text) { Ok(value.text.to_owned()) } else { disk.named(value) }
}

/// The items of a list, if it was given.
fn items(value: Option<Value<'_>>) -> Result<Vec<String>, Error> {
    let expected = "a list: a JSON array, lines, or items separated by commas";
    value.map(|value| value.read(expected, parse::list)).transpose().map(Option::unwrap_or_default)
}

/// Whether a `metadata_file` is the content itself rather than a path.
fn is_metadata(text: &str) -> bool {
    ["{", "[", "sha256:", "sha512:"].iter().any(|start| text.starts_with(start)) || text.contains('\n')
}

#[cfg(test)]
mod tests {
    use super::super::support::{Surroundings, given};

    fn woodpecker(pairs: &[(&str, &str)]) -> Surroundings {
        given(&[&[("CI", "woodpecker"), ("PLUGIN_REPO", "team/app")], pairs].concat())
    }

    fn tags(surroundings: &Surroundings) -> Vec<String> {
        surroundings.settings().wanted.tags
    }

    #[test]
    fn tags_come_from_the_first_place_that_has_some() {
        let with_files = |pairs| {
            woodpecker(pairs).and_file("/workspace/.tags", "dot\n").and_file("/workspace/list", "# why\nx,y\nz\n")
        };
        assert_eq!(tags(&with_files(&[("PLUGIN_TAGS_FILE", "list"), ("PLUGIN_TAGS", "a")])), ["x", "y", "z"]);
        assert_eq!(tags(&with_files(&[("PLUGIN_TAGS", "a")])), ["a"]);
        assert_eq!(tags(&with_files(&[])), ["dot"]);
        assert_eq!(tags(&woodpecker(&[]).and_file("/workspace/.tags", "1,1.2,1.2.3\n")), ["1", "1.2", "1.2.3"]);
        assert_eq!(tags(&woodpecker(&[])), ["latest"]);
        assert_eq!(tags(&woodpecker(&[("PLUGIN_TAGS", ",")])), ["latest"]);
        assert_eq!(tags(&woodpecker(&[]).and_file("/workspace/.tags", " \n")), ["latest"]);
    }

    #[test]
    fn a_tag_with_a_slash_is_a_full_reference() {
        let wanted =
            woodpecker(&[("PLUGIN_TAGS", "1,ghcr.io/team/app:1"), ("PLUGIN_EXTRA_TAGS", "a:1")]).settings().wanted;
        assert_eq!(
            (wanted.tags, wanted.images),
            (vec!["1".to_owned()], vec!["a:1".to_owned(), "ghcr.io/team/app:1".to_owned()])
        );
    }

    #[test]
    fn unreadable_and_empty_files_are_errors() {
        let file = [("PLUGIN_TAG_FILE", "list")];
        assert_eq!(woodpecker(&file).error(), r#"tag_file: cannot read "/workspace/list": entity not found"#);
        assert_eq!(
            woodpecker(&file).and_file("/workspace/list", "# none\n").error(),
            "tag_file: the file has no tags in it"
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
        assert_eq!(woodpecker(&metadata).error(), r#"digest_file: cannot read "/workspace/digest": entity not found"#);
        assert_eq!(
            woodpecker(&metadata).and_broken_file("/workspace/digest", 21).error(),
            r#"digest_file: cannot read "/workspace/digest": is a directory"#
        );
    }

    #[test]
    fn metadata_is_a_file_or_the_content_itself() {
        let metadata = |text: &str| {
            let surroundings = woodpecker(&[("PLUGIN_METADATA", text)]).and_file("/workspace/m.json", "{file}");
            surroundings.settings().wanted.metadata.unwrap()
        };
        assert_eq!(metadata("m.json"), "{file}");
        for text in ["{\"a\":1}", "[\"a\"]", "sha256:abc", "a\nb"] {
            assert_eq!(metadata(text), text);
        }
    }

    #[test]
    fn digests_are_checked_when_they_are_read() {
        let digest = format!("sha256:{}", "a".repeat(64));
        assert_eq!(
            woodpecker(&[("PLUGIN_EXPECTED_DIGEST", &digest)]).settings().wanted.digest.unwrap().to_string(),
            digest
        );
        assert_eq!(
            woodpecker(&[("PLUGIN_EXPECT_DIGEST", "latest")]).error(),
            "expect_digest: \"latest\" is not a digest (sha256: and 64 lower-case hex digits, or sha512: and 128)"
        );
    }

    #[test]
    fn nothing_pushed_needs_no_files() {
        for pair in [("PLUGIN_DRY_RUN", "true"), ("PLUGIN_SKIP_PUSH", "1"), ("PLUGIN_OUTPUT", "type=local,dest=x")] {
            let wanted = woodpecker(&[
                pair,
                ("PLUGIN_TAGS_FILE", "none"),
                ("PLUGIN_METADATA_FILE", "none"),
                ("PLUGIN_AUTO_TAG", "yes"),
            ]);
            assert!(wanted.settings().wanted.dry_run, "{pair:?}");
        }
        assert_eq!(
            woodpecker(&[("PLUGIN_OUTPUT", "type=docker")]).warnings(),
            ["the build step that shares these settings pushes nothing (output or push)"]
        );
        assert!(!woodpecker(&[("PLUGIN_DRY_RUN", "false")]).settings().wanted.dry_run);
    }

    #[test]
    fn computed_tags_come_before_those_that_were_written_down() {
        let auto = |reference, pairs: &[(&str, &str)]| {
            let facts = [("PLUGIN_AUTO_TAG", "true"), ("CI_COMMIT_REF", reference), ("CI_REPO_DEFAULT_BRANCH", "main")];
            woodpecker(&[&facts[..], pairs].concat())
        };
        let suffix = ("PLUGIN_DEFAULT_SUFFIX", "alpine");
        assert_eq!(tags(&auto("refs/tags/v1.2.3", &[])), ["1", "1.2", "1.2.3"]);
        assert_eq!(tags(&auto("refs/tags/v1.2.3", &[("PLUGIN_TAGS", "x")])), ["1", "1.2", "1.2.3", "x"]);
        assert_eq!(tags(&auto("refs/tags/v1.2.3", &[suffix])), ["1-alpine", "1.2-alpine", "1.2.3-alpine"]);
        assert_eq!(tags(&auto("refs/heads/main", &[])), ["latest"]);
        assert_eq!(tags(&auto("main", &[])), ["latest"]);
        assert_eq!(tags(&auto("refs/heads/main", &[suffix])), ["alpine"]);
        assert_eq!(tags(&auto("refs/heads/main", &[("PLUGIN_DEFAULT_TAG", "edge")])), ["edge"]);
        assert_eq!(auto("refs/tags/nightly", &[]).error(), "auto_tag: the git tag \"nightly\" is not a version");
    }

    #[test]
    fn on_another_branch_a_build_with_auto_tag_pushes_nothing() {
        let facts =
            [("PLUGIN_AUTO_TAG", "true"), ("CI_COMMIT_REF", "refs/heads/x"), ("CI_REPO_DEFAULT_BRANCH", "main")];
        let (settings, warnings) = woodpecker(&facts).run();
        assert!(settings.wanted.dry_run && settings.wanted.tags.is_empty());
        assert_eq!(warnings, ["auto_tag: refs/heads/x is no tag and not the default branch, so nothing was built"]);
        let wanted = woodpecker(&[&facts[..], &[("PLUGIN_TAGS", "pr")]].concat()).settings().wanted;
        assert_eq!((wanted.dry_run, wanted.tags), (false, vec!["pr".to_owned()]));
        let wanted = woodpecker(&[&facts[..], &[("PLUGIN_IMAGES", "a")]].concat()).settings().wanted;
        assert_eq!((wanted.dry_run, wanted.tags.len()), (false, 0));
    }

    #[test]
    fn auto_tag_needs_to_know_what_was_built() {
        let auto = ("PLUGIN_AUTO_TAG", "true");
        assert_eq!(woodpecker(&[auto]).error(), "auto_tag: the CI system does not tell which git reference was built");
        assert_eq!(
            woodpecker(&[auto, ("CI_COMMIT_BRANCH", "x")]).error(),
            "auto_tag: the CI system does not tell the repository's default branch"
        );
        assert!(given(&[auto, ("PLUGIN_IMAGES", "a")]).command().is_ok());
    }

    #[test]
    fn github_tells_the_default_branch_in_the_event() {
        let surroundings = given(&[
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_REF", "refs/heads/main"),
            ("GITHUB_EVENT_PATH", "/github/workflow/event.json"),
            ("INPUT_REPO", "team/app"),
            ("INPUT_AUTO-TAG", "true"),
        ]);
        let event = r#"{"repository":{"default_branch":"main"}}"#;
        assert_eq!(tags(&surroundings.clone().and_file("/github/workflow/event.json", event)), ["latest"]);
        assert!(surroundings.error().contains("default branch"));
    }

    #[test]
    fn a_rebuild_looks_at_no_images() {
        let rebuild = woodpecker(&[
            ("PLUGIN_MODE", "rebuild"),
            ("PLUGIN_SERVER", "https://ci"),
            ("PLUGIN_TOKEN", "t"),
            ("PLUGIN_WOODPECKER_REPO", "a/b"),
            ("PLUGIN_TAGS_FILE", "none"),
        ]);
        assert!(rebuild.settings().wanted.repositories.is_empty());
    }
}
