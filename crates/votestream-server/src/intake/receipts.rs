//! Answers kept by `Idempotency-Key`, so that a client that lost one may ask again and nothing is appended twice.
//! Kept in memory and bounded: a restart forgets them.

use crate::limits::{IDEMPOTENCY_KEY_BYTES, RECEIPTS_BYTES, RECEIPTS_KEPT};
use crate::problem::Problem;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// An answer that can be given again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Receipt {
    pub(crate) mime: &'static str,
    pub(crate) body: Bytes,
}

/// What a key means for a request.
pub(crate) enum Claim {
    /// Nobody used it: go on, and settle it.
    New(Claimed),
    /// The same request was answered: this was the answer.
    Answered(Receipt),
}

/// All kept answers.
pub(crate) struct Receipts {
    hashers: (RandomState, RandomState),
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    by_key: HashMap<String, Entry>,
    /// Keys of answered requests, oldest first.
    order: VecDeque<String>,
    bytes: usize,
}

struct Entry {
    body: (u64, u64, usize),
    /// `None` while the request is being served.
    receipt: Option<Receipt>,
}

impl Receipts {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { hashers: (RandomState::new(), RandomState::new()), kept: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Every change below leaves the state whole, so a panic elsewhere does not spoil it.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Claims a key for a request with this body.
    pub(crate) fn claim(self: &Arc<Self>, key: &str, body: &[u8]) -> Result<Claim, Problem> {
        let print = (self.hashers.0.hash_one(body), self.hashers.1.hash_one(body), body.len());
        let mut kept = self.lock();
        match kept.by_key.get(key) {
            Some(entry) if entry.body != print => {
                let detail = "this Idempotency-Key was used for another body; choose a new key for new votes";
                Err(Problem::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "idempotency-key",
                    "the key is taken",
                    detail,
                ))
            }
            Some(Entry { receipt: Some(receipt), .. }) => Ok(Claim::Answered(receipt.clone())),
            Some(_) => {
                let detail = "a request with this Idempotency-Key is being served; ask again in a moment";
                let problem = Problem::new(
                    StatusCode::CONFLICT,
                    "idempotency-key",
                    "the first request is not done",
                    detail,
                );
                Err(problem.retry_after(crate::limits::RETRY_AFTER_S))
            }
            None => {
                kept.by_key.insert(key.to_owned(), Entry { body: print, receipt: None });
                Ok(Claim::New(Claimed { receipts: Arc::clone(self), key: Some(key.to_owned()) }))
            }
        }
    }
}

/// A key in use; dropped without [`Claimed::settle`] it is free again.
pub(crate) struct Claimed {
    receipts: Arc<Receipts>,
    key: Option<String>,
}

impl Claimed {
    /// Keeps the answer.
    pub(crate) fn settle(mut self, receipt: Receipt) {
        if receipt.body.len() > RECEIPTS_BYTES {
            return;
        }
        let Some(key) = self.key.take() else { return };
        let mut kept = self.receipts.lock();
        kept.bytes += receipt.body.len();
        if let Some(entry) = kept.by_key.get_mut(&key) {
            entry.receipt = Some(receipt);
        }
        kept.order.push_back(key);
        while kept.order.len() > RECEIPTS_KEPT || kept.bytes > RECEIPTS_BYTES {
            let Some(oldest) = kept.order.pop_front() else { break };
            let entry = kept.by_key.remove(&oldest);
            kept.bytes -= entry.and_then(|entry| entry.receipt).map_or(0, |receipt| receipt.body.len());
        }
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.receipts.lock().by_key.remove(&key);
        }
    }
}

/// The request's `Idempotency-Key`, if it has one.
pub(crate) fn key_of(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let text = value.to_str().map_or("", str::trim);
    if text.is_empty() || text.len() > IDEMPOTENCY_KEY_BYTES {
        let detail = "the Idempotency-Key header cannot be used as it is";
        let allowed = format!("1 to {IDEMPOTENCY_KEY_BYTES} visible ASCII characters, such as a UUID");
        return Err(Problem::parameter("Idempotency-Key", detail, allowed));
    }
    Ok(Some(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt(text: &'static str) -> Receipt {
        Receipt { mime: "application/json", body: Bytes::from_static(text.as_bytes()) }
    }

    fn new(receipts: &Arc<Receipts>, key: &str, body: &[u8]) -> Claimed {
        match receipts.claim(key, body) {
            Ok(Claim::New(claimed)) => claimed,
            _ => panic!("the key {key} is not free"),
        }
    }

    #[test]
    fn a_key_answers_again_only_for_the_same_body() {
        let receipts = Receipts::new();
        let claimed = new(&receipts, "k", b"vote");
        assert_eq!(receipts.claim("k", b"vote").err().map(|p| p.status), Some(409));
        assert_eq!(receipts.claim("k", b"other").err().map(|p| p.status), Some(422));
        claimed.settle(receipt("done"));
        assert!(matches!(receipts.claim("k", b"vote"), Ok(Claim::Answered(r)) if r == receipt("done")));
        assert_eq!(receipts.claim("k", b"other").err().map(|p| p.status), Some(422));
    }

    #[test]
    fn a_request_that_failed_frees_its_key() {
        let receipts = Receipts::new();
        drop(new(&receipts, "k", b"vote"));
        new(&receipts, "k", b"another vote").settle(receipt("done"));
    }

    #[test]
    fn the_oldest_answers_go_first() {
        let receipts = Receipts::new();
        for number in 0..=RECEIPTS_KEPT {
            new(&receipts, &number.to_string(), b"vote").settle(receipt("done"));
        }
        drop(new(&receipts, "0", b"vote"));
        assert!(matches!(receipts.claim("1", b"vote"), Ok(Claim::Answered(_))));
        assert_eq!(receipts.lock().bytes, RECEIPTS_KEPT * 4);
    }
}
