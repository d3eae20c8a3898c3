//! Reading the store for all that is not the newest snapshot: a few read-only connections, shared, off the async threads;
//! and the answers made from what was read, kept while the state they are of is the newest.

use crate::feed::store_problem;
use crate::limits::{ANSWERS_BYTES, ANSWERS_KEPT, READERS_MAX};
use crate::problem::Problem;
use crate::respond::Answer;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;
use tracing::{error, warn};
use votestream_store::{ReaderStore, StoreError, StoreUrl};

/// A few read-only connections to the store.
pub(crate) struct Readers {
    url: StoreUrl,
    permits: Semaphore,
    idle: Arc<Mutex<Vec<ReaderStore>>>,
}

impl Readers {
    pub(crate) fn new(url: StoreUrl) -> Self {
        Self { url, permits: Semaphore::new(READERS_MAX), idle: Arc::default() }
    }

    /// Reads on a thread that may block; waits for a connection when all are in use.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&ReaderStore) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Problem> {
        let _permit = self.permits.acquire().await.map_err(|_| Problem::internal())?;
        let idle = Arc::clone(&self.idle);
        let url = self.url.clone();
        let done = tokio::task::spawn_blocking(move || {
            let waiting = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let reader = match waiting {
                Some(reader) => reader,
                None => ReaderStore::open(&url)?,
            };
            let result = read(&reader)?;
            // One that failed is not used again.
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
            Ok(result)
        });
        match done.await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(failed)) => {
                warn!(error = &failed as &dyn std::error::Error, "cannot read the results store");
                Err(store_problem(&failed))
            }
            Err(failed) => {
                error!(error = &failed as &dyn std::error::Error, "reading the results store failed");
                Err(Problem::internal())
            }
        }
    }
}

/// Answers by what was asked, each of one state of the store.
#[derive(Default)]
pub(crate) struct Answers {
    kept: Mutex<VecDeque<(String, Arc<Answer>)>>,
}

impl Answers {
    /// The kept answer to `asked` of the state `tag`.
    pub(crate) fn get(&self, asked: &str, tag: &str) -> Option<Arc<Answer>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.iter().find(|(other, answer)| other == asked && answer.tag() == tag);
        found.map(|(_, answer)| Arc::clone(answer))
    }

    /// Keeps an answer; an older one to the same question goes, then the oldest.
    pub(crate) fn keep(&self, asked: &str, answer: &Arc<Answer>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(other, _)| other != asked);
        kept.push_back((asked.to_owned(), Arc::clone(answer)));
        while kept.len() > ANSWERS_KEPT
            || kept.iter().map(|(_, answer)| answer.size()).sum::<usize>() > ANSWERS_BYTES
        {
            kept.pop_front();
        }
    }
}
