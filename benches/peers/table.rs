//! The figures as Markdown, and their place in `docs/benchmarks.md`.

use std::fmt::Write as _;
use std::time::Duration;

use super::race::Result;

const BEGIN: &str = "<!-- bench:begin -->";
const END: &str = "<!-- bench:end -->";

/// Tables under headings, as they grow.
#[derive(Default)]
pub(crate) struct Page(String);

impl Page {
    /// The whole text.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// A heading, and a line below it.
    pub(crate) fn heading(&mut self, heading: &str, line: &str) {
        let gap = if self.0.is_empty() { "" } else { "\n" };
        let _ = write!(self.0, "{gap}## {heading}\n\n{line}\n");
    }

    /// A paragraph.
    pub(crate) fn paragraph(&mut self, text: &str) {
        let _ = write!(self.0, "\n{text}\n");
    }

    /// What a race showed; the first contestant is the one the others are held against.
    pub(crate) fn race(&mut self, results: &[Result]) {
        let first = results.first().expect("somebody ran").median();
        let mut table = Table::new(&[
            "",
            "median",
            "min–max",
            "times as long",
            "memory at most",
            "runs",
        ]);
        for result in results {
            table.row(&[
                result.name.clone(),
                time(result.median()),
                format!("{}–{}", time(result.least()), time(result.most())),
                format!("{:.2}", result.median().as_secs_f64() / first.as_secs_f64()),
                megabytes(result.peak),
                result.rounds().to_string(),
            ]);
        }
        self.table(&table);
    }

    /// Any table.
    pub(crate) fn table(&mut self, table: &Table) {
        let _ = write!(self.0, "\n{}", table.0);
    }
}

/// Rows and columns.
pub(crate) struct Table(String);

impl Table {
    /// With these words at the heads of its columns.
    pub(crate) fn new(heads: &[&str]) -> Self {
        let line: Vec<&str> = (0..heads.len())
            .map(|at| if at == 0 { "---" } else { "--:" })
            .collect();
        Self(format!(
            "| {} |\n| {} |\n",
            heads.join(" | "),
            line.join(" | ")
        ))
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: &[String]) {
        let _ = writeln!(self.0, "| {} |", cells.join(" | "));
    }
}

/// A time for people.
pub(crate) fn time(time: Duration) -> String {
    match time.as_secs_f64() {
        seconds if seconds < 0.0995 => format!("{:.1} ms", seconds * 1e3),
        seconds if seconds < 0.9995 => format!("{:.0} ms", seconds * 1e3),
        seconds => format!("{seconds:.2} s"),
    }
}

/// A number of bytes for people.
pub(crate) fn megabytes(bytes: u64) -> String {
    let tenths = bytes / 100_000;
    format!("{}.{} MB", tenths / 10, tenths % 10)
}

/// Puts a text between the marks of a page.
///
/// # Errors
/// When the file cannot be read or written, or has no marks.
pub(crate) fn put_into(page: &std::path::Path, text: &str) -> std::result::Result<(), String> {
    let old =
        std::fs::read_to_string(page).map_err(|error| format!("{}: {error}", page.display()))?;
    let place = old
        .find(BEGIN)
        .zip(old.find(END))
        .filter(|(begin, end)| begin < end);
    let (begin, end) =
        place.ok_or_else(|| format!("{} has no {BEGIN} before {END}", page.display()))?;
    let new = format!(
        "{}{BEGIN}\n{}\n{}",
        &old[..begin],
        text.trim_end(),
        &old[end..]
    );
    std::fs::write(page, new).map_err(|error| format!("{}: {error}", page.display()))
}
