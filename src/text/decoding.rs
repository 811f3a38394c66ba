//! A text with the encodings in it undone, and where each byte of it comes from.

/// The names of the characters that HTML gives one: what is ASCII and neither letter nor digit.
const ENTITIES: [(&str, u8); 34] = [
    ("amp", b'&'),
    ("apos", b'\''),
    ("ast", b'*'),
    ("bsol", b'\\'),
    ("colon", b':'),
    ("comma", b','),
    ("commat", b'@'),
    ("dollar", b'$'),
    ("equals", b'='),
    ("excl", b'!'),
    ("grave", b'`'),
    ("gt", b'>'),
    ("hat", b'^'),
    ("lbrace", b'{'),
    ("lbrack", b'['),
    ("lcub", b'{'),
    ("lowbar", b'_'),
    ("lpar", b'('),
    ("lsqb", b'['),
    ("lt", b'<'),
    ("num", b'#'),
    ("percnt", b'%'),
    ("period", b'.'),
    ("plus", b'+'),
    ("quest", b'?'),
    ("quot", b'"'),
    ("rbrace", b'}'),
    ("rbrack", b']'),
    ("rcub", b'}'),
    ("rpar", b')'),
    ("rsqb", b']'),
    ("semi", b';'),
    ("sol", b'/'),
    ("verbar", b'|'),
];

/// The longest escape that is read, in bytes.
const LONGEST: usize = 16;

/// A text, or what is left of it when its encodings are undone.
pub(super) struct View {
    /// The bytes.
    pub(super) bytes: Vec<u8>,
    /// Where each begins in the original, and where that ends; `None` for the original itself.
    starts: Option<Vec<usize>>,
}

impl View {
    /// A text as it is.
    pub(super) fn of(text: &str) -> Self {
        Self {
            bytes: text.as_bytes().to_vec(),
            starts: None,
        }
    }

    /// The same with one layer of percent-encoding, of HTML's entities, of JSON's escapes and of
    /// those of programming languages undone; `None` when there is nothing to undo.
    pub(super) fn decoded(&self) -> Option<Self> {
        if !self.bytes.iter().any(|byte| b"%&\\".contains(byte)) {
            return None;
        }
        let (mut bytes, mut starts) = (Vec::new(), Vec::new());
        let mut at = 0;
        while at < self.bytes.len() {
            let rest = &self.bytes[at..];
            let start = self.start(at);
            if let Some((decoded, length)) = escape(&rest[..rest.len().min(LONGEST)]) {
                starts.resize(starts.len() + decoded.len(), start);
                bytes.extend(decoded);
                at += length;
            } else {
                bytes.push(rest[0]);
                starts.push(start);
                at += 1;
            }
        }
        starts.push(self.start(at));
        (bytes.len() < self.bytes.len()).then_some(Self {
            bytes,
            starts: Some(starts),
        })
    }

    /// The part of the original text that these bytes come from, in whole characters.
    pub(super) fn origin(&self, text: &str, start: usize, end: usize) -> (usize, usize) {
        let (mut start, mut end) = (self.start(start), self.start(end));
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        while !text.is_char_boundary(end) {
            end += 1;
        }
        (start, end)
    }

    fn start(&self, at: usize) -> usize {
        self.starts.as_ref().map_or(at, |starts| starts[at])
    }
}

/// The bytes that an escape at the start stands for, and its length.
fn escape(text: &[u8]) -> Option<(Vec<u8>, usize)> {
    match text.first()? {
        b'%' => hexadecimal(text.get(1..3)?).map(|byte| (vec![byte], 3)),
        b'&' => entity(text),
        b'\\' => backslash(text),
        _ => None,
    }
}

fn hexadecimal(digits: &[u8]) -> Option<u8> {
    number(digits, 16).and_then(|number| u8::try_from(number).ok())
}

/// A number in digits alone.
fn number(digits: &[u8], radix: u32) -> Option<u32> {
    let digits = str::from_utf8(digits).ok()?;
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_alphanumeric());
    u32::from_str_radix(digits, radix).ok().filter(|_| is_plain)
}

fn encoded(number: u32) -> Option<Vec<u8>> {
    Some(char::from_u32(number)?.to_string().into_bytes())
}

/// `&amp;`, `&#38;`, `&#x26;`.
fn entity(text: &[u8]) -> Option<(Vec<u8>, usize)> {
    let end = text.iter().position(|byte| *byte == b';')?;
    let decoded = match &text[1..end] {
        [b'#', b'x' | b'X', digits @ ..] => encoded(number(digits, 16)?)?,
        [b'#', digits @ ..] => encoded(number(digits, 10)?)?,
        name => {
            let known = ENTITIES
                .iter()
                .find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name))?;
            vec![known.1]
        }
    };
    Some((decoded, end + 1))
}

/// `\/`, `\n`, `\u002f`, `\u{2f}`, `\x2f`.
fn backslash(text: &[u8]) -> Option<(Vec<u8>, usize)> {
    let plain = |byte| Some((vec![byte], 2));
    match text.get(1)? {
        b'u' if text.get(2) == Some(&b'{') => {
            let end = text.iter().position(|byte| *byte == b'}')?;
            Some((encoded(number(&text[3..end], 16)?)?, end + 1))
        }
        b'u' => {
            let first = number(text.get(2..6)?, 16)?;
            if let Some(whole) = encoded(first) {
                return Some((whole, 6));
            }
            let second = text.get(8..12).filter(|_| &text[6..8] == br"\u")?;
            let pair = [
                u16::try_from(first).ok()?,
                u16::try_from(number(second, 16)?).ok()?,
            ];
            Some((String::from_utf16(&pair).ok()?.into_bytes(), 12))
        }
        b'x' => hexadecimal(text.get(2..4)?).map(|byte| (vec![byte], 4)),
        b'n' => plain(b'\n'),
        b'r' => plain(b'\r'),
        b't' => plain(b'\t'),
        mark if mark.is_ascii_punctuation() => plain(*mark),
        _ => None,
    }
}
