//! Room for large answers, filled again once nobody holds a slice of the last one: fresh memory costs a page fault every 4 KiB and
//! its zeroing, which for fetched records is more than checking them.

use bytes::{Bytes, BytesMut};

/// Shorter answers are not worth keeping room for.
const KEPT_FROM_BYTES: usize = 64 << 10;
/// All that is kept for one connection, lent or free.
const KEPT_BYTES_MAX: usize = 48 << 20;
/// Room is made in whole pieces of so much, so that the next answer, a little longer, fits as well.
const PIECE_BYTES: usize = 1 << 20;

/// Bodies of one connection's answers.
#[derive(Debug, Default)]
pub(super) struct Bodies {
    /// Whole bodies; each is free once this is the only one who holds it.
    kept: Vec<Bytes>,
    kept_bytes: usize,
}

impl Bodies {
    /// Room for an answer of `length` bytes; at least as long, its content left as it was.
    pub(super) fn room(&mut self, length: usize) -> BytesMut {
        if length < KEPT_FROM_BYTES {
            return BytesMut::zeroed(length);
        }
        let free = self.kept.iter().position(|body| body.len() >= length && body.is_unique());
        if let Some(Ok(body)) = free.map(|at| self.forget(at).try_into_mut()) {
            return body;
        }
        BytesMut::zeroed(length.next_multiple_of(PIECE_BYTES))
    }

    /// The filled body, to be sliced and read; it is kept for another answer where there is room to keep it.
    pub(super) fn lend(&mut self, body: BytesMut) -> Bytes {
        let body = body.freeze();
        if body.len() < KEPT_FROM_BYTES {
            return body;
        }
        // Free ones that were too short give way.
        while self.kept_bytes + body.len() > KEPT_BYTES_MAX {
            let Some(free) = self.kept.iter().position(Bytes::is_unique) else { return body };
            self.forget(free);
        }
        self.kept_bytes += body.len();
        self.kept.push(body.clone());
        body
    }

    fn forget(&mut self, at: usize) -> Bytes {
        let body = self.kept.swap_remove(at);
        self.kept_bytes -= body.len();
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_filled_again_once_nobody_holds_a_slice_of_it() {
        let mut bodies = Bodies::default();
        let body = bodies.room(100_000);
        assert_eq!(body.len(), PIECE_BYTES);
        let first = body.as_ptr();
        let slice = bodies.lend(body).slice(7..9);
        let other = bodies.room(100_000);
        assert_ne!(other.as_ptr(), first, "the first is still read");
        drop(slice);
        assert_eq!(bodies.room(PIECE_BYTES).as_ptr(), first);
        assert_eq!(bodies.kept_bytes, 0, "the other was never lent");
    }

    #[test]
    fn what_is_kept_is_bounded_and_the_free_give_way() {
        let mut bodies = Bodies::default();
        let held: Vec<Bytes> = (0..60).map(|_| bodies.lend(BytesMut::zeroed(PIECE_BYTES))).collect();
        assert_eq!(bodies.kept_bytes, KEPT_BYTES_MAX);
        drop(held);
        drop(bodies.lend(BytesMut::zeroed(40 << 20)));
        assert!(bodies.kept_bytes <= KEPT_BYTES_MAX);
        assert_eq!(bodies.room(40 << 20).len(), 40 << 20);
        assert_eq!(bodies.kept.iter().map(Bytes::len).sum::<usize>(), bodies.kept_bytes);
    }

    #[test]
    fn short_answers_get_room_of_their_own() {
        let mut bodies = Bodies::default();
        assert_eq!(bodies.room(100).len(), 100);
        drop(bodies.lend(BytesMut::zeroed(100)));
        assert!(bodies.kept.is_empty());
    }
}
