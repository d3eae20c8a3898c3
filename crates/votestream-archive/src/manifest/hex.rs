//! Digests and identities as text in entries.

use serde::{Deserialize, Deserializer, Serializer, de::Error};
use votestream_election::ids::{uuid_parse, uuid_text};
use votestream_election::ledger::Digest;

/// Reads 64 hexadecimal digits.
pub fn digest_of(text: &str) -> Option<Digest> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(Digest(bytes))
}

/// A digest as 64 hexadecimal digits.
pub mod digest {
    use super::{Deserialize, Deserializer, Digest, Error, Serializer, digest_of};

    pub fn serialize<S: Serializer>(digest: &Digest, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(digest)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Digest, D::Error> {
        let text = String::deserialize(from)?;
        digest_of(&text)
            .ok_or_else(|| D::Error::custom(format!("'{text}' is no digest of 64 hexadecimal digits")))
    }
}

/// A 128-bit identity, written as UUIDs are.
pub mod uuid {
    use super::{Deserialize, Deserializer, Error, Serializer, uuid_parse, uuid_text};

    pub fn serialize<S: Serializer>(id: &u128, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&uuid_text(*id))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u128, D::Error> {
        let text = String::deserialize(from)?;
        uuid_parse(&text).ok_or_else(|| D::Error::custom(format!("'{text}' is no UUID")))
    }
}
