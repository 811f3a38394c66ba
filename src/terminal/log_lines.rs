//! The log: escaped single lines on standard error, or workflow commands for GitHub's runner.

use std::io::Write;
use std::sync::Mutex;

use indicatif::ProgressBar;
use log::{Level, LevelFilter, Log, Metadata, Record};

use super::output::Screen;
use crate::report::text::{Paint, Style};
use crate::text::escape;
use crate::text::log_target::{REPEATED, REPEATING};
use crate::text::wrap::wrapped;

/// The target of records that give advice rather than report an event.
pub(crate) const HINT: &str = "pullproof::hint";

/// Who reads the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// A person.
    Person,
    /// GitHub's runner, which turns commands into annotations.
    GitHub,
}

/// Writes this program's records and none of its libraries'.
pub(crate) struct LogLines {
    level: LevelFilter,
    reader: Reader,
    screen: Screen,
    bar: ProgressBar,
    /// Whether the bar is on a terminal, where a line can be replaced.
    on_terminal: bool,
    out: Mutex<Box<dyn Write + Send>>,
}

impl LogLines {
    /// Writes records up to `level` to `out`, which is such a screen, above the progress bar if
    /// there is one there.
    #[must_use]
    pub(crate) fn new(
        level: LevelFilter,
        reader: Reader,
        screen: Screen,
        bar: ProgressBar,
        out: Box<dyn Write + Send>,
    ) -> Self {
        Self {
            level,
            reader,
            screen,
            bar,
            on_terminal: false,
            out: Mutex::new(out),
        }
    }

    /// The same with the bar on a terminal.
    #[must_use]
    pub(crate) fn on_terminal(self, on_terminal: bool) -> Self {
        Self {
            on_terminal,
            ..self
        }
    }

    /// Makes it the log of this process.
    ///
    /// # Errors
    /// When there is one already.
    pub(crate) fn install(self) -> Result<(), log::SetLoggerError> {
        let level = self.level;
        log::set_boxed_logger(Box::new(self))?;
        log::set_max_level(level);
        Ok(())
    }
}

impl Log for LogLines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let target = metadata.target();
        let ours = target == "pullproof" || target.starts_with("pullproof::");
        ours && metadata.level() <= self.level
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let line = line(record, self.reader, self.screen);
        match record.target() {
            REPEATING if self.on_terminal => return self.bar.set_message(line),
            REPEATING => return,
            REPEATED if self.on_terminal => return,
            _ => {}
        }
        let line = match self.screen.columns {
            Some(columns) => wrapped(&line, columns),
            None => line,
        };
        self.bar.suspend(|| {
            if let Ok(mut out) = self.out.lock() {
                // There is nowhere left to report it.
                let _ = writeln!(out, "{line}");
            }
        });
    }

    fn flush(&self) {
        if let Ok(mut out) = self.out.lock() {
            let _ = out.flush();
        }
    }
}

