//! murmur2 as Spark computes it and as this program does, beside Kafka's own `Utils.murmur2`, which Java runs out of Kafka's jar.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};
use votestream_election::partitioner::{murmur2, murmur2_partition};

#[path = "../../src/hash.rs"]
#[allow(dead_code, reason = "crc32 is none of Kafka's own")]
mod hash;

/// Numbers of partitions; with the last, which is a prime, all but one of the 31 bits are compared that a partition comes of.
const COUNTS: [u32; 6] = [1, 2, 3, 7, 4_096, 2_147_483_647];

/// What Kafka says of a key.
struct Answer {
    hash: u32,
    /// One for each of [`COUNTS`].
    partitions: Vec<u32>,
}

fn kafkas_own(keys: &[Vec<u8>]) -> Vec<Answer> {
    let lib = std::env::var("VOTESTREAM_TEST_KAFKA_LIB").expect(
        "VOTESTREAM_TEST_KAFKA_LIB names no folder of jars; run this through scripts/with-services.sh",
    );
    let mut java = Command::new("java")
        .args(["-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", &format!("{lib}/*")])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real_server/Murmur2.java"))
        .args(COUNTS.map(|count| count.to_string()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("java runs");
    let digit = |half: u8| char::from(b"0123456789abcdef"[usize::from(half)]);
    let hex = |key: &Vec<u8>| {
        key.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(digit).collect::<String>() + "\n"
    };
    let lines: String = keys.iter().map(hex).collect();
    // It says nothing before it has read all.
    java.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = java.wait_with_output().unwrap();
    assert!(output.status.success(), "Kafka's own hash needs a JDK of version 17 or newer (javac)");
    let answer = |line: &str| {
        let mut numbers = line.split(' ');
        let hash: i32 = numbers.next().unwrap().parse().unwrap();
        let partitions: Vec<u32> = numbers.map(|number| number.parse().unwrap()).collect();
        Answer { hash: hash.cast_unsigned(), partitions }
    };
    let answers: Vec<Answer> = str::from_utf8(&output.stdout).unwrap().lines().map(answer).collect();
    assert_eq!(answers.len(), keys.len());
    answers
}

/// The ids that SQL hashes: of every number of digits, at the edges of each and in between.
fn ids() -> Vec<u64> {
    const MAX: u64 = i64::MAX as u64;
    let edges = (0..19).flat_map(|n| {
        let power = 10_u64.pow(n);
        [power - 1, power, power + 1, power * 9 + (power - 1) / 2]
    });
    // A linear congruential generator's numbers, shortened to every length.
    let drawn = (0_u64..4_000).map(|n| {
        let wide = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (wide.rotate_left(n as u32) & MAX) >> (n % 63)
    });
    let all: BTreeSet<u64> = edges.chain(drawn).chain([MAX, MAX - 1]).collect();
    all.into_iter().filter(|id| *id <= MAX).collect()
}

#[test]
fn spark_hashes_ids_as_kafka_does() {
    let ids = ids();
    let keys: Vec<Vec<u8>> = ids.iter().map(|id| id.to_string().into_bytes()).collect();
    let rows: Vec<String> = ids
        .iter()
        .zip(kafkas_own(&keys))
        .map(|(id, answer)| {
            let partitions: Vec<String> = answer.partitions.iter().map(u32::to_string).collect();
            format!("({id}L,{})", partitions.join(","))
        })
        .collect();
    let columns: Vec<String> = (0..COUNTS.len()).map(|i| format!("p{i}")).collect();
    let quads: Vec<String> =
        hash::quads("id", "digits").into_iter().map(|(name, sql)| format!("{sql} AS {name}")).collect();
    let agrees: Vec<String> =
        COUNTS.iter().zip(&columns).map(|(count, p)| hash::murmur2_agrees("h", p, *count)).collect();
    let sql = format!(
        "SELECT count(*), count_if({}), coalesce(string(collect_list(id) FILTER (WHERE NOT ({}))), '') FROM \
         (SELECT *, {} AS h FROM (SELECT *, {} FROM (SELECT *, string(id) AS digits FROM VALUES {} AS ids(id, {}))))",
        agrees.join(" AND "),
        agrees.join(" AND "),
        hash::unfinished("digits"),
        quads.join(", "),
        rows.join(","),
        columns.join(", ")
    );
    let url = std::env::var("VOTESTREAM_TEST_SPARK")
        .expect("VOTESTREAM_TEST_SPARK names no server; run this through scripts/with-services.sh");
    let (_guard, _session) = crate::session();
    let spark = spark_connect::SparkSession::builder().remote(&url).get_or_create().unwrap();
    spark.conf().set("spark.sql.ansi.enabled", "false").unwrap();
    let found = spark.sql(&sql).unwrap().collect().unwrap();
    let number = |column: usize| found[0].get(column).and_then(spark_connect::row::Value::as_i64);
    let all = Some(ids.len() as i64);
    assert_eq!((number(0), number(1)), (all, all), "they differ in {:?}", found[0].get(2));
    spark.stop().unwrap();
}

/// Keys that SQL leaves to this program: any bytes.
#[test]
fn other_keys_are_hashed_here_as_kafka_does() {
    let mut keys = vec![Vec::new()];
    // Every byte at every place of keys of 1 to 40 bytes, and beside others.
    for length in 1..=40 {
        keys.extend((0..=255).map(|byte| vec![byte; length]));
        let apart = |byte: u8| (0..length).map(move |i| byte.wrapping_mul(i as u8 | 1)).collect();
        keys.extend((0..=255).map(apart));
    }
    keys.extend((0..=255).map(|byte| vec![byte; 65_537 + usize::from(byte)]));
    let texts = [
        "voter",
        "Zoë Ångström",
        "9f1c2f5e-6a0b-4c0e-8f7b-0a1b2c3d4e5f",
        "選挙人番号",
        "🗳️🇺🇸",
        "-1",
        "007",
        "9223372036854775808",
        "18446744073709551615",
    ];
    keys.extend(texts.map(|text| text.as_bytes().to_vec()));
    for (key, answer) in keys.iter().zip(kafkas_own(&keys)) {
        assert_eq!(murmur2(key), answer.hash, "{key:?}");
        let here = COUNTS.map(|count| murmur2_partition(key, count).0);
        assert_eq!(here.as_slice(), answer.partitions, "{key:?}");
    }
}
