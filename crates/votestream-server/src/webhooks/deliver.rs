//! From a receiver's queue to the receiver: attempt, judge the answer, wait, try again; one event after the other.

use super::client::{self, Answer, Tls};
use super::queue::{Delivery, Outcome, Queue};
use super::sign::Secret;
use super::target::Target;
use crate::limits::{
    WEBHOOK_ATTEMPTS_MAX, WEBHOOK_DELIVERY_TIME_MAX, WEBHOOK_PAUSE, WEBHOOK_PAUSE_MAX,
    WEBHOOK_RETRY_AFTER_MAX, WEBHOOK_TIME_MAX,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tracing::{debug, warn};
use votestream_election::Millis;

/// A receiver and all that is needed to send to it.
pub(super) struct Receiver {
    /// From 1, in the order of the command line.
    pub(super) number: usize,
    pub(super) target: Target,
    pub(super) queue: Arc<Queue>,
    pub(super) secret: Secret,
    pub(super) tls: Tls,
    /// The wall clock, for signatures.
    pub(super) clock: Arc<dyn Fn() -> Millis + Send + Sync>,
}

/// What an answer means.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Taken,
    /// Trying again cannot help.
    Never(String),
    /// It may, after what the receiver asks for.
    Later(String, Option<Duration>),
}

impl Receiver {
    /// Delivers until the queue is closed and empty.
    pub(super) async fn run(self) {
        while let Some(delivery) = self.queue.next().await {
            let outcome = self.deliver(&delivery).await;
            self.queue.count(outcome);
        }
    }

    async fn deliver(&self, delivery: &Delivery) -> Outcome {
        let (hook, to, event, id) = (self.number, &self.target, delivery.event, delivery.id.as_str());
        let begun = Instant::now();
        for attempt in 1..=WEBHOOK_ATTEMPTS_MAX {
            self.queue.attempted();
            let (why, asked) = match self.attempt(delivery).await {
                Verdict::Taken => {
                    debug!(hook, %to, event, id, attempt, "webhook delivered");
                    return Outcome::Delivered;
                }
                Verdict::Never(why) => {
                    warn!(hook, %to, event, id, why, "webhook refused; the event is dropped");
                    return Outcome::Refused;
                }
                Verdict::Later(why, asked) => (why, asked),
            };
            let pause = pause(attempt, chance()).max(asked.unwrap_or_default().min(WEBHOOK_RETRY_AFTER_MAX));
            if attempt == WEBHOOK_ATTEMPTS_MAX || begun.elapsed() + pause > WEBHOOK_DELIVERY_TIME_MAX {
                warn!(hook, %to, event, id, attempt, why, "webhook given up; the event is dropped");
                return Outcome::GivenUp;
            }
            let pause_ms = pause.as_millis();
            warn!(hook, %to, event, id, attempt, why, pause_ms, "webhook not delivered; trying again");
            tokio::time::sleep(pause).await;
        }
        Outcome::GivenUp
    }

    async fn attempt(&self, delivery: &Delivery) -> Verdict {
        let Some(headers) = self.headers(delivery) else {
            return Verdict::Never("its headers cannot be written".to_owned());
        };
        let post = client::post(&self.target, &self.tls, &headers, delivery.body.clone());
        match tokio::time::timeout(WEBHOOK_TIME_MAX, post).await {
            Ok(Ok(answer)) => judge(&answer, (self.clock)()),
            Ok(Err(why)) => Verdict::Later(why, None),
            Err(_) => Verdict::Later(format!("no answer within {} s", WEBHOOK_TIME_MAX.as_secs()), None),
        }
    }

    /// Signed anew at each attempt: the moment is part of what is signed.
    fn headers(&self, delivery: &Delivery) -> Option<HeaderMap> {
        let signature = self.secret.signature((self.clock)().0.div_euclid(1_000), &delivery.body);
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("x-votestream-event", delivery.event),
            ("x-votestream-delivery", delivery.id.as_str()),
            ("x-votestream-signature", signature.as_str()),
        ] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).ok()?);
        }
        Some(headers)
    }
}

fn judge(answer: &Answer, now: Millis) -> Verdict {
    let status = answer.status;
    if status.is_success() {
        Verdict::Taken
    } else if status.is_redirection() {
        Verdict::Never(format!(
            "answers {status}, and redirects are not followed: name the address it points to"
        ))
    } else if status.is_server_error()
        || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
    {
        Verdict::Later(format!("answers {status}"), retry_after(&answer.headers, now))
    } else {
        Verdict::Never(format!("answers {status}"))
    }
}

/// What Retry-After asks for: seconds, or a moment.
fn retry_after(headers: &HeaderMap, now: Millis) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let moment = jiff::fmt::rfc2822::parse(text).ok()?.timestamp().as_millisecond();
    u64::try_from(moment.saturating_sub(now.0)).ok().map(Duration::from_millis)
}

/// The pause after an attempt, from 1; `chance` is from 0 to 1.
fn pause(attempt: u32, chance: f64) -> Duration {
    let doubled = WEBHOOK_PAUSE.saturating_mul(1 << (attempt.clamp(1, 16) - 1));
    doubled.min(WEBHOOK_PAUSE_MAX).mul_f64(f64::midpoint(1.0, chance.clamp(0.0, 1.0)))
}

/// Some number from 0 to 1, so that receivers that failed together are not tried together.
fn chance() -> f64 {
    RandomState::new().build_hasher().finish() as f64 / u64::MAX as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: u16, retry_after: Option<&str>, expect: &str, pause: Option<u64>) {
        let mut headers = HeaderMap::new();
        if let Some(text) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_str(text).unwrap());
        }
        let answer = Answer { status: StatusCode::from_u16(status).unwrap(), headers };
        // 1994-11-06T08:49:07Z, half a minute before the moment below.
        let found = match judge(&answer, Millis(784_111_747_000)) {
            Verdict::Taken => ("taken", None),
            Verdict::Never(_) => ("never", None),
            Verdict::Later(_, asked) => ("later", asked),
        };
        assert_eq!(found, (expect, pause.map(Duration::from_secs)), "{status} {retry_after:?}");
    }

    #[test]
    fn answers_are_judged() {
        for status in [200, 201, 204, 299] {
            check(status, None, "taken", None);
        }
        for status in [301, 304, 307, 400, 401, 404, 410, 422] {
            check(status, Some("5"), "never", None);
        }
        for status in [408, 429, 500, 502, 503, 599] {
            check(status, None, "later", None);
        }
        check(429, Some("7"), "later", Some(7));
        check(503, Some("Sun, 06 Nov 1994 08:49:37 GMT"), "later", Some(30));
        check(503, Some("Sun, 06 Nov 1993 08:49:37 GMT"), "later", None);
        check(503, Some("soon"), "later", None);
    }

    #[test]
    fn pauses_double_up_to_a_bound() {
        let millis = |attempt, chance| pause(attempt, chance).as_millis();
        assert_eq!(
            [1, 2, 3, 7, 12, 40].map(|n| millis(n, 1.0)),
            [1_000, 2_000, 4_000, 60_000, 60_000, 60_000]
        );
        assert_eq!([1, 2, 3].map(|n| millis(n, 0.0)), [500, 1_000, 2_000]);
        let all: Duration = (1..WEBHOOK_ATTEMPTS_MAX).map(|n| pause(n, 1.0) + WEBHOOK_TIME_MAX).sum();
        assert!(
            all < WEBHOOK_DELIVERY_TIME_MAX,
            "{all:?}: the attempts are the bound unless a receiver asks for more"
        );
        assert!((0.0..=1.0).contains(&chance()));
    }
}
