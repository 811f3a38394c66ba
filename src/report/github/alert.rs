//! The box at the top of a step summary: the verdict, and what to do.

use std::io::{self, Write};

use super::super::exit::{Conclusion, Exit};
use super::super::hint::Advice;
use crate::text::human::count;
use crate::text::markdown::{prose, text};

/// How many bytes the hints may have.
const HINTS: usize = 60_000;

/// How loud a box is, by the word that GitHub knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::report) enum Alert {
    /// Green.
    Tip,
    /// Blue.
    Note,
    /// Yellow.
    Warning,
    /// Red.
    Caution,
}

impl Alert {
    /// What a run that ends like this is shown as.
    pub(in crate::report) fn of(conclusion: Conclusion, cause: Exit, warnings: usize) -> Self {
        match (conclusion, cause) {
            (Conclusion::Skipped, _) => Self::Note,
            (Conclusion::Passed, _) if warnings == 0 => Self::Tip,
            (Conclusion::Failed, _) => Self::Caution,
            (Conclusion::Error, Exit::Configuration | Exit::Bug | Exit::RebuildNotStarted) => {
                Self::Caution
            }
            (Conclusion::Passed | Conclusion::Error, _) => Self::Warning,
        }
    }

    /// The sign that stands for it.
    pub(in crate::report) fn mark(self) -> &'static str {
        match self {
            Self::Tip => "✅",
            Self::Note => "⏭️",
            Self::Warning => "⚠️",
            Self::Caution => "❌",
        }
    }

    /// The attribute that opens what can be folded away, where something is wrong.
    pub(in crate::report) fn open(self) -> &'static str {
        match self {
            Self::Tip | Self::Note => "",
            Self::Warning | Self::Caution => " open",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Tip => "TIP",
            Self::Note => "NOTE",
            Self::Warning => "WARNING",
            Self::Caution => "CAUTION",
        }
    }

    /// Writes a box of these paragraphs; nothing without any.
    pub(in crate::report) fn write(
        self,
        paragraphs: &[String],
        out: &mut dyn Write,
    ) -> io::Result<()> {
        if paragraphs.is_empty() {
            return Ok(());
        }
        let paragraphs = paragraphs.join("\n>\n> ");
        writeln!(out, "> [!{}]\n> {paragraphs}\n", self.word())
    }
}

/// The first of these lines as a paragraph, and how many there are more; `None` without any.
pub(in crate::report) fn first_lines(
    mut lines: impl Iterator<Item = String>,
    all: usize,
    noun: &str,
) -> Option<String> {
    /// How many lines are shown.
    const SHOWN: usize = 5;
    let mut shown: Vec<String> = lines.by_ref().take(SHOWN).collect();
    if all > shown.len() && !shown.is_empty() {
        shown.push(format!("and {}", count(all - shown.len(), noun)));
    }
    (!shown.is_empty()).then(|| shown.join("<br>"))
}

/// The hints, a paragraph for each, as far as there is room.
pub(in crate::report) fn hints(advice: &[Advice]) -> Vec<String> {
    let mut room = HINTS;
    let mut paragraphs = Vec::new();
    for (shown, one) in advice.iter().enumerate() {
        let names = one.addressees().map(|names| format!(" ({})", text(&names)));
        let paragraph = hint(&names.unwrap_or_default(), &one.text());
        if paragraph.len() > room {
            let rest = count(advice.len() - shown, "more hint");
            paragraphs.push(format!("and {rest}, see the log of this step"));
            break;
        }
        room -= paragraph.len();
        paragraphs.push(paragraph);
    }
    paragraphs
}

/// A hint for these images.
pub(in crate::report) fn hint(addressees: &str, sentences: &str) -> String {
    format!("**Hint{addressees}:** {}", prose(sentences))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::hint::Hint;
    use crate::report::remedy::About;

    #[test]
    fn a_box_is_as_loud_as_the_verdict() {
        for (conclusion, cause, warnings, alert) in [
            (Conclusion::Passed, Exit::Verified, 0, Alert::Tip),
            (Conclusion::Passed, Exit::Verified, 1, Alert::Warning),
            (Conclusion::Failed, Exit::Broken, 0, Alert::Caution),
            (Conclusion::Failed, Exit::RebuildFailed, 0, Alert::Caution),
            (Conclusion::Error, Exit::Denied, 0, Alert::Warning),
            (Conclusion::Error, Exit::Unknown, 0, Alert::Warning),
            (Conclusion::Error, Exit::Interrupted, 0, Alert::Warning),
            (Conclusion::Error, Exit::Configuration, 0, Alert::Caution),
            (Conclusion::Skipped, Exit::Verified, 0, Alert::Note),
        ] {
            assert_eq!(Alert::of(conclusion, cause, warnings), alert, "{cause:?}");
        }
    }

    #[test]
    fn paragraphs_are_one_box() {
        let mut out = Vec::new();
        let paragraphs = ["one".to_owned(), "two".to_owned()];
        Alert::Caution.write(&paragraphs, &mut out).unwrap();
        Alert::Tip.write(&[], &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, "> [!CAUTION]\n> one\n>\n> two\n\n");
    }

    #[test]
    fn more_lines_and_hints_than_fit_are_counted() {
        let lines = (0..7).map(|number| number.to_string());
        assert_eq!(
            first_lines(lines, 7, "more image").unwrap(),
            "0<br>1<br>2<br>3<br>4<br>and 2 more images"
        );
        assert_eq!(first_lines(std::iter::empty(), 0, "more image"), None);
        let advice = Advice {
            hint: Hint::RateLimit,
            about: About::default(),
            images: Vec::new(),
            names: vec!["app:1".to_owned()],
        };
        let written = hints(&vec![advice; 1000]);
        assert!(written[0].starts_with("**Hint (app&#58;1):** the registry limits"));
        assert!(
            written[0].contains("<code>concurrency</code>"),
            "{written:?}"
        );
        let last = written.last().unwrap();
        assert!(last.starts_with("and ") && last.ends_with("see the log of this step"));
        assert!(written.concat().len() < HINTS + 100);
    }
}
