//! The disk of a registry with ten thousand tags, next to what else reads all of it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::peers::Peers;
use super::race::{self, Contestant, race};
use super::support::digest::Random;
use super::support::image::{CONFIG, Descriptor, IN_TOTO, Image, LAYER, config_of, index_of};
use super::support::tree::Tree;
use super::table::{Page, Table, megabytes, time};

const REPOSITORIES: usize = 100;

const TAGS: usize = 100;

/// The layers that all images of a repository for one platform have in common.
const BASES: [usize; 2] = [14, 13];

/// The layers of an image's own, for each platform.
const OWN: usize = 2;

/// The version of the trees: others are written anew.
const FORM: &str = "disk-1";

/// How many layers of the second tree there are, each of so many bytes.
const LARGE: (usize, usize) = (96, 8 * 1024 * 1024);

/// Everything that reads it, in turns.
pub(crate) fn disk(peers: &Peers, page: &mut Page) {
    let directory = tree(REPOSITORIES);
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
    let files = count(&directory, "f");
    let results = race(&contestants, 7);
    page.heading(
        "The disk of a registry",
        &format!("{REPOSITORIES} repositories with {TAGS} tags each: {files} files, warm."),
    );
    compare(&results, page);
}

/// Every byte of a disk, next to hashing its files with all cores.
pub(crate) fn full(peers: &Peers, page: &mut Page) {
    let directory = large_tree();
    let path = directory.display().to_string();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let hash = format!("find {path} -name data -print0 | xargs -0 -n 4 -P {cores} sha256sum");
    let contestants = [
        peers.audit(&path, &["--depth", "full"]),
        Contestant::new(
            &format!("`sha256sum` on {cores} cores"),
            ["sh", "-c", hash.as_str()],
        ),
    ];
    let results = race(&contestants, 7);
    let (layers, size) = LARGE;
    page.heading(
        "Every byte of a disk",
        &format!(
            "{layers} layers of {} MiB, each in two repositories.",
            size >> 20
        ),
    );
    compare(&results, page);
}

/// How much memory it takes, by the size of the disk.
pub(crate) fn memory(peers: &Peers, page: &mut Page) {
    page.heading("Memory for a disk", "Trees of three sizes.");
    let mut table = Table::new(&["tags", "files", "directories", "memory at most"]);
    for repositories in [REPOSITORIES / 10, REPOSITORIES, REPOSITORIES * 5 / 3] {
        let directory = tree(repositories);
        let run = peers.audit(&directory.display().to_string(), &[]).run();
        table.row(&[
            (repositories * TAGS).to_string(),
            count(&directory, "f").to_string(),
            count(&directory, "d").to_string(),
            megabytes(run.peak),
        ]);
    }
    page.table(&table);
}

fn compare(results: &[race::Result], page: &mut Page) {
    let mut table = Table::new(&["", "median", "min–max", "times as long", "memory at most"]);
    let ours = results[0].median().as_secs_f64();
    for result in results {
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

/// A tree, which is written once and kept.
fn kept(name: &str, write: impl FnOnce(&Tree)) -> PathBuf {
    let kept = cache().join(name);
    if kept.exists() {
        return kept;
    }
    let unfinished = cache().join(format!("{name}.{}", std::process::id()));
    write(&Tree::at(&unfinished));
    std::fs::rename(&unfinished, &kept).expect("the cache is ours");
    kept
}

/// The tree with so many repositories.
fn tree(repositories: usize) -> PathBuf {
    let name = match repositories {
        REPOSITORIES => FORM.to_owned(),
        other => format!("{FORM}-{other}"),
    };
    kept(&name, |tree| push(tree, repositories))
}

fn push(tree: &Tree, repositories: usize) {
    for repository in 0..repositories {
        for tag in 0..TAGS {
            let image = image(repository, tag);
            tree.push(
                &format!("team-{}/app-{repository}:v{tag}", repository % 10),
                &image,
            );
        }
    }
}

/// The tree with large layers.
fn large_tree() -> PathBuf {
    kept(&format!("{FORM}-large"), |tree| {
        let (layers, size) = LARGE;
        let mut random = Random::seeded(1);
        for number in 0..layers {
            let words = std::iter::repeat_with(|| random.next()).take(size / 8);
            let bytes: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
            let mut image = Image::empty();
            let layer = image.blob(LAYER, bytes);
            let root = image.image_of(&[layer]);
            let image = image.begins_with(&root);
            for name in ["team/app", "team/copy"] {
                tree.push(&format!("{name}:v{number}"), &image);
            }
        }
    })
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

/// How many files (`f`) or directories (`d`) there are.
fn count(directory: &Path, kind: &str) -> usize {
    let found = Command::new("find")
        .arg(directory)
        .args(["-type", kind])
        .stdin(Stdio::null())
        .output()
        .expect("find is everywhere");
    String::from_utf8_lossy(&found.stdout).lines().count()
}
