//! Topics written on real brokers: batches as they are, keys and partitions, acknowledgements, sources resumed, faults of every kind.

mod broker;
mod faults;
mod kill;
mod proxy;
mod resume;
mod round_trip;
mod support;
