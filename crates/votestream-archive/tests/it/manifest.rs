//! Two writers, storage that loses requests and answers and delivers late: what was committed is there once, what was refused never.

use crate::memory::{Fault, Memory, identity, make_up};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;
use votestream_archive::manifest::chain::{ManifestWriter, Pending, catch_up, read};
use votestream_archive::manifest::{Act, FileEntry};
use votestream_archive::place::Place;
use votestream_archive::{ArchiveError, Manifest};
use votestream_election::ledger::Digest;

#[derive(Clone, Debug)]
enum Step {
    TakeOver(usize),
    Commit(usize),
    Die(usize),
}

fn steps() -> impl Strategy<Value = Vec<(Step, Vec<Fault>)>> {
    let step = prop_oneof![
        1 => (0..2_usize).prop_map(Step::TakeOver),
        5 => (0..2_usize).prop_map(Step::Commit),
        1 => (0..2_usize).prop_map(Step::Die),
    ];
    let fault = prop_oneof![
        6 => Just(Fault::None),
        1 => Just(Fault::Lost),
        1 => Just(Fault::AnswerLost),
        1 => Just(Fault::Late),
    ];
    prop::collection::vec((step, prop::collection::vec(fault, 0..6)), 1..60)
}

struct Writer {
    manifest: ManifestWriter,
    pending: Option<(String, Pending)>,
}

fn file(name: &str, from: u64) -> FileEntry {
    FileEntry {
        name: name.to_owned(),
        partition: 0,
        from,
        to: from + 10,
        rows: 10,
        votes: 9,
        bytes: 1,
        blake3: Digest::default(),
        leader_epoch: 0,
        partitioners: "murmur2".to_owned(),
        leaves: Vec::new(),
    }
}

/// What came of all commits.
#[derive(Default)]
struct Known {
    done: BTreeSet<String>,
    refused: BTreeSet<String>,
}

fn commit(writer: &mut Writer, known: &mut Known) -> bool {
    let (name, pending) = writer.pending.take().unwrap_or_else(|| {
        let from = writer.manifest.manifest().partitions[0].next.0;
        let name = writer.manifest.file_name(0, (from, from + 10));
        let act = Act::Files { files: vec![file(&name, from)] };
        let pending = writer.manifest.begin(act, 0).unwrap();
        (name, pending)
    });
    match writer.manifest.settle(&pending) {
        Ok(()) => {
            known.done.insert(name);
            true
        }
        Err(ArchiveError::Overtaken { .. }) => {
            known.refused.insert(name);
            false
        }
        Err(error) => {
            assert!(error.is_transient(), "{error}");
            writer.pending = Some((name, pending));
            true
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn what_was_committed_is_there_once_whatever_fails(steps in steps()) {
        let memory = Arc::new(Memory::default());
        let place: Arc<dyn Place> = Arc::clone(&memory) as _;
        let mut writers: [Option<Writer>; 2] = [None, None];
        let mut known = Known::default();
        for (step, faults) in &steps {
            memory.plan(faults);
            match step {
                Step::TakeOver(who) => match ManifestWriter::take_over(Arc::clone(&place), &identity(false), make_up, 0) {
                    Ok(manifest) => writers[*who] = Some(Writer { manifest, pending: None }),
                    Err(error) => prop_assert!(error.is_transient(), "{error}"),
                },
                Step::Commit(who) => {
                    if let Some(writer) = &mut writers[*who] && !commit(writer, &mut known) {
                        writers[*who] = None;
                    }
                }
                Step::Die(who) => writers[*who] = None,
            }
        }
        memory.plan(&[]);
        memory.settle();
        for writer in writers.iter_mut().flatten().filter(|writer| writer.pending.is_some()) {
            commit(writer, &mut known);
        }
        let Some(manifest) = read(&*place).unwrap() else {
            prop_assert!(known.done.is_empty());
            return Ok(());
        };
        let names: Vec<&String> = manifest.partitions[0].files.iter().map(|file| &file.name).collect();
        let unique: BTreeSet<&String> = names.iter().copied().collect();
        prop_assert_eq!(names.len(), unique.len());
        prop_assert_eq!(manifest.partitions[0].next.0, 10 * names.len() as u64);
        for name in &known.done {
            prop_assert!(unique.contains(name), "{name} was committed and is not there");
        }
        for name in &known.refused {
            prop_assert!(!unique.contains(name), "{name} was refused and is there");
        }
    }
}

fn take_over(place: &Arc<dyn Place>) -> Result<ManifestWriter, ArchiveError> {
    ManifestWriter::take_over(Arc::clone(place), &identity(false), make_up, 0)
}

#[test]
fn of_two_writers_the_later_one_writes_and_the_other_learns_of_it() {
    let place: Arc<dyn Place> = Arc::new(Memory::default());
    let mut known = Known::default();
    let mut first = Writer { manifest: take_over(&place).unwrap(), pending: None };
    assert!(commit(&mut first, &mut known));
    let mut second = Writer { manifest: take_over(&place).unwrap(), pending: None };
    let mut seen: Manifest = first.manifest.manifest().clone();
    assert!(!commit(&mut first, &mut known));
    assert!(commit(&mut second, &mut known));
    assert!(catch_up(&*place, &mut seen).unwrap());
    assert_eq!(&seen, second.manifest.manifest());
    assert_eq!((seen.epoch, seen.partitions[0].next.0), (2, 20));
}

#[test]
fn an_archive_that_is_made_while_it_is_looked_for_is_found() {
    let made: Arc<dyn Place> = Arc::new(Memory::default());
    take_over(&made).unwrap();
    let name = "manifest/00000000000000000000.json";
    let first = made.get(name).unwrap().unwrap();
    let place = Memory::default();
    place.plan(&[Fault::Late]);
    place.put_new(name, first).unwrap_err();
    assert_eq!(place.names(), [""; 0], "it is under way");
    assert_eq!(read(&place).unwrap().map(|manifest| manifest.epoch), Some(1));
}

#[test]
fn many_writers_at_once_leave_one_chain() {
    let place: Arc<dyn Place> = Arc::new(Memory::default());
    let mut done = BTreeSet::new();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut known = Known::default();
                    for _ in 0..20 {
                        let Ok(manifest) = take_over(&place) else { continue };
                        let mut writer = Writer { manifest, pending: None };
                        while commit(&mut writer, &mut known) && known.done.len() < 30 {}
                    }
                    known.done
                })
            })
            .collect();
        for thread in threads {
            done.extend(thread.join().unwrap());
        }
    });
    let manifest = read(&*place).unwrap().unwrap();
    let names: BTreeSet<String> = manifest.partitions[0].files.iter().map(|file| file.name.clone()).collect();
    assert_eq!(names, done);
}

