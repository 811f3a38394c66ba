//! Colours for terminals.

/// How the text is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// With ANSI colours.
    pub colour: bool,
    /// A line for every digest, whole ones too.
    pub verbose: bool,
    /// Without images that pass.
    pub only_failures: bool,
}

/// What a colour means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// Bold green.
    Good,
    /// Bold red.
    Bad,
    /// Yellow.
    Doubt,
    /// As it is.
    Plain,
}

impl Style {
    /// The text in its colour, or as it is when no colours are wanted.
    #[must_use]
    pub fn paint(self, paint: Paint, text: &str) -> String {
        let code = match paint {
            _ if !self.colour => "",
            Paint::Good => "1;32",
            Paint::Bad => "1;31",
            Paint::Doubt => "33",
            Paint::Plain => "",
        };
        if code.is_empty() {
            text.to_owned()
        } else {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        }
    }
}
