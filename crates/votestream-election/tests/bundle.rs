//! A bundle is what it says, or the check names what is not: every line, every byte, every number.

use proptest::prelude::*;
use votestream_election::bundle::{BUNDLE_VERSION, Contents, Fault, Signed, check, write};
use votestream_election::delta::{LedgerHead, OpenLeaf, Progress, Snapshot};
use votestream_election::ledger::{Digest, LEAF_OFFSETS, LeafSeal, chain};
use votestream_election::{Election, Millis, Offset, PartitionId};

const KEY: [u8; 32] = [7; 32];

/// Not cryptography: the "signature" is a digest of key and bytes, which is all that these tests need.
fn mark(key: &[u8; 32], bytes: &[u8]) -> Vec<u8> {
    blake3(&[&key[..], bytes].concat())
}

fn blake3(bytes: &[u8]) -> Vec<u8> {
    votestream_election::archived::digest(bytes).0.to_vec()
}

fn verify(key: &[u8; 32], bytes: &[u8], signature: &[u8]) -> bool {
    mark(key, bytes) == signature
}

fn election() -> Election {
    let mut election = Election::preset("us-president-2024").expect("a preset");
    election.salt = Some("pepper and salt".to_owned());
    election
}

/// Two partitions: one with a sealed leaf and an open one, one with an open one.
fn store(election: &Election) -> (Snapshot, Vec<Vec<LeafSeal>>) {
    let digest = Digest([5; 32]);
    let seal =
        LeafSeal { number: 0, records: LEAF_OFFSETS, digest, chain: chain(&Digest::default(), &digest) };
    let progress = |p: u32, next: u64, counted: u64| Progress {
        next_offset: Offset(next),
        leader_epoch: 1,
        counted,
        duplicate: 10,
        rejected: 5,
        skipped: next - counted - 15,
        flushes: 4,
        log_end: Offset(next),
        ..Progress::begin(PartitionId(p), 3, Offset(0))
    };
    let mut totals = vec![0; election.regions.len() * election.candidates.len()];
    (totals[0], totals[1], totals[9]) = (60_000, 10_000, 500);
    let open = |records, byte| OpenLeaf { records, digest: Digest([byte; 32]) };
    let snapshot = Snapshot {
        store_uuid: 1,
        sequence: 42,
        as_of: Some(Millis(1_730_840_000_123)),
        progress: vec![progress(0, 70_030, 70_000), progress(1, 515, 500)],
        totals,
        ledger: vec![
            LedgerHead { leaves: 1, chain: seal.chain, open: open(70_015 - LEAF_OFFSETS, 8) },
            LedgerHead { leaves: 0, chain: Digest::default(), open: open(515, 9) },
        ],
        rejects: Vec::new(),
        desk: Vec::new(),
        at: None,
    };
    (snapshot, vec![vec![seal], Vec::new()])
}

fn bundle(signed: bool) -> String {
    let election = election();
    let (snapshot, leaves) = store(&election);
    let contents = Contents { election: &election, snapshot: &snapshot, leaves: &leaves, released: &[] };
    let sign = |bytes: &[u8]| (KEY, mark(&KEY, bytes));
    write(&contents, if signed { Some(&sign) } else { None }).expect("nothing is withheld")
}

#[test]
fn a_bundle_is_sound_signed_or_not_and_tells_no_secret() {
    for (signed, by) in [(true, Signed::By(KEY)), (false, Signed::Not)] {
        let text = bundle(signed);
        let checked = check(&text, &verify).unwrap();
        assert_eq!((checked.signed, checked.leaves), (by, 1));
        assert_eq!((checked.results.counted, checked.results.records), (70_500, 70_530));
        assert!(!text.contains("pepper"), "the salt is a secret");
    }
}

#[test]
fn while_a_region_is_withheld_there_is_none() {
    let mut election = election();
    election.regions[3].publish = votestream_election::election::Publish::AtClose;
    let (snapshot, leaves) = store(&election);
    let contents = Contents { election: &election, snapshot: &snapshot, leaves: &leaves, released: &[] };
    assert_eq!(write(&contents, None), Err(1));
}

/// The bundle with another section and a head that fits it, as a forger without the key would write it.
fn forged(name: usize, from: &str, to: &str) -> String {
    let text = bundle(false);
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let line = &lines[2 + name].clone();
    assert!(line.contains(from), "{from} in {line}");
    let new = line.replacen(from, to, 1);
    let digest = |text: &str| votestream_election::bundle::hex(&blake3(text.as_bytes()));
    lines[0] = lines[0].replace(&digest(line), &digest(&new));
    lines[0] = lines[0].replace(&format!("\"bytes\":{},", line.len()), &format!("\"bytes\":{},", new.len()));
    lines[2 + name] = new;
    lines.join("\n") + "\n"
}

