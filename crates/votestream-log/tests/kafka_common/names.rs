//! What tests on real brokers find in their environment, and names that no other test takes.

#![allow(dead_code, reason = "each test target uses a part of it")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// What scripts/with-services.sh says in a variable.
pub fn variable(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run this through scripts/with-services.sh"))
}

/// The `host:port` of the broker that the tests share.
pub fn broker() -> String {
    variable("VOTESTREAM_TEST_KAFKA")
}

/// A name that no other test and no other run has.
pub fn unique(what: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    format!("{what}-{now:x}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}
