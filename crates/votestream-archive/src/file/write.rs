//! Rows into a file. It is made in memory, a row group at a time, and handed over whole: so that it can be put again where a put
//! failed half-way.

use super::codes::{Codes, code_of};
use super::schema::{at, properties, schema};
use crate::error::ArchiveError;
use bytes::Bytes;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::{ByteArray, FixedLenByteArray};
use parquet::errors::ParquetError;
use parquet::file::writer::SerializedFileWriter;
use std::sync::Arc;
use votestream_election::archived::{ArchivedOutcome, ArchivedRow};
use votestream_election::event::{AGE_IS_BAND, AGE_UNKNOWN};
use votestream_election::ledger::{Digest, LedgerVote};
use votestream_election::{PartitionId, VoterKey};

/// Rows of a row group: bounds what is held unencoded, and what a reader that wants one column must decode.
const GROUP_ROWS: usize = 131_072;
/// Bytes of values of a row group, where values are kept.
const GROUP_VALUE_BYTES: usize = 32 << 20;
/// A row's share of the columns that are not yet encoded, in memory; values come on top.
const OPEN_ROW_BYTES: usize = 160;

/// A file being made.
pub struct FileWriter {
    writer: SerializedFileWriter<Vec<u8>>,
    codes: Arc<Codes>,
    partition: PartitionId,
    open: Columns,
    rows: u64,
    votes: u64,
}

/// A finished file.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The file.
    pub bytes: Bytes,
    /// BLAKE3 of it.
    pub blake3: Digest,
    /// Its rows.
    pub rows: u64,
    /// Of them votes.
    pub votes: u64,
}

/// Values that may be absent, as Parquet takes them.
#[derive(Default)]
struct Optional<T> {
    values: Vec<T>,
    there: Vec<i16>,
}

impl<T> Optional<T> {
    #[inline]
    fn push(&mut self, value: Option<T>) {
        self.there.push(i16::from(value.is_some()));
        self.values.extend(value);
    }
}

/// The columns of the open row group.
#[derive(Default)]
struct Columns {
    offset: Vec<i64>,
    timestamp: Vec<i64>,
    outcome: Vec<ByteArray>,
    voter_id: Optional<i64>,
    voter_key: Optional<FixedLenByteArray>,
    region: Optional<ByteArray>,
    candidate: Optional<ByteArray>,
    gender: Optional<ByteArray>,
    age: Optional<i32>,
    age_band: Optional<ByteArray>,
    moment: Optional<i64>,
    partitioners: Optional<ByteArray>,
    value_blake3: Optional<FixedLenByteArray>,
    value: Optional<ByteArray>,
    value_bytes: usize,
}

impl FileWriter {
    /// An empty file of one partition.
    ///
    /// # Errors
    /// None that is known of.
    pub(crate) fn new(
        codes: Arc<Codes>,
        partition: PartitionId,
        about: String,
    ) -> Result<Self, ArchiveError> {
        let writer = SerializedFileWriter::new(Vec::new(), schema(), Arc::new(properties(about)))
            .map_err(ArchiveError::Encode)?;
        Ok(Self { writer, codes, partition, open: Columns::default(), rows: 0, votes: 0 })
    }

    /// Adds the next row, in offset order, with its value where that is kept.
    ///
    /// # Errors
    /// A number that the election's lists do not have.
    #[inline]
    pub fn push(&mut self, row: &ArchivedRow, value: Option<&[u8]>) -> Result<(), ArchiveError> {
        let open = &mut self.open;
        open.offset.push(row.offset.0 as i64);
        open.timestamp.push(row.timestamp.0);
        let (outcome, digest) = match &row.outcome {
            ArchivedOutcome::Vote { vote, routes, value_digest } => {
                open.vote(&self.codes, vote)?;
                open.partitioners.push(self.codes.partitioners.text(code_of(*routes)).cloned());
                self.votes += 1;
                (0, *value_digest)
            }
            ArchivedOutcome::Reject { reason, value_digest } => {
                open.no_vote();
                (*reason as u16, Some(*value_digest))
            }
        };
        open.outcome.push(known(self.codes.outcomes.text(outcome))?);
        open.value_blake3.push(digest.map(|digest| digest.0.to_vec().into()));
        open.value_bytes += value.map_or(0, <[u8]>::len);
        open.value.push(value.map(|value| value.to_vec().into()));
        self.rows += 1;
        if open.offset.len() >= GROUP_ROWS || open.value_bytes >= GROUP_VALUE_BYTES {
            self.end_group()?;
        }
        Ok(())
    }

    /// Rows added.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Bytes of the row groups that are encoded.
    pub fn encoded_bytes(&self) -> usize {
        self.writer.bytes_written()
    }

    /// About how much memory it takes.
    pub fn memory_bytes(&self) -> usize {
        self.encoded_bytes() + self.open.offset.len() * OPEN_ROW_BYTES + self.open.value_bytes
    }

    /// Ends the file.
    ///
    /// # Errors
    /// None that is known of.
    pub fn finish(mut self) -> Result<Finished, ArchiveError> {
        self.end_group()?;
        let bytes = Bytes::from(self.writer.into_inner().map_err(ArchiveError::Encode)?);
        let blake3 = Digest(*blake3::hash(&bytes).as_bytes());
        Ok(Finished { bytes, blake3, rows: self.rows, votes: self.votes })
    }

