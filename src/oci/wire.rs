//! The parts of a document that are read: a hostile one can have a million values in the rest.

use std::borrow::Cow;
use std::fmt;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::manifest::MAX_CHILDREN;
use crate::oci::platform::Platform;

/// Makes a type readable from an object, as clients read it: names without regard to case, the last
/// of several values for one name, `null` as absent.
macro_rules! read_like_clients {
    ($type:ident<$life:lifetime> { $($field:ident: $name:literal,)* }) => {
        impl<'de: $life, $life> Deserialize<'de> for $type<$life> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Reader;
                impl<'de> Visitor<'de> for Reader {
                    type Value = $type<'de>;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("an object")
                    }

                    fn visit_map<A: MapAccess<'de>>(
                        self,
                        mut map: A,
                    ) -> Result<Self::Value, A::Error> {
                        let mut read = $type::default();
                        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
                            $(if name.eq_ignore_ascii_case($name) {
                                read.$field = map.next_value()?;
                                continue;
                            })*
                            map.next_value::<IgnoredAny>()?;
                        }
                        Ok(read)
                    }
                }
                deserializer.deserialize_map(Reader)
            }
        }
    };
}

/// An index or a manifest: what makes it one, and its lists.
#[derive(Default)]
pub(super) struct WireDocument<'a> {
    pub(super) schema_version: Option<u64>,
    pub(super) media_type: Option<Cow<'a, str>>,
    pub(super) artifact_type: Option<Lenient<'a>>,
    pub(super) manifests: List<'a>,
    pub(super) config: Option<&'a RawValue>,
    pub(super) layers: List<'a>,
    pub(super) blobs: List<'a>,
    pub(super) fs_layers: Option<&'a RawValue>,
    pub(super) subject: Option<&'a RawValue>,
}

read_like_clients!(WireDocument<'a> {
    schema_version: "schemaVersion",
    media_type: "mediaType",
    artifact_type: "artifactType",
    manifests: "manifests",
    config: "config",
    layers: "layers",
    blobs: "blobs",
    fs_layers: "fsLayers",
    subject: "subject",
});
/// What makes a list of referrers one, whatever is in it.
#[derive(Deserialize)]
pub(super) struct WireList<'a> {
    #[serde(borrow)]
    pub(super) manifests: Option<&'a RawValue>,
}

impl WireDocument<'_> {
    /// Whether there is a config; `null` counts as absent.
    pub(super) fn has_config(&self) -> bool {
        self.config.is_some_and(|config| config.get() != "null")
    }
}

/// A list of descriptors: `null` is a list without entries, which is not the same as no list.
///
/// Entries beyond those that are ever followed are counted and not kept.
#[derive(Default)]
pub(super) struct List<'a> {
    pub(super) present: bool,
    pub(super) listed: usize,
    pub(super) entries: Vec<&'a RawValue>,
}

impl<'de: 'a, 'a> Deserialize<'de> for List<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Entries { listed, entries } =
            Option::<Entries<'a>>::deserialize(deserializer)?.unwrap_or_default();
        Ok(Self {
            present: true,
            listed,
            entries,
        })
    }
}

#[derive(Default)]
struct Entries<'a> {
    listed: usize,
    entries: Vec<&'a RawValue>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of descriptors")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Entries<'de>, A::Error> {
                let mut all = Entries::default();
                while let Some(entry) = list.next_element::<&'de RawValue>()? {
                    all.listed += 1;
                    if all.listed <= MAX_CHILDREN {
                        all.entries.push(entry);
                    }
                }
                Ok(all)
            }
        }
        deserializer.deserialize_seq(Reader)
    }
}

/// A text, if it is one: whoever wants one says so elsewhere.
#[derive(Default)]
pub(super) struct Lenient<'a>(pub(super) Option<Cow<'a, str>>);

