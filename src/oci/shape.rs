//! The types that clients expect in documents: they read JSON into typed fields, each client into
//! its own, and one value of another type makes it refuse the whole document.
//!
//! As Go's `encoding/json` does it: `null` is accepted everywhere, names are compared without
//! regard to case, names that are not known are skipped. Nothing is kept, so a hostile document
//! costs no memory.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::de::{
    DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor,
};

use super::client::{Client, Clients};

/// The type of a value.
#[derive(Clone, Copy)]
enum Shape {
    Text,
    Whole,
    Flag,
    /// A date of RFC 3339.
    Date,
    /// Bytes in base64.
    Bytes,
    ListOf(&'static Shape),
    /// A text, or a list of them.
    TextOrTexts,
    /// An object with any names.
    MapOf(&'static Shape),
    /// An object whose values are objects: a set of its names.
    Set,
    Object(&'static [(&'static str, Shape)]),
}

const TEXTS: Shape = Shape::ListOf(&Shape::Text);

const ANNOTATIONS: Shape = Shape::MapOf(&Shape::Text);

const PLATFORM: Shape = Shape::Object(&[
    ("architecture", Shape::Text),
    ("os", Shape::Text),
    ("os.version", Shape::Text),
    ("os.features", TEXTS),
    ("variant", Shape::Text),
]);

/// What every client reads of a descriptor, see
/// <https://github.com/opencontainers/image-spec/blob/main/specs-go/v1/descriptor.go>.
const DESCRIPTOR: Shape = Shape::Object(&[
    ("mediaType", Shape::Text),
    ("digest", Shape::Text),
    ("size", Shape::Whole),
    ("urls", TEXTS),
    ("annotations", ANNOTATIONS),
    ("platform", PLATFORM),
]);

/// What containerd and podman read of it besides.
const DATA: Shape = Shape::Object(&[("data", Shape::Bytes)]);

/// What containerd alone reads of it besides.
const ARTIFACT_TYPE: Shape = Shape::Object(&[("artifactType", Shape::Text)]);

const WHOLE_DESCRIPTOR: Shape = Shape::Object(&[
    ("mediaType", Shape::Text),
    ("digest", Shape::Text),
    ("size", Shape::Whole),
    ("urls", TEXTS),
    ("annotations", ANNOTATIONS),
    ("platform", PLATFORM),
    ("data", Shape::Bytes),
    ("artifactType", Shape::Text),
]);

/// Types, and who wants them.
type Wanted = (Clients, Shape);

const CONTAINERD_AND_PODMAN: Clients = Clients::of(&[Client::Containerd, Client::Podman]);
const DOCKER_AND_PODMAN: Clients = Clients::of(&[Client::Docker, Client::Podman]);

/// <https://github.com/opencontainers/image-spec/blob/main/specs-go/v1/index.go>
const INDEX: [Wanted; 3] = [
    (
        Clients::ALL,
        Shape::Object(&[
            ("schemaVersion", Shape::Whole),
            ("mediaType", Shape::Text),
            ("manifests", Shape::ListOf(&DESCRIPTOR)),
        ]),
    ),
    (
        CONTAINERD_AND_PODMAN,
        Shape::Object(&[
            ("annotations", ANNOTATIONS),
            ("manifests", Shape::ListOf(&DATA)),
        ]),
    ),
    (
        Clients::CONTAINERD,
        Shape::Object(&[
            ("artifactType", Shape::Text),
            ("manifests", Shape::ListOf(&ARTIFACT_TYPE)),
            ("subject", WHOLE_DESCRIPTOR),
        ]),
    ),
];

/// <https://github.com/opencontainers/image-spec/blob/main/specs-go/v1/manifest.go>
const MANIFEST: [Wanted; 3] = [
    (
        Clients::ALL,
        Shape::Object(&[
            ("schemaVersion", Shape::Whole),
            ("mediaType", Shape::Text),
            ("config", DESCRIPTOR),
            ("layers", Shape::ListOf(&DESCRIPTOR)),
            ("annotations", ANNOTATIONS),
        ]),
    ),
    (
        CONTAINERD_AND_PODMAN,
        Shape::Object(&[
            ("config", DATA),
            ("layers", Shape::ListOf(&DATA)),
            ("subject", WHOLE_DESCRIPTOR),
        ]),
    ),
    (
        Clients::CONTAINERD,
        Shape::Object(&[
            ("artifactType", Shape::Text),
            ("config", ARTIFACT_TYPE),
            ("layers", Shape::ListOf(&ARTIFACT_TYPE)),
        ]),
    ),
];

