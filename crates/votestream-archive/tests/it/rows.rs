//! Any records through the archive and back: the rows of a judge of their own, the values that were to be kept, the ledger's leaves as a
//! count makes them.

use crate::memory::{Memory, identity, make_up};
use proptest::prelude::*;
use std::sync::Arc;
use votestream_archive::manifest::Act;
use votestream_archive::manifest::chain::ManifestWriter;
use votestream_archive::place::Place;
use votestream_archive::{Archive, Kept, Lane, Sealed, compact};
use votestream_election::archived::{ArchivedOutcome, ArchivedRow, RowMaker};
use votestream_election::delta::{PartitionState, Progress};
use votestream_election::event::EventParser;
use votestream_election::fold::{Misrouted, PartitionCount, Record};
use votestream_election::ledger::LeafSeal;
use votestream_election::partitioner::PartitionerSet;
use votestream_election::seen::SeenVoters;
use votestream_election::{Election, Millis, Offset, PartitionId};

const PARTITION: PartitionId = PartitionId(0);

/// A record as owned bytes.
#[derive(Clone, Debug)]
struct Owned {
    offset: u64,
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    oversize: bool,
}

impl Owned {
    fn record(&self) -> Record<'_> {
        Record {
            offset: Offset(self.offset),
            timestamp: Millis(self.timestamp),
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            oversize: self.oversize,
        }
    }
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    let id = prop_oneof![
        any::<u64>().prop_map(|id| id.to_string()),
        Just(u64::MAX.to_string()),
        "[a-z]{1,12}".prop_map(|text| format!("\"{text}\"")),
        Just("\"3F2504E0-4F89-11D3-9A0C-0305E82C3301\"".to_owned()),
        Just("null".to_owned()),
    ];
    let state = prop_oneof![4 => Just("Ohio"), 4 => Just("California"), 1 => Just("Atlantis")];
    let age = prop_oneof![
        (18..100_u32).prop_map(|age| age.to_string()),
        Just("\"18-29\"".to_owned()),
        Just("null".to_owned()),
        Just("7".to_owned()),
    ];
    let gender = prop_oneof![Just("\"Male\""), Just("\"female\""), Just("null")];
    let vote = (id, state, age, gender).prop_map(|(id, state, age, gender)| {
        format!("{{\"id\":{id},\"state\":\"{state}\",\"decision\":\"Kamala Harris\",\"gender\":{gender},\"age\":{age}}}").into_bytes()
    });
    prop_oneof![6 => vote, 1 => prop::collection::vec(any::<u8>(), 0..40)]
}

fn records() -> impl Strategy<Value = Vec<Owned>> {
    let record = (
        prop_oneof![8 => 1..3_u64, 1 => 1..200_000_u64],
        any::<i32>(),
        prop_oneof![8 => Just(0), 1 => Just(1), 1 => Just(2)],
        prop::option::weighted(0.95, value()),
        prop::bool::weighted(0.02),
    );
    prop::collection::vec(record, 0..80).prop_map(|records| {
        let mut next = 0;
        let owned = |(gap, time, key, value, oversize): (u64, i32, i32, Option<Vec<u8>>, bool)| {
            next += gap;
            let key = match key {
                0 => None,
                1 => Some(b"somebody else".to_vec()),
                _ => Some(b"1".to_vec()),
            };
            Owned { offset: next - 1, timestamp: i64::from(time), key, value, oversize }
        };
        records.into_iter().map(owned).collect()
    })
}

/// Which records a batch ends after, and which a file.
type Cuts = Vec<(bool, bool)>;

/// Archives records, cut into batches and files, each file in a run of its own.
fn archived(records: &[Owned], cuts: &Cuts, kept: &Kept, place: &Arc<dyn Place>) -> Archive {
    let identity = identity(kept.every_value);
    let mut writer = ManifestWriter::take_over(Arc::clone(place), &identity, make_up, 0).unwrap();
    let open = || Archive::open(Arc::clone(place)).unwrap();
    let mut lane = Lane::resume(&open(), PARTITION, kept.clone()).unwrap();
    for (record, (ends_batch, ends_file)) in records.iter().zip(cuts) {
        lane.record(&record.record()).unwrap();
        if *ends_batch || *ends_file {
            lane.end_batch(Offset(record.offset + 1), 3);
        }
        if *ends_file {
            put(&mut writer, lane.seal().unwrap());
            lane = Lane::resume(&open(), PARTITION, kept.clone()).unwrap();
        }
    }
    if let Some(last) = records.last() {
        lane.end_batch(Offset(last.offset + 1), 3);
    }
    put(&mut writer, lane.seal().unwrap());
    open()
}

fn put(writer: &mut ManifestWriter, sealed: Option<Sealed>) {
    let Some(Sealed { mut entry, file }) = sealed else { return };
    entry.name = writer.file_name(0, (entry.from, entry.to));
    writer.place().put_new(&entry.name, file.bytes).unwrap();
    let pending = writer.begin(Act::Files { files: vec![entry] }, 0).unwrap();
    writer.settle(&pending).unwrap();
}

type Row = (ArchivedRow, Option<Vec<u8>>);

fn read(archive: &Archive, from: u64) -> Vec<Row> {
    let mut rows = archive.rows(PARTITION, Offset(from));
    let mut all = Vec::new();
    while let Some(batch) = rows.next_batch().unwrap() {
        for (place, row) in batch.rows().iter().enumerate() {
            all.push((*row, batch.value(place).map(<[u8]>::to_vec)));
        }
    }
    assert_eq!(rows.position(), archive.partition(PARTITION).next.max(Offset(from)));
    all
}

