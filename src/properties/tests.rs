//! Every statement is asked about any bytes, about the corpus of its fuzz target, about what is
//! nearly right, and about very long inputs.

use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::sample::Index;

type Statement = fn(&[u8]);

/// Every fuzz target with its statement, and how long an input is on which anything but linear work
/// would show, in bytes.
const TARGETS: [(&str, Statement, usize); 12] = [
    ("challenge", super::challenge::check, 64 * KIB),
    ("docker_config", super::docker_config::check, 128 * KIB),
    ("duration", super::duration::check, 128 * KIB),
    ("headers", super::headers::check, 64 * KIB),
    ("in_use", super::in_use::check, 128 * KIB),
    ("link", super::link::check, 64 * KIB),
    ("list", super::list::check, 64 * KIB),
    ("manifest", super::manifest::check, 1024 * KIB),
    ("metadata", super::metadata::check, 128 * KIB),
    ("reference", super::reference::check, 128 * KIB),
    ("woodpecker", super::woodpecker::check, 512 * KIB),
    ("words", super::words::check, 128 * KIB),
];

const KIB: usize = 1024;

fn directory(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "fuzz", name].iter().collect()
}

/// The files of a target's corpus that belong to the project: the fuzzer names its own by their
/// hash.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let files = std::fs::read_dir(directory("corpus").join(target)).unwrap();
    let mut files: Vec<(String, Vec<u8>)> = files
        .map(|file| file.unwrap().path())
        .map(|path| {
            (
                path.file_name().unwrap().to_str().unwrap().to_owned(),
                std::fs::read(path).unwrap(),
            )
        })
        .collect();
    files.sort();
    files
}

/// The words of a target's dictionary, see <https://llvm.org/docs/LibFuzzer.html#dictionaries>.
fn words(target: &str) -> Vec<Vec<u8>> {
    let text =
        std::fs::read_to_string(directory("dictionaries").join(format!("{target}.dict"))).unwrap();
    let entries = text.lines().filter(|line| line.starts_with('"'));
    entries
        .map(|line| {
            let word = line.strip_prefix('"').unwrap().strip_suffix('"').unwrap();
            let mut letters = word.bytes();
            std::iter::from_fn(|| match letters.next()? {
                b'\\' => match letters.next().unwrap() {
                    b'x' => {
                        let digits = [letters.next().unwrap(), letters.next().unwrap()];
                        Some(u8::from_str_radix(str::from_utf8(&digits).unwrap(), 16).unwrap())
                    }
                    escaped => Some(escaped),
                },
                letter => Some(letter),
            })
            .collect()
        })
        .collect()
}

#[test]
fn every_fuzz_target_has_a_statement_a_corpus_and_a_dictionary() {
    let manifest = std::fs::read_to_string(directory("Cargo.toml")).unwrap();
    let names: Vec<&str> = manifest
        .lines()
        .filter_map(|line| line.strip_prefix("path = \"fuzz_targets/"))
        .collect();
    assert_eq!(names, TARGETS.map(|(name, ..)| format!("{name}.rs\"")));
    for (name, ..) in TARGETS {
        assert!(
            !corpus(name).is_empty() && !words(name).is_empty(),
            "{name}"
        );
        let source =
            std::fs::read_to_string(directory("fuzz_targets").join(format!("{name}.rs"))).unwrap();
        assert!(
            source.contains(&format!("pullproof::properties::{name}::check")),
            "{name}"
        );
    }
}

#[test]
fn the_corpus_holds() {
    for (name, statement, _) in TARGETS {
        for (file, content) in corpus(name) {
            println!("{name}/{file}");
            statement(&content);
        }
    }
}

/// A statement about an input of its longest size ends within this time, even unoptimised on a busy
/// machine: linear work takes less than a second, and anything else many minutes.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn the_longest_inputs_are_read_in_time() {
    for (name, statement, longest) in TARGETS {
        // Within a file of the corpus as well: in its middle, where something is open.
        let middle = corpus(name).swap_remove(0).1;
        let (start, end) = middle.split_at(middle.len() / 2);
        for word in words(name) {
            let many = word.repeat(longest / word.len());
            ends(name, statement, [start, &many, end].concat(), &word);
            ends(name, statement, many, &word);
        }
    }
}

