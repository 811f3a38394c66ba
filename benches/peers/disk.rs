//! The disk of a registry with ten thousand tags, next to what else reads all of it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::peers::Peers;
use super::race::{Contestant, race};
use super::support::image::{CONFIG, Descriptor, IN_TOTO, Image, LAYER, config_of, index_of};
use super::support::tree::Tree;
use super::table::{Page, Table, megabytes, time};

const REPOSITORIES: usize = 100;

const TAGS: usize = 100;

/// The layers that all images of a repository for one platform have in common.
const BASES: [usize; 2] = [14, 13];

/// The layers of an image's own, for each platform.
const OWN: usize = 2;

/// The version of the tree: another one is written anew.
const FORM: &str = "disk-1";

/// Everything that reads it, in turns.
pub(crate) fn disk(peers: &Peers, page: &mut Page) {
    let directory = tree();
    let path = directory.display().to_string();
    let mut contestants = vec![
        peers.audit(&path, &[]),
        Contestant::new("`find`", ["find", path.as_str(), "-type", "f"]),
    ];
    let collected = [("2.8.2", Peers::program("docker-registry")), ("3", third())];
    for (version, program) in collected {
        let Some(program) = program else {
            page.paragraph(&format!("distribution {version} is missing here."));
            continue;
        };
        let configuration = configuration(&directory);
        let words = [&program, "garbage-collect", "--dry-run", &configuration];
        let name = format!("`garbage-collect --dry-run` of distribution {version}");
        contestants.push(Contestant::new(&name, words).at_most(2));
    }
    let files = count_files(&directory);
    let results = race(&contestants, 7);
    page.heading(
        "The disk of a registry",
        &format!("{REPOSITORIES} repositories with {TAGS} tags each: {files} files, warm."),
    );
    let mut table = Table::new(&["", "median", "min–max", "times as long", "memory at most"]);
    let ours = results[0].median().as_secs_f64();
    for result in &results {
        table.row(&[
            result.name.clone(),
            time(result.median()),
            format!("{}–{}", time(result.least()), time(result.most())),
            format!("{:.2}", result.median().as_secs_f64() / ours),
            megabytes(result.peak),
        ]);
    }
    page.table(&table);
}

/// distribution 3, where `make e2e` has built it.
fn third() -> Option<String> {
    let entries = std::fs::read_dir(cache()).ok()?;
    let mut built: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.to_string_lossy().contains("/distribution-v3."))
        .map(|path| path.join("registry"))
        .filter(|path| path.is_file())
        .collect();
    built.sort_unstable();
    Some(built.pop()?.display().to_string())
}

fn cache() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").filter(|path| !path.is_empty());
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache");
    cache.map_or_else(home, PathBuf::from).join("pullproof")
}

/// The tree, which is written once and kept.
fn tree() -> PathBuf {
    let kept = cache().join(FORM);
    if kept.exists() {
        return kept;
    }
    let unfinished = cache().join(format!("{FORM}.{}", std::process::id()));
    let tree = Tree::at(&unfinished);
    for repository in 0..REPOSITORIES {
        for tag in 0..TAGS {
            let image = image(repository, tag);
            tree.push(
                &format!("team-{}/app-{repository}:v{tag}", repository % 10),
                &image,
            );
        }
    }
    std::fs::rename(&unfinished, &kept).expect("the cache is ours");
    kept
}

/// An index of two platforms with their attestations.
fn image(repository: usize, tag: usize) -> Image {
    let mut image = Image::empty();
    let mut children = Vec::new();
    let mut attestations = Vec::new();
    let empty = format!("{{\"repository\":{repository}}}");
    let empty = image.blob(CONFIG, empty);
    for (place, platform) in ["linux/amd64", "linux/arm64"].into_iter().enumerate() {
        let base = (0..BASES[place]).map(|layer| format!("base {repository} {platform} {layer}"));
        let own = (0..OWN).map(|layer| format!("own {repository} {tag} {platform} {layer}"));
        let layers: Vec<Descriptor> = base
            .chain(own)
            .map(|text| image.blob(LAYER, text.repeat(4)))
            .collect();
        let mut config = config_of(platform, &layers);
        config["created_by"] = format!("{repository} {tag}").into();
        let config = image.blob(CONFIG, config.to_string());
        let manifest = image.manifest(&config, &layers);
        let statement = format!("statement {repository} {tag} {platform}");
        let statement = image.blob(IN_TOTO, statement);
        let attestation = image.manifest(&empty, &[statement]);
        attestations.push(attestation.attests(&manifest));
        children.push(manifest.platform(platform));
    }
    children.extend(attestations);
    let root = image.document(&index_of(&children));
    image.begins_with(&root)
}

/// A configuration for a collection of garbage.
fn configuration(directory: &Path) -> String {
    let path = directory.with_extension("yml");
    let text = format!(
        "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {}\n",
        directory.display()
    );
    std::fs::write(&path, text).expect("the cache is ours");
    path.display().to_string()
}

fn count_files(directory: &Path) -> usize {
    let found = Command::new("find")
        .arg(directory)
        .args(["-type", "f"])
        .stdin(Stdio::null())
        .output()
        .expect("find is everywhere");
    String::from_utf8_lossy(&found.stdout).lines().count()
}
