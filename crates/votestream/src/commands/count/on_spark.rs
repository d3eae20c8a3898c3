//! Epochs on Apache Spark: a session that is opened when it is needed, given up when anything goes wrong, and opened again.

use votestream_election::Election;
use votestream_election::delta::VoterFile;
use votestream_election::epoch::SeenVoter;
use votestream_engine::spark::{Answer, EpochError, Epochs, Plan};
use votestream_spark::{Attempt, EpochPlan, Limits, Remote, Session, SparkError, Topic};

/// A Spark Connect server that counts one topic.
pub struct OnSpark {
    remote: Remote,
    limits: Limits,
    topic: Topic,
    /// Where files of voters lie, as Spark names it.
    directory: String,
    session: Option<Session>,
}

impl OnSpark {
    /// Nothing is asked of the server yet.
    pub fn new(remote: Remote, limits: Limits, topic: Topic, directory: String) -> Self {
        Self { remote, limits, topic, directory, session: None }
    }

    /// Asks an open session; one in which anything failed is given up.
    fn ask<T>(
        &mut self,
        ask: impl FnOnce(&mut Session, &Topic, &str) -> Result<T, SparkError>,
    ) -> Result<T, EpochError> {
        let mut session = match self.session.take() {
            Some(session) => session,
            None => Session::open(&self.remote, self.limits).map_err(failed)?,
        };
        let answer = ask(&mut session, &self.topic, &self.directory).map_err(failed)?;
        self.session = Some(session);
        Ok(answer)
    }
}

fn failed(error: SparkError) -> EpochError {
    EpochError {
        may_pass: error.is_transient(),
        too_large: matches!(error, SparkError::Crowded { .. }),
        source: error.into(),
    }
}

impl Epochs for OnSpark {
    fn open(&mut self) -> Result<(), EpochError> {
        match &mut self.session {
            Some(session) => session.forget_ahead(),
            None => self.session = Some(Session::open(&self.remote, self.limits).map_err(failed)?),
        }
        Ok(())
    }

    fn run(&mut self, plan: &Plan<'_>) -> Result<Answer, EpochError> {
        let answer = self.ask(|session, topic, directory| {
            session.run(&EpochPlan {
                election: plan.election,
                topic,
                partitions: plan.partitions,
                ranges: plan.ranges,
                seen: plan.seen,
                directory,
                attempt: Attempt(plan.attempt),
                partitioners: plan.partitioners,
                misrouted_rejects: plan.misrouted_rejects,
                minutes: plan.minutes.clone(),
                now: plan.now,
                next: plan.next,
            })
        })?;
        tracing::debug!(timing = ?answer.timing, "epoch answered");
        Ok(Answer { partitions: answer.partitions, files: answer.files, partitioners: answer.partitioners })
    }

    fn compact(
        &mut self,
        election: &Election,
        attempt: u128,
        files: &[VoterFile],
    ) -> Result<Vec<VoterFile>, EpochError> {
        self.ask(|session, _, directory| session.compact(election, directory, Attempt(attempt), files))
    }

    fn put(
        &mut self,
        election: &Election,
        attempt: u128,
        voters: &[SeenVoter],
    ) -> Result<Vec<VoterFile>, EpochError> {
        self.ask(|session, _, directory| session.put_voters(election, directory, Attempt(attempt), voters))
    }

    fn voters(
        &mut self,
        election: &Election,
        files: &[VoterFile],
        each: &mut dyn FnMut(&[SeenVoter]),
    ) -> Result<(), EpochError> {
        self.ask(|session, _, directory| session.voters(election, directory, files, each))
    }

    fn remove(&mut self, election: &Election, attempts: &[u128]) -> Result<(), EpochError> {
        let attempts: Vec<_> = attempts.iter().copied().map(Attempt).collect();
        self.ask(|session, _, directory| session.remove(election, directory, &attempts))
    }
}
