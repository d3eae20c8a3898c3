//! The fold against a naive count: any sequence of records, cut into any batches, flushed anywhere, crashed anywhere, gives the same
//! tallies, rejects and ledger. The store is a model in memory that keeps what deltas say.

use proptest::prelude::*;
use std::collections::BTreeMap;
use votestream_election::delta::{Counts, PartitionDelta, PartitionState, Progress};
use votestream_election::election::DuplicatePolicy;
use votestream_election::event::EventParser;
use votestream_election::fold::{Misrouted, PartitionCount, Record};
use votestream_election::ledger::LeafSeal;
use votestream_election::partitioner::PartitionerSet;
use votestream_election::seen::{SeenVoters, Unpacked, unpack};
use votestream_election::{Election, Millis, Minute, Offset, PartitionId};

const ALONE: (u32, PartitionerSet) = (1, PartitionerSet::ALL);

/// What a store would hold of one partition.
#[derive(Clone)]
struct Model {
    state: PartitionState,
    cells: Vec<i64>,
    seen: Vec<Vec<u8>>,
    rejects: Vec<(Offset, &'static str)>,
    leaves: Vec<LeafSeal>,
    minutes: BTreeMap<Minute, (Counts, u64)>,
}

impl Model {
    fn new(election: &Election, start: u64) -> Self {
        let progress = Progress::begin(PartitionId(0), 1, Offset(start));
        Self {
            state: PartitionState::begin(progress, election.candidates.len() * election.region_rows()),
            cells: vec![0; election.layout().cells() * election.region_rows()],
            seen: Vec::new(),
            rejects: Vec::new(),
            leaves: Vec::new(),
            minutes: BTreeMap::new(),
        }
    }

    fn flush(&mut self, election: &Election, delta: PartitionDelta) {
        let layout = election.layout();
        let progress = &mut self.state.progress;
        assert_eq!(
            (progress.next_offset, progress.epoch),
            (delta.fence.from, delta.fence.epoch),
            "the fence"
        );
        assert_eq!(
            delta.counts.records() + delta.counts.skipped,
            delta.to.0 - delta.fence.from.0,
            "every offset once"
        );
        progress.next_offset = delta.to;
        progress.counted += delta.counts.counted;
        progress.duplicate += delta.counts.duplicate;
        progress.rejected += delta.counts.rejected;
        progress.skipped += delta.counts.skipped;
        progress.minute = delta.minute;
        for (region, cells) in &delta.tally {
            let region = usize::from(region.0);
            for (i, cell) in cells.iter().enumerate() {
                self.cells[region * layout.cells() + i] += cell;
                let total = &mut self.state.totals[region * layout.candidates + layout.candidate_of(i)];
                *total = total.checked_add_signed(*cell).expect("a total below zero");
            }
        }
        self.seen.extend(delta.seen.into_iter().map(|part| part.bytes));
        self.rejects.extend(delta.rejects.iter().map(|(offset, reason)| (*offset, reason.name())));
        self.state.leaves += delta.leaves.len() as u64;
        self.state.chain = delta.leaves.last().map_or(self.state.chain, |leaf| leaf.chain);
        self.leaves.extend(delta.leaves);
        self.state.open_leaf = delta.open_leaf.expect("a fold hashes what it counts");
        for row in delta.timeline {
            // Offsets without a record belong to no minute: which row first tells of them depends on the flushes.
            let counts = Counts { skipped: 0, ..row.counts };
            self.minutes.insert(row.minute, (counts, row.totals.iter().sum()));
        }
    }