#[test]
fn numbers_that_do_not_follow_are_named() {
    let (zero, five) = ("00".repeat(32), "05".repeat(32));
    for (section, from, to, says) in [
        (
            1,
            "\"AL\",\"name\":\"Alabama\",\"seats\":9",
            "\"AL\",\"name\":\"Alabama\",\"seats\":19",
            ".seats says 19",
        ),
        (1, "\"trump\":60000", "\"trump\":60001", "its regions hold 70501 votes"),
        (1, "\"sequence\":42", "\"sequence\":43", "sequence"),
        (1, "\"status\":\"counting\"", "\"status\":\"complete\"", "status"),
        (4, &five, &zero, "chain"),
        (4, "\"next\":70030", "\"next\":70031", "partition 0"),
        (4, "\"counted\":500", "\"counted\":501", "partition 1"),
        (4, "65536,", "65535,", "records"),
        (4, &"09".repeat(32), &zero, "ledger digest"),
        (0, "\"Donald Trump\"", "\"Donald Duck\"", "name"),
        (2, "us-president-2024", "us-president-2028", "election"),
    ] {
        let error = check(&forged(section, from, to), &verify).unwrap_err();
        assert!(error.is_wrong() && error.to_string().contains(says), "{from} → {to}: {error}");
    }
}

#[test]
fn another_signer_and_a_newer_format_are_named() {
    let text = bundle(true);
    let key = votestream_election::bundle::hex(&KEY);
    let other = text.replacen(&key, &"08".repeat(32), 1);
    assert!(check(&other, &verify).unwrap_err().to_string().contains("signature"));
    let changed = text.replacen("\"sequence\":42", "\"sequence\":44", 1);
    assert!(check(&changed, &verify).unwrap_err().to_string().contains("the head was changed"));
    let newer = text.replacen("\"version\":1", "\"version\":9", 1);
    assert_eq!(check(&newer, &verify).unwrap_err(), Fault::Newer(9));
    assert_eq!(BUNDLE_VERSION, 1);
    for nothing in ["", "{}", "votes", "{\"votestream\":\"ballot\",\"version\":1}"] {
        let error = check(nothing, &verify).unwrap_err();
        assert!(matches!(error, Fault::NotOne(_)), "{nothing}: {error}");
    }
}

proptest! {
    #[test]
    fn any_votes_make_a_sound_bundle(votes in prop::collection::vec(0_u64..100_000, 204)) {
        let election = election();
        let (mut snapshot, leaves) = store(&election);
        let counted: u64 = votes.iter().sum();
        let first = &mut snapshot.progress[0];
        (first.counted, first.rejected) = (counted, 0);
        snapshot.progress[1] = Progress { counted: 0, duplicate: 0, rejected: 0, skipped: 515, ..snapshot.progress[1].clone() };
        let records = counted + snapshot.progress[0].duplicate;
        snapshot.progress[0].skipped = 7;
        snapshot.progress[0].next_offset = Offset(records + 7);
        snapshot.ledger[0].open.records = records.saturating_sub(LEAF_OFFSETS);
        snapshot.ledger[1].open.records = 0;
        snapshot.totals = votes;
        prop_assume!(records >= LEAF_OFFSETS);
        let contents = Contents { election: &election, snapshot: &snapshot, leaves: &leaves, released: &[] };
        let text = write(&contents, None).expect("nothing is withheld");
        prop_assert_eq!(check(&text, &verify).map(|checked| checked.results.counted), Ok(counted));
    }

    #[test]
    fn no_byte_can_be_changed_or_lost_unnoticed(place in any::<prop::sample::Index>(), bit in 0_u8..7, cut in any::<bool>()) {
        let text = bundle(true);
        let at = place.index(text.len() - 1);
        let mut bytes = text.clone().into_bytes();
        if cut { bytes.truncate(at); } else { bytes[at] ^= 1 << bit; }
        if let Ok(changed) = String::from_utf8(bytes) {
            // Upper-case digits of key or signature are the same key and signature.
            if !changed.eq_ignore_ascii_case(&text) {
                prop_assert!(check(&changed, &verify).is_err(), "byte {}", at);
            }
        }
    }
}
