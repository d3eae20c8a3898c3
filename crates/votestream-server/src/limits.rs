//! Every bound of the server, by name: bodies, lines, times, connections, streams, caches. What is done at a bound is said where
//! it is enforced.

use std::time::Duration;

/// Connections served at once, unless configured; one more is answered 503 and closed.
pub const CONNECTIONS_MAX: usize = 4_096;

/// Refused connections that are being told so at once; more are closed without a word.
pub const REFUSALS_MAX: usize = 64;

/// Live streams (`GET /api/live`) at once, unless configured; one more is answered 503.
pub const LIVE_STREAMS_MAX: usize = 2_000;

/// Clients of the generated stream (`GET /api/stream_votes`) at once, unless configured; one more is answered 503.
pub const SOURCE_STREAMS_MAX: usize = 256;

/// Bytes of one `POST /api/votes`, unless configured (8 MiB); more is answered 413 and nothing is appended.
pub const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Bytes of all bodies that are being read at once; a body that does not fit is answered 503.
pub const BODIES_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Records in one `POST /api/votes`; more is answered 413 and nothing is appended.
pub const POST_RECORDS_MAX: usize = 100_000;

/// `POST /api/votes` being served at once; one more is answered 429.
pub const POSTS_MAX: usize = 256;

/// Bytes of records gathered for one partition before they are handed to the log.
pub const BATCH_BYTES: usize = 256 * 1024;

/// How long a POST waits for the log to take and acknowledge its votes; then it is answered 503, and they may still be appended.
pub const ACK_TIME_MAX: Duration = Duration::from_secs(8);

/// How long after its body a POST is answered, whatever the log does: 503 when not even opening it has come to an end.
pub const POST_TIME_MAX: Duration = Duration::from_secs(9);

/// Bytes of the head of a request (request line and headers); more is answered 431 by the HTTP parser.
pub const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Bytes of a path with its query; more is answered 414.
pub const TARGET_BYTES_MAX: usize = 8 * 1024;

/// How long a client may take to send the head of a request; then the connection is closed.
pub const HEAD_TIME_MAX: Duration = Duration::from_secs(10);

/// How long a request may take, its body included, until its answer begins; then 503, or 408 while its body was awaited.
pub const REQUEST_TIME_MAX: Duration = Duration::from_secs(30);

/// How long the body of a POST may take to arrive; then 408, and nothing is appended.
pub const BODY_TIME_MAX: Duration = Duration::from_secs(20);

/// How long a client may leave an answer unread: when no byte could be written for so long, its connection is closed.
pub const WRITE_STALL_MAX: Duration = Duration::from_secs(10);

/// Bytes that the system may hold for a client that does not read (it keeps as much again for itself); what else is unread is
/// at most [`HEAD_BYTES_MAX`] in this process. Without this bound it would grow to megabytes before anybody noticed.
pub const SEND_BUFFER_BYTES: usize = 128 * 1024;

/// How long a shutdown waits for requests in flight.
pub const SHUTDOWN_TIME_MAX: Duration = Duration::from_secs(10);

/// Least and most live snapshots a second that a client may ask for, and what it gets without asking.
pub const LIVE_HZ: (f64, f64, f64) = (1.0, 20.0, 4.0);

/// A live stream that has nothing to say sends a comment after this long, so that a page can tell stale from quiet.
pub const LIVE_KEEP_ALIVE: Duration = Duration::from_millis(2_500);

/// How long a page should wait before it reconnects, told in the stream.
pub const LIVE_RETRY: Duration = Duration::from_secs(1);

/// A live stream that takes longer than this between two chunks is ended: its client reconnects, or is gone.
pub const LIVE_LAG_MAX: Duration = Duration::from_secs(15);

/// How often the store is asked whether it changed while somebody watches; with an engine in the same process it says so itself.
pub const POLL_WATCHED: Duration = Duration::from_millis(20);

/// The same while nobody watches.
pub const POLL_IDLE: Duration = Duration::from_millis(500);

/// A snapshot younger than this answers a request without asking the store.
pub const FRESH: Duration = Duration::from_millis(20);

/// Least time between two snapshots made for watchers of one election; a third of the interval of the fastest watcher.
pub const SNAPSHOT_INTERVAL: Duration = Duration::from_millis(16);

/// Read-only connections to the store for all that is not the live snapshot; a request waits for one.
pub const READERS_MAX: usize = 4;

