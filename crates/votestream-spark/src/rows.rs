//! Reading rows of Spark's answers; what is not as asked for is an answer that does not add up.

use crate::error::SparkError;
use spark_connect::row::{Row, Value};
use votestream_election::PartitionId;

fn inconsistent(row: &Row, column: usize) -> SparkError {
    SparkError::Inconsistent {
        says: format!("column {column} of a row of {} is not of the type asked for", row.len()),
    }
}

/// An integer.
pub(crate) fn long(row: &Row, column: usize) -> Result<i64, SparkError> {
    row.get(column).and_then(Value::as_i64).ok_or_else(|| inconsistent(row, column))
}

/// A count or an offset.
pub(crate) fn count(row: &Row, column: usize) -> Result<u64, SparkError> {
    u64::try_from(long(row, column)?).map_err(|_| inconsistent(row, column))
}

/// An index into a list of ours.
pub(crate) fn index(row: &Row, column: usize) -> Result<usize, SparkError> {
    usize::try_from(long(row, column)?).map_err(|_| inconsistent(row, column))
}

/// A partition.
pub(crate) fn partition(row: &Row, column: usize) -> Result<PartitionId, SparkError> {
    u32::try_from(long(row, column)?).map(PartitionId).map_err(|_| inconsistent(row, column))
}

/// A boolean.
pub(crate) fn flag(row: &Row, column: usize) -> Result<bool, SparkError> {
    row.get(column).and_then(Value::as_bool).ok_or_else(|| inconsistent(row, column))
}

/// A text.
pub(crate) fn text(row: &Row, column: usize) -> Result<&str, SparkError> {
    row.get(column).and_then(Value::as_str).ok_or_else(|| inconsistent(row, column))
}

/// Bytes, or nothing.
pub(crate) fn bytes(row: &Row, column: usize) -> Result<Option<&[u8]>, SparkError> {
    match row.get(column) {
        Some(Value::Null) => Ok(None),
        Some(value) => value.as_bytes().map(Some).ok_or_else(|| inconsistent(row, column)),
        None => Err(inconsistent(row, column)),
    }
}
