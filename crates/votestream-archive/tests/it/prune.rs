//! What a manifest takes for a pruning: sums that add up, of whole leaves as it has them, and exactly the files that end before.

use crate::memory::{Memory, identity, make_up};
use std::sync::Arc;
use votestream_archive::ArchiveError;
use votestream_archive::manifest::chain::{ManifestWriter, read};
use votestream_archive::manifest::{Act, CarriedEntry, CellSum, FileEntry, LeafEntry, LeafSum, VotersEntry};
use votestream_archive::place::Place;
use votestream_election::Offset;
use votestream_election::ledger::{Digest, LEAF_OFFSETS};

const DIGEST: Digest = Digest([7; 32]);

fn file(name: &str, (from, to): (u64, u64), leaves: &[u64]) -> FileEntry {
    let leaf = |number: &u64| LeafEntry { number: *number, records: 10, digest: DIGEST };
    FileEntry {
        name: name.to_owned(),
        partition: 0,
        from,
        to,
        rows: 10,
        votes: 9,
        bytes: 1,
        blake3: Digest::default(),
        leader_epoch: 0,
        partitioners: "murmur2".to_owned(),
        leaves: leaves.iter().map(leaf).collect(),
    }
}

/// Of leaf 0, whose ten records are in file `a`; file `b` reaches into leaf 1.
fn carried() -> CarriedEntry {
    CarriedEntry {
        partition: 0,
        from: 0,
        to: LEAF_OFFSETS,
        pruned: vec!["data/0/a".to_owned()],
        leaves: vec![LeafSum {
            number: 0,
            records: 10,
            digest: DIGEST,
            counted: 7,
            duplicate: 2,
            rejected: [("malformed".to_owned(), 1)].into(),
        }],
        cells: vec![CellSum {
            region: Some("OH".to_owned()),
            candidate: "trump".to_owned(),
            gender: "Male".to_owned(),
            age_band: None,
            votes: 7,
        }],
        routed: vec!["murmur2".to_owned()],
        misrouted: Vec::new(),
        voters: VotersEntry { name: "carried/0/v".to_owned(), voters: 7, ..VotersEntry::default() },
    }
}

fn archive() -> (Arc<dyn Place>, ManifestWriter) {
    let place: Arc<dyn Place> = Arc::new(Memory::default());
    let mut writer = ManifestWriter::take_over(Arc::clone(&place), &identity(false), make_up, 0).unwrap();
    let files = vec![
        file("data/0/a", (0, 40_000), &[]),
        file("data/0/b", (40_000, 100_000), &[0]),
        file("data/0/c", (100_000, 140_000), &[1]),
    ];
    let pending = writer.begin(Act::Files { files }, 0).unwrap();
    writer.settle(&pending).unwrap();
    (place, writer)
}

fn prune(writer: &ManifestWriter, entry: CarriedEntry) -> Result<(), String> {
    let said = |error: ArchiveError| error.to_string();
    writer.begin(Act::Prune { carried: Box::new(entry) }, 0).map(drop).map_err(said)
}

#[test]
fn the_ledger_stays_whole_and_the_next_pruning_goes_on() {
    let (place, mut writer) = archive();
    let before = writer.manifest().partitions[0].leaves();
    let pending = writer.begin(Act::Prune { carried: Box::new(carried()) }, 5).unwrap();
    writer.settle(&pending).unwrap();
    let partition = &writer.manifest().partitions[0];
    assert_eq!((partition.start, partition.rows_from()), (Offset(0), Offset(LEAF_OFFSETS)));
    assert_eq!(partition.leaves(), before);
    let names: Vec<&str> = partition.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["data/0/b", "data/0/c"]);
    assert_eq!(read(&*place).unwrap().as_ref(), Some(writer.manifest()));
    // The file that reached beyond goes with the next one.
    let mut next = carried();
    (next.from, next.to, next.leaves[0].number) = (LEAF_OFFSETS, 2 * LEAF_OFFSETS, 1);
    next.pruned = vec!["data/0/b".to_owned()];
    prune(&writer, next).unwrap();
    assert!(prune(&writer, carried()).unwrap_err().contains("it prunes offsets 0..65536"));
    // Whoever waits learns that the writer has finished; the next entry is another writer's.
    let pending = writer.begin(Act::Release, 6).unwrap();
    writer.settle(&pending).unwrap();
    assert!(read(&*place).unwrap().unwrap().released);
    let writer = ManifestWriter::take_over(place, &identity(false), make_up, 7).unwrap();
    assert!(!writer.manifest().released);
}

#[test]
fn what_does_not_add_up_is_refused() {
    let (_, writer) = archive();
    let refused = |change: &dyn Fn(&mut CarriedEntry), word: &str| {
        let mut entry = carried();
        change(&mut entry);
        let error = prune(&writer, entry).unwrap_err();
        assert!(error.contains(word), "'{word}' is not in: {error}");
    };
    refused(&|entry| entry.leaves[0].counted += 1, "does not come to its records");
    refused(&|entry| entry.cells[0].votes += 1, "its cells to 8");
    refused(&|entry| entry.voters.voters -= 1, "its voters to 6");
    refused(&|entry| entry.leaves[0].digest = Digest::default(), "other leaves");
    refused(&|entry| entry.to = 2 * LEAF_OFFSETS, "other files");
    refused(&|entry| entry.to = LEAF_OFFSETS - 1, "it prunes offsets");
    refused(&|entry| entry.to = 4 * LEAF_OFFSETS, "it prunes offsets");
    refused(&|entry| entry.from = 1, "it prunes offsets");
    refused(&|entry| entry.pruned.push("data/0/b".to_owned()), "other files");
    refused(&|entry| entry.pruned.clear(), "other files");
    refused(&|entry| entry.partition = 9, "which the log has not");
    refused(&|entry| entry.routed.push("both".to_owned()), "no set of partitioners");
    let rejected = |entry: &mut CarriedEntry| entry.leaves[0].rejected = [("odd".to_owned(), 1)].into();
    refused(&rejected, "no reason to reject");
}