/// Asks a statement about a long input made of `word`, and fails when it takes too long.
pub(super) fn ends(name: &str, statement: Statement, input: Vec<u8>, word: &[u8]) {
    let (done, finished) = mpsc::channel();
    let length = input.len();
    let began = Instant::now();
    let asked = thread::spawn(move || {
        statement(&input);
        done.send(())
    });
    let what = format!(
        "{name}: {length} bytes of {:?}",
        String::from_utf8_lossy(word)
    );
    match finished.recv_timeout(PATIENCE) {
        Err(RecvTimeoutError::Timeout) => panic!("{what} take longer than {PATIENCE:?}"),
        _ => asked
            .join()
            .unwrap_or_else(|_| panic!("{what} do not hold"))
            .unwrap(),
    }
    println!("{what} took {:?}", began.elapsed());
}

/// One change to an input.
#[derive(Clone, Debug)]
enum Change {
    /// Cut a piece out.
    Remove(Index, usize),
    /// Repeat a piece.
    Repeat(Index, usize, usize),
    /// Put a word of the dictionary in.
    Word(Index, Index),
    /// Put any byte in the place of another.
    Byte(Index, u8),
    /// Go on as another file of the corpus does.
    Join(Index, Index),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (any::<Index>(), 1..16_usize).prop_map(|(place, length)| Change::Remove(place, length)),
        (any::<Index>(), 1..64_usize, 1..8_usize)
            .prop_map(|(place, length, times)| Change::Repeat(place, length, times)),
        (any::<Index>(), any::<Index>()).prop_map(|(place, word)| Change::Word(place, word)),
        (any::<Index>(), any::<u8>()).prop_map(|(place, byte)| Change::Byte(place, byte)),
        (any::<Index>(), any::<Index>()).prop_map(|(place, file)| Change::Join(place, file)),
    ]
}

fn changed(
    mut input: Vec<u8>,
    changes: &[Change],
    corpus: &[(String, Vec<u8>)],
    words: &[Vec<u8>],
) -> Vec<u8> {
    for change in changes {
        let length = input.len();
        let at = |place: &Index| place.index(length + 1);
        match change {
            Change::Remove(place, count) => {
                let start = at(place);
                input.drain(start..length.min(start + count));
            }
            Change::Repeat(place, count, times) => {
                let start = at(place);
                let piece = input[start..length.min(start + count)].repeat(*times);
                input.splice(start..start, piece);
            }
            Change::Word(place, word) => {
                let start = at(place);
                input.splice(start..start, words[word.index(words.len())].iter().copied());
            }
            Change::Byte(place, byte) => {
                let start = at(place);
                input.splice(start..length.min(start + 1), [*byte]);
            }
            Change::Join(place, file) => {
                let other = &corpus[file.index(corpus.len())].1;
                let start = at(place);
                input.splice(start.., other[start.min(other.len())..].iter().copied());
            }
        }
    }
    input
}

/// Asks one statement about many inputs; a failing input is printed, and its seed kept beside this
/// file.
fn about_many<S: Strategy>(inputs: &S, statement: impl Fn(S::Value)) {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/properties/tests.rs");
    let config = ProptestConfig::with_source_file(source);
    let asked = proptest::test_runner::TestRunner::new(config).run(inputs, |input| {
        statement(input);
        Ok(())
    });
    if let Err(failure) = asked {
        panic!("{failure}");
    }
}

#[test]
fn any_bytes_hold() {
    for (_, statement, _) in TARGETS {
        about_many(&proptest::collection::vec(any::<u8>(), 0..300), |input| {
            statement(&input);
        });
        about_many(&any::<String>(), |input| statement(input.as_bytes()));
    }
}

#[test]
fn nearly_valid_inputs_hold() {
    for (name, statement, _) in TARGETS {
        let (corpus, words) = (corpus(name), words(name));
        let inputs = (any::<Index>(), proptest::collection::vec(change(), 1..6));
        about_many(&inputs, |(file, changes)| {
            let input = corpus[file.index(corpus.len())].1.clone();
            statement(&changed(input, &changes, &corpus, &words));
        });
    }
}
