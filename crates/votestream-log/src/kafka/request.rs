//! The requests that we send: each with its key, the newest version that we speak, its answer and that answer's shape.

use super::shape::{Shape, Step};
use kafka_protocol::messages::{self, ApiKey};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Message};

/// A request, and what answers it.
pub(crate) trait Request: Encodable + Message + HeaderVersion {
    /// What it is.
    const KEY: ApiKey;
    /// The newest version that we speak.
    const NEWEST: i16;
    /// Its name in errors, as Kafka's documentation has it.
    const NAME: &'static str;
    /// What answers it.
    type Response: Decodable + HeaderVersion + Shape;
}

/// `request(key, newest version, first flexible version of the answer) => answer, walk`.
macro_rules! requests {
    ($($name:ident($request:ident, $newest:expr, $flexible:expr) => $response:ident, $walk:expr;)*) => {$(
        impl Request for messages::$request {
            const KEY: ApiKey = ApiKey::$name;
            const NEWEST: i16 = $newest;
            const NAME: &'static str = stringify!($name);
            type Response = messages::$response;
        }

        impl Shape for messages::$response {
            const FLEXIBLE_FROM: i16 = $flexible;

            fn walk(walk: &mut Step<'_, '_>, version: i16) -> Option<()> {
                let through: fn(&mut Step<'_, '_>, i16) -> Option<()> = $walk;
                through(walk, version)
            }
        }
    )*};
}

requests! {
    ApiVersions(ApiVersionsRequest, 3, 3) => ApiVersionsResponse, api_versions;
    SaslHandshake(SaslHandshakeRequest, 1, i16::MAX) => SaslHandshakeResponse, |w, _| { w.skip(2)?; w.list(Step::text) };
    SaslAuthenticate(SaslAuthenticateRequest, 2, 2) => SaslAuthenticateResponse, |w, v| {
        w.skip(2)?;
        w.text()?;
        w.bytes()?;
        w.skip_if(v >= 1, 8)?;
        w.tags()
    };
    Metadata(MetadataRequest, 12, 9) => MetadataResponse, metadata;
    ListOffsets(ListOffsetsRequest, 8, 6) => ListOffsetsResponse, |w, v| {
        w.skip_if(v >= 2, 4)?;
        w.list(|w| {
            w.text()?;
            w.list(|w| { w.skip(4 + 2 + 8 + 8)?; w.skip_if(v >= 4, 4)?; w.tags() })?;
            w.tags()
        })?;
        w.tags()
    };
    OffsetForLeaderEpoch(OffsetForLeaderEpochRequest, 4, 4) => OffsetForLeaderEpochResponse, |w, _| {
        w.skip(4)?;
        w.list(|w| { w.text()?; w.list(|w| { w.skip(2 + 4 + 4 + 8)?; w.tags() })?; w.tags() })?;
        w.tags()
    };
    CreateTopics(CreateTopicsRequest, 7, 5) => CreateTopicsResponse, |w, v| {
        w.skip(4)?;
        w.list(|w| created(w, v))?;
        w.tags()
    };
    DescribeConfigs(DescribeConfigsRequest, 4, 4) => DescribeConfigsResponse, |w, v| {
        w.skip(4)?;
        w.list(|w| configs(w, v))?;
        w.tags()
    };
    FindCoordinator(FindCoordinatorRequest, 5, 3) => FindCoordinatorResponse, find_coordinator;
    InitProducerId(InitProducerIdRequest, 5, 2) => InitProducerIdResponse, |w, v| {
        w.skip(4 + 2 + 8 + 2)?;
        w.skip_if(v >= 6, 10)?;
        w.tags()
    };
    // From version 4 on it is for brokers among themselves.
    AddPartitionsToTxn(AddPartitionsToTxnRequest, 3, 3) => AddPartitionsToTxnResponse, |w, _| {
        w.skip(4)?;
        w.list(|w| { w.text()?; w.list(|w| { w.skip(6)?; w.tags() })?; w.tags() })?;
        w.tags()
    };
    DescribeTransactions(DescribeTransactionsRequest, 0, 0) => DescribeTransactionsResponse, |w, _| {
        w.skip(4)?;
        w.list(|w| {
            w.skip(2)?;
            w.text()?;
            w.text()?;
            w.skip(4 + 8 + 8 + 2)?;
            w.list(|w| { w.text()?; w.list(|w| w.skip(4))?; w.tags() })?;
            w.tags()
        })?;
        w.tags()
    };
    // From version 5 on each transaction raises the producer's epoch, as Produce's version 12 expects.
    EndTxn(EndTxnRequest, 4, 3) => EndTxnResponse, |w, v| { w.skip(4 + 2)?; w.skip_if(v >= 5, 10)?; w.tags() };
    AddOffsetsToTxn(AddOffsetsToTxnRequest, 3, 3) => AddOffsetsToTxnResponse, |w, _| { w.skip(4 + 2)?; w.tags() };
    // From version 5 on it adds the group to the transaction by itself.
    TxnOffsetCommit(TxnOffsetCommitRequest, 3, 3) => TxnOffsetCommitResponse, |w, _| {
        w.skip(4)?;
        w.list(|w| { w.text()?; w.list(|w| { w.skip(4 + 2)?; w.tags() })?; w.tags() })?;
        w.tags()
    };
    // From version 12 on it adds partitions to transactions by itself.
    Produce(ProduceRequest, 11, 9) => ProduceResponse, produce;
    Fetch(FetchRequest, 17, 12) => FetchResponse, fetch;
}