const RUNTIME: Shape = Shape::Object(&[
    ("User", Shape::Text),
    ("ExposedPorts", Shape::Set),
    ("Env", TEXTS),
    ("Entrypoint", Shape::TextOrTexts),
    ("Cmd", Shape::TextOrTexts),
    ("Volumes", Shape::Set),
    ("WorkingDir", Shape::Text),
    ("Labels", Shape::MapOf(&Shape::Text)),
    ("StopSignal", Shape::Text),
    ("ArgsEscaped", Shape::Flag),
]);

/// What Docker's own config has besides.
const DOCKERS_RUNTIME: Shape = Shape::Object(&[
    ("Hostname", Shape::Text),
    ("Domainname", Shape::Text),
    ("AttachStdin", Shape::Flag),
    ("AttachStdout", Shape::Flag),
    ("AttachStderr", Shape::Flag),
    ("Tty", Shape::Flag),
    ("OpenStdin", Shape::Flag),
    ("StdinOnce", Shape::Flag),
    ("Image", Shape::Text),
    ("NetworkDisabled", Shape::Flag),
    ("MacAddress", Shape::Text),
    ("OnBuild", TEXTS),
    ("StopTimeout", Shape::Whole),
    (
        "Healthcheck",
        Shape::Object(&[
            ("Test", TEXTS),
            ("Interval", Shape::Whole),
            ("Timeout", Shape::Whole),
            ("StartPeriod", Shape::Whole),
            ("Retries", Shape::Whole),
        ]),
    ),
]);

/// <https://github.com/opencontainers/image-spec/blob/main/specs-go/v1/config.go>,
/// <https://github.com/moby/moby/blob/v20.10.24/image/image.go>
const CONFIG: [Wanted; 3] = [
    (
        Clients::ALL,
        Shape::Object(&[
            ("created", Shape::Date),
            ("author", Shape::Text),
            ("architecture", Shape::Text),
            ("os", Shape::Text),
            ("os.version", Shape::Text),
            ("os.features", TEXTS),
            ("variant", Shape::Text),
            ("config", RUNTIME),
            (
                "rootfs",
                Shape::Object(&[("type", Shape::Text), ("diff_ids", TEXTS)]),
            ),
            (
                "history",
                Shape::ListOf(&Shape::Object(&[
                    ("created", Shape::Date),
                    ("created_by", Shape::Text),
                    ("author", Shape::Text),
                    ("comment", Shape::Text),
                    ("empty_layer", Shape::Flag),
                ])),
            ),
        ]),
    ),
    (
        CONTAINERD_AND_PODMAN,
        Shape::Object(&[(
            "config",
            Shape::Object(&[("Entrypoint", TEXTS), ("Cmd", TEXTS)]),
        )]),
    ),
    (
        DOCKER_AND_PODMAN,
        Shape::Object(&[
            ("config", DOCKERS_RUNTIME),
            ("container_config", DOCKERS_RUNTIME),
            ("id", Shape::Text),
            ("parent", Shape::Text),
            ("comment", Shape::Text),
            ("container", Shape::Text),
            ("docker_version", Shape::Text),
        ]),
    ),
];

/// What in an index or a manifest is of another type than these clients want.
pub(super) fn mistyped_manifest(
    bytes: &[u8],
    is_index: bool,
) -> impl Iterator<Item = (Clients, String)> {
    mistyped(bytes, if is_index { INDEX } else { MANIFEST })
}

/// What in an image's config is of another type than these clients want.
pub(super) fn mistyped_config(bytes: &[u8]) -> impl Iterator<Item = (Clients, String)> {
    mistyped(bytes, CONFIG)
}

/// What each group of clients finds wrong, until none of the clients is left.
fn mistyped(bytes: &[u8], wanted: [Wanted; 3]) -> impl Iterator<Item = (Clients, String)> {
    // Nearly every document is what all of them want, and read once for that.
    let suits_all = why_not(bytes, wanted.map(|(_, shape)| Some(shape))).is_none();
    let mut left = if suits_all {
        Clients::NONE
    } else {
        Clients::ALL
    };
    wanted.into_iter().filter_map(move |(clients, shape)| {
        if !left.meet(clients) {
            return None;
        }
        let error = why_not(bytes, [Some(shape), None, None])?;
        left = left.without(clients);
        Some((clients, error))
    })
}

fn why_not(bytes: &[u8], shapes: [Option<Shape>; 3]) -> Option<String> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let typed = Typed {
        name: "the document",
        shapes,
    };
    let read = typed.deserialize(&mut reader).and_then(|()| reader.end());
    read.err().map(|error| error.to_string())
}

/// A value and the types that it should have, all of them at once.
#[derive(Clone, Copy)]
struct Typed {
    name: &'static str,
    shapes: [Option<Shape>; 3],
}

