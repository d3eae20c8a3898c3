//! A file into rows, a batch at a time. The file's bytes are already known to be those that the manifest means.

use super::codes::{Codes, Finder, set_of};
use super::schema::{COLUMNS, at, is_ours};
use bytes::Bytes;
use parquet::column::reader::{ColumnReaderImpl, get_typed_column_reader};
use parquet::data_type::{
    ByteArray, ByteArrayType, DataType, FixedLenByteArray, FixedLenByteArrayType, Int32Type, Int64Type,
};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, RowGroupReader};
use parquet::file::serialized_reader::SerializedFileReader;
use std::sync::Arc;
use votestream_election::archived::{ArchivedOutcome, ArchivedRow};
use votestream_election::event::{AGE_IS_BAND, AGE_UNKNOWN};
use votestream_election::ledger::{Digest, LedgerVote};
use votestream_election::{Millis, Offset, RejectReason, VoterKey};

/// Rows of a batch: small enough for a processor's cache.
pub const BATCH_ROWS: usize = 4_096;

/// Some rows of one partition, in offset order.
#[derive(Clone, Debug, Default)]
pub struct RowBatch {
    rows: Vec<ArchivedRow>,
    values: Vec<Option<Bytes>>,
}

impl RowBatch {
    /// The rows.
    pub fn rows(&self) -> &[ArchivedRow] {
        &self.rows
    }

    /// The value of the row at this place, where it is kept: of every record with `keep_bytes`, else of rejected ones; a null value is
    /// never there.
    pub fn value(&self, place: usize) -> Option<&[u8]> {
        self.values.get(place)?.as_deref()
    }

    pub(crate) fn clear(&mut self) {
        self.rows.clear();
        self.values.clear();
    }

    /// Drops the rows before `from`.
    pub(crate) fn skip_before(&mut self, from: Offset) {
        let skip = self.rows.partition_point(|row| row.offset < from);
        self.rows.drain(..skip);
        self.values.drain(..skip);
    }
}

/// Reads the rows of one file.
pub struct FileRows {
    file: SerializedFileReader<Bytes>,
    codes: Arc<Codes>,
    next_group: usize,
    group: Option<Group>,
    finders: Finders,
}

struct Finders {
    regions: Finder,
    candidates: Finder,
    genders: Finder,
    bands: Finder,
    outcomes: Finder,
    partitioners: Finder,
}

/// The columns of one row group, as far as they are read.
struct Group {
    left: usize,
    offset: Reader<Int64Type>,
    timestamp: Reader<Int64Type>,
    outcome: Reader<ByteArrayType>,
    voter_id: Reader<Int64Type>,
    voter_key: Reader<FixedLenByteArrayType>,
    region: Reader<ByteArrayType>,
    candidate: Reader<ByteArrayType>,
    gender: Reader<ByteArrayType>,
    age: Reader<Int32Type>,
    age_band: Reader<ByteArrayType>,
    moment: Reader<Int64Type>,
    partitioners: Reader<ByteArrayType>,
    value_blake3: Reader<FixedLenByteArrayType>,
    value: Reader<ByteArrayType>,
}

/// One column, and the part of it that was read last.
struct Reader<T: DataType> {
    column: ColumnReaderImpl<T>,
    optional: bool,
    values: Vec<T::T>,
    there: Vec<i16>,
    /// How many values, and how many rows, were taken.
    taken: (usize, usize),
}

impl<T: DataType> Reader<T> {
    fn new(group: &dyn RowGroupReader, column: usize) -> Result<Self, ParquetError> {
        let optional = group.metadata().schema_descr().column(column).max_def_level() > 0;
        let column_reader = get_typed_column_reader(group.get_column_reader(column)?);
        Ok(Self { column: column_reader, optional, values: Vec::new(), there: Vec::new(), taken: (0, 0) })
    }

