//! Kafka's variable-length integers: zigzag, then seven bits a byte, low bits first. Bounds are checked, lengths are the caller's.

/// Most bytes of a 64-bit varint.
pub(super) const MAX: usize = 10;

/// Appends `value`.
#[inline]
pub(super) fn put(out: &mut Vec<u8>, value: i64) {
    let mut z = zigzag(value);
    while z >= 0x80 {
        out.push(z as u8 | 0x80);
        z >>= 7;
    }
    out.push(z as u8);
}

/// Writes `value` at the start of `out`; answers its bytes. `out` must have room for [`len`] bytes.
#[inline]
pub(super) fn write(out: &mut [u8], value: i64) -> usize {
    let mut z = zigzag(value);
    let mut at = 0;
    while z >= 0x80 {
        out[at] = z as u8 | 0x80;
        z >>= 7;
        at += 1;
    }
    out[at] = z as u8;
    at + 1
}

/// How many bytes `value` takes.
#[inline]
pub(super) fn len(value: i64) -> usize {
    let bits = 64 - (zigzag(value) | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

/// Reads a value from the front of `bytes` and moves past it. `None`: cut short, or more than ten bytes.
#[inline]
pub(super) fn take(bytes: &mut &[u8]) -> Option<i64> {
    match **bytes {
        [a, ref rest @ ..] if a < 0x80 => {
            *bytes = rest;
            Some(unzigzag(u64::from(a)))
        }
        [a, b, ref rest @ ..] if b < 0x80 => {
            *bytes = rest;
            Some(unzigzag(u64::from(a & 0x7f) | u64::from(b) << 7))
        }
        // Deltas of offsets and times within a large batch.
        [a, b, c, ref rest @ ..] if c < 0x80 => {
            *bytes = rest;
            Some(unzigzag(u64::from(a & 0x7f) | u64::from(b & 0x7f) << 7 | u64::from(c) << 14))
        }
        _ => take_long(bytes),
    }
}

fn take_long(bytes: &mut &[u8]) -> Option<i64> {
    let mut z = 0;
    for (i, &byte) in bytes.iter().take(MAX).enumerate() {
        z |= u64::from(byte & 0x7f) << (7 * i);
        if byte < 0x80 {
            *bytes = &bytes[i + 1..];
            return Some(unzigzag(z));
        }
    }
    None
}

/// Reads a length: −1 is `None`; a value below that or beyond 2^31 is malformed.
#[inline]
#[expect(
    clippy::option_option,
    reason = "malformed, null and a length are three things, and this is the hot path"
)]
pub(super) fn take_len(bytes: &mut &[u8]) -> Option<Option<usize>> {
    match take(bytes)? {
        -1 => Some(None),
        n => Some(Some(i32::try_from(n).ok().and_then(|n| usize::try_from(n).ok())?)),
    }
}

#[inline]
fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63) as u64
}

#[inline]
fn unzigzag(z: u64) -> i64 {
    (z >> 1) as i64 ^ -((z & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: i64, expect: &[u8]) {
        let mut out = Vec::new();
        put(&mut out, value);
        assert_eq!(out, expect, "{value}");
        assert_eq!(len(value), expect.len(), "{value}");
        let mut again = [0; MAX];
        assert_eq!(write(&mut again, value), expect.len());
        assert_eq!(&again[..expect.len()], expect);
        let mut rest = &out[..];
        assert_eq!(take(&mut rest), Some(value));
        assert!(rest.is_empty());
        for cut in 0..out.len() {
            assert_eq!(take(&mut &out[..cut]), None, "{value} cut to {cut}");
        }
    }

    #[test]
    fn known_values() {
        check(0, &[0]);
        check(-1, &[1]);
        check(1, &[2]);
        check(63, &[0x7e]);
        check(64, &[0x80, 1]);
        check(-65, &[0x81, 1]);
        check(8191, &[0xfe, 0x7f]);
        check(8192, &[0x80, 0x80, 1]);
        check(1_048_575, &[0xfe, 0xff, 0x7f]);
        check(1_048_576, &[0x80, 0x80, 0x80, 1]);
        check(i64::from(i32::MAX), &[0xfe, 0xff, 0xff, 0xff, 0x0f]);
        check(i64::MAX, &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]);
        check(i64::MIN, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]);
        assert_eq!(take(&mut &[0xff; 11][..]), None);
    }
}