fn line(record: &Record<'_>, reader: Reader, screen: Screen) -> String {
    let text = escape::line(&record.args().to_string());
    let command = match record.level() {
        _ if record.target() == HINT => "",
        Level::Error => "error",
        Level::Warn => "warning",
        Level::Info => "",
        Level::Debug | Level::Trace => "debug",
    };
    let style = Style {
        colour: screen.colour,
        ..Style::default()
    };
    let begun = |paint: Paint, word: &str| format!("{}: {text}", style.paint(paint, word));
    match reader {
        Reader::GitHub if !command.is_empty() => {
            format!("::{command}::{}", escape::command_message(&text))
        }
        _ if record.target() == HINT => begun(Paint::Doubt, "hint"),
        _ => match record.level() {
            Level::Error => begun(Paint::Bad, "error"),
            Level::Warn => begun(Paint::Doubt, "warning"),
            Level::Info => text,
            Level::Debug => begun(Paint::Plain, "debug"),
            Level::Trace => begun(Paint::Plain, "trace"),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[derive(Clone, Default)]
    struct Out(Arc<Mutex<Vec<u8>>>);

    impl Write for Out {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// What the log shows of one record.
    fn logged(reader: Reader, level: Level, target: &str, text: &str) -> String {
        shown(Screen::default(), reader, level, target, text)
    }

    fn shown(screen: Screen, reader: Reader, level: Level, target: &str, text: &str) -> String {
        let out = Out::default();
        let lines = LogLines::new(
            LevelFilter::Debug,
            reader,
            screen,
            ProgressBar::hidden(),
            Box::new(out.clone()),
        );
        lines.log(
            &Record::builder()
                .level(level)
                .target(target)
                .args(format_args!("{text}"))
                .build(),
        );
        let bytes = out.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_person_reads_the_level_in_words() {
        for (level, target, line) in [
            (Level::Error, "pullproof", "error: text\n"),
            (Level::Warn, "pullproof::settings", "warning: text\n"),
            (Level::Info, "pullproof", "text\n"),
            (Level::Info, HINT, "hint: text\n"),
            (Level::Debug, "pullproof", "debug: text\n"),
            (Level::Trace, "pullproof", ""),
            (Level::Error, "reqwest", ""),
            (Level::Error, "pullproofing", ""),
        ] {
            assert_eq!(
                logged(Reader::Person, level, target, "text"),
                line,
                "{level} {target}"
            );
        }
    }

    #[test]
    fn only_the_first_word_is_coloured() {
        let coloured = Screen {
            colour: true,
            columns: None,
        };
        for (reader, level, target, line) in [
            (
                Reader::Person,
                Level::Error,
                "pullproof",
                "\u{1b}[1;31merror\u{1b}[0m: text\n",
            ),
            (
                Reader::Person,
                Level::Warn,
                "pullproof",
                "\u{1b}[33mwarning\u{1b}[0m: text\n",
            ),
            (
                Reader::GitHub,
                Level::Info,
                HINT,
                "\u{1b}[33mhint\u{1b}[0m: text\n",
            ),
            (Reader::Person, Level::Info, "pullproof", "text\n"),
            (Reader::Person, Level::Debug, "pullproof", "debug: text\n"),
            (Reader::GitHub, Level::Error, "pullproof", "::error::text\n"),
        ] {
            assert_eq!(
                shown(coloured, reader, level, target, "text"),
                line,
                "{level} {target}"
            );
        }
    }

    #[test]
    fn a_record_is_broken_between_words_on_a_terminal() {
        let narrow = Screen {
            colour: true,
            columns: Some(20),
        };
        let line = shown(
            narrow,
            Reader::Person,
            Level::Warn,
            "pullproof",
            "one two three four",
        );
        assert_eq!(
            line,
            "\u{1b}[33mwarning\u{1b}[0m: one two\n    three four\n"
        );
    }

    #[test]
    fn the_runner_reads_commands() {
        for (level, target, line) in [
            (Level::Error, "pullproof", "::error::100%25\n"),
            (Level::Warn, "pullproof", "::warning::100%25\n"),
            (Level::Info, "pullproof", "100%\n"),
            (Level::Warn, HINT, "hint: 100%\n"),
            (Level::Debug, "pullproof", "::debug::100%25\n"),
        ] {
            assert_eq!(
                logged(Reader::GitHub, level, target, "100%"),
                line,
                "{level} {target}"
            );
        }
    }

    #[test]
    fn requests_that_are_sent_again_are_one_line_of_a_terminal_and_few_of_a_log() {
        for (on_terminal, written, shown) in [(true, "other\n", "now"), (false, "few\nother\n", "")]
        {
            let (out, bar) = (Out::default(), ProgressBar::hidden());
            let (level, reader) = (LevelFilter::Info, Reader::Person);
            let lines = LogLines::new(
                level,
                reader,
                Screen::default(),
                bar.clone(),
                Box::new(out.clone()),
            );
            let lines = lines.on_terminal(on_terminal);
            for (target, text) in [
                (REPEATED, "few"),
                (REPEATING, "before"),
                (REPEATING, "now"),
                ("pullproof", "other"),
            ] {
                lines.log(
                    &Record::builder()
                        .level(Level::Info)
                        .target(target)
                        .args(format_args!("{text}"))
                        .build(),
                );
            }
            let bytes = out.0.lock().unwrap().clone();
            assert_eq!(String::from_utf8(bytes).unwrap(), written);
            assert_eq!(bar.message(), shown);
        }
    }

    #[test]
    fn a_record_is_one_line_without_commands() {
        let foreign = "::error::a\n::set-output name=x::y ##[error]\u{1b}[31m";
        let line = logged(Reader::Person, Level::Info, "pullproof", foreign);
        assert_eq!(
            line,
            ".::error::a ::set-output name=x::y # #[error]\\u{1b}[31m\n"
        );
        let command = logged(Reader::GitHub, Level::Warn, "pullproof", "a\r\nb");
        assert_eq!(command, "::warning::a  b\n");
    }
}
