//! Walks through an answer without decoding it: does it hold what its lengths say, to its last byte? Kafka's own codecs reserve
//! room for as many elements as a length says before they look for them; after this walk a length cannot lie.

use bytes::Bytes;

/// Bytes being walked through. Every step answers `None` where they end too soon or a length does not hold.
pub(super) struct Walk<'a> {
    rest: &'a [u8],
    /// Lengths are varints less one, and structures end in tagged fields.
    flexible: bool,
}

/// An answer that can be walked through.
pub(crate) trait Shape {
    /// The first version with compact lengths and tagged fields.
    const FLEXIBLE_FROM: i16;

    /// Walks through one answer of `version`.
    #[doc(hidden)]
    fn walk(walk: &mut Step<'_, '_>, version: i16) -> Option<()>;
}

/// What [`Shape::walk`] is given.
pub(crate) struct Step<'w, 'a>(&'w mut Walk<'a>);

/// Whether `body`, an answer without its header, is of the shape of `R`.
pub(super) fn holds<R: Shape>(body: &Bytes, version: i16) -> bool {
    let mut walk = Walk { rest: body, flexible: version >= R::FLEXIBLE_FROM };
    R::walk(&mut Step(&mut walk), version).is_some()
}

impl Step<'_, '_> {
    /// Bytes of a known count.
    pub(super) fn skip(&mut self, bytes: usize) -> Option<()> {
        self.0.rest.split_off(..bytes).map(drop)
    }

    /// Bytes that only some versions have.
    pub(super) fn skip_if(&mut self, there: bool, bytes: usize) -> Option<()> {
        if there { self.skip(bytes) } else { Some(()) }
    }

    /// A text, or null.
    pub(super) fn text(&mut self) -> Option<()> {
        let bytes = if self.0.flexible {
            self.varint()?.saturating_sub(1) as usize
        } else {
            length(i64::from(i16::from_be_bytes(self.take()?)))?
        };
        self.skip(bytes)
    }

    /// Bytes with their length before them, or null.
    pub(super) fn bytes(&mut self) -> Option<()> {
        let bytes = if self.0.flexible {
            self.varint()?.saturating_sub(1) as usize
        } else {
            length(i64::from(i32::from_be_bytes(self.take()?)))?
        };
        self.skip(bytes)
    }

    /// A list, or null, of what `each` walks through.
    pub(super) fn list(&mut self, mut each: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        let count = if self.0.flexible {
            self.varint()?.saturating_sub(1) as usize
        } else {
            length(i64::from(i32::from_be_bytes(self.take()?)))?
        };
        for _ in 0..count {
            let before = self.0.rest.len();
            each(self)?;
            // An element without a byte would let a short answer ask for a long list.
            if self.0.rest.len() == before {
                return None;
            }
        }
        Some(())
    }

    /// The tagged fields that end a structure, where the version has them.
    pub(super) fn tags(&mut self) -> Option<()> {
        self.tags_with(|_, _| None)
    }

    /// The same, where `known` walks through the tags that are decoded; it answers `None` for others.
    pub(super) fn tags_with(&mut self, known: impl Fn(u32, &mut Self) -> Option<Option<()>>) -> Option<()> {
        if !self.0.flexible {
            return Some(());
        }
        for _ in 0..self.varint()? {
            let tag = self.varint()?;
            let bytes = self.varint()? as usize;
            match known(tag, self) {
                Some(walked) => walked?,
                None => self.skip(bytes)?,
            }
        }
        Some(())
    }

    fn varint(&mut self) -> Option<u32> {
        let mut value = 0_u64;
        for i in 0..5 {
            let [byte] = self.take()?;
            value |= u64::from(byte & 0x7f) << (7 * i);
            if byte < 0x80 {
                return u32::try_from(value).ok();
            }
        }
        None
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (front, rest) = self.0.rest.split_first_chunk()?;
        self.0.rest = rest;
        Some(*front)
    }
}

/// −1 stands for null, which has no bytes; what is below does not hold.
fn length(length: i64) -> Option<usize> {
    if length == -1 { Some(0) } else { usize::try_from(length).ok() }
}
