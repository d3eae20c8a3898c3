//! Broker error codes, sorted by what to do about them, and how failures of a connection are told.

use crate::error::LogError;
use kafka_protocol::error::ResponseError;
use std::time::Duration;

/// The longest that a broker's wish not to be asked is followed; one that has quotas asks for some seconds.
const REST_MAX: Duration = Duration::from_mins(1);

/// For how long a broker whose answer says `throttle_time_ms` is to be left alone: a quota of its is used up.
pub(crate) fn rest(throttle_time_ms: i32) -> Duration {
    Duration::from_millis(u64::try_from(throttle_time_ms).unwrap_or(0)).min(REST_MAX)
}

/// What to do about an error code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    /// Ask again later, the same broker.
    Retry,
    /// Ask again later, after the metadata were read anew: another broker may be the one.
    Refresh,
    /// Asking again does not help.
    Fatal,
}

/// What to do about `code`, which is not 0.
pub(crate) fn sort(code: i16) -> Sort {
    use ResponseError as E;
    let Some(error) = ResponseError::try_from_code(code) else { return Sort::Retry };
    match error {
        E::UnknownTopicOrPartition
        | E::LeaderNotAvailable
        | E::NotLeaderOrFollower
        | E::ReplicaNotAvailable
        | E::BrokerNotAvailable
        | E::NotController
        | E::NotCoordinator
        | E::CoordinatorNotAvailable
        | E::FencedLeaderEpoch
        | E::UnknownLeaderEpoch
        | E::KafkaStorageError
        | E::ListenerNotFound
        | E::UnknownTopicId
        | E::InconsistentTopicId
        | E::FetchSessionTopicIdError
        | E::PreferredLeaderNotAvailable
        | E::EligibleLeadersNotAvailable
        | E::StaleBrokerEpoch
        | E::RebootstrapRequired => Sort::Refresh,
        E::ConcurrentTransactions | E::UnknownServerError | E::StaleControllerEpoch => Sort::Retry,
        error if error.is_retriable() => Sort::Retry,
        _ => Sort::Fatal,
    }
}

/// Kafka's name of `code`, as its documentation writes it.
pub(crate) fn name(code: i16) -> String {
    let Some(error) = ResponseError::try_from_code(code) else { return "NONE".to_owned() };
    if let ResponseError::Unknown(_) = error {
        return "an unknown error".to_owned();
    }
    let camel = error.to_string();
    let mut name = String::with_capacity(camel.len() + 8);
    for (i, letter) in camel.chars().enumerate() {
        if i > 0 && letter.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

/// The error for `code`, which `place` answered when it was asked for `doing`. `message`: what the broker says beyond it.
pub(crate) fn refused(place: &str, doing: &'static str, code: i16, message: Option<&str>) -> LogError {
    use ResponseError as E;
    let name = name(code);
    let right = |what: &str, next| LogError::Refused {
        place: place.to_owned(),
        what: format!("{name} to {doing}: {what}"),
        next,
    };
    match ResponseError::try_from_code(code) {
        Some(E::TopicAuthorizationFailed) => right(
            "this user may not do that with the topic",
            "grant it (kafka-acls --add --topic) or use another user",
        ),
        Some(E::GroupAuthorizationFailed) => right(
            "this user may not use the consumer group",
            "grant it (kafka-acls --add --group votestream- --resource-pattern-type prefixed) or use another user",
        ),
        Some(E::ClusterAuthorizationFailed) => right(
            "this user has no such right on the cluster",
            "grant it (kafka-acls --add --cluster) or use another user",
        ),
        Some(E::TransactionalIdAuthorizationFailed) => right(
            "this user may not use the transactional id",
            "grant it (kafka-acls --add --transactional-id votestream- --resource-pattern-type prefixed) or use another user",
        ),
        Some(E::SaslAuthenticationFailed) => {
            right("user or password is wrong", "check user= and the password's file or variable")
        }
        _ => {
            let transient = sort(code) != Sort::Fatal;
            let next = if transient { "it is tried again" } else { "see the broker's log" };
            let detail = message.map_or(String::new(), |message| format!(": {message}")).into();
            let name = name.into();
            LogError::Kafka { place: place.to_owned(), doing, code, name, detail, next, transient }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_and_named() {
        for (code, expect_name, expect) in [
            (3, "UNKNOWN_TOPIC_OR_PARTITION", Sort::Refresh),
            (6, "NOT_LEADER_OR_FOLLOWER", Sort::Refresh),
            (7, "REQUEST_TIMED_OUT", Sort::Retry),
            (14, "COORDINATOR_LOAD_IN_PROGRESS", Sort::Retry),
            (19, "NOT_ENOUGH_REPLICAS", Sort::Retry),
            (29, "TOPIC_AUTHORIZATION_FAILED", Sort::Fatal),
            (51, "CONCURRENT_TRANSACTIONS", Sort::Retry),
            (74, "FENCED_LEADER_EPOCH", Sort::Refresh),
            (75, "UNKNOWN_LEADER_EPOCH", Sort::Refresh),
            (90, "PRODUCER_FENCED", Sort::Fatal),
            (100, "UNKNOWN_TOPIC_ID", Sort::Refresh),
            (9999, "an unknown error", Sort::Fatal),
        ] {
            assert_eq!((name(code).as_str(), sort(code)), (expect_name, expect), "{code}");
        }
    }

    #[test]
    fn an_error_says_what_where_and_what_next() {
        let error = refused("h:9092", "Fetch", 6, None);
        assert!(error.is_transient());
        let text = "Kafka answered NOT_LEADER_OR_FOLLOWER (6) to Fetch at \"h:9092\"; it is tried again";
        assert_eq!(error.to_string(), text);
        let error = refused("h:9092", "Fetch", 29, None);
        assert!(!error.is_transient());
        assert!(error.to_string().contains("grant it"), "{error}");
    }
}