    fn end_group(&mut self) -> Result<(), ArchiveError> {
        let rows = self.open.offset.len();
        if rows == 0 {
            return Ok(());
        }
        let partition = vec![self.partition.0 as i32; rows];
        self.write_group(&partition).map_err(ArchiveError::Encode)?;
        self.open.clear();
        Ok(())
    }

    fn write_group(&mut self, partition: &[i32]) -> Result<(), ParquetError> {
        let open = &self.open;
        let mut group = self.writer.next_row_group()?;
        let mut number = 0;
        while let Some(mut column) = group.next_column()? {
            let to = column.untyped();
            match number {
                at::PARTITION => int32(to, partition, None)?,
                at::OFFSET => int64(to, &open.offset, None)?,
                at::TIMESTAMP => int64(to, &open.timestamp, None)?,
                at::OUTCOME => text(to, &open.outcome, None)?,
                at::VOTER_ID => int64(to, &open.voter_id.values, Some(&open.voter_id.there))?,
                at::VOTER_KEY => fixed(to, &open.voter_key)?,
                at::REGION => text(to, &open.region.values, Some(&open.region.there))?,
                at::CANDIDATE => text(to, &open.candidate.values, Some(&open.candidate.there))?,
                at::GENDER => text(to, &open.gender.values, Some(&open.gender.there))?,
                at::AGE => int32(to, &open.age.values, Some(&open.age.there))?,
                at::AGE_BAND => text(to, &open.age_band.values, Some(&open.age_band.there))?,
                at::MOMENT => int64(to, &open.moment.values, Some(&open.moment.there))?,
                at::PARTITIONERS => text(to, &open.partitioners.values, Some(&open.partitioners.there))?,
                at::VALUE_BLAKE3 => fixed(to, &open.value_blake3)?,
                _ => text(to, &open.value.values, Some(&open.value.there))?,
            }
            column.close()?;
            number += 1;
        }
        group.close()?;
        Ok(())
    }
}

impl Columns {
    #[inline]
    fn vote(&mut self, codes: &Codes, vote: &LedgerVote) -> Result<(), ArchiveError> {
        match vote.voter {
            VoterKey::Integer(id) => {
                self.voter_id.push(Some(id as i64));
                self.voter_key.push(None);
            }
            VoterKey::Text(key) => {
                self.voter_id.push(None);
                self.voter_key.push(Some(key.to_be_bytes().to_vec().into()));
            }
        }
        // An election without regions has none to name.
        self.region.push(codes.regions.text(vote.region).cloned());
        self.candidate.push(Some(known(codes.candidates.text(vote.candidate))?));
        self.gender.push(Some(known(codes.genders.text(u16::from(vote.gender)))?));
        let (age, band) = match vote.age {
            AGE_UNKNOWN => (None, None),
            age if age & AGE_IS_BAND != 0 => (None, Some(known(codes.bands.text(age & !AGE_IS_BAND))?)),
            age => (Some(i32::from(age)), None),
        };
        self.age.push(age);
        self.age_band.push(band);
        self.moment.push(Some(vote.moment));
        Ok(())
    }

    fn no_vote(&mut self) {
        self.voter_id.push(None);
        self.voter_key.push(None);
        self.region.push(None);
        self.candidate.push(None);
        self.gender.push(None);
        self.age.push(None);
        self.age_band.push(None);
        self.moment.push(None);
        self.partitioners.push(None);
    }

    /// Empties the columns and keeps their room.
    fn clear(&mut self) {
        fn empty<T>(column: &mut Optional<T>) {
            column.values.clear();
            column.there.clear();
        }
        self.offset.clear();
        self.timestamp.clear();
        self.outcome.clear();
        empty(&mut self.voter_id);
        empty(&mut self.voter_key);
        empty(&mut self.age);
        empty(&mut self.moment);
        empty(&mut self.value_blake3);
        for column in [
            &mut self.region,
            &mut self.candidate,
            &mut self.gender,
            &mut self.age_band,
            &mut self.partitioners,
            &mut self.value,
        ] {
            empty(column);
        }
        self.value_bytes = 0;
    }
}

#[inline]
fn known(text: Option<&ByteArray>) -> Result<ByteArray, ArchiveError> {
    text.cloned().ok_or_else(|| {
        ArchiveError::Encode(ParquetError::General("a number is not in the election's lists".to_owned()))
    })
}

fn int32(to: &mut ColumnWriter<'_>, values: &[i32], there: Option<&[i16]>) -> Result<(), ParquetError> {
    let ColumnWriter::Int32ColumnWriter(to) = to else { return Err(other_type()) };
    to.write_batch(values, there, None).map(drop)
}

fn int64(to: &mut ColumnWriter<'_>, values: &[i64], there: Option<&[i16]>) -> Result<(), ParquetError> {
    let ColumnWriter::Int64ColumnWriter(to) = to else { return Err(other_type()) };
    to.write_batch(values, there, None).map(drop)
}

fn text(to: &mut ColumnWriter<'_>, values: &[ByteArray], there: Option<&[i16]>) -> Result<(), ParquetError> {
    let ColumnWriter::ByteArrayColumnWriter(to) = to else { return Err(other_type()) };
    to.write_batch(values, there, None).map(drop)
}

fn fixed(to: &mut ColumnWriter<'_>, column: &Optional<FixedLenByteArray>) -> Result<(), ParquetError> {
    let ColumnWriter::FixedLenByteArrayColumnWriter(to) = to else { return Err(other_type()) };
    to.write_batch(&column.values, Some(&column.there), None).map(drop)
}

fn other_type() -> ParquetError {
    ParquetError::General("a column has another type than its place says".to_owned())
}
