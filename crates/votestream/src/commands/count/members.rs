//! Sharing a topic's partitions with other workers: membership in the consumer group of this store and election.

use anyhow::Result;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use votestream_engine::count::{Assigned, Assignment};
use votestream_log::{Group, KafkaUrl, LogError};

/// The group of all workers that count one election of one store. Offsets are never kept there: the store has them.
pub fn group_id(store_uuid: u128, election: &str) -> String {
    let uuid = format!("{store_uuid:032x}");
    let parts = [&uuid[..8], &uuid[8..12], &uuid[12..16], &uuid[16..20], &uuid[20..]];
    format!("votestream-{}-{election}", parts.join("-"))
}

/// This worker as a member of the group; out of it while it cannot reach the store.
pub struct Member {
    url: KafkaUrl,
    group_id: String,
    state: Mutex<State>,
}

struct State {
    /// `None` while this worker stands down.
    group: Option<Group>,
    /// Generations of earlier memberships, so that ours never repeats.
    before: u64,
    trouble: Option<LogError>,
}

impl Member {
    /// Joins.
    pub fn join(url: &KafkaUrl, group_id: String) -> Result<Self> {
        let group = Some(Group::join(url, &group_id)?);
        Ok(Self { url: url.clone(), group_id, state: Mutex::new(State { group, before: 0, trouble: None }) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn now(&self) -> Assigned {
        let Some(group) = &self.group else {
            return Assigned { generation: self.before, partitions: Vec::new() };
        };
        let now = group.assignment();
        Assigned { generation: self.before + now.generation, ..now }
    }
}

impl Assignment for Member {
    fn now(&self) -> Assigned {
        self.state().now()
    }

    fn wait_change(&self, since: u64, patience: Duration) -> Result<Assigned, LogError> {
        let mut state = self.state();
        if let Some(error) = state.trouble.take() {
            return Err(error);
        }
        let now = state.now();
        if now.generation != since {
            return Ok(now);
        }
        let before = state.before;
        if let Some(group) = &state.group {
            let now = group.wait_change(since - before, patience)?;
            Ok(Assigned { generation: before + now.generation, ..now })
        } else {
            drop(state);
            std::thread::park_timeout(patience);
            Ok(now)
        }
    }

    fn shared(&self) -> bool {
        true
    }

    fn stand_down(&self, down: bool) {
        let mut state = self.state();
        match (down, state.group.take()) {
            (true, Some(group)) => {
                state.before += group.assignment().generation + 1;
                group.leave();
            }
            (false, None) => match Group::join(&self.url, &self.group_id) {
                Ok(group) => {
                    state.before += 1;
                    state.group = Some(group);
                }
                Err(error) => state.trouble = Some(error),
            },
            (_, group) => state.group = group,
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_group_is_named_after_store_and_election() {
        let id = super::group_id(0x0123_4567_89ab_4def_8123_4567_89ab_cdef, "poll");
        assert_eq!(id, "votestream-01234567-89ab-4def-8123-456789abcdef-poll");
    }
}