fn api_versions(w: &mut Step<'_, '_>, v: i16) -> Option<()> {
    w.skip(2)?;
    w.list(|w| {
        w.skip(6)?;
        w.tags()
    })?;
    w.skip_if(v >= 1, 4)?;
    w.tags_with(|tag, w| {
        (tag == 0 || tag == 2).then(|| {
            w.list(|w| {
                w.text()?;
                w.skip(4)?;
                w.tags()
            })
        })
    })
}

fn metadata(w: &mut Step<'_, '_>, v: i16) -> Option<()> {
    w.skip_if(v >= 3, 4)?;
    w.list(|w| {
        w.skip(4)?;
        w.text()?;
        w.skip(4)?;
        if v >= 1 {
            w.text()?;
        }
        w.tags()
    })?;
    if v >= 2 {
        w.text()?;
    }
    w.skip_if(v >= 1, 4)?;
    w.list(|w| {
        w.skip(2)?;
        w.text()?;
        w.skip_if(v >= 10, 16)?;
        w.skip_if(v >= 1, 1)?;
        w.list(|w| {
            w.skip(2 + 4 + 4)?;
            w.skip_if(v >= 7, 4)?;
            w.list(|w| w.skip(4))?;
            w.list(|w| w.skip(4))?;
            if v >= 5 {
                w.list(|w| w.skip(4))?;
            }
            w.tags()
        })?;
        w.skip_if(v >= 8, 4)?;
        w.tags()
    })?;
    w.skip_if((8..=10).contains(&v), 4)?;
    w.tags()
}

fn created(w: &mut Step<'_, '_>, v: i16) -> Option<()> {
    w.text()?;
    w.skip_if(v >= 7, 16)?;
    w.skip(2)?;
    w.text()?;
    if v >= 5 {
        w.skip(4 + 2)?;
        w.list(|w| {
            w.text()?;
            w.text()?;
            w.skip(3)?;
            w.tags()
        })?;
    }
    w.tags_with(|tag, w| (tag == 0).then(|| w.skip(2)))
}

fn configs(w: &mut Step<'_, '_>, v: i16) -> Option<()> {
    w.skip(2)?;
    w.text()?;
    w.skip(1)?;
    w.text()?;
    w.list(|w| {
        w.text()?;
        w.text()?;
        w.skip(3)?;
        w.list(|w| {
            w.text()?;
            w.text()?;
            w.skip(1)?;
            w.tags()
        })?;
        if v >= 3 {
            w.skip(1)?;
            w.text()?;
        }
        w.tags()
    })?;
    w.tags()
}

fn find_coordinator(w: &mut Step<'_, '_>, v: i16) -> Option<()> {
    w.skip_if(v >= 1, 4)?;
    if v >= 4 {
        w.list(|w| {
            w.text()?;
            w.skip(4)?;
            w.text()?;
            w.skip(4 + 2)?;
            w.text()?;
            w.tags()
        })?;
        return w.tags();
    }
    w.skip(2)?;
    if v >= 1 {
        w.text()?;
    }
    w.skip(4)?;
    w.text()?;
    w.skip(4)?;
    w.tags()
}

fn produce(w: &mut Step<'_, '_>, v: i16) -> Option<()> {
    w.list(|w| {
        topic(w, v)?;
        w.list(|w| {
            w.skip(4 + 2 + 8 + 8)?;
            w.skip_if(v >= 5, 8)?;
            if v >= 8 {
                w.list(|w| {
                    w.skip(4)?;
                    w.text()?;
                    w.tags()
                })?;
                w.text()?;
            }
            w.tags_with(|tag, w| (tag == 0 && v >= 10).then(|| leader(w)))
        })?;
        w.tags()
    })?;
    w.skip(4)?;
    w.tags_with(|tag, w| (tag == 0 && v >= 10).then(|| endpoints(w)))
}

fn fetch(w: &mut Step<'_, '_>, v: i16) -> Option<()> {
    w.skip(4)?;
    w.skip_if(v >= 7, 2 + 4)?;
    w.list(|w| {
        topic(w, v)?;
        w.list(|w| {
            w.skip(4 + 2 + 8 + 8)?;
            w.skip_if(v >= 5, 8)?;
            w.list(|w| {
                w.skip(16)?;
                w.tags()
            })?;
            w.skip_if(v >= 11, 4)?;
            w.bytes()?;
            w.tags_with(|tag, w| match tag {
                // Diverging epoch, current leader, snapshot id.
                0 | 2 => Some(w.skip(12).and_then(|()| w.tags())),
                1 => Some(leader(w)),
                _ => None,
            })
        })?;
        w.tags()
    })?;
    w.tags_with(|tag, w| (tag == 0 && v >= 16).then(|| endpoints(w)))
}

/// A leader's node and epoch.
fn leader(w: &mut Step<'_, '_>) -> Option<()> {
    w.skip(8)?;
    w.tags()
}

/// Where nodes are.
fn endpoints(w: &mut Step<'_, '_>) -> Option<()> {
    w.list(|w| {
        w.skip(4)?;
        w.text()?;
        w.skip(4)?;
        w.text()?;
        w.tags()
    })
}

/// A topic by its name, from version 13 of Produce and Fetch on by its id.
fn topic(w: &mut Step<'_, '_>, v: i16) -> Option<()> {
    if v <= 12 { w.text() } else { w.skip(16) }
}
