//! Signed webhooks: what happens in the count is posted to the addresses that the operator names, as it becomes public.
//!
//! One task looks at the newest public results of each election (`watch`), a pure detector says what happened since the last look
//! (`detect`), and each receiver has a bounded queue and a task of its own (`queue`, `deliver`): a slow one slows nobody.
//!
//! **Invariant:** events are made of public results alone, so that nothing is told of a withheld region
//! (`detect/tests.rs::nothing_is_told_of_a_withheld_region`).
//! **Invariant:** an event is delivered at least once or given up with a line in the log, in the order of the events, under an id
//! that stays the same (`tests/e2e/test_webhooks.py`).

pub(crate) mod event;

pub(crate) mod detect;

pub(crate) mod sign;

mod target;

mod client;

mod deliver;

pub(crate) mod queue;

pub(crate) mod watch;

pub use detect::Rules;
pub use sign::Secret;
pub use target::Target;

use std::sync::Arc;

/// Receivers at most.
pub const WEBHOOKS_MAX: usize = 16;

/// To whom events are posted, and what counts as one.
#[derive(Clone, Debug)]
pub struct WebhookConfig {
    pub(crate) targets: Vec<Target>,
    pub(crate) secret: Secret,
    pub(crate) rules: Rules,
    pub(crate) tls: client::Tls,
}

/// Why webhooks cannot be as they were asked for.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum WebhookError {
    /// Not an address that can be posted to.
    #[error("webhook number {number} {what}; write it as https://news.example/path")]
    Address {
        /// Which of them, from 1.
        number: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// The small build speaks no TLS.
    #[error(
        "webhook number {number} is an https:// address, and this build of votestream speaks http only; build the whole \
         one with `make build`, or put a TLS proxy beside it"
    )]
    NoTls {
        /// Which of them, from 1.
        number: usize,
    },
    /// Too many.
    #[error("{0} webhooks are more than {WEBHOOKS_MAX}; let one receiver pass events on")]
    TooMany(usize),
    /// No secret, or one that is too easily guessed.
    #[error(
        "webhooks are signed and need a secret of 16 to 256 visible ASCII characters; make one with `openssl rand -hex 32` \
         and give it as VOTESTREAM_WEBHOOK_SECRET or in a file with --webhook-secret-file"
    )]
    Secret,
    /// A rule that makes no sense.
    #[error("{0}")]
    Rule(&'static str),
    /// TLS cannot be set up.
    #[error("TLS for webhooks cannot be set up: {0}")]
    Tls(String),
}

impl WebhookConfig {
    /// Checks addresses, secret and rules.
    ///
    /// # Errors
    /// What is wrong, and how it is written right. Addresses and the secret are not repeated.
    pub fn new(addresses: &[String], secret: Option<&str>, rules: Rules) -> Result<Self, WebhookError> {
        if addresses.len() > WEBHOOKS_MAX {
            return Err(WebhookError::TooMany(addresses.len()));
        }
        let targets = (1..)
            .zip(addresses)
            .map(|(number, address)| Target::parse(number, address))
            .collect::<Result<Vec<_>, _>>()?;
        let secret = secret.and_then(Secret::new).ok_or(WebhookError::Secret)?;
        rules.validate()?;
        let tls = client::Tls::new(targets.iter().any(|target| target.secure))?;
        Ok(Self { targets, secret, rules, tls })
    }

    /// The queues of all receivers, empty.
    pub(crate) fn queues(&self) -> Vec<Arc<queue::Queue>> {
        self.targets.iter().map(|_| Arc::default()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(addresses: &[&str], secret: Option<&str>, rules: Rules, part: &str) {
        let addresses: Vec<String> = addresses.iter().map(|&a| a.to_owned()).collect();
        let error = WebhookConfig::new(&addresses, secret, rules).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }

    #[test]
    fn what_cannot_be_is_refused_at_start() {
        let good = Some("0123456789abcdef");
        check(&["http://a/"], None, Rules::default(), "--webhook-secret-file");
        check(&["http://a/"], Some("short"), Rules::default(), "16 to 256");
        check(&["http://a/", "b"], good, Rules::default(), "number 2");
        check(&["http://a/"; 17], good, Rules::default(), "more than 16");
        for rate in [-0.1, 1.0, f64::NAN] {
            check(
                &["http://a/"],
                good,
                Rules { reject_rate: rate, ..Rules::default() },
                "--webhook-reject-rate",
            );
        }
        let rules = Rules { reject_window: 0, ..Rules::default() };
        check(&["http://a/"], good, rules, "--webhook-reject-window");
        let rules = Rules { stale: std::time::Duration::ZERO, ..Rules::default() };
        check(&["http://a/"], good, rules, "--webhook-stale-seconds");
        let config = WebhookConfig::new(&["http://a/s3cret".to_owned()], good, Rules::default()).unwrap();
        let shown = format!("{config:?}");
        assert!(!shown.contains("s3cret") && !shown.contains("0123456789abcdef"), "{shown}");
    }
}