/// The rows as they should be, judged without an archive.
fn expected(records: &[Owned], every_value: bool) -> Vec<Row> {
    let election = Election::preset("us-president-2024").unwrap();
    let mut maker =
        RowMaker::new(EventParser::new(&election), (PARTITION, 1), PartitionerSet::ALL, Offset(0));
    let row = |record: &Owned| {
        let row = maker.row(&record.record());
        let kept = every_value || matches!(row.outcome, ArchivedOutcome::Reject { .. });
        (row, record.value.clone().filter(|_| kept))
    };
    records.iter().map(row).collect()
}

/// The leaves of a count of the same records.
fn counted(records: &[Owned]) -> Vec<LeafSeal> {
    let election = Election::preset("us-president-2024").unwrap();
    let layout = election.layout();
    let progress = Progress::begin(PARTITION, 0, Offset(0));
    let state = PartitionState::begin(progress, layout.candidates * election.region_rows());
    let seen = SeenVoters::new(election.duplicate, 100, 1);
    let mut fold = PartitionCount::new(&election, state, seen, (1, PartitionerSet::ALL), Misrouted::Reject);
    let mut parser = EventParser::new(&election);
    for record in records {
        fold.record(&mut parser, &record.record()).unwrap();
    }
    fold.seal(Offset(0)).map_or(Vec::new(), |delta| delta.leaves)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn any_records_come_back(
        records in records(),
        cuts in prop::collection::vec((prop::bool::weighted(0.3), prop::bool::weighted(0.2)), 80),
        every_value in any::<bool>(),
        from in 0..400_000_u64,
    ) {
        let place: Arc<dyn Place> = Arc::new(Memory::default());
        let kept = Kept { every_value, pseudonyms: None };
        let archive = archived(&records, &cuts, &kept, &place);
        let expected = expected(&records, every_value);
        prop_assert_eq!(&read(&archive, 0), &expected);
        let later: Vec<Row> = expected.iter().filter(|(row, _)| row.offset.0 >= from).cloned().collect();
        prop_assert_eq!(read(&archive, from), later);
        prop_assert_eq!(archive.partition(PARTITION).leaves(), counted(&records));
        prop_assert_eq!(archive.manifest().rows(), records.len() as u64);
    }
}

#[test]
fn files_put_together_hold_the_same_rows() {
    let vote = |offset: u64| Owned {
        offset,
        timestamp: 1_000 + offset as i64,
        key: None,
        value: Some(format!("{{\"id\":{offset},\"state\":\"Ohio\",\"decision\":\"trump\"}}").into_bytes()),
        oversize: false,
    };
    let records: Vec<Owned> = (0..70_000).map(vote).collect();
    let cuts: Cuts = (0..70_000).map(|n| (n % 100 == 99, n % 7_000 == 6_999)).collect();
    let place: Arc<dyn Place> = Arc::new(Memory::default());
    let kept = Kept { every_value: false, pseudonyms: None };
    let before = archived(&records, &cuts, &kept, &place);
    let files = before.partition(PARTITION).files.clone();
    assert_eq!(files.len(), 10);
    let largest = files.iter().map(|file| file.bytes).max().unwrap();
    assert_eq!(compact::worth(&files, 2 * largest), None, "files of half the size are not small");
    let range = compact::worth(&files, 100 * largest).unwrap();
    assert_eq!(range, 0..10);
    let Sealed { mut entry, file } = compact::together(&before, PARTITION, &files).unwrap();
    let mut writer = ManifestWriter::take_over(Arc::clone(&place), &identity(false), make_up, 0).unwrap();
    entry.name = writer.file_name(0, (entry.from, entry.to));
    place.put_new(&entry.name, file.bytes).unwrap();
    let replaced = files.iter().map(|file| file.name.clone()).collect();
    let pending = writer.begin(Act::Compact { file: Box::new(entry), replaced }, 0).unwrap();
    writer.settle(&pending).unwrap();
    let after = Archive::open(Arc::clone(&place)).unwrap();
    assert_eq!(after.partition(PARTITION).files.len(), 1);
    assert_eq!(read(&after, 0), read(&before, 0));
    assert_eq!(after.partition(PARTITION).leaves(), before.partition(PARTITION).leaves());
    assert!(after.manifest().bytes() < before.manifest().bytes());
}

#[test]
fn pseudonyms_hide_who_voted_and_tell_voters_apart() {
    let vote = |offset: u64, id: &str| Owned {
        offset,
        timestamp: 0,
        key: None,
        value: Some(format!("{{\"id\":{id},\"state\":\"Ohio\",\"decision\":\"trump\"}}").into_bytes()),
        oversize: false,
    };
    let records = [vote(0, "12"), vote(1, "\"12\""), vote(2, "\"anna\""), vote(3, "13"), vote(4, "x")];
    let place: Arc<dyn Place> = Arc::new(Memory::default());
    let kept = Kept { every_value: false, pseudonyms: Some([5; 32]) };
    let archive = archived(&records, &vec![(false, false); 5], &kept, &place);
    let rows = read(&archive, 0);
    let voter = |n: usize| match rows[n].0.outcome {
        ArchivedOutcome::Vote { vote, .. } => Some(vote.voter),
        ArchivedOutcome::Reject { .. } => None,
    };
    assert_eq!(voter(0), voter(1), "a text that is an integer is the same voter");
    assert!(voter(0) != voter(2) && voter(0) != voter(3) && voter(4).is_none());
    assert!(matches!(voter(0), Some(votestream_election::VoterKey::Text(_))));
    assert!(rows.iter().all(|(_, value)| value.is_none()), "a rejected value may hold an id");
}