    /// Takes the partition over, as a worker would after a crash.
    fn resume(
        &self,
        election: &Election,
        parser: &mut EventParser,
        log: &[(Offset, Vec<u8>)],
    ) -> PartitionCount {
        let mut seen = SeenVoters::new(election.duplicate, 0, 7);
        for row in &self.seen {
            let mut voters = Unpacked::default();
            unpack(row, &mut voters).expect("what was packed");
            seen.load(&voters);
        }
        assert_eq!(seen.len(), self.state.progress.counted, "distinct voters");
        let progress = &self.state.progress;
        let mut fold = PartitionCount::new(election, self.state.clone(), seen, ALONE, Misrouted::Stop);
        let from = PartitionCount::rebuild_from(progress.start_offset, progress.next_offset);
        for (offset, value) in log.iter().filter(|(o, _)| *o >= from && *o < progress.next_offset) {
            fold.rebuild(parser, &record(*offset, value));
        }
        if progress.next_offset > progress.start_offset {
            fold.rebuilt(&self.state.open_leaf).expect("the open leaf is what was counted");
        }
        fold
    }
}

fn record(offset: Offset, value: &[u8]) -> Record<'_> {
    let timestamp = Millis(1_730_840_000_000 + offset.0 as i64 * 20_000);
    Record { offset, timestamp, key: None, value: Some(value), oversize: false }
}

/// The naive count: one map, in order. (counted, duplicate, rejected, votes by region and candidate)
fn naive(log: &[(Offset, Line)], policy: DuplicatePolicy) -> (u64, u64, u64, BTreeMap<(usize, usize), i64>) {
    let (mut voters, mut duplicate, mut rejected) = (BTreeMap::new(), 0, 0);
    for (_, line) in log {
        match *line {
            Line::Vote { voter, region, candidate, .. } => {
                let known = voters.contains_key(&voter);
                duplicate += u64::from(known);
                if !known || policy == DuplicatePolicy::Last {
                    voters.insert(voter, (region, candidate));
                }
            }
            Line::Bad(_) => rejected += 1,
        }
    }
    let mut votes = BTreeMap::new();
    for place in voters.values() {
        *votes.entry(*place).or_insert(0) += 1;
    }
    (voters.len() as u64, duplicate, rejected, votes)
}

