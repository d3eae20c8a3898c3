//! Writing where somebody may stand in the way: a worker that was stopped, or cut off, in the middle of its transaction.
//! Whoever waits too long asks who blocks it, and ends those that are ours.

use super::fault::{Done, Fault};
use super::link::{Link, Session};
use super::options::{APPLICATION, Role};
use super::rows;
use crate::error::StoreError;
use std::time::Duration;

/// How often blockers are looked for, and how many times at most.
const LOOK_EVERY: Duration = Duration::from_millis(200);
const LOOKS_MAX: u32 = 25;

/// Runs a `call` that may wait for a lock, within the deadline of one statement; see [`patiently_within`].
pub(super) fn patiently<T>(
    link: &mut Link,
    call: &impl AsyncFn(&Session) -> Done<T>,
) -> Result<T, StoreError> {
    let deadline = link.deadline();
    patiently_within(link, deadline, call)
}

/// Runs a `call` that may wait for a lock. Where it waits longer than `lock_timeout`, it is begun again while a second connection
/// ends the blockers that are ours. The call must begin its own transaction, or be one statement.
pub(super) fn patiently_within<T>(
    link: &mut Link,
    deadline: Duration,
    call: &impl AsyncFn(&Session) -> Done<T>,
) -> Result<T, StoreError> {
    let first = link.within(deadline, call);
    match first {
        Err(ref fault) if fault.code().is_some_and(|c| c.code() == "55P03") => {}
        done => return link.name(done),
    }
    let url = link.url().clone();
    let helper = std::thread::scope(|scope| {
        let (process, waiting) = std::sync::mpsc::channel();
        let (done, over) = std::sync::mpsc::channel::<()>();
        let helper = scope.spawn(move || {
            let Ok(process) = waiting.recv() else { return Ok(Vec::new()) };
            let mut link = Link::new(&url, Role::Count)?;
            let mut others = Vec::new();
            for _ in 0..LOOKS_MAX {
                if over.recv_timeout(LOOK_EVERY) != Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                    break;
                }
                others = end_blockers(&mut link, process)?;
            }
            Ok::<_, StoreError>(others)
        });
        let second = link.within(deadline, async |session| {
            let _ = process.send(session.process);
            call(session).await
        });
        drop(done);
        (second, helper.join())
    });
    match helper {
        (Err(fault), Ok(Ok(others))) if !others.is_empty() && !fault.is_lost() => {
            let source = format!("{} hold locks that a worker needs", others.join(", ")).into();
            Err(StoreError::Busy { store: link.place().label.clone(), source })
        }
        (second, _) => link.name(second),
    }
}

/// Ends the blockers that are ours; returns the names of those that are not.
fn end_blockers(link: &mut Link, process: i32) -> Result<Vec<String>, StoreError> {
    let done = link.once(async |session| {
        let mut others = Vec::new();
        for row in session.rows(include_str!("sql/blockers.sql"), &[&process]).await? {
            let (blocker, name, ours): (i32, String, bool) =
                (rows::get(&row, 0)?, rows::get(&row, 1)?, rows::get(&row, 2)?);
            if !ours {
                others.push(format!("server process {blocker} ({name:?})"));
                continue;
            }
            tracing::warn!(process = blocker, name, "a {APPLICATION}… connection in the way is ended");
            session.rows(include_str!("sql/terminate.sql"), &[&blocker]).await?;
        }
        Ok::<_, Fault>(others)
    });
    link.name(done)
}