impl Typed {
    /// Requires every type to be one that this value has.
    fn require<E: Error>(
        self,
        fits: impl Fn(Shape) -> bool,
        value: Unexpected<'_>,
    ) -> Result<(), E> {
        let wrong = self
            .shapes
            .into_iter()
            .flatten()
            .find(|shape| !fits(*shape));
        wrong.map_or(Ok(()), |shape| {
            let shapes = [Some(shape), None, None];
            Err(E::invalid_type(value, &Self { shapes, ..self }))
        })
    }

    /// The field of an object; `None` for one that no type knows.
    fn field(self, name: &str) -> Option<Self> {
        let mut known = self.name;
        let shapes = self.shapes.map(|shape| match shape? {
            Shape::MapOf(shape) => Some(*shape),
            Shape::Set => Some(Shape::Object(&[])),
            Shape::Object(fields) => {
                let mut fields = fields.iter();
                let field = fields.find(|(known, _)| known.eq_ignore_ascii_case(name));
                field.map(|(name, shape)| {
                    known = name;
                    *shape
                })
            }
            _ => None,
        });
        let is_known = shapes.iter().any(Option::is_some);
        is_known.then_some(Self {
            name: known,
            shapes,
        })
    }
}

impl<'de> DeserializeSeed<'de> for Typed {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Typed {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape = self.shapes.into_iter().flatten().next();
        let what = match shape {
            None => "anything",
            Some(Shape::Text) => "a text",
            Some(Shape::Whole) => "a whole number",
            Some(Shape::Flag) => "true or false",
            Some(Shape::Date) => "a date",
            Some(Shape::Bytes) => "base64",
            Some(Shape::ListOf(_)) => "a list",
            Some(Shape::TextOrTexts) => "a list of texts",
            Some(Shape::MapOf(_) | Shape::Set | Shape::Object(_)) => "an object",
        };
        write!(f, "{what} ({})", self.name)
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<(), E> {
        let fits = |shape| matches!(shape, Shape::Flag);
        self.require(fits, Unexpected::Bool(flag))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        let fits = |shape| matches!(shape, Shape::Whole);
        self.require(fits, Unexpected::Signed(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        let fits = |shape| matches!(shape, Shape::Whole) && i64::try_from(number).is_ok();
        self.require(fits, Unexpected::Unsigned(number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        self.require(|_| false, Unexpected::Float(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        let fits = |shape| match shape {
            Shape::Text | Shape::TextOrTexts => true,
            Shape::Date => is_date(text),
            Shape::Bytes => BASE64_STANDARD.decode(text).is_ok(),
            _ => false,
        };
        self.require(fits, Unexpected::Str(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let fits = |shape| matches!(shape, Shape::ListOf(_) | Shape::TextOrTexts);
        self.require(fits, Unexpected::Seq)?;
        let shapes = self.shapes.map(|shape| match shape? {
            Shape::ListOf(shape) => Some(*shape),
            _ => Some(Shape::Text),
        });
        let entry = Self { shapes, ..self };
        while list.next_element_seed(entry)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let fits = |shape| matches!(shape, Shape::MapOf(_) | Shape::Set | Shape::Object(_));
        self.require(fits, Unexpected::Map)?;
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            match self.field(&name) {
                Some(value) => map.next_value_seed(value)?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// Whether a text is a date as RFC 3339 writes it: `2026-11-21T19:30:00.5Z`, `…+01:00`.
pub(super) fn is_date(text: &str) -> bool {
    let digits = |text: &str, pattern: &str| {
        text.len() == pattern.len()
            && text
                .bytes()
                .zip(pattern.bytes())
                .all(|(byte, expected)| match expected {
                    b'0' => byte.is_ascii_digit(),
                    other => byte == other,
                })
    };
    let number = |from: usize| text[from..from + 2].parse::<u32>().unwrap_or(u32::MAX);
    let Some((start, rest)) = text.split_at_checked(19) else {
        return false;
    };
    let fraction = rest.strip_prefix('.').map_or(rest, |rest| {
        rest.trim_start_matches(|digit: char| digit.is_ascii_digit())
    });
    let has_digits = !rest.starts_with('.') || fraction.len() + 1 < rest.len();
    digits(start, "0000-00-00T00:00:00")
        && (1..=12).contains(&number(5))
        && (1..=31).contains(&number(8))
        && number(11) < 24
        && number(14) < 60
        && number(17) < 60
        && has_digits
        && (fraction == "Z" || digits(fraction, "+00:00") || digits(fraction, "-00:00"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(document: &str, is_index: bool) -> Vec<(Clients, String)> {
        mistyped_manifest(document.as_bytes(), is_index).collect()
    }

    #[test]
    fn a_value_of_another_type_is_named() {
        for (document, expected) in [
            (
                r#"{"annotations":{"a":1}}"#,
                "integer `1`, expected a text (annotations)",
            ),
            (r#"{"subject":"sha256:00"}"#, "expected an object (subject)"),
            (
                r#"{"layers":[{"platform":{"os.version":10}}]}"#,
                "a text (os.version)",
            ),
            (
                r#"{"layers":[{"platform":{"os.features":"x"}}]}"#,
                "a list (os.features)",
            ),
            (
                r#"{"layers":[{"size":"7"}]}"#,
                "expected a whole number (size)",
            ),
            (
                r#"{"layers":[{"size":7.0}]}"#,
                "expected a whole number (size)",
            ),
            (
                r#"{"layers":[{"size":18446744073709551615}]}"#,
                "a whole number (size)",
            ),
            (r#"{"layers":[{"urls":["a",1]}]}"#, "expected a text (urls)"),
            (r#"{"layers":{}}"#, "expected a list (layers)"),
            (r#"{"config":{"data":"***"}}"#, "expected base64 (data)"),
            (
                r#"{"SCHEMAVERSION":"2"}"#,
                "expected a whole number (schemaVersion)",
            ),
            ("[]", "expected an object (the document)"),
        ] {
            let error = manifest(document, false).remove(0).1;
            assert!(error.contains(expected), "{document}: {error}");
        }
    }

    #[test]
    fn each_client_wants_types_of_its_own() {
        let (c, cp) = (Clients::CONTAINERD, CONTAINERD_AND_PODMAN);
        for (document, is_index, expected) in [
            (r#"{"annotations":[]}"#, true, vec![cp]),
            (r#"{"annotations":[]}"#, false, vec![Clients::ALL]),
            (r#"{"subject":""}"#, true, vec![c]),
            (r#"{"subject":""}"#, false, vec![cp]),
            (r#"{"artifactType":1,"config":{"data":1}}"#, false, vec![cp]),
            (r#"{"artifactType":1}"#, false, vec![c]),
            (
                r#"{"manifests":[{"platform":{"os.version":1}}]}"#,
                true,
                vec![Clients::ALL],
            ),
        ] {
            let found: Vec<Clients> = manifest(document, is_index)
                .into_iter()
                .map(|(clients, _)| clients)
                .collect();
            assert_eq!(found, expected, "{document}");
        }
    }

    #[test]
    fn what_clients_accept_is_no_fault() {
        for document in [
            r#"{"schemaVersion":2,"layers":null,"config":{"data":"e30=","size":2},"other":[{}]}"#,
            r#"{"annotations":{"a":"1","a":"2"},"annotations":null,"manifests":[{},{"size":0}]}"#,
            " { } ",
        ] {
            assert_eq!(manifest(document, true), [], "{document}");
            assert_eq!(manifest(document, false), [], "{document}");
        }
    }

    #[test]
    fn a_config_has_types_of_its_own() {
        let (all, none) = (Clients::ALL, Clients::NONE);
        for (config, expected) in [
            (
                r#"{"created":"2026-11-21T19:30:00Z","rootfs":{"diff_ids":["a"]}}"#,
                none,
            ),
            (r#"{"created":"2026-11-21T19:30:00.123456789+01:00"}"#, none),
            (r#"{"created":"yesterday"}"#, all),
            (r#"{"created":"2026-13-21T19:30:00Z"}"#, all),
            (r#"{"created":"2026-11-21T19:30:00.Z"}"#, all),
            (r#"{"created":""}"#, all),
            (
                r#"{"config":{"ExposedPorts":{"80/tcp":{}},"Volumes":null}}"#,
                none,
            ),
            (r#"{"config":{"ExposedPorts":{"80/tcp":1}}}"#, all),
            (r#"{"config":{"Env":"A=b"}}"#, all),
            (r#"{"config":{"Cmd":"run"}}"#, CONTAINERD_AND_PODMAN),
            (r#"{"config":{"Cmd":{}}}"#, all),
            (
                r#"{"config":{"Healthcheck":{"Interval":"5s"}}}"#,
                DOCKER_AND_PODMAN,
            ),
            (r#"{"docker_version":20}"#, DOCKER_AND_PODMAN),
            (r#"{"history":[{"empty_layer":"true"}]}"#, all),
            (r#"{"rootfs":{"diff_ids":"sha256:00"}}"#, all),
        ] {
            let refused = mistyped_config(config.as_bytes());
            let refused = refused.fold(none, |all, (clients, _)| all.and(clients));
            assert_eq!(refused, expected, "{config}");
        }
    }
}
