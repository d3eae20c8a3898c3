//! The codecs that other producers use and we only read: gzip, and snappy with or without the framing of Java's clients.
//!
//! Each decompresses to the front of a reused buffer, which grows as needed but not past the bound.

use super::BatchError;
use std::io::Read;

/// What a buffer first grows to; doubled from there.
const GROW_BYTES: usize = 64 << 10;
/// What a stream of `SnappyOutputStream` (xerial's snappy-java) starts with: this, then two versions of four bytes each.
const XERIAL_MAGIC: [u8; 8] = *b"\x82SNAPPY\0";
/// The bytes of that header.
const XERIAL_HEADER_BYTES: usize = 16;

/// Decompresses the gzip members in `input`; answers how many bytes are there. Stops early once `enough` bytes are there.
pub(super) fn gunzip(
    input: &[u8],
    buffer: &mut Vec<u8>,
    enough: usize,
    bound: usize,
) -> Result<usize, BatchError> {
    let mut stream = flate2::bufread::MultiGzDecoder::new(input);
    let mut done = 0;
    loop {
        if done == buffer.len() {
            if done >= bound {
                // Full: right only if nothing more comes.
                let more = stream.read(&mut [0]).map_err(|_| GZIP)?;
                return if more == 0 { Ok(done) } else { Err(BatchError::TooLarge) };
            }
            buffer.resize((done * 2).clamp(GROW_BYTES, bound.max(GROW_BYTES)).min(bound), 0);
        }
        let room = buffer.len().min(bound);
        match stream.read(&mut buffer[done..room]).map_err(|_| GZIP)? {
            0 => return Ok(done),
            bytes => done += bytes,
        }
        if done >= enough {
            return Ok(done);
        }
    }
}

const GZIP: BatchError = BatchError::Compressed("the gzip stream is malformed or cut short");
const SNAPPY: BatchError = BatchError::Compressed("a snappy block is malformed or cut short");

/// Decompresses one snappy block, or the blocks of xerial's framing.
pub(super) fn unsnap(
    mut input: &[u8],
    buffer: &mut Vec<u8>,
    enough: usize,
    bound: usize,
) -> Result<usize, BatchError> {
    if !input.starts_with(&XERIAL_MAGIC) {
        return block(input, buffer, 0, bound);
    }
    let mut done = 0;
    while !input.is_empty() && done < enough {
        // Streams may follow each other.
        if input.starts_with(&XERIAL_MAGIC) {
            input.split_off(..XERIAL_HEADER_BYTES).ok_or(SNAPPY)?;
            continue;
        }
        let length = input.split_off(..4).and_then(|length| length.try_into().ok()).ok_or(SNAPPY)?;
        let stored = input.split_off(..u32::from_be_bytes(length) as usize).ok_or(SNAPPY)?;
        done = block(stored, buffer, done, bound)?;
    }
    Ok(done)
}

/// Decompresses one block behind the `done` bytes that are there; answers how many are there then.
fn block(stored: &[u8], buffer: &mut Vec<u8>, done: usize, bound: usize) -> Result<usize, BatchError> {
    let bytes = snap::raw::decompress_len(stored).map_err(|_| SNAPPY)?;
    let end = done.checked_add(bytes).filter(|end| *end <= bound).ok_or(BatchError::TooLarge)?;
    // A block yields at most about 21 bytes for one: a header that says more lies, and gets no room.
    if bytes / 32 > stored.len() {
        return Err(SNAPPY);
    }
    if buffer.len() < end {
        buffer.resize(end, 0);
    }
    let into = buffer.get_mut(done..end).ok_or(SNAPPY)?;
    snap::raw::Decoder::new().decompress(stored, into).map_err(|_| SNAPPY)?;
    Ok(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    const BOUND: usize = 1 << 20;

    fn votes(n: u64) -> Vec<u8> {
        let line = |i: u64| format!("{{\"id\":{}}}\n", i.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        (0..n).map(line).collect::<String>().into_bytes()
    }

    fn gzip(body: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }

    fn xerial(body: &[u8], block_bytes: usize) -> Vec<u8> {
        let mut out = XERIAL_MAGIC.to_vec();
        out.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1]);
        for chunk in body.chunks(block_bytes) {
            let stored = snap::raw::Encoder::new().compress_vec(chunk).unwrap();
            out.extend_from_slice(&(stored.len() as u32).to_be_bytes());
            out.extend_from_slice(&stored);
        }
        out
    }

    type Codec = fn(&[u8], &mut Vec<u8>, usize, usize) -> Result<usize, BatchError>;

    #[track_caller]
    fn check(codec: Codec, stored: &[u8], expect: &[u8]) {
        let mut buffer = vec![7; 10];
        let bytes = codec(stored, &mut buffer, usize::MAX, BOUND).unwrap();
        assert!(buffer[..bytes] == *expect);
        let some = codec(stored, &mut buffer, 1, BOUND).unwrap();
        assert!(some <= expect.len() && buffer[..some] == expect[..some]);
        for cut in [1, stored.len() / 2, stored.len() - 1] {
            assert!(codec(&stored[..cut], &mut buffer, usize::MAX, BOUND).is_err(), "cut to {cut}");
        }
        assert!(buffer.len() <= BOUND);
    }

    #[test]
    fn what_others_wrote_is_read() {
        for n in [1, 100, 20_000] {
            let body = votes(n);
            check(gunzip, &gzip(&body), &body);
            check(unsnap, &snap::raw::Encoder::new().compress_vec(&body).unwrap(), &body);
            check(unsnap, &xerial(&body, 32 << 10), &body);
        }
        let (one, two) = (votes(10), votes(20));
        let both = [one.clone(), two.clone()].concat();
        check(gunzip, &[gzip(&one), gzip(&two)].concat(), &both);
        let mut buffer = Vec::new();
        let bytes = unsnap(&[xerial(&one, 99), xerial(&two, 99)].concat(), &mut buffer, usize::MAX, BOUND);
        assert!(buffer[..bytes.unwrap()] == both[..]);
    }

    #[test]
    fn what_fills_the_bound_is_read_and_one_byte_more_is_refused() {
        fn bound_holds(codec: Codec, pack: fn(&[u8]) -> Vec<u8>) {
            let mut buffer = Vec::new();
            let body = vec![0; BOUND + 1];
            assert_eq!(codec(&pack(&body[1..]), &mut buffer, usize::MAX, BOUND), Ok(BOUND));
            assert_eq!(codec(&pack(&body), &mut buffer, usize::MAX, BOUND), Err(BatchError::TooLarge));
            assert!(buffer.len() <= BOUND);
        }
        bound_holds(gunzip, gzip);
        bound_holds(unsnap, |body| xerial(body, 32 << 10));
    }

    #[test]
    fn a_snappy_length_that_lies_gets_no_room() {
        let mut buffer = Vec::new();
        assert_eq!(unsnap(&[0xff, 0xff, 0x3f, 0], &mut buffer, usize::MAX, BOUND), Err(SNAPPY));
        assert!(buffer.is_empty());
    }
}