#[derive(Clone, Debug)]
enum Line {
    Vote { voter: u32, region: usize, candidate: usize, age: u16, text: bool },
    Bad(&'static str),
}

const BAD: &[&str] =
    &["", "{}", "[1]", "{\"id\":1}", "{\"id\":1,\"state\":\"Ohio\"}", "nonsense", "{\"id\":-1}"];

fn line(election: &Election, line: &Line) -> Vec<u8> {
    match line {
        Line::Bad(text) => text.as_bytes().to_vec(),
        Line::Vote { voter, region, candidate, age, text } => {
            let id = if *text { format!("\"v{voter}\"") } else { voter.to_string() };
            let (state, decision) = (&election.regions[*region].name, &election.candidates[*candidate].id);
            format!(r#"{{"id":{id},"gender":"Male","age":{age},"state":"{state}","decision":"{decision}"}}"#)
                .into_bytes()
        }
    }
}

fn lines() -> impl Strategy<Value = Vec<(u64, Line)>> {
    let vote =
        (0_u32..60, 0_usize..51, 0_usize..4, 18_u16..90).prop_map(|(voter, region, candidate, age)| {
            Line::Vote { voter, region, candidate, age, text: voter % 3 == 0 }
        });
    let line = prop_oneof![5 => vote, 1 => prop::sample::select(BAD).prop_map(Line::Bad)];
    // Most offsets follow each other; some are skipped, now and then past a leaf's end.
    let gap = prop_oneof![20 => Just(0_u64), 2 => 1_u64..5, 1 => Just(40_000)];
    prop::collection::vec((gap, line), 1..250)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_cuts_and_crashes_give_the_naive_count(
        script in lines(),
        start in prop::sample::select(vec![0_u64, 65_500]),
        last in any::<bool>(),
        cuts in prop::collection::vec(0_u8..12, 250),
    ) {
        let policy = if last { DuplicatePolicy::Last } else { DuplicatePolicy::First };
        let election = Election::preset("us-president-2024").expect("a preset").with_duplicate(policy);
        let mut at = start;
        let log: Vec<(Offset, Line)> = script.iter().map(|(gap, line)| {
            let offset = Offset(at + gap);
            at = offset.0 + 1;
            (offset, line.clone())
        }).collect();
        let values: Vec<(Offset, Vec<u8>)> = log.iter().map(|(o, l)| (*o, line(&election, l))).collect();

        let mut parser = EventParser::new(&election);
        let mut model = Model::new(&election, start);
        let mut fold = model.resume(&election, &mut parser, &values);
        let mut killed = std::collections::BTreeSet::new();
        let mut i = 0;
        while i < values.len() {
            let (offset, value) = &values[i];
            fold.record(&mut parser, &record(*offset, value)).unwrap();
            i += 1;
            match cuts[i % cuts.len()] {
                0 => {
                    // A batch ends and is flushed.
                    fold.end_batch(offset.plus(1), 3).unwrap();
                    if let Some(delta) = fold.seal(Offset(0)) {
                        model.flush(&election, delta);
                    }
                }
                1 => fold.end_batch(offset.plus(1), 3).unwrap(),
                // Killed once at a place: a second try gets further.
                2 if killed.insert(i) => {
                    // Killed: what was not flushed is read again.
                    fold = model.resume(&election, &mut parser, &values);
                    let next = model.state.progress.next_offset;
                    i = values.iter().position(|(o, _)| *o >= next).unwrap_or(values.len());
                }
                _ => {}
            }
        }
        fold.end_batch(Offset(at), 3).unwrap();
        if let Some(delta) = fold.seal(Offset(0)) {
            model.flush(&election, delta);
        }

        let (counted, duplicate, rejected, votes) = naive(&log, policy);
        let progress = &model.state.progress;
        prop_assert_eq!((progress.counted, progress.duplicate, progress.rejected), (counted, duplicate, rejected));
        prop_assert_eq!(progress.records() + progress.skipped, progress.next_offset.0 - start);
        let candidates = election.candidates.len();
        for region in 0..51 {
            for candidate in 0..candidates {
                let expect = votes.get(&(region, candidate)).copied().unwrap_or(0);
                prop_assert_eq!(model.state.totals[region * candidates + candidate] as i64, expect);
            }
        }
        prop_assert!(model.cells.iter().all(|cell| *cell >= 0));
        prop_assert_eq!(model.rejects.len() as u64, rejected);
        if let Some((_, (counts, total))) = model.minutes.last_key_value() {
            prop_assert_eq!((counts.counted, *total), (counted, counted));
        }

        // The same log in one piece gives the same ledger.
        let mut whole = Model::new(&election, start);
        let mut fold = whole.resume(&election, &mut parser, &values);
        for (offset, value) in &values {
            fold.record(&mut parser, &record(*offset, value)).unwrap();
        }
        fold.end_batch(Offset(at), 3).unwrap();
        whole.flush(&election, fold.seal(Offset(0)).expect("something to flush"));
        prop_assert_eq!(&whole.leaves, &model.leaves);
        prop_assert_eq!(&whole.state.open_leaf, &model.state.open_leaf);
        prop_assert_eq!(&whole.rejects, &model.rejects);
        prop_assert_eq!(&whole.cells, &model.cells);
        prop_assert_eq!(&whole.minutes, &model.minutes);
    }
}

#[test]
fn a_voter_on_the_wrong_partition_stops_counting_or_is_rejected() {
    let election = Election::preset("us-president-2024").expect("a preset");
    let mut parser = EventParser::new(&election);
    let value = line(&election, &Line::Vote { voter: 5, region: 3, candidate: 0, age: 30, text: false });
    let right = votestream_election::partitioner::murmur2_partition(b"5", 4).0;
    for (misrouted, partition) in
        [(Misrouted::Stop, right), (Misrouted::Stop, (right + 1) % 4), (Misrouted::Reject, (right + 1) % 4)]
    {
        let mut model = Model::new(&election, 0);
        model.state.progress.partition = PartitionId(partition);
        let seen = SeenVoters::new(DuplicatePolicy::First, 0, 0);
        let mut fold = PartitionCount::new(
            &election,
            model.state.clone(),
            seen,
            (4, PartitionerSet::MURMUR2),
            misrouted,
        );
        let counted = fold.record(&mut parser, &record(Offset(0), &value));
        if misrouted == Misrouted::Stop && partition != right {
            let error = counted.unwrap_err().to_string();
            assert!(error.contains("--route") && error.contains("offset 0"), "{error}");
            continue;
        }
        counted.unwrap();
        fold.end_batch(Offset(1), 0).unwrap();
        let counts = fold.seal(Offset(1)).unwrap().counts;
        assert_eq!((counts.counted, counts.rejected), if partition == right { (1, 0) } else { (0, 1) });
    }
}

#[test]
fn a_key_must_be_the_canonical_text_however_the_id_is_written() {
    let election = Election::preset("us-president-2024").expect("a preset");
    let uuid = "3f2504e0-4f89-11d3-9a0c-0305e82c3301";
    let upper = format!("\"{}\"", uuid.to_uppercase());
    let escaped = r#""\u0031\u0032""#;
    let ids =
        [("12", "12"), ("\"12\"", "12"), (escaped, "12"), ("-0", "0"), ("\"012\"", "012"), (&*upper, uuid)];
    for (written, canonical) in ids {
        for framed in [false, true] {
            let json = format!(r#"{{"decision":"trump","id": {written} ,"state":"OH","age":40}}"#);
            // As JSON Schema's serializer frames it.
            let frame: &[u8] = if framed { &[0, 0, 0, 0, 9] } else { &[] };
            let value = [frame, json.as_bytes()].concat();
            for (key, counted) in [(canonical, 1), (written, u64::from(written == canonical)), ("", 0)] {
                let mut parser = EventParser::new(&election);
                let seen = SeenVoters::new(DuplicatePolicy::First, 0, 0);
                let model = Model::new(&election, 0);
                let mut fold = PartitionCount::new(&election, model.state, seen, ALONE, Misrouted::Reject);
                let record = Record { key: Some(key.as_bytes()), ..record(Offset(0), &value) };
                fold.record(&mut parser, &record).unwrap();
                let counts = fold.seal(Offset(1)).unwrap().counts;
                assert_eq!(
                    (counts.counted, counts.rejected),
                    (counted, 1 - counted),
                    "{written} keyed {key:?}"
                );
            }
        }
    }
}

#[test]
fn minutes_never_go_back_and_the_future_is_not_believed() {
    let election = Election::preset("us-president-2024").expect("a preset");
    let mut parser = EventParser::new(&election);
    let model = Model::new(&election, 0);
    let seen = SeenVoters::new(DuplicatePolicy::First, 0, 0);
    let mut fold = PartitionCount::new(&election, model.state, seen, ALONE, Misrouted::Stop);
    let now = Millis(100 * 60_000);
    fold.set_clock(now);
    for (i, minute) in [10_i64, 5, 12, 500, 13].into_iter().enumerate() {
        let value =
            line(&election, &Line::Vote { voter: i as u32, region: 0, candidate: 0, age: 40, text: false });
        let record = Record { timestamp: Millis(minute * 60_000), ..record(Offset(i as u64), &value) };
        fold.record(&mut parser, &record).unwrap();
    }
    fold.end_batch(Offset(5), 0).unwrap();
    let rows = fold.seal(Offset(5)).unwrap().timeline;
    let rows: Vec<_> = rows.iter().map(|row| (row.minute.0, row.counts.counted)).collect();
    assert_eq!(rows, [(10, 2), (12, 3), (100, 5)]);
}