#[test]
fn storage_that_ignores_create_if_absent_is_refused_and_left_as_it_is() {
    let memory = Arc::new(Memory::replacing());
    let place: Arc<dyn Place> = Arc::clone(&memory) as _;
    assert!(matches!(take_over(&place), Err(ArchiveError::IgnoresCreate { .. })));
    assert_eq!(memory.names(), [""; 0]);
}

#[test]
fn sweeping_deletes_what_nobody_names_and_what_was_replaced_long_ago() {
    let memory = Arc::new(Memory::default());
    let place: Arc<dyn Place> = Arc::clone(&memory) as _;
    let put = |name: &str| place.put_new(name, bytes::Bytes::from_static(b"x")).unwrap();
    let mut first = take_over(&place).unwrap();
    let mut names: Vec<String> = Vec::new();
    for from in [0, 10] {
        let name = first.file_name(0, (from, from + 10));
        put(&name);
        let pending = first.begin(Act::Files { files: vec![file(&name, from)] }, 0).unwrap();
        first.settle(&pending).unwrap();
        names.push(name);
    }
    let orphan = first.file_name(0, (20, 30));
    put(&orphan);
    put("data/0/notes.txt");
    assert_eq!(first.sweep(0, 0).unwrap(), 0, "its own epoch's files may be on their way into the manifest");
    let mut second = take_over(&place).unwrap();
    let mine = second.file_name(0, (20, 30));
    put(&mine);
    assert_eq!(second.sweep(0, 0).unwrap(), 1);
    assert!(!memory.names().contains(&orphan) && memory.names().contains(&mine));
    let whole = second.file_name(0, (0, 20));
    put(&whole);
    let together = FileEntry { to: 20, rows: 20, votes: 18, ..file(&whole, 0) };
    let act = Act::Compact { file: Box::new(together), replaced: names.clone() };
    let pending = second.begin(act, 1_000).unwrap();
    second.settle(&pending).unwrap();
    assert_eq!(second.sweep(500, 1_400).unwrap(), 0, "within the grace period");
    assert_eq!(second.sweep(500, 1_500).unwrap(), 2);
    let left = memory.names();
    assert!(left.contains(&whole) && names.iter().all(|name| !left.contains(name)));
    assert!(left.contains(&"data/0/notes.txt".to_owned()), "a stranger's file is left alone");
}
