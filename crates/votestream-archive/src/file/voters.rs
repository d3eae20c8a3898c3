//! The voters of pruned rows as one Parquet file: keys in ascending order, so that nothing tells who voted when, and no choice.

use super::schema::properties_of;
use bytes::Bytes;
use parquet::column::reader::get_typed_column_reader;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::{ByteArray, DataType, FixedLenByteArray, FixedLenByteArrayType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, RowGroupReader};
use parquet::file::serialized_reader::SerializedFileReader;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use std::sync::Arc;
use votestream_election::VoterKey;

/// The columns: of each row one is null.
const SCHEMA: &str = "message voters {
    OPTIONAL INT64 voter_id (INTEGER(64,false));
    OPTIONAL FIXED_LEN_BYTE_ARRAY(16) voter_key;
}";
/// Voters of a row group.
const GROUP_ROWS: usize = 131_072;

/// The file of these voters, which are put in order first. `about` is kept in the file's own metadata.
pub(crate) fn voters_file(voters: &mut [VoterKey], about: String) -> Result<Bytes, ParquetError> {
    voters.sort_unstable_by_key(|voter| match voter {
        VoterKey::Integer(id) => (false, u128::from(*id)),
        VoterKey::Text(key) => (true, *key),
    });
    let schema = Arc::new(parse_message_type(SCHEMA)?);
    let mut file =
        SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties_of(about, &["voter_id"])))?;
    for rows in voters.chunks(GROUP_ROWS) {
        let mut group = file.next_row_group()?;
        while let Some(mut column) = group.next_column()? {
            match column.untyped() {
                ColumnWriter::Int64ColumnWriter(writer) => {
                    let values: Vec<i64> = rows.iter().filter_map(integer).collect();
                    let there: Vec<i16> =
                        rows.iter().map(|voter| i16::from(integer(voter).is_some())).collect();
                    writer.write_batch(&values, Some(&there), None)?;
                }
                ColumnWriter::FixedLenByteArrayColumnWriter(writer) => {
                    let values: Vec<FixedLenByteArray> = rows.iter().filter_map(text).collect();
                    let there: Vec<i16> =
                        rows.iter().map(|voter| i16::from(integer(voter).is_none())).collect();
                    writer.write_batch(&values, Some(&there), None)?;
                }
                _ => return Err(odd()),
            }
            column.close()?;
        }
        group.close()?;
    }
    Ok(file.into_inner()?.into())
}

fn integer(voter: &VoterKey) -> Option<i64> {
    match voter {
        VoterKey::Integer(id) => Some(*id as i64),
        VoterKey::Text(_) => None,
    }
}

fn text(voter: &VoterKey) -> Option<FixedLenByteArray> {
    match voter {
        VoterKey::Integer(_) => None,
        VoterKey::Text(key) => Some(key.to_be_bytes().to_vec().into()),
    }
}

/// Hands over each voter of a file; says how many.
pub(crate) fn each_voter(bytes: Bytes, each: &mut dyn FnMut(VoterKey)) -> Result<u64, ParquetError> {
    let file = SerializedFileReader::new(bytes)?;
    if *file.metadata().file_metadata().schema() != parse_message_type(SCHEMA)? {
        return Err(odd());
    }
    let mut voters = 0;
    for number in 0..file.num_row_groups() {
        let group = file.get_row_group(number)?;
        for id in values::<Int64Type>(&*group, 0)? {
            each(VoterKey::Integer(id as u64));
            voters += 1;
        }
        for key in values::<FixedLenByteArrayType>(&*group, 1)? {
            let key: &ByteArray = &key;
            each(VoterKey::Text(u128::from_be_bytes(key.data().try_into().map_err(|_| odd())?)));
            voters += 1;
        }
    }
    Ok(voters)
}

/// The values of a column that are there.
fn values<T: DataType>(group: &dyn RowGroupReader, column: usize) -> Result<Vec<T::T>, ParquetError> {
    let rows = group.metadata().num_rows() as usize;
    let mut reader = get_typed_column_reader::<T>(group.get_column_reader(column)?);
    let (mut values, mut there, mut read) = (Vec::new(), Vec::new(), 0);
    while read < rows {
        let (more, _, _) = reader.read_records(rows - read, Some(&mut there), None, &mut values)?;
        if more == 0 {
            return Err(odd());
        }
        read += more;
    }
    Ok(values)
}

fn odd() -> ParquetError {
    ParquetError::General("it is no file of voters".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn voters_come_back_in_order_whatever_their_keys() {
        let mut voters: Vec<VoterKey> = (0..200_000_u64)
            .rev()
            .map(|n| VoterKey::Integer(n.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
            .collect();
        voters.extend([VoterKey::Text(u128::MAX), VoterKey::Text(0), VoterKey::Integer(u64::MAX)]);
        let bytes = voters_file(&mut voters, "about".to_owned()).unwrap();
        let mut back = Vec::new();
        assert_eq!(each_voter(bytes, &mut |voter| back.push(voter)).unwrap(), 200_003);
        assert_eq!(back, voters);
        let none = voters_file(&mut [], String::new()).unwrap();
        assert_eq!(each_voter(none, &mut |_| panic!("nobody is there")).unwrap(), 0);
    }
}
