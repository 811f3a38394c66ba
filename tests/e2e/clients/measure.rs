//! Has every client pull every image, several at a time.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use super::corpus::{Case, control, selected};
use super::draft::TAG;
use super::pull::{Client, Engines};
use crate::support::fake::Registry;

/// So many pulls at a time: half of a pull is waiting.
const PARALLEL: usize = 4;

/// What a client did with an image: nothing but its exit code counts; what it printed is for the
/// reader.
pub(super) type Word = Result<(), String>;

/// What every client did with every image.
pub(super) struct Measured {
    /// The clients that were there.
    pub(super) clients: Vec<Client>,
    /// The images.
    pub(super) cases: Vec<Case>,
    /// Whether these are only some.
    pub(super) selected: bool,
    words: BTreeMap<(String, Client), Word>,
}

/// Measured once, for all tests.
pub(super) fn measured() -> &'static Measured {
    static MEASURED: OnceLock<Measured> = OnceLock::new();
    MEASURED.get_or_init(Measured::new)
}

impl Measured {
    fn new() -> Self {
        let registry = Registry::start();
        registry.lenient();
        let engines = Engines::start();
        let clients = engines.clients();
        let (cases, selected) = selected();
        for client in &clients {
            pull_control(&registry, &engines, *client, "before");
        }
        let questions: Vec<_> = cases
            .iter()
            .flat_map(|case| clients.iter().map(move |client| (case, *client)))
            .collect();
        let notes = Mutex::new(Notes::new());
        let answers = in_parallel(&questions, |(case, client)| {
            let started = Instant::now();
            let word = word(&registry, &engines, case, *client);
            let mut notes = notes.lock().expect("no thread panics");
            notes.note(case, *client, &word, started.elapsed());
            ((case.name.clone(), *client), word)
        });
        for client in &clients {
            pull_control(&registry, &engines, *client, "after");
        }
        Self {
            clients,
            cases,
            selected,
            words: answers.into_iter().collect(),
        }
    }

    /// What a client did with an image.
    pub(super) fn word(&self, case: &Case, client: Client) -> &Word {
        &self.words[&(case.name.clone(), client)]
    }
}

/// A line for each pull, with its time and the last line that the client printed, for who wonders
/// why.
struct Notes(File);

impl Notes {
    fn new() -> Self {
        let path = concat!(env!("CARGO_TARGET_TMPDIR"), "/clients.tsv");
        Self(File::create(path).expect("the target directory can be written"))
    }

    fn note(&mut self, case: &Case, client: Client, word: &Word, took: Duration) {
        let (word, printed) = match word {
            Ok(()) => ("pulls", ""),
            Err(printed) => ("fails", printed.as_str()),
        };
        let line = printed.lines().rfind(|line| !line.trim().is_empty());
        let line = line.unwrap_or_default().trim();
        writeln!(
            self.0,
            "{}\t{}\t{word}\t{line}\t{took:?}",
            case.name,
            client.title()
        )
        .expect("the target directory can be written");
    }
}

/// Maps in several threads; the order stays.
pub(super) fn in_parallel<Q: Sync, A: Send>(
    questions: &[Q],
    answer: impl Fn(&Q) -> A + Sync,
) -> Vec<A> {
    let next = Mutex::new(questions.iter().enumerate());
    let answers = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..PARALLEL {
            scope.spawn(|| {
                loop {
                    let question = next.lock().expect("no thread panics").next();
                    let Some((place, question)) = question else {
                        break;
                    };
                    let answer = answer(question);
                    answers
                        .lock()
                        .expect("no thread panics")
                        .push((place, answer));
                }
            });
        }
    });
    let mut answers = answers.into_inner().expect("no thread panics");
    answers.sort_by_key(|(place, _)| *place);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// A failure counts when it happens twice.
fn word(registry: &Registry, engines: &Engines, case: &Case, client: Client) -> Word {
    pull(registry, engines, case, client, "1")
        .or_else(|_| pull(registry, engines, case, client, "2"))
}

fn pull(registry: &Registry, engines: &Engines, case: &Case, client: Client, time: &str) -> Word {
    let repository = format!("{}/{}-{time}", case.name, client.word());
    case.draft(&repository).serve(registry, &repository);
    let word = engines.pull(client, &format!("{}/{repository}:{TAG}", registry.host()));
    registry.drop_repository(&repository);
    word
}

/// A daemon that is down refuses everything.
fn pull_control(registry: &Registry, engines: &Engines, client: Client, time: &str) {
    pull(registry, engines, &control(), client, time)
        .unwrap_or_else(|error| panic!("{} cannot pull a whole image: {error}", client.title()));
}
