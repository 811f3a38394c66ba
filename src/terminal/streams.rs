//! What an audit writes as it goes: the JSON report, JUnit, the list of broken tags.

use std::fs::File;
use std::io::{self, BufWriter, Stdout, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use log::error;

use super::deliver::{is_printed, make_folder, unwritable};
use crate::report::audit::{Audit, write_broken};
use crate::report::judged::Judged;
use crate::report::{json, junit};
use crate::settings::AuditSettings;

/// Everything that is written repository by repository. What cannot be written is said once, and
/// left.
pub(crate) struct Streams {
    report: Option<Sink>,
    junit: Option<Sink>,
    broken: Option<Sink>,
    printed: Option<BufWriter<Stdout>>,
    started_at: SystemTime,
    /// How many repositories were written.
    number: usize,
    is_complete: bool,
}

struct Sink {
    setting: &'static str,
    path: PathBuf,
    out: BufWriter<File>,
}

impl Streams {
    /// Opens what the settings ask for, and writes the beginnings.
    pub(crate) fn open(
        settings: &AuditSettings,
        kind: &'static str,
        started_at: SystemTime,
    ) -> Self {
        let output = &settings.output;
        let mut streams = Self {
            report: None,
            junit: None,
            broken: None,
            printed: output.prints_json().then(|| BufWriter::new(io::stdout())),
            started_at,
            number: 0,
            is_complete: true,
        };
        streams.report = streams.sink("report", output.report.as_deref());
        streams.junit = streams.sink("junit", output.junit.as_deref());
        streams.broken = streams.sink("broken_list", settings.broken_list.as_deref());
        let depth = settings.rules.depth;
        streams.write_json(|out| json::write_opening(kind, depth, started_at, out));
        streams.write_junit(junit::write_opening);
        streams
    }

    fn sink(&mut self, setting: &'static str, path: Option<&Path>) -> Option<Sink> {
        let path = path?;
        let opened = make_folder(path).and_then(|()| File::create(path));
        match opened {
            Ok(file) => Some(Sink {
                setting,
                path: path.to_owned(),
                out: BufWriter::new(file),
            }),
            Err(failure) => {
                error!("{}", unwritable(setting, path, &failure));
                self.is_complete = false;
                None
            }
        }
    }

    /// Writes a repository.
    pub(crate) fn add(&mut self, judged: &Judged<'_>) {
        let (number, started_at) = (self.number, self.started_at);
        self.number += 1;
        self.write_json(|out| json::write_repository(judged, number, out));
        self.write_junit(|out| junit::write_repository(judged, started_at, out));
        self.is_complete &= write_to(&mut self.broken, |out| write_broken(judged, out));
    }

    /// Writes the ends; whether everything was written.
    pub(crate) fn close(mut self, audit: &Audit) -> bool {
        self.write_json(|out| json::write_closing(audit, out));
        self.write_junit(|out| junit::write_closing(audit, out));
        for sink in [&mut self.report, &mut self.junit, &mut self.broken] {
            self.is_complete &= write_to(sink, |out| out.flush());
        }
        if let Some(mut printed) = self.printed {
            self.is_complete &= is_printed(printed.flush());
        }
        self.is_complete
    }

    fn write_json(&mut self, write: impl Fn(&mut dyn Write) -> io::Result<()>) {
        self.is_complete &= write_to(&mut self.report, &write);
        if let Some(printed) = &mut self.printed {
            let is_printed = is_printed(write(printed));
            self.is_complete &= is_printed;
            self.printed.take_if(|_| !is_printed);
        }
    }

    fn write_junit(&mut self, write: impl Fn(&mut dyn Write) -> io::Result<()>) {
        self.is_complete &= write_to(&mut self.junit, write);
    }
}

/// Writes to a file, if it is there; one that fails is not there any more.
fn write_to(sink: &mut Option<Sink>, write: impl Fn(&mut dyn Write) -> io::Result<()>) -> bool {
    let Some(to) = sink else {
        return true;
    };
    let Err(failure) = write(&mut to.out) else {
        return true;
    };
    error!("{}", unwritable(to.setting, &to.path, &failure));
    *sink = None;
    false
}
