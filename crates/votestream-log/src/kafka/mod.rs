//! Our own Kafka client: connections, metadata, administration, on blocking sockets and `kafka-protocol`'s message codecs.
//!
//! What records mean, who fetches and who produces is left to the reader and writer, which build on `client::Client` (which
//! brokers lead the topic's partitions) and `connection::Connection` (one broker, requests and answers in order).
//!
//! **Invariant:** every wait has a deadline, every frame a bound, and an answer is walked through before it is decoded, so that no
//! length in it can ask for more memory than the frame has bytes for.

pub(crate) mod request;

mod shape;

pub(crate) mod error;

pub(crate) mod backoff;

pub(crate) mod config;

mod tls;

mod sasl;

mod stream;

mod bodies;

pub(crate) mod connection;

pub(crate) mod client;

pub(crate) mod cluster;

pub(crate) mod producing;

pub(crate) mod offsets;

pub mod admin;

pub mod produce;

pub(crate) mod librdkafka;

mod batch_queue;

pub mod raw;

pub mod java;

pub mod group;

pub mod publish;

pub mod route;

pub(crate) mod fetch;

pub(crate) mod by_librdkafka;

#[cfg(test)]
mod hostile_tests;

/// A broker's number in its cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeId(pub(crate) i32);
