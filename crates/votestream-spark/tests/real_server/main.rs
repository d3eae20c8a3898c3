//! Against the real Spark server and the real broker: answers beside those of the domain's own fold, files of voters, trouble.

mod agreement;
mod generated;
mod kafkas_own;
mod native;
mod odd;
/// What the hash under test writes its lists with.
#[path = "../../src/sql.rs"]
#[allow(dead_code, reason = "a hash needs a list of numbers, and no more of it")]
mod sql;
mod topic;
mod trouble;
mod upkeep;

use std::sync::{Mutex, MutexGuard, PoisonError};
use topic::Draft;
use votestream_election::partitioner::murmur2_partition;
use votestream_election::{Election, Millis};
use votestream_spark::{Attempt, Limits, Remote, Session};

/// The worker's clock in all tests: 2024-11-06T04:00:00Z.
const NOW: Millis = Millis(1_730_865_600_000);
const PARTITIONS: u32 = 4;

fn preset() -> Election {
    Election::preset("us-president-2024").unwrap()
}

/// The shared server is asked one thing at a time: it has two cores.
fn session() -> (MutexGuard<'static, ()>, Session) {
    static ONE: Mutex<()> = Mutex::new(());
    let guard = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    (guard, Session::open(&remote(), Limits::default()).unwrap())
}

fn remote() -> Remote {
    let remote = std::env::var("VOTESTREAM_TEST_SPARK")
        .expect("VOTESTREAM_TEST_SPARK names no server; run this through scripts/with-services.sh");
    remote.parse().unwrap()
}

fn directory() -> String {
    let dir =
        std::env::var("VOTESTREAM_TEST_SPARK_DIR").expect("VOTESTREAM_TEST_SPARK_DIR names no directory");
    format!("file://{dir}/seen dir")
}

fn attempt() -> Attempt {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    Attempt(now)
}

/// A record on the partition of its voter, keyed by it.
fn keyed(voter: &str, value: impl Into<Vec<u8>>, timestamp: i64) -> Draft {
    Draft {
        partition: murmur2_partition(voter.as_bytes(), PARTITIONS).0,
        key: Some(voter.as_bytes().to_vec()),
        value: Some(value.into()),
        timestamp,
        stub: false,
    }
}

fn vote(id: u64, state: &str, decision: &str) -> String {
    format!(
        r#"{{"id": {id}, "gender": "Female", "age": {}, "state": "{state}", "decision": "{decision}"}}"#,
        18 + id % 80
    )
}

/// Votes with repeats of earlier voters who choose anew, minutes that go on and back, and some ahead of the clock.
fn lively(n: u64) -> Vec<Draft> {
    let states = ["Ohio", "OH", "texas", "DC", "Maine"];
    let decisions = ["Donald Trump", "harris", "Kamala Harris", "OTHER"];
    (0..n)
        .map(|i| {
            let id =
                if i % 5 == 4 { 4_000_000_000_000_000 + i * 7 % (i + 1) } else { 4_000_000_000_000_000 + i };
            let pick = (i * 2_654_435_761) as usize;
            let value = vote(id, states[pick % states.len()], decisions[pick / 7 % decisions.len()]);
            let ahead = if i % 97 == 96 { 20 * 60_000 } else { 0 };
            keyed(&id.to_string(), value, NOW.0 - 3_600_000 + (i * 5_000) as i64 % 3_700_000 + ahead)
        })
        .collect()
}
