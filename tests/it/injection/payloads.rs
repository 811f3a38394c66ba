//! Harmful texts, each with a mark by which it is recognised.

/// Commands of GitHub's runner and of others, ends of lines, controls of terminals, markup, and
/// invisible characters.
pub(super) const PAYLOADS: [&str; 13] = [
    "::error::OWNED",
    " \t\u{3000}::set-output name=result::OWNED",
    "##[error]OWNED ###[group]OWNED",
    "text before ##vso[task.setvariable variable=x]OWNED ##teamcity[OWNED]",
    "line\nINJECTED\r\n::error::OWNED\r::add-mask::OWNED\u{85}INJECTED\u{2028}INJECTED\u{b}INJECTED\u{c}INJECTED",
    "\u{1b}[31mred\u{1b}[2J\u{1b}]8;;https://evil.example\u{7}link\u{1b}]8;;\u{1b}\\\u{8}\u{7f}\u{0}",
    "\u{9b}31m\u{9d}8;;https://evil.example\u{9c}link\u{90}q\u{9c}",
    "**bold** _it_ ~~s~~ [link](https://evil.example) ![image](https://evil.example/a.png) \
     `code` | cell |",
    "<script>alert(1)</script><img src=x onerror=alert(1)><details><!-- &lt; ]]> \
     www.evil.example me@evil.example",
    "\u{202e}bidi\u{2066}more\u{200b}zero\u{feff}width\u{200d}\u{ad}\u{61c}\u{e0041}",
    "\" ' & %0A::error::OWNED %25 , : \\ ${{ secrets.X }} $(id)",
    "x<<EOF\nresult=OWNED\nEOF\nresult<<EOF\nOWNED\nEOF",
    "https://me:PASSWORD@evil.example/a?signature=SIGNATURE#[x](y)",
];

/// A few of them at once, as long as what is quoted at least.
pub(super) const SHORT: [&str; 3] = [
    "::error::OWNED\n::set-output name=result::OWNED\r##[error]OWNED\u{1b}[31m\u{9b}2J",
    "##vso[x]OWNED\u{202e}\u{200b}<img src=x>|`[a](https://evil.example)",
    "a\u{1b}]8;;https://evil.example\u{7}\r\nINJECTED\u{85}::add-mask::OWNED",
];

/// A megabyte of harmless text.
pub(super) fn megabyte() -> String {
    "long ".repeat(200_000)
}

/// The part of a text that fits a header.
pub(super) fn for_header(text: &str) -> String {
    text.chars()
        .filter(|letter| letter.is_ascii_graphic() || *letter == ' ')
        .collect()
}
