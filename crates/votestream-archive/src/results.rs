//! Public results as one Parquet file: a row for each region and candidate, or one a candidate where there are no regions. It holds what
//! `GET /api/results` says at that moment, and nothing of voters.

use bytes::Bytes;
use parquet::basic::{Compression, ZstdLevel};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use std::sync::Arc;
use votestream_election::results::{CandidateResult, RegionResult, Results};

/// The columns, in their order.
const SCHEMA: &str = "message results {
    REQUIRED BYTE_ARRAY election (STRING);
    REQUIRED INT64 sequence;
    OPTIONAL BYTE_ARRAY as_of (STRING);
    OPTIONAL BYTE_ARRAY region (STRING);
    OPTIONAL BYTE_ARRAY region_name (STRING);
    OPTIONAL INT64 seats;
    OPTIONAL INT64 expected;
    OPTIONAL BYTE_ARRAY region_status (STRING);
    REQUIRED BYTE_ARRAY candidate (STRING);
    REQUIRED BYTE_ARRAY candidate_name (STRING);
    REQUIRED BYTE_ARRAY party (STRING);
    REQUIRED INT64 votes;
}";

/// One row.
struct Row<'a> {
    region: Option<&'a RegionResult>,
    candidate: &'a CandidateResult,
    votes: u64,
}

/// The file.
///
/// # Errors
/// None that is known of.
pub fn results_file(results: &Results) -> Result<Bytes, ParquetError> {
    let rows = rows(results);
    let schema = Arc::new(parse_message_type(SCHEMA)?);
    let properties = WriterProperties::builder()
        .set_created_by(concat!("votestream version ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .build();
    let mut file = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties))?;
    let mut group = file.next_row_group()?;
    let mut place = 0;
    while let Some(mut column) = group.next_column()? {
        match column.untyped() {
            ColumnWriter::Int64ColumnWriter(writer) => {
                let (values, there) = split(rows.iter().map(|row| number(place, results, row)));
                writer.write_batch(&values, optional(place, &there), None)?;
            }
            ColumnWriter::ByteArrayColumnWriter(writer) => {
                let (values, there) =
                    split(rows.iter().map(|row| text(place, results, row).map(ByteArray::from)));
                writer.write_batch(&values, optional(place, &there), None)?;
            }
            _ => return Err(ParquetError::General("the schema has no such column".to_owned())),
        }
        column.close()?;
        place += 1;
    }
    group.close()?;
    Ok(file.into_inner()?.into())
}

/// Rows in the definition's order of regions; candidates by rank.
fn rows(results: &Results) -> Vec<Row<'_>> {
    // A withheld region leaves no rows; its election is none without regions for that.
    if results.regions.is_empty() && results.withheld == 0 {
        return results
            .candidates
            .iter()
            .map(|c| Row { region: None, candidate: c, votes: c.votes })
            .collect();
    }
    let mut rows = Vec::new();
    for region in &results.regions {
        for candidate in &results.candidates {
            let votes = region.votes.get(&candidate.id).unwrap_or(0);
            rows.push(Row { region: Some(region), candidate, votes });
        }
    }
    rows
}

fn number(place: usize, results: &Results, row: &Row<'_>) -> Option<i64> {
    let number = match place {
        1 => results.sequence,
        5 => u64::from(row.region?.seats),
        6 => row.region?.expected?,
        _ => row.votes,
    };
    i64::try_from(number).ok()
}

fn text<'a>(place: usize, results: &'a Results, row: &Row<'a>) -> Option<&'a str> {
    match place {
        0 => Some(&results.election.id),
        2 => results.as_of.as_deref(),
        3 => row.region.map(|region| region.code.as_str()),
        4 => row.region.map(|region| region.name.as_str()),
        7 => row.region.map(|region| region.status.name()),
        8 => Some(&row.candidate.id),
        9 => Some(&row.candidate.name),
        _ => Some(&row.candidate.party),
    }
}

/// Values that are there, and which are.
fn split<T>(values: impl Iterator<Item = Option<T>>) -> (Vec<T>, Vec<i16>) {
    let (mut there, mut kept) = (Vec::new(), Vec::new());
    for value in values {
        there.push(i16::from(value.is_some()));
        kept.extend(value);
    }
    (kept, there)
}

/// Which values are there, in columns where some may not be.
fn optional(place: usize, there: &[i16]) -> Option<&[i16]> {
    (2..=7).contains(&place).then_some(there)
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::RowAccessor;
    use votestream_election::Election;
    use votestream_election::delta::Counts;

    fn file(election: &Election, totals: &[u64]) -> SerializedFileReader<Bytes> {
        let results = Results::expected_of(election, totals, Counts::default());
        SerializedFileReader::new(results_file(&results).unwrap()).unwrap()
    }

    #[test]
    fn a_row_for_each_region_and_candidate_adds_up() {
        let election = Election::preset("us-president-2024").unwrap();
        let totals: Vec<u64> = (0..(51 * 4)).map(|n| n * n).collect();
        let file = file(&election, &totals);
        let rows: Vec<_> = file.get_row_iter(None).unwrap().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 51 * 4);
        assert_eq!(
            rows.iter().map(|row| row.get_long(11).unwrap() as u64).sum::<u64>(),
            totals.iter().sum::<u64>()
        );
        let harris_in_alabama = rows
            .iter()
            .find(|row| row.get_string(3).unwrap() == "AL" && row.get_string(8).unwrap() == "harris")
            .unwrap();
        let place = election.candidates.iter().position(|c| c.id == "harris").unwrap();
        let region = election.regions.iter().position(|r| r.code == "AL").unwrap();
        assert_eq!(harris_in_alabama.get_long(11).unwrap() as u64, totals[region * 4 + place]);
    }

    #[test]
    fn an_election_without_regions_has_a_row_a_candidate() {
        let election = Election::preset("poll").unwrap();
        let totals: Vec<u64> = (5..).take(election.candidates.len()).collect();
        let file = file(&election, &totals);
        assert_eq!(file.get_row_iter(None).unwrap().count(), election.candidates.len());
    }
}
