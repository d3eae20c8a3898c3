//! From a TOML file to a validated [`Election`], and the canonical JSON that the store keeps of it.
//! Reading the file, and choosing between a preset and a file, is the binary's business.

mod raw;

mod error;

mod validate;

mod lists;

mod mapping;

mod photos;

mod preset;

mod scale;

mod example;

pub mod sample;

pub use error::DefinitionError;
pub use example::{example_toml, unknown_preset};
pub use lists::{
    BANDS_MAX, CANDIDATES_MAX, GENDERS_MAX, PALETTE, REGIONS_MAX, SEATS_MAX, UNKNOWN, VOTES_MAX, folded,
};
pub use mapping::{CUSTOM, MAPPINGS, PATH_DEPTH_MAX, VOTESTREAM_TIME};
pub use photos::ReadPicture;
pub use preset::{POLL, PRESETS, US_PRESIDENT_2024};
pub use validate::{AGE_MAX, CELLS_MAX, MIN_CELL_DEFAULT};

pub(crate) use scale::largest_remainder;

use crate::election::{DuplicatePolicy, Election};
use crate::ledger::Digest;

impl Election {
    /// Reads a definition in TOML that names no pictures; `file` is named in errors.
    pub fn from_toml(text: &str, file: &str) -> Result<Self, DefinitionError> {
        Self::from_toml_with(text, file, &|_| Err("no pictures can be read here".to_owned()))
    }

    /// Reads a definition in TOML; `picture` reads a picture's file, named relative to the definition's, or says why it cannot.
    pub fn from_toml_with(
        text: &str,
        file: &str,
        picture: &ReadPicture<'_>,
    ) -> Result<Self, DefinitionError> {
        let mut raw: raw::RawElection =
            toml::from_str(text).map_err(|e| error::toml_error(&e, file, text))?;
        photos::read(&mut raw.candidates, picture)
            .and_then(|()| validate::validated(&raw))
            .map_err(|fault| fault.in_file(file, Some(text)))
    }

    /// The built-in election of that name (see [`PRESETS`]).
    pub fn preset(name: &str) -> Option<Self> {
        preset::by_name(name)
    }

    /// The canonical JSON: equal elections give equal bytes, and [`Election::from_json`] gives the election back.
    pub fn to_json(&self) -> String {
        serde_json::to_string(&validate::to_raw(self)).expect("texts and integers serialise")
    }

    /// Reads what [`Election::to_json`] writes, as kept in a store.
    pub fn from_json(text: &str) -> Result<Self, DefinitionError> {
        let raw: raw::RawElection = serde_json::from_str(text).map_err(|e| DefinitionError {
            file: STORED.to_owned(),
            line: None,
            field: None,
            problem: e.to_string(),
            help: "the store may have been written by a newer votestream: use that one".to_owned(),
        })?;
        validate::validated(&raw).map_err(|fault| fault.in_file(STORED, None))
    }

    /// BLAKE3 of the canonical JSON: what a store pins.
    pub fn hash(&self) -> Digest {
        Digest(*blake3::hash(self.to_json().as_bytes()).as_bytes())
    }

    /// The same election with one of the built-in mappings (see [`MAPPINGS`]), as `--mapping` asks.
    pub fn with_mapping(mut self, name: &str) -> Result<Self, DefinitionError> {
        let raw = raw::RawMapping::Named(name.to_owned());
        self.mapping = mapping::validated(&raw, validate::looks(&self))
            .map_err(|fault| fault.in_file(&format!("election {:?}", self.id), None))?;
        Ok(self)
    }

    /// The same election with another rule for a voter's second record, as `--duplicate` asks.
    #[must_use]
    pub fn with_duplicate(mut self, policy: DuplicatePolicy) -> Self {
        self.duplicate = policy;
        self
    }
}

/// Stands in for a file's name in errors about a definition that a store keeps.
const STORED: &str = "stored definition";

#[cfg(test)]
mod tests;
