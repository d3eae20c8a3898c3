//! A definition as written, in TOML or as the store's JSON: shapes only, nothing checked beyond types and unknown keys.

use crate::election::{DuplicatePolicy, Publish};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The whole definition. The order of fields is the order of the canonical JSON: it never changes, new fields go last and are left
/// out while they hold their default, so that the hash of an old definition stays.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawElection {
    pub id: String,
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<RawTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    #[serde(default)]
    pub simulated: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<u64>,
    #[serde(default)]
    pub expected_exact: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<RawRule>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub genders: Option<Vec<String>>,
    #[serde(default)]
    pub bands: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eligible_age: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voting_hours: Option<RawHours>,
    #[serde(default)]
    pub duplicate: DuplicatePolicy,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_cell: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mapping: Option<RawMapping>,
    pub candidates: Vec<RawCandidate>,
    #[serde(default)]
    pub regions: Vec<RawRegion>,
}

/// Which rule wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawRule {
    Seats,
    Plurality,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawHours {
    pub from: RawTime,
    pub to: RawTime,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCandidate {
    pub id: String,
    pub name: String,
    #[serde(default)]
    pub party: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub colour: Option<String>,
    /// In TOML the picture's file, in the store's JSON the picture itself in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub photo: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRegion {
    pub code: String,
    pub name: String,
    #[serde(default)]
    pub seats: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registered: Option<u64>,
    #[serde(default)]
    pub publish: Publish,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closes: Option<RawTime>,
}

/// A mapping by name, or spelled out.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(super) enum RawMapping {
    Named(String),
    Custom(RawFields),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFields {
    pub voter: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    pub candidate: OneOrMore,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gender: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_format: Option<String>,
}

/// A text, or a list of texts.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub(super) struct OneOrMore(pub Vec<String>);

/// A date or time, quoted or as TOML's own type.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub(super) struct RawTime(pub String);

impl<'de> Deserialize<'de> for RawTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = RawTime;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a date or a time")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<RawTime, E> {
                Ok(RawTime(text.to_owned()))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawTime, A::Error> {
                let time = toml::value::Datetime::deserialize(MapAccessDeserializer::new(map))?;
                Ok(RawTime(time.to_string()))
            }
        }
        deserializer.deserialize_any(V)
    }
}

impl<'de> Deserialize<'de> for OneOrMore {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = OneOrMore;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a field's path, or a list of paths of which the first present counts")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<OneOrMore, E> {
                Ok(OneOrMore(vec![text.to_owned()]))
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<OneOrMore, A::Error> {
                let mut paths = Vec::new();
                while let Some(path) = seq.next_element()? {
                    paths.push(path);
                }
                Ok(OneOrMore(paths))
            }
        }
        deserializer.deserialize_any(V)
    }
}

impl<'de> Deserialize<'de> for RawMapping {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = RawMapping;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping's name, or a table of field paths")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<RawMapping, E> {
                Ok(RawMapping::Named(text.to_owned()))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawMapping, A::Error> {
                RawFields::deserialize(MapAccessDeserializer::new(map)).map(RawMapping::Custom)
            }
        }
        deserializer.deserialize_any(V)
    }
}