    /// Reads so many rows.
    fn read(&mut self, rows: usize) -> Result<(), ParquetError> {
        self.values.clear();
        self.there.clear();
        self.taken = (0, 0);
        let mut read = 0;
        while read < rows {
            let there = self.optional.then_some(&mut self.there);
            let (more, _, _) = self.column.read_records(rows - read, there, None, &mut self.values)?;
            if more == 0 {
                return Err(ParquetError::EOF(
                    "a column has fewer values than the row group has rows".to_owned(),
                ));
            }
            read += more;
        }
        Ok(())
    }

    /// The next row's value.
    #[inline]
    fn take(&mut self) -> Option<&T::T> {
        let row = self.taken.1;
        self.taken.1 += 1;
        if self.optional && self.there.get(row) != Some(&1) {
            return None;
        }
        let value = self.taken.0;
        self.taken.0 += 1;
        self.values.get(value)
    }
}

impl FileRows {
    /// Begins to read a file's bytes.
    ///
    /// # Errors
    /// They are no Parquet, or have other columns.
    pub(crate) fn new(bytes: Bytes, codes: Arc<Codes>) -> Result<Self, ParquetError> {
        let file = SerializedFileReader::new(bytes)?;
        if !is_ours(file.metadata().file_metadata().schema()) {
            let names: Vec<&str> = COLUMNS.iter().map(|column| column.name).collect();
            return Err(ParquetError::General(format!("its columns are not {}", names.join(", "))));
        }
        let finders = Finders {
            regions: Finder::new(),
            candidates: Finder::new(),
            genders: Finder::new(),
            bands: Finder::new(),
            outcomes: Finder::new(),
            partitioners: Finder::new(),
        };
        Ok(Self { file, codes, next_group: 0, group: None, finders })
    }

    /// Passes over row groups that end before `from`.
    pub(crate) fn skip_to(&mut self, from: Offset) {
        let metadata = self.file.metadata();
        while self.next_group < metadata.num_row_groups() {
            let statistics = metadata.row_group(self.next_group).column(at::OFFSET).statistics();
            let last = statistics.and_then(|s| s.max_bytes_opt()).and_then(|bytes| bytes.try_into().ok());
            if last.is_none_or(|last| i64::from_le_bytes(last) as u64 >= from.0) {
                return;
            }
            self.next_group += 1;
        }
    }

    /// Reads the next rows into `batch`; false where there are no more.
    ///
    /// # Errors
    /// What is in a column cannot be a row.
    pub(crate) fn next_into(&mut self, batch: &mut RowBatch) -> Result<bool, ParquetError> {
        batch.clear();
        let group = loop {
            match &mut self.group {
                Some(group) if group.left > 0 => break group,
                _ if self.next_group == self.file.num_row_groups() => return Ok(false),
                group => {
                    *group = Some(Group::new(&*self.file.get_row_group(self.next_group)?)?);
                    self.next_group += 1;
                }
            }
        };
        let rows = group.left.min(BATCH_ROWS);
        group.read(rows)?;
        for _ in 0..rows {
            let row = group.row(&self.codes, &mut self.finders)?;
            batch.values.push(group.value.take().map(|value| Bytes::copy_from_slice(value.data())));
            batch.rows.push(row);
        }
        group.left -= rows;
        Ok(true)
    }
}

impl Group {
    fn new(group: &dyn RowGroupReader) -> Result<Self, ParquetError> {
        Ok(Self {
            left: group.metadata().num_rows() as usize,
            offset: Reader::new(group, at::OFFSET)?,
            timestamp: Reader::new(group, at::TIMESTAMP)?,
            outcome: Reader::new(group, at::OUTCOME)?,
            voter_id: Reader::new(group, at::VOTER_ID)?,
            voter_key: Reader::new(group, at::VOTER_KEY)?,
            region: Reader::new(group, at::REGION)?,
            candidate: Reader::new(group, at::CANDIDATE)?,
            gender: Reader::new(group, at::GENDER)?,
            age: Reader::new(group, at::AGE)?,
            age_band: Reader::new(group, at::AGE_BAND)?,
            moment: Reader::new(group, at::MOMENT)?,
            partitioners: Reader::new(group, at::PARTITIONERS)?,
            value_blake3: Reader::new(group, at::VALUE_BLAKE3)?,
            value: Reader::new(group, at::VALUE)?,
        })
    }

