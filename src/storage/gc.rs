//! Whether a garbage collection runs: it deletes what was just about to be linked.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;
use std::time::{Duration, Instant};

use oci_spec::image::Digest;

use super::place;
use crate::layout::root::Root;

/// The command of distribution, in every version.
const COMMAND: &[u8] = b"garbage-collect";

/// As much as is read of a command line, in bytes.
const LONGEST_COMMAND_LINE: u64 = 64 * 1024;

/// Where the processes of this machine are.
pub(super) const PROCESSES: &str = "/proc";

/// How long a look at the processes is believed.
const BELIEVED: Duration = Duration::from_secs(1);

/// Watches processes.
#[derive(Debug)]
pub(super) struct Watch {
    processes: &'static Path,
    looked: Option<Instant>,
}

impl Watch {
    /// Of the processes of this machine, or of those that another directory shows.
    pub(super) fn new(processes: &'static str) -> Self {
        Self {
            processes: Path::new(processes),
            looked: None,
        }
    }

    /// The process of a collection, by its number, if one is seen. None is no proof: it may run in
    /// a container, or on another machine.
    pub(super) fn look(&mut self) -> Option<u32> {
        if self.looked.is_some_and(|last| last.elapsed() < BELIEVED) {
            return None;
        }
        let seen = running(self.processes);
        self.looked = seen.is_none().then(Instant::now);
        seen
    }
}

fn running(processes: &Path) -> Option<u32> {
    let entries = fs::read_dir(processes).ok()?;
    entries.flatten().find_map(|entry| {
        let number = entry.file_name().to_str()?.parse().ok()?;
        let command_line = File::open(entry.path().join("cmdline")).ok()?;
        is_collection(command_line).then_some(number)
    })
}

/// Whether one of the arguments is the command. A script that only mentions it is none: what it
/// starts is seen by itself.
fn is_collection(command_line: impl io::Read) -> bool {
    let mut bytes = Vec::new();
    let read = command_line
        .take(LONGEST_COMMAND_LINE)
        .read_to_end(&mut bytes);
    read.is_ok() && bytes.split(|byte| *byte == 0).any(|word| word == COMMAND)
}

/// The first of these digests whose data is gone.
///
/// # Errors
///
/// When the disk cannot be read.
pub(super) fn first_gone<'a>(root: &Root, seen: &'a [Digest]) -> io::Result<Option<&'a Digest>> {
    for digest in seen {
        if root.file(place::data(digest))?.is_none() {
            return Ok(Some(digest));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt as _;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn only_an_argument_of_its_own_is_a_collection() {
        for (command_line, is) in [
            (
                &b"/bin/registry\0garbage-collect\0/etc/config.yml\0"[..],
                true,
            ),
            (
                b"docker\0exec\0registry\0registry\0garbage-collect\0-m",
                true,
            ),
            (
                b"sh\0-c\0registry garbage-collect c && pullproof repair",
                false,
            ),
            (b"vi\0garbage-collect.md\0", false),
            (b"", false),
        ] {
            assert_eq!(
                is_collection(command_line),
                is,
                "{}",
                command_line.escape_ascii()
            );
        }
    }

    #[test]
    fn a_process_that_collects_is_seen_until_it_ends() {
        let mut process = Command::new("sleep")
            .arg0("garbage-collect")
            .arg("60")
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        // Until it is `sleep`, it is still this program.
        let seen = (0..1000).find_map(|_| {
            std::thread::sleep(Duration::from_millis(10));
            running(Path::new(PROCESSES))
        });
        process.kill().unwrap();
        process.wait().unwrap();
        assert!(seen.is_some());
        assert_ne!(running(Path::new(PROCESSES)), Some(process.id()));
    }

    #[test]
    fn processes_that_cannot_be_read_are_no_collection() {
        assert_eq!(running(Path::new("/nowhere")), None);
    }
}
