//! Many messages of librdkafka at once: `rd_kafka_consume_batch_queue`, which the safe bindings lack and which costs half of what polling
//! message by message does. The only unsafe code of the house; what is borrowed from librdkafka never outlives the call that borrowed it.
#![expect(
    unsafe_code,
    reason = "librdkafka's batch interface has no safe binding; every block says why it holds"
)]

use rdkafka::bindings::{
    rd_kafka_consume_batch_queue, rd_kafka_header_get_last, rd_kafka_message_destroy,
    rd_kafka_message_headers, rd_kafka_message_t, rd_kafka_message_timestamp, rd_kafka_queue_destroy,
    rd_kafka_queue_get_consumer, rd_kafka_queue_t,
};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::types::RDKafkaRespErr;
use std::ffi::{CStr, c_void};
use std::ptr;
use std::time::Duration;
use votestream_election::framing::STUB_BYTES;

/// The header of a stub: `batch::LENGTH_KEY`.
const STUB_HEADER: &CStr = c"votestream.length";
/// Messages taken with one call.
const MESSAGES_MAX: usize = 10_000;

/// The consumer's queue, emptied many messages at a time. Nobody else may poll the consumer meanwhile.
pub(crate) struct BatchQueue<C: ConsumerContext + 'static> {
    queue: *mut rd_kafka_queue_t,
    messages: Vec<*mut rd_kafka_message_t>,
    /// Dropped after the queue: fields go in order, and `Drop` gives the queue back before any of them.
    _consumer: BaseConsumer<C>,
}

/// A message, or an event such as the end of a partition, as long as the batch is held.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    /// What happened; `RD_KAFKA_RESP_ERR_NO_ERROR` for a record.
    pub(crate) error: RDKafkaRespErr,
    /// The offset.
    pub(crate) offset: i64,
    /// Milliseconds since 1970; −1 where there is none.
    pub(crate) timestamp: i64,
    /// The key.
    pub(crate) key: Option<&'a [u8]>,
    /// The value.
    pub(crate) value: Option<&'a [u8]>,
    /// The value is the start that is kept of a longer one, as a header says.
    pub(crate) stub: bool,
}

// SAFETY: librdkafka's handles and messages may be used from any thread, by one at a time, which `&mut self` ensures.
unsafe impl<C: ConsumerContext + 'static> Send for BatchQueue<C> where BaseConsumer<C>: Send {}

impl<C: ConsumerContext + 'static> BatchQueue<C> {
    /// Takes the consumer over.
    pub(crate) fn new(consumer: BaseConsumer<C>) -> Self {
        // SAFETY: the client lives as long as the consumer, which this value owns; the queue is a counted reference of its own.
        let queue = unsafe { rd_kafka_queue_get_consumer(consumer.client().native_ptr()) };
        Self { queue, messages: Vec::with_capacity(MESSAGES_MAX), _consumer: consumer }
    }

    /// Waits up to `timeout` for messages and gives those that are there. The batch before goes back to librdkafka.
    pub(crate) fn poll(&mut self, timeout: Duration) -> impl ExactSizeIterator<Item = Message<'_>> {
        self.give_back();
        let wait_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the vector has room for MESSAGES_MAX pointers, and librdkafka writes at most as many as it is told, and says how many.
        let filled = unsafe {
            let filled =
                rd_kafka_consume_batch_queue(self.queue, wait_ms, self.messages.as_mut_ptr(), MESSAGES_MAX);
            let filled = usize::try_from(filled).unwrap_or(0).min(MESSAGES_MAX);
            self.messages.set_len(filled);
            filled
        };
        debug_assert!(filled <= MESSAGES_MAX);
        // SAFETY: each pointer is a message that librdkafka has handed over and that is destroyed by `give_back` alone, which needs
        // `&mut self` and so the end of what this iterator lends.
        self.messages.iter().map(|message| unsafe { view(*message) })
    }

    fn give_back(&mut self) {
        for message in self.messages.drain(..) {
            // SAFETY: handed over by librdkafka, not destroyed before (it leaves the vector here), not lent any more.
            unsafe { rd_kafka_message_destroy(message) };
        }
    }
}

impl<C: ConsumerContext + 'static> Drop for BatchQueue<C> {
    fn drop(&mut self) {
        self.give_back();
        // SAFETY: the reference taken in `new`, given back once, while the consumer still lives.
        unsafe { rd_kafka_queue_destroy(self.queue) };
    }
}

/// # Safety
/// `message` must be a message of librdkafka that is not destroyed while `'a` lasts.
unsafe fn view<'a>(message: *const rd_kafka_message_t) -> Message<'a> {
    // SAFETY: as the caller promises; librdkafka's messages are initialised, and payload and key are null or as long as they say.
    unsafe {
        let raw = &*message;
        Message {
            error: raw.err,
            offset: raw.offset,
            timestamp: rd_kafka_message_timestamp(message, ptr::null_mut()),
            key: bytes(raw.key, raw.key_len),
            value: bytes(raw.payload, raw.len),
            // Headers are slow to walk; only a value of a stub's length can be one.
            stub: raw.len == STUB_BYTES && has_header(message, STUB_HEADER),
        }
    }
}

/// # Safety
/// As for [`view`].
unsafe fn has_header(message: *const rd_kafka_message_t, name: &CStr) -> bool {
    let (mut headers, mut value, mut bytes) = (ptr::null_mut(), ptr::null(), 0);
    // SAFETY: the message is one, as the caller promises, and owns the headers that it lends; all else is written to, by librdkafka.
    unsafe {
        rd_kafka_message_headers(message, &raw mut headers) == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR
            && rd_kafka_header_get_last(headers, name.as_ptr(), &raw mut value, &raw mut bytes)
                == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR
    }
}

/// # Safety
/// `at` must be null, or point to `len` bytes that live as long as `'a`.
unsafe fn bytes<'a>(at: *const c_void, len: usize) -> Option<&'a [u8]> {
    // SAFETY: as the caller promises.
    (!at.is_null()).then(|| unsafe { std::slice::from_raw_parts(at.cast::<u8>(), len) })
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_stub_is_told_by_the_same_header_everywhere() {
        assert_eq!(super::STUB_HEADER.to_bytes(), crate::batch::LENGTH_KEY);
    }
}
