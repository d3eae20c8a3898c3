//! The server from outside: real listeners, a real store and a real log, a plain HTTP client. One scenario a module.

mod support;

mod bounds;
mod elections;
mod held_regions;
mod live_csv;
mod live_stream;
mod page_files;
mod post_votes;
mod reading;
mod rejected_records;
mod source_stream;
mod two_worlds;
mod wrong_requests;
