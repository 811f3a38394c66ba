//! Lines that are broken between words.

/// How far the rest of a line is indented below its beginning.
const HANGING: usize = 4;

/// Narrower than this nothing is broken: there would be a word a line.
const NARROWEST: usize = 20;

/// The line, broken between words so that no piece is wider than `columns`, unless a word alone is.
///
/// Colours take no room. Blanks between two words of a piece stay as they are.
#[must_use]
pub(crate) fn wrapped(line: &str, columns: usize) -> String {
    if width(line) <= columns || columns < NARROWEST {
        return line.to_owned();
    }
    let text = line.trim_start_matches(' ');
    let indent = line.len() - text.len();
    let hanging = (indent + HANGING).min(columns / 2);
    let mut broken = line[..indent].to_owned();
    let (mut column, mut blanks, mut is_first) = (indent, 0, true);
    for word in text.split(' ') {
        let wide = width(word);
        if is_first {
            is_first = false;
        } else if column + blanks + 1 + wide > columns && !word.is_empty() {
            broken.push('\n');
            broken.push_str(&" ".repeat(hanging));
            (column, blanks) = (hanging, 0);
        } else if word.is_empty() {
            blanks += 1;
            continue;
        } else {
            broken.push_str(&" ".repeat(blanks + 1));
            (column, blanks) = (column + blanks + 1, 0);
        }
        broken.push_str(word);
        column += wide;
    }
    broken
}

/// How many characters are seen: all but our own colours.
fn width(text: &str) -> usize {
    let colours = text.split("\u{1b}[").skip(1);
    let invisible: usize = colours
        .filter_map(|rest| rest.find('m'))
        .map(|end| end + "\u{1b}[m".len())
        .sum();
    text.chars().count() - invisible
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_is_broken_between_words_and_its_rest_is_indented() {
        for (line, expected) in [
            ("short enough", "short enough"),
            (
                "one two three four five six",
                "one two three four\n    five six",
            ),
            (
                "  ✗ layer missing: expected it",
                "  ✗ layer missing:\n      expected it",
            ),
            ("name    tags  broken  x", "name    tags  broken\n    x"),
            ("exactly twenty chars", "exactly twenty chars"),
            (
                "word     and the same end",
                "word     and the\n    same end",
            ),
        ] {
            assert_eq!(wrapped(line, 20), expected);
        }
    }

    #[test]
    fn a_word_that_is_too_long_stands_alone_and_whole() {
        let digest = "sha256:0123456789012345678901234567890123456789";
        assert_eq!(
            wrapped(&format!("  layer {digest} missing"), 30),
            format!("  layer\n      {digest}\n      missing")
        );
        assert_eq!(wrapped(digest, 30), digest);
    }

    #[test]
    fn colours_take_no_room_and_stay_whole() {
        let line = "\u{1b}[1;31mone two three four\u{1b}[0m five";
        assert_eq!(
            wrapped(line, 20),
            "\u{1b}[1;31mone two three four\u{1b}[0m\n    five"
        );
        assert_eq!(wrapped(line, 23), line);
    }

    #[test]
    fn nothing_is_broken_where_there_is_no_room() {
        let line = "one two three four five six";
        assert_eq!(wrapped(line, NARROWEST - 1), line);
    }

    proptest! {
        #[test]
        fn no_word_is_lost_and_no_line_of_several_words_is_too_wide(
            line in " {0,9}([a-zé]{1,9} {1,3}){0,30}[a-z]{1,9}", columns in NARROWEST..90
        ) {
            let broken = wrapped(&line, columns);
            let words = |text: &str| -> Vec<String> {
                text.split_whitespace().map(str::to_owned).collect()
            };
            prop_assert_eq!(words(&broken), words(&line));
            for piece in broken.lines() {
                prop_assert!(piece.chars().count() <= columns, "{broken}");
            }
        }
    }
}
