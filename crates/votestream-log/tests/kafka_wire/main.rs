//! What passes between us and a real broker: older versions of its protocol, and its wish to be asked less.

#[path = "../kafka_writer/broker.rs"]
mod broker;
mod quotas;
#[path = "../kafka_writer/support.rs"]
mod support;
mod tap;
mod versions;
