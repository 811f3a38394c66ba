//! Words that many nodes share, each held once: media types, platforms, what was found.

use std::hash::{BuildHasher as _, RandomState};

use hashbrown::HashTable;

use crate::oci::platform::Platform;

/// The longest detail that is kept, in characters; every format shows fewer.
const LONGEST_DETAIL: usize = 600;

/// How much room all details together may take, in bytes; beyond it only their beginnings are kept.
const DETAILS: usize = 1024 * 1024;

/// How much of a detail is kept beyond that, in characters.
const BEGINNING: usize = 40;

/// The texts of one graph. Equal texts have equal numbers; the empty text is 0.
#[derive(Debug)]
pub(super) struct Texts {
    text: String,
    ends: Vec<(u32, u32)>,
    known: HashTable<u32>,
    state: RandomState,
    details: usize,
}

impl Default for Texts {
    fn default() -> Self {
        let mut texts = Self {
            text: String::new(),
            ends: Vec::new(),
            known: HashTable::new(),
            state: RandomState::new(),
            details: 0,
        };
        texts.number("");
        texts
    }
}

impl Texts {
    /// The number of a text.
    pub(super) fn number(&mut self, text: &str) -> u32 {
        let hash = self.state.hash_one(text);
        if let Some(known) = self.known.find(hash, |number| self.get(*number) == text) {
            return *known;
        }
        let number = place(self.ends.len());
        let start = place(self.text.len());
        self.text.push_str(text);
        self.ends.push((start, place(self.text.len())));
        let (ends, all, state) = (&self.ends, &self.text, &self.state);
        self.known.insert_unique(hash, number, |number| {
            state.hash_one(slice(all, ends, *number))
        });
        number
    }

    /// The number of a detail, cut where it is long or there are very many.
    pub(super) fn detail(&mut self, text: &str) -> u32 {
        let before = self.text.len();
        let longest = if self.details < DETAILS {
            LONGEST_DETAIL
        } else {
            BEGINNING
        };
        let number = match text.char_indices().nth(longest) {
            Some((end, _)) => self.number(&format!("{}…", &text[..end])),
            None => self.number(text),
        };
        self.details += self.text.len() - before;
        number
    }

    /// The text of a number.
    pub(super) fn get(&self, number: u32) -> &str {
        slice(&self.text, &self.ends, number)
    }

    /// Changes every text; their numbers stay.
    pub(super) fn change(&mut self, change: impl Fn(&str) -> String) {
        let mut changed = String::with_capacity(self.text.len());
        for (start, end) in &mut self.ends {
            let text = change(&self.text[*start as usize..*end as usize]);
            *start = place(changed.len());
            changed.push_str(&text);
            *end = place(changed.len());
        }
        self.text = changed;
        self.known.clear();
    }

    /// How much room the texts take, in bytes, without details.
    pub(super) fn size(&self) -> usize {
        self.text.len() - self.details
    }
}

fn place(length: usize) -> u32 {
    u32::try_from(length).expect("a graph has less than 4 GiB of text")
}

/// How much room an allocator needs for the parts of a platform, in bytes: 16 at a time, after a word of its own.
fn room(platform: &Platform) -> usize {
    let parts = [
        Some(&platform.os),
        Some(&platform.architecture),
        platform.variant.as_ref(),
    ];
    parts
        .into_iter()
        .flatten()
        .map(|part| {
            (part.len() + size_of::<usize>())
                .next_multiple_of(16)
                .max(32)
        })
        .sum()
}

fn slice<'a>(text: &'a str, ends: &[(u32, u32)], number: u32) -> &'a str {
    let (start, end) = ends[number as usize];
    &text[start as usize..end as usize]
}

/// The platforms of one graph. Equal platforms have equal numbers, and 0 is none.
#[derive(Debug, Default)]
pub(super) struct Platforms {
    list: Vec<Platform>,
    known: HashTable<u32>,
    state: RandomState,
    size: usize,
}

impl Platforms {
    /// The number of a platform.
    pub(super) fn number(&mut self, platform: Option<&Platform>) -> u32 {
        let Some(platform) = platform else { return 0 };
        let hash = self.state.hash_one(platform);
        if let Some(known) = self
            .known
            .find(hash, |number| self.get(*number) == Some(platform))
        {
            return *known;
        }
        self.list.push(platform.clone());
        self.size += size_of::<Platform>() + room(platform);
        let number = u32::try_from(self.list.len()).expect("the walk stops at 100,000 nodes");
        let (list, state) = (&self.list, &self.state);
        self.known.insert_unique(hash, number, |number| {
            state.hash_one(&list[*number as usize - 1])
        });
        number
    }

