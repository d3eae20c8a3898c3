//! Names of files: `data/<partition>/<epoch>-<from>-<to>-<attempt>.parquet`, and of the voters of pruned rows alike in `carried/`. Ranges of different attempts may overlap; only those that
//! the manifest names exist.

use votestream_election::ids::uuid_text;

/// The directory of files.
pub const DATA: &str = "data";

/// The directory of voters of pruned rows.
pub const CARRIED: &str = "carried";

/// A file's name.
pub fn file(directory: &str, partition: u32, epoch: u64, (from, to): (u64, u64), attempt: u128) -> String {
    format!("{directory}/{partition}/{epoch:010}-{from:020}-{to:020}-{}.parquet", uuid_text(attempt))
}

/// The epoch in a file's name; none where the name is no file's of ours.
pub fn file_epoch(name: &str) -> Option<u64> {
    let inner = name.strip_prefix(DATA).or_else(|| name.strip_prefix(CARRIED))?;
    let (_, file) = inner.strip_prefix('/')?.split_once('/')?;
    let (epoch, rest) = file.strip_suffix(".parquet")?.split_once('-')?;
    (rest.len() == 20 + 1 + 20 + 1 + 36).then(|| epoch.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_epoch_is_in_the_name() {
        for directory in [DATA, CARRIED] {
            assert_eq!(file_epoch(&file(directory, 3, 17, (0, 9), 5)), Some(17));
        }
        for other in ["data/3/notes.txt", "data/x.parquet", "manifest/1.json", "data/0/1-2.parquet"] {
            assert_eq!(file_epoch(other), None, "{other}");
        }
    }
}