    fn read(&mut self, rows: usize) -> Result<(), ParquetError> {
        self.offset.read(rows)?;
        self.timestamp.read(rows)?;
        self.outcome.read(rows)?;
        self.voter_id.read(rows)?;
        self.voter_key.read(rows)?;
        self.region.read(rows)?;
        self.candidate.read(rows)?;
        self.gender.read(rows)?;
        self.age.read(rows)?;
        self.age_band.read(rows)?;
        self.moment.read(rows)?;
        self.partitioners.read(rows)?;
        self.value_blake3.read(rows)?;
        self.value.read(rows)
    }

    #[inline]
    fn row(&mut self, codes: &Codes, finders: &mut Finders) -> Result<ArchivedRow, ParquetError> {
        let offset = Offset(*self.offset.take().ok_or_else(|| odd("offset"))? as u64);
        let timestamp = Millis(*self.timestamp.take().ok_or_else(|| odd("timestamp"))?);
        let outcome = self.outcome.take().ok_or_else(|| odd("outcome"))?;
        let outcome = finders.outcomes.find(&codes.outcomes, outcome.data()).ok_or_else(|| odd("outcome"))?;
        let voter = match (self.voter_id.take(), self.voter_key.take()) {
            (Some(id), None) => Some(VoterKey::Integer(*id as u64)),
            (None, Some(key)) => Some(VoterKey::Text(u128::from_be_bytes(fixed(key, "voter_key")?))),
            (None, None) => None,
            (Some(_), Some(_)) => return Err(odd("voter_key")),
        };
        let region = self.region.take().map(|text| finders.regions.find(&codes.regions, text.data()));
        let candidate =
            self.candidate.take().map(|text| finders.candidates.find(&codes.candidates, text.data()));
        let gender = self.gender.take().map(|text| finders.genders.find(&codes.genders, text.data()));
        let age = self.age.take().copied();
        let band = self.age_band.take().map(|text| finders.bands.find(&codes.bands, text.data()));
        let moment = self.moment.take().copied();
        let routes =
            self.partitioners.take().map(|text| finders.partitioners.find(&codes.partitioners, text.data()));
        let digest =
            self.value_blake3.take().map(|digest| fixed(digest, "value_blake3").map(Digest)).transpose()?;
        if outcome > 0 {
            let reason = RejectReason::from_code(outcome as u8).ok_or_else(|| odd("outcome"))?;
            let value_digest = digest.ok_or_else(|| odd("value_blake3"))?;
            return Ok(ArchivedRow {
                offset,
                timestamp,
                outcome: ArchivedOutcome::Reject { reason, value_digest },
            });
        }
        let age = match (age, band) {
            (Some(age), None) => u16::try_from(age).map_err(|_| odd("age"))?,
            (None, Some(band)) => AGE_IS_BAND | band.ok_or_else(|| odd("age_band"))?,
            (None, None) => AGE_UNKNOWN,
            (Some(_), Some(_)) => return Err(odd("age_band")),
        };
        let vote = LedgerVote {
            voter: voter.ok_or_else(|| odd("voter_id"))?,
            region: region.unwrap_or(Some(0)).ok_or_else(|| odd("region"))?,
            candidate: candidate.flatten().ok_or_else(|| odd("candidate"))?,
            gender: gender.flatten().ok_or_else(|| odd("gender"))? as u8,
            age,
            moment: moment.ok_or_else(|| odd("moment"))?,
        };
        let routes = set_of(routes.flatten().ok_or_else(|| odd("partitioners"))?);
        let outcome = ArchivedOutcome::Vote { vote, routes, value_digest: digest };
        Ok(ArchivedRow { offset, timestamp, outcome })
    }
}

#[inline]
fn fixed<const BYTES: usize>(value: &FixedLenByteArray, column: &str) -> Result<[u8; BYTES], ParquetError> {
    let value: &ByteArray = value;
    value.data().try_into().map_err(|_| odd(column))
}

#[cold]
fn odd(column: &str) -> ParquetError {
    ParquetError::General(format!("column '{column}' holds what no row can have"))
}