/// Answers kept for past views and other derived pages, per server; the oldest goes first.
pub const ANSWERS_KEPT: usize = 128;

/// Bytes of those answers; the oldest go first.
pub const ANSWERS_BYTES: usize = 32 * 1024 * 1024;

/// Answers to POSTs kept by `Idempotency-Key`; the oldest goes first.
pub const RECEIPTS_KEPT: usize = 1_024;

/// Bytes of kept answers to POSTs; the oldest go first. An answer larger than this alone is not kept.
pub const RECEIPTS_BYTES: usize = 32 * 1024 * 1024;

/// Bytes of an `Idempotency-Key`.
pub const IDEMPOTENCY_KEY_BYTES: usize = 255;

/// Events a second of the generated stream without `?rate=`.
pub const SOURCE_RATE: f64 = 1_000.0;

/// Most events a second that `?rate=` may name; `max` has no such bound.
pub const SOURCE_RATE_MAX: f64 = 10_000_000.0;

/// Bytes of one chunk of the generated stream.
pub const SOURCE_CHUNK_BYTES: usize = 64 * 1024;

/// Events are paced in batches of this length, not one by one.
pub const SOURCE_TICK: Duration = Duration::from_millis(20);

/// Rejects on one page of `GET /api/rejects`.
pub const REJECTS_PAGE_MAX: usize = 1_000;

/// The same without `?limit=`.
pub const REJECTS_PAGE: usize = 100;

/// Most minutes that a point of `GET /api/timeline` may span.
pub const TIMELINE_BUCKET_MAX: u32 = 1_440;

/// Seconds that a client is told to wait in `Retry-After`.
pub const RETRY_AFTER_S: u32 = 1;

/// Elections whose status is remembered for `GET /api/elections`; beyond it all are worked out again.
pub const ELECTIONS_REMEMBERED: usize = 1_024;

/// Least time between two samples of how fast an election is counted.
pub const PACE_EVERY: Duration = Duration::from_secs(1);

/// How far back the rate looks that is worked out from the store.
pub const PACE_WINDOW: Duration = Duration::from_secs(15);

/// How often the log is asked where it ends, while somebody wants to know.
pub const ENDS_EVERY: Duration = Duration::from_secs(1);
/// How often the newest results are looked at for webhooks; what comes and goes in between is not seen.
pub const WEBHOOK_LOOK: Duration = Duration::from_millis(500);

/// Part of rejected records above which a webhook is told, unless configured.
pub const WEBHOOK_REJECT_RATE: f64 = 0.05;

/// Records over which that part is taken, at least, unless configured.
pub const WEBHOOK_REJECT_WINDOW: u64 = 1_000;

/// How long no commit may come while votes are awaited until a webhook is told, unless configured.
pub const WEBHOOK_STALE: Duration = Duration::from_secs(30);

/// How long a new lead, or the taking back of something told, must last until a webhook is told.
pub const WEBHOOK_SETTLE: Duration = Duration::from_secs(2);

/// Least time between two changes of the same thing at the same place that webhooks are told.
pub const WEBHOOK_GAP: Duration = Duration::from_secs(30);

/// Events that wait for one receiver; one more, and the oldest is given up.
pub const WEBHOOK_QUEUE_MAX: usize = 1_024;

/// How long a receiver may take from the connection to the head of its answer.
pub const WEBHOOK_TIME_MAX: Duration = Duration::from_secs(10);

/// Attempts at one delivery; then it is given up.
pub const WEBHOOK_ATTEMPTS_MAX: u32 = 12;

/// How long one delivery is tried; then it is given up.
pub const WEBHOOK_DELIVERY_TIME_MAX: Duration = Duration::from_mins(15);

/// Pause before the second attempt; it doubles with each, up to [`WEBHOOK_PAUSE_MAX`]. Between half of it and all of it is waited.
pub const WEBHOOK_PAUSE: Duration = Duration::from_secs(1);

/// Longest pause between two attempts.
pub const WEBHOOK_PAUSE_MAX: Duration = Duration::from_mins(1);

/// Longest pause that a receiver may ask for with Retry-After.
pub const WEBHOOK_RETRY_AFTER_MAX: Duration = Duration::from_mins(5);

/// How long a shutdown waits for events that are under way or wait.
pub const WEBHOOK_DRAIN_MAX: Duration = Duration::from_secs(4);

/// Elections of one store that webhooks are told of.
pub const WEBHOOK_ELECTIONS_MAX: usize = 64;
