//! Samples of topics as people fill them, and what is said of each.

use super::*;
use votestream_election::definition::US_PRESIDENT_2024;

const NOW: Millis = Millis(1_700_000_000_000);

struct Record {
    partition: PartitionId,
    key: Option<Vec<u8>>,
    value: Vec<u8>,
}

fn vote(id: u64, partition: PartitionId, key: Option<&str>) -> Record {
    Record {
        partition,
        key: key.map(|k| k.as_bytes().to_vec()),
        value: format!(r#"{{"id":{id},"state":"Ohio","decision":"Kamala Harris"}}"#).into_bytes(),
    }
}

/// What is said of `records` of a topic with four partitions.
fn said(records: &[Record]) -> String {
    let election = Election::preset(US_PRESIDENT_2024).unwrap();
    let mut sample = Sample::new(&election, 4);
    for record in records {
        sample.look(Looked {
            partition: record.partition,
            timestamp: Millis(NOW.0 - 5),
            key: record.key.as_deref(),
            value: Some(&record.value),
            oversize: false,
        });
    }
    let mut lines = Lines::default();
    sample.judge(Origin { log: "kafka://b:9092/t", kafka: true }, NOW, &mut lines);
    lines.text()
}

fn check(records: &[Record], expect: &[&str]) {
    let said = said(records);
    for words in expect {
        assert!(said.contains(words), "{words:?} not in:\n{said}");
    }
}

#[test]
fn an_empty_topic() {
    check(&[], &["✓ no records to look at yet"]);
}

#[test]
fn keyed_by_the_voter_with_each_partitioner() {
    let by = |place: fn(&[u8], u32) -> PartitionId| -> Vec<Record> {
        (0..200_u64)
            .map(|id| {
                let text = id.to_string();
                vote(id, place(text.as_bytes(), 4), Some(&text))
            })
            .collect()
    };
    check(
        &by(murmur2_partition),
        &[
            "✓ 200 records sampled: all are votes",
            "each is keyed by its voter",
            "where murmur2 (Java",
            "✓ no record",
        ],
    );
    check(&by(crc32_partition), &["each lies where crc32 (librdkafka"]);
    check(&by(murmur2_partition)[..1], &["✓ 1 vote sampled: each is keyed"]);
}

#[test]
fn scattered_or_keyed_by_something_else() {
    let scattered: Vec<Record> = (0..200).map(|id| vote(id, PartitionId(id as u32 % 4), None)).collect();
    check(
        &scattered,
        &["✗ 200 votes sampled: none has a key; they do not lie where", "--route --log 'kafka://b:9092/t'"],
    );
    let by_state: Vec<Record> =
        (0..200).map(|id| vote(id, murmur2_partition(b"Ohio", 4), Some("Ohio"))).collect();
    check(&by_state, &["✗ 200 of 200 votes sampled have a key that is not the voter's id", "--route"]);
    let text = |id: u64| id.to_string();
    let mixed: Vec<Record> = (0..200)
        .map(|id| {
            let key = text(id);
            let place = if id % 2 == 0 { murmur2_partition } else { crc32_partition };
            vote(id, place(key.as_bytes(), 4), Some(&key))
        })
        .collect();
    check(&mixed, &["✗ 200 votes sampled: each is keyed by its voter; they do not lie"]);
}

#[test]
fn records_of_another_election_or_form() {
    let other: Vec<Record> = (0..20)
        .map(|i| Record {
            partition: PartitionId(0),
            key: None,
            value: format!(r#"{{"voter_id":"v{i}","candidate_name":"A"}}"#).into_bytes(),
        })
        .collect();
    check(
        &other,
        &["✗ 20 records sampled: 20 would be rejected", "20 missing_id", "init --sample 'kafka://b:9092/t'"],
    );
    let few: Vec<Record> = (0..20)
        .map(|i| {
            let text = i.to_string();
            let mut record = vote(i, murmur2_partition(text.as_bytes(), 4), Some(&text));
            if i == 0 {
                record.value = b"oops".to_vec();
            }
            record
        })
        .collect();
    check(&few, &["✓ 20 records sampled: 19 are votes", "(1 malformed)"]);
}

#[test]
fn frames_of_a_schema_registry() {
    let avro = |id: u8| Record { partition: PartitionId(0), key: None, value: vec![0, 0, 0, 0, id, 8, b'O'] };
    let said = said(&[avro(3), avro(7)]);
    assert!(
        said.contains("✗ 2 records of 2 sampled are Avro or Protobuf") && said.contains("schema id 3, 7"),
        "{said}"
    );
    assert!(!said.contains("rejected"), "{said}");
    let text = "12";
    let mut json = vote(12, murmur2_partition(text.as_bytes(), 4), Some(text));
    json.value = [b"\0\0\0\0\x09".as_slice(), &json.value].concat();
    check(&[json], &["✓ 1 record sampled carry a schema registry's JSON Schema frame", "all are votes"]);
}

#[test]
fn a_producer_whose_clock_is_ahead() {
    let election = Election::preset(US_PRESIDENT_2024).unwrap();
    let mut sample = Sample::new(&election, 1);
    let value = vote(1, PartitionId(0), None).value;
    sample.look(Looked {
        partition: PartitionId(0),
        timestamp: Millis(NOW.0 + 60_000),
        key: None,
        value: Some(&value),
        oversize: false,
    });
    let mut lines = Lines::default();
    sample.judge(Origin { log: "kafka://b/t", kafka: true }, NOW, &mut lines);
    assert!(lines.text().contains("✗ the newest record sampled bears a time 60 s ahead"), "{}", lines.text());
}