    /// Changes every part of every platform; their numbers stay.
    pub(super) fn change(&mut self, change: impl Fn(&str) -> String) {
        self.known.clear();
        for Platform {
            os,
            architecture,
            variant,
        } in &mut self.list
        {
            for part in [Some(os), Some(architecture), variant.as_mut()]
                .into_iter()
                .flatten()
            {
                *part = change(part).into_boxed_str();
            }
        }
    }

    /// The platform of a number.
    pub(super) fn get(&self, number: u32) -> Option<&Platform> {
        self.list.get((number as usize).checked_sub(1)?)
    }

    /// How much room they take, in bytes.
    pub(super) fn size(&self) -> usize {
        self.size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_and_platforms_are_held_once() {
        let mut texts = Texts::default();
        let numbers = ["a", "", "b", "a", "ab", "b"].map(|text| texts.number(text));
        assert_eq!(numbers, [1, 0, 2, 1, 3, 2]);
        assert_eq!(
            numbers.map(|number| texts.get(number)),
            ["a", "", "b", "a", "ab", "b"]
        );
        assert_eq!(texts.size(), 4);
        let mut platforms = Platforms::default();
        let [amd, arm] =
            ["linux/amd64", "linux/arm64/v8"].map(|text| text.parse::<Platform>().unwrap());
        let numbers =
            [Some(&amd), None, Some(&arm), Some(&amd)].map(|platform| platforms.number(platform));
        assert_eq!(numbers, [1, 0, 2, 1]);
        assert_eq!(
            numbers.map(|number| platforms.get(number).cloned()),
            [Some(amd.clone()), None, Some(arm), Some(amd)]
        );
        assert_eq!(platforms.size(), 2 * size_of::<Platform>() + (2 + 3) * 32);
    }

    #[test]
    fn texts_and_platforms_change_under_their_numbers() {
        let mut texts = Texts::default();
        let numbers = ["one", "", "two secrets", "three"].map(|text| texts.number(text));
        texts.change(|text| text.replace("secret", "[hidden]"));
        assert_eq!(
            numbers.map(|number| texts.get(number)),
            ["one", "", "two [hidden]s", "three"]
        );
        let more = texts.number("four");
        assert_eq!(texts.get(more), "four");
        let mut platforms = Platforms::default();
        let number = platforms.number(Some(&"secret/amd64/secret".parse().unwrap()));
        platforms.change(|text| text.replace("secret", "-"));
        assert_eq!(platforms.get(number).unwrap().to_string(), "-/amd64/-");
    }

    #[test]
    fn a_thousand_texts_and_platforms_keep_their_numbers() {
        let (mut texts, mut platforms) = (Texts::default(), Platforms::default());
        for _ in 0..2 {
            for number in 1..=1000 {
                let text = format!("linux/{number}");
                assert_eq!(texts.number(&text), number);
                assert_eq!(platforms.number(Some(&text.parse().unwrap())), number);
            }
        }
    }

    #[test]
    fn details_are_kept_whole_up_to_a_mebibyte() {
        let mut texts = Texts::default();
        let detail = |number: u32| format!("{number:512}");
        for number in 0..2048 {
            let kept = texts.detail(&detail(number));
            assert_eq!(texts.get(kept), detail(number));
        }
        let cut = texts.detail(&detail(2048));
        assert_eq!(texts.get(cut).chars().count(), BEGINNING + 1);
    }

    #[test]
    fn details_stay_within_their_room() {
        let mut texts = Texts::default();
        let long = texts.detail(&"é".repeat(LONGEST_DETAIL + 1));
        assert_eq!(texts.get(long), format!("{}…", "é".repeat(LONGEST_DETAIL)));
        for number in 0..100_000 {
            texts.detail(&format!(
                "expected it to be there, got {number} {}",
                "x".repeat(200)
            ));
        }
        // Of what came later only so much is kept of each.
        assert!(
            texts.details < DETAILS + 100_000 * 45,
            "{} bytes",
            texts.details
        );
        let cut = texts.detail(&format!(
            "expected it to be there, got number {}",
            "y".repeat(200)
        ));
        assert_eq!(
            texts.get(cut),
            format!(
                "{}…",
                "expected it to be there, got number yyyyyyyyyyyyyyyyyyyyy"
                    .chars()
                    .take(BEGINNING)
                    .collect::<String>()
            )
        );
        assert_eq!(texts.size(), 0);
    }
}
