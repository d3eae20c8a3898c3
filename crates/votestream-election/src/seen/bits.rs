//! Bits into bytes and back, lowest bit first, with Rice codes for ascending differences. Bounds are checked: a cut row is an error.

/// Quotients from here on are escaped, so that one far-off value cannot cost gigabytes of ones.
pub(super) const QUOTIENT_ESCAPE: u32 = 32;

#[derive(Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    pending: u128,
    bits: u32,
}

impl BitWriter {
    /// Writes the low `count` (≤ 64) bits of `value`.
    #[inline]
    pub(super) fn put(&mut self, value: u64, count: u32) {
        self.pending |= u128::from(value) << self.bits;
        self.bits += count;
        if self.bits >= 64 {
            self.bytes.extend_from_slice(&(self.pending as u64).to_le_bytes());
            self.pending >>= 64;
            self.bits -= 64;
        }
    }

    #[inline]
    pub(super) fn put_rice(&mut self, value: u64, k: u32) {
        let quotient = value.checked_shr(k).unwrap_or(0);
        if quotient >= u64::from(QUOTIENT_ESCAPE) {
            self.put((1 << QUOTIENT_ESCAPE) - 1, QUOTIENT_ESCAPE);
            self.put(value, 64);
            return;
        }
        let ones = quotient as u32;
        self.put((1 << ones) - 1, ones + 1);
        if k > 0 {
            self.put(value & (u64::MAX >> (64 - k)), k);
        }
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        let whole = self.bits.div_ceil(8) as usize;
        self.bytes.extend_from_slice(&(self.pending as u64).to_le_bytes()[..whole]);
        self.bytes
    }
}

pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    /// Position in bits.
    at: usize,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next 57 or more bits, zeros past the end.
    #[inline]
    fn peek(&self) -> u64 {
        let start = self.at / 8;
        let word = if let Some(chunk) = self.bytes.get(start..start + 8).and_then(|s| s.first_chunk::<8>()) {
            u64::from_le_bytes(*chunk)
        } else {
            let mut last = [0_u8; 8];
            let rest = self.bytes.get(start..).unwrap_or(&[]);
            last[..rest.len()].copy_from_slice(rest);
            u64::from_le_bytes(last)
        };
        word >> (self.at % 8)
    }

    #[inline]
    fn take(&mut self, count: u32) -> Option<u64> {
        if count > 56 {
            let low = self.take(32)?;
            return Some(low | self.take(count - 32)? << 32);
        }
        let value = self.peek() & ((1 << count) - 1);
        self.at += count as usize;
        (self.at <= self.bytes.len() * 8).then_some(value)
    }

    #[inline]
    pub(super) fn take_rice(&mut self, k: u32) -> Option<u64> {
        let ones = self.peek().trailing_ones();
        if ones >= QUOTIENT_ESCAPE {
            self.at += QUOTIENT_ESCAPE as usize;
            return self.take(64);
        }
        self.at += ones as usize + 1;
        let low = self.take(k)?;
        Some(u64::from(ones).checked_shl(k).unwrap_or(0) | low)
    }
}