impl<'de: 'a, 'a> Deserialize<'de> for Lenient<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&'de RawValue>::deserialize(deserializer)?;
        let text = serde_json::from_str::<Text<'de>>(raw.get()).ok();
        Ok(Self(text.map(|text| text.0)))
    }
}

/// A text, borrowed where nothing in it is escaped.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Texts, of which only their number matters: whether there are any.
pub(super) struct Any(pub(super) bool);

impl<'de> Deserialize<'de> for Any {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Any;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of texts")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Any, A::Error> {
                let mut any = Any(false);
                while list.next_element::<Cow<'de, str>>()?.is_some() {
                    any = Any(true);
                }
                Ok(any)
            }
        }
        deserializer.deserialize_seq(Reader)
    }
}

/// Annotations, of which one matters: whether this is an attestation, as `BuildKit` marks them.
pub(super) struct Annotations {
    pub(super) attestation: bool,
}

impl<'de> Deserialize<'de> for Annotations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Annotations;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("annotations")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Annotations, A::Error> {
                let mut annotations = Annotations { attestation: false };
                while let Some(name) = map.next_key::<Cow<'de, str>>()? {
                    let value = map.next_value::<&'de RawValue>()?;
                    if name == "vnd.docker.reference.type" {
                        let text = serde_json::from_str::<Cow<'_, str>>(value.get());
                        annotations.attestation =
                            text.is_ok_and(|text| text == "attestation-manifest");
                    }
                }
                Ok(annotations)
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

#[derive(Default)]
pub(super) struct WireDescriptor<'a> {
    pub(super) media_type: Option<String>,
    pub(super) digest: Option<String>,
    pub(super) size: Option<serde_json::Number>,
    pub(super) platform: Option<WirePlatform<'a>>,
    pub(super) urls: Option<Any>,
    pub(super) data: Option<Lenient<'a>>,
    pub(super) annotations: Option<Annotations>,
}

read_like_clients!(WireDescriptor<'a> {
    media_type: "mediaType",
    digest: "digest",
    size: "size",
    platform: "platform",
    urls: "urls",
    data: "data",
    annotations: "annotations",
});

#[derive(Clone, Default)]
pub(super) struct WirePlatform<'a> {
    pub(super) os: Option<Cow<'a, str>>,
    pub(super) architecture: Option<Cow<'a, str>>,
    pub(super) variant: Option<Cow<'a, str>>,
}

read_like_clients!(WirePlatform<'a> {
    os: "os",
    architecture: "architecture",
    variant: "variant",
});

/// When a config says that its image was built.
#[derive(Default)]
pub(super) struct WireCreated<'a> {
    pub(super) created: Option<Cow<'a, str>>,
}

read_like_clients!(WireCreated<'a> {
    created: "created",
});

/// An image's config.
#[derive(Default)]
pub(super) struct WireConfig<'a> {
    pub(super) root_fs: Option<WireRootFs<'a>>,
    pub(super) history: List<'a>,
}

/// An entry of a config's history.
#[derive(Deserialize)]
pub(super) struct WireHistory {
    pub(super) empty_layer: Option<bool>,
}

read_like_clients!(WireConfig<'a> {
    root_fs: "rootfs",
    history: "history",
});

#[derive(Default)]
pub(super) struct WireRootFs<'a> {
    pub(super) diff_ids: List<'a>,
}

read_like_clients!(WireRootFs<'a> {
    diff_ids: "diff_ids",
});

impl WirePlatform<'_> {
    pub(super) fn read(self) -> Option<Platform> {
        /// The longest part that is one; nothing that runs has a longer name, in bytes.
        const LONGEST: usize = 1024;
        let part = |text: Option<Cow<'_, str>>| {
            let text = text.filter(|text| (1..=LONGEST).contains(&text.len()));
            text.map(|text| text.into_owned().into_boxed_str())
        };
        Some(Platform {
            os: part(self.os)?,
            architecture: part(self.architecture)?,
            variant: part(self.variant),
        })
    }
}
