//! The columns, their types and how each is encoded. What they mean is in docs/archive.md; a test holds the two together.

use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::{ColumnPath, Type, TypePtr};
use std::sync::Arc;

/// A column: its place is its number in [`COLUMNS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// As Parquet's own notation has it.
    form: &'static str,
    /// How its values lie.
    encoded: Encoded,
    /// Whether least and greatest are worth keeping.
    ranged: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoded {
    /// Few different values: each is written once.
    Dictionary,
    /// Integers: as differences, in as few bits as they need.
    Delta,
    /// One after the other.
    Plain,
}

const fn column(name: &'static str, form: &'static str, encoded: Encoded, ranged: bool) -> Column {
    Column { name, form, encoded, ranged }
}

/// All columns, in their order in the file.
pub const COLUMNS: [Column; 15] = [
    column("partition", "REQUIRED INT32 partition", Encoded::Dictionary, true),
    column("offset", "REQUIRED INT64 offset", Encoded::Delta, true),
    column("timestamp", "REQUIRED INT64 timestamp (TIMESTAMP(MILLIS,true))", Encoded::Delta, true),
    column("outcome", "REQUIRED BYTE_ARRAY outcome (STRING)", Encoded::Dictionary, true),
    column("voter_id", "OPTIONAL INT64 voter_id (INTEGER(64,false))", Encoded::Delta, true),
    column("voter_key", "OPTIONAL FIXED_LEN_BYTE_ARRAY(16) voter_key", Encoded::Plain, false),
    column("region", "OPTIONAL BYTE_ARRAY region (STRING)", Encoded::Dictionary, true),
    column("candidate", "OPTIONAL BYTE_ARRAY candidate (STRING)", Encoded::Dictionary, true),
    column("gender", "OPTIONAL BYTE_ARRAY gender (STRING)", Encoded::Dictionary, true),
    column("age", "OPTIONAL INT32 age", Encoded::Dictionary, true),
    column("age_band", "OPTIONAL BYTE_ARRAY age_band (STRING)", Encoded::Dictionary, true),
    column("moment", "OPTIONAL INT64 moment (TIMESTAMP(MILLIS,true))", Encoded::Delta, true),
    column("partitioners", "OPTIONAL BYTE_ARRAY partitioners (STRING)", Encoded::Dictionary, true),
    column("value_blake3", "OPTIONAL FIXED_LEN_BYTE_ARRAY(32) value_blake3", Encoded::Plain, false),
    column("value", "OPTIONAL BYTE_ARRAY value", Encoded::Plain, false),
];

/// Where each column is in [`COLUMNS`].
pub mod at {
    pub const PARTITION: usize = 0;
    pub const OFFSET: usize = 1;
    pub const TIMESTAMP: usize = 2;
    pub const OUTCOME: usize = 3;
    pub const VOTER_ID: usize = 4;
    pub const VOTER_KEY: usize = 5;
    pub const REGION: usize = 6;
    pub const CANDIDATE: usize = 7;
    pub const GENDER: usize = 8;
    pub const AGE: usize = 9;
    pub const AGE_BAND: usize = 10;
    pub const MOMENT: usize = 11;
    pub const PARTITIONERS: usize = 12;
    pub const VALUE_BLAKE3: usize = 13;
    pub const VALUE: usize = 14;
}

/// [`COLUMNS`]' `outcome` of a vote; else the reason's name.
pub const VOTE: &str = "vote";

/// The schema as Parquet has it.
pub fn schema() -> TypePtr {
    let columns: Vec<String> = COLUMNS.iter().map(|column| format!("{};", column.form)).collect();
    let message = format!("message votes {{ {} }}", columns.join(" "));
    Arc::new(parse_message_type(&message).expect("the columns are well formed"))
}

/// Whether a file's schema is that of [`COLUMNS`].
pub fn is_ours(found: &Type) -> bool {
    *found == *schema()
}

/// How files are written. `about` is kept in the file's own metadata, so that a file that has lost its manifest still says what it is.
pub fn properties(about: String) -> WriterProperties {
    let mut properties = written(about).set_sorting_columns(Some(vec![SortingColumn {
        column_idx: at::OFFSET as i32,
        descending: false,
        nulls_first: false,
    }]));
    for column in &COLUMNS {
        let path = ColumnPath::from(column.name);
        properties =
            properties.set_column_dictionary_enabled(path.clone(), column.encoded == Encoded::Dictionary);
        if column.encoded == Encoded::Delta {
            properties = properties.set_column_encoding(path.clone(), Encoding::DELTA_BINARY_PACKED);
        }
        let statistics = if column.ranged { EnabledStatistics::Chunk } else { EnabledStatistics::None };
        properties = properties.set_column_statistics_enabled(path, statistics);
    }
    properties.set_column_statistics_enabled(ColumnPath::from("offset"), EnabledStatistics::Page).build()
}

/// The same of a file whose values are all different, with these columns as differences.
pub fn properties_of(about: String, deltas: &[&str]) -> WriterProperties {
    let plain = written(about).set_dictionary_enabled(false);
    let delta = |properties: WriterPropertiesBuilder, name: &&str| {
        properties.set_column_encoding(ColumnPath::from(*name), Encoding::DELTA_BINARY_PACKED)
    };
    deltas.iter().fold(plain, delta).build()
}

fn written(about: String) -> WriterPropertiesBuilder {
    let level = ZstdLevel::try_new(1).expect("zstd has a level 1");
    WriterProperties::builder()
        .set_created_by(concat!("votestream version ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_key_value_metadata(Some(vec![KeyValue::new("votestream".to_owned(), about)]))
        .set_compression(Compression::ZSTD(level))
}

#[cfg(test)]
mod tests {
    use super::COLUMNS;

    #[test]
    fn every_column_is_documented_in_its_place() {
        let text = include_str!("../../../../docs/archive.md");
        let (_, table) = text.split_once("| column | type | what |").unwrap();
        let (table, _) = table.split_once("\n\n").unwrap();
        let documented: Vec<&str> =
            table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
        let written: Vec<&str> = COLUMNS.iter().map(|column| column.name).collect();
        assert_eq!(documented, written);
    }
}
