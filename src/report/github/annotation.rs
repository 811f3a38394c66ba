//! The message of an annotation: what is wrong, and what to do.

/// The runner shows ten annotations of one type per step; the tenth is the sum of the rest.
pub(in crate::report) const ANNOTATIONS: usize = 9;

/// The runner cuts a message at 4096 characters.
const LONGEST: usize = 4000;

/// The first lines and hints for which there is room. The first hint comes before any line but the
/// first.
pub(in crate::report) fn message(
    lines: &[String],
    hints: impl IntoIterator<Item = String>,
) -> String {
    let hints = hints.into_iter().map(|text| format!("hint: {text}"));
    let mut room = LONGEST;
    let mut fits = |text: &String| {
        let length = text.chars().count() + 1;
        let fits = length <= room;
        room -= if fits { length } else { 0 };
        fits
    };
    let mut hints = hints.peekable();
    let first_line = lines.iter().take(1).filter(|line| fits(line)).count();
    let first_hint = hints.next().filter(&mut fits);
    let more = (lines.iter().skip(1)).filter(|line| fits(line)).cloned();
    let mut shown: Vec<String> = lines.iter().take(first_line).cloned().collect();
    shown.extend(more);
    shown.extend(first_hint);
    shown.extend(hints.filter(fits));
    shown.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_comes_first_and_then_what_to_do() {
        let lines = vec!["one".to_owned(), "two".to_owned()];
        let hints = ["push it".to_owned(), "again".to_owned()];
        assert_eq!(
            message(&lines, hints),
            "one\ntwo\nhint: push it\nhint: again"
        );
        assert_eq!(message(&["one".to_owned()], None), "one");
    }

    #[test]
    fn the_hint_is_there_however_much_is_wrong() {
        let lines = vec!["é".repeat(1500); 9];
        let message = message(&lines, ["push it".to_owned(), "x".repeat(4000)]);
        assert!(message.chars().count() <= LONGEST, "{message}");
        assert!(message.ends_with("\nhint: push it"), "{message}");
        assert_eq!(message.lines().count(), 3);
    }
}
