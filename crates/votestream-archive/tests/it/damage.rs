//! An archive changed by hand: what is wrong is named, and nothing is overwritten.

use crate::memory::{Memory, identity, make_up};
use bytes::Bytes;
use std::sync::Arc;
use votestream_archive::manifest::chain::ManifestWriter;
use votestream_archive::manifest::{Act, Identity, VoterIds, entry};
use votestream_archive::place::Place;
use votestream_archive::{Archive, ArchiveError, Kept, Lane, Sealed};
use votestream_election::fold::Record;
use votestream_election::{Millis, Offset, PartitionId};

/// An archive of two files; their names.
fn archive() -> (Arc<Memory>, Vec<String>) {
    let memory = Arc::new(Memory::default());
    let place: Arc<dyn Place> = Arc::clone(&memory) as _;
    let mut writer = ManifestWriter::take_over(Arc::clone(&place), &identity(false), make_up, 0).unwrap();
    let mut names = Vec::new();
    for from in [0, 100] {
        let archive = Archive::open(Arc::clone(&place)).unwrap();
        let kept = Kept { every_value: false, pseudonyms: None };
        let mut lane = Lane::resume(&archive, PartitionId(0), kept).unwrap();
        for offset in from..from + 100 {
            let value = format!("{{\"id\":{offset},\"state\":\"Ohio\",\"decision\":\"trump\"}}");
            let value = Some(value.as_bytes());
            let (offset, timestamp) = (Offset(offset), Millis(0));
            lane.record(&Record { offset, timestamp, key: None, value, oversize: false }).unwrap();
        }
        lane.end_batch(Offset(from + 100), 0);
        let Sealed { mut entry, file } = lane.seal().unwrap().unwrap();
        entry.name = writer.file_name(0, (entry.from, entry.to));
        names.push(entry.name.clone());
        place.put_new(&entry.name, file.bytes).unwrap();
        let pending = writer.begin(Act::Files { files: vec![entry] }, 0).unwrap();
        writer.settle(&pending).unwrap();
    }
    (memory, names)
}

/// What reading everything says.
fn reading(memory: &Arc<Memory>) -> Result<u64, ArchiveError> {
    let archive = Archive::open(Arc::clone(memory) as _)?;
    let mut rows = archive.rows(PartitionId(0), Offset(0));
    let mut read = 0;
    while let Some(batch) = rows.next_batch()? {
        read += batch.rows().len() as u64;
    }
    Ok(read)
}

fn said(memory: &Arc<Memory>, words: &[&str]) {
    let error = reading(memory).unwrap_err().to_string();
    for word in words {
        assert!(error.contains(word), "'{word}' is not in: {error}");
    }
    // Nor does an archiver write there before a person has looked, where the manifest itself is broken.
    let before = memory.names();
    if words[0].starts_with("manifest") {
        let place: Arc<dyn Place> = Arc::clone(memory) as _;
        ManifestWriter::take_over(place, &identity(false), make_up, 0).unwrap_err();
    }
    assert_eq!(memory.names(), before);
}

#[test]
fn a_file_that_was_deleted_cut_or_changed_is_named() {
    let (memory, names) = archive();
    assert_eq!(reading(&memory).unwrap(), 200);
    memory.change(&names[1], |all| {
        let bytes = all[&names[1]].clone();
        all.insert(names[1].clone(), bytes.slice(..bytes.len() - 1));
    });
    said(&memory, &[&names[1], "it was cut"]);
    memory.change(&names[1], |all| {
        all.remove(&names[1]);
    });
    said(&memory, &[&names[1], "is missing", "100..200", "deleted or renamed"]);
    memory.change(&names[0], |all| {
        let mut bytes = all[&names[0]].to_vec();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        all.insert(names[0].clone(), bytes.into());
    });
    said(&memory, &[&names[0], "BLAKE3", "it was changed"]);
}

#[test]
fn a_file_added_by_hand_does_not_exist() {
    let (memory, names) = archive();
    memory.change(&names[0], |all| {
        let bytes = all[&names[0]].clone();
        all.insert("data/0/copy.parquet".to_owned(), bytes);
    });
    assert_eq!(reading(&memory).unwrap(), 200);
}

#[test]
fn an_entry_that_was_deleted_changed_or_is_newer_is_named() {
    let (memory, _) = archive();
    let name = entry::name(1);
    let original = memory.get(&name).unwrap().unwrap();
    let text = String::from_utf8(original.to_vec()).unwrap();
    let put = |text: String| {
        memory.change(&name, |all| {
            all.insert(name.clone(), Bytes::from(text));
        });
    };
    put(text.replace("\"votes\": 100", "\"votes\": 99"));
    said(&memory, &["manifest", &entry::name(2), "does not follow"]);
    put(text.replace("\"format\": 1", "\"format\": 9"));
    said(&memory, &[&name, "has format 9", "newer votestream"]);
    put(text[..text.len() / 2].to_owned());
    said(&memory, &["manifest", &name, "cannot be read"]);
    memory.change(&name, |all| {
        all.remove(&name);
    });
    said(&memory, &["manifest", &name, "missing"]);
}

#[test]
fn another_election_log_or_setting_is_refused() {
    let (memory, _) = archive();
    let place: Arc<dyn Place> = Arc::clone(&memory) as _;
    let before = memory.names();
    let ours = identity(false);
    let mut log = ours.log.clone();
    log.id = 8;
    let mut wider = ours.log.clone();
    wider.partitions = 2;
    wider.start_offsets = vec![0, 0];
    for (other, word) in [
        (Identity { election: "poll".to_owned(), ..ours.clone() }, "is of election 'us-president-2024'"),
        (Identity { definition: "{}".to_owned(), ..ours.clone() }, "another definition"),
        (Identity { log, ..ours.clone() }, "is of log"),
        (Identity { log: wider, ..ours.clone() }, "of 1 partitions, which has 2"),
        (Identity { keep_bytes: true, ..ours.clone() }, "keep-bytes = false"),
        (Identity { voter_ids: VoterIds::Pseudonym, ..ours.clone() }, "voter-ids = as-is"),
        (Identity { key_check: Some("x".to_owned()), ..ours }, "another key"),
    ] {
        let error =
            ManifestWriter::take_over(Arc::clone(&place), &other, make_up, 0).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
    assert_eq!(memory.names(), before, "not even a probe was put");
}

#[test]
fn something_else_is_no_archive() {
    let memory = Arc::new(Memory::default());
    memory.put_new("photos/cat.jpg", Bytes::from_static(b"cat")).unwrap();
    let error = Archive::open(Arc::clone(&memory) as _).unwrap_err();
    assert!(error.to_string().contains("holds 'photos/cat.jpg'"), "{error}");
    let place: Arc<dyn Place> = Arc::clone(&memory) as _;
    ManifestWriter::take_over(place, &identity(false), make_up, 0).unwrap_err();
    assert_eq!(memory.names(), ["photos/cat.jpg"]);
    let error = Archive::open(Arc::new(Memory::default())).unwrap_err();
    assert!(error.to_string().contains("no archive at memory:"), "{error}");
}
