//! A strict RFC 8259 reader over bytes: strings, numbers, literals, and whole containers of any depth, without recursion and without
//! building anything. It says where a value lies and what kind it is; which values matter is `fields`' business.
//!
//! Positions past the end read as 0, which no rule of the grammar accepts, so that every cut is found where it is.

/// What a value is, as far as a vote needs to know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    /// The field does not occur.
    #[default]
    Absent,
    /// `null`.
    Null,
    /// A number without point and exponent, from 0 to 2^64 − 1; `-0` is 0.
    Integer,
    /// Any other number.
    Number,
    /// A string without escapes.
    Text,
    /// A string with at least one escape.
    Escaped,
    /// `true`, `false`, an array or an object.
    Other,
}

/// A value, and where it lies where it is a string (without its quotes) or a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) kind: Kind,
    pub(super) start: u32,
    pub(super) end: u32,
    /// The value of an [`Kind::Integer`], else 0.
    pub(super) integer: u64,
}

/// Reads one value's bytes. Methods take a position and return the one after what they read; `None`: against the grammar.
#[derive(Clone, Copy)]
pub(super) struct Reader<'v> {
    bytes: &'v [u8],
}

/// What is noted down beside the position while reading, and scratch space.
#[derive(Clone, Debug, Default)]
pub(super) struct Notes {
    /// A byte above 0x7f was passed over: the whole must be checked to be UTF-8.
    pub(super) non_ascii: bool,
    nesting: Nesting,
}

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = LOW * 0x80;

impl<'v> Reader<'v> {
    pub(super) fn new(bytes: &'v [u8]) -> Self {
        Self { bytes }
    }

    pub(super) fn bytes(self) -> &'v [u8] {
        self.bytes
    }

    #[inline]
    pub(super) fn byte(self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(0)
    }

    #[inline]
    fn load8(self, at: usize) -> Option<u64> {
        self.bytes.get(at..)?.first_chunk::<8>().map(|word| u64::from_le_bytes(*word))
    }

    /// Sixteen bytes from `at` on, zeros past the end.
    #[inline]
    pub(super) fn load16(self, at: usize) -> u128 {
        let rest = self.bytes.get(at..).unwrap_or_default();
        match (rest.first_chunk::<16>(), self.bytes.last_chunk::<16>()) {
            (Some(block), _) => u128::from_le_bytes(*block),
            (None, _) if rest.is_empty() => 0,
            (None, Some(block)) => u128::from_le_bytes(*block) >> (8 * (16 - rest.len())),
            (None, None) => {
                let mut block = [0; 16];
                block[..rest.len()].copy_from_slice(rest);
                u128::from_le_bytes(block)
            }
        }
    }

    /// The first position from `at` on that is not white space.
    #[inline]
    pub(super) fn space(self, at: usize) -> usize {
        if self.byte(at) > b' ' {
            return at;
        }
        let next = at + usize::from(self.byte(at) == b' ');
        if self.byte(next) > b' ' { next } else { self.more_space(next) }
    }

    #[cold]
    fn more_space(self, mut at: usize) -> usize {
        while matches!(self.byte(at), b' ' | b'\t' | b'\n' | b'\r') {
            at += 1;
        }
        at
    }

    /// A string whose opening quote is at `quote`: the position of its closing quote, and whether it has escapes.
    #[inline]
    pub(super) fn string(self, quote: usize, notes: &mut Notes) -> Option<(usize, bool)> {
        let mut at = quote + 1;
        loop {
            let plain = plain_bytes(self.load16(at));
            at += plain;
            if plain < 16 {
                return if self.byte(at) == b'"' { Some((at, false)) } else { self.string_slow(at, notes) };
            }
        }
    }

    /// Goes on from a byte that may be anything.
    #[inline(never)]
    fn string_slow(self, mut at: usize, notes: &mut Notes) -> Option<(usize, bool)> {
        let mut escaped = false;
        loop {
            match self.byte(at) {
                b'"' => return Some((at, escaped)),
                b'\\' => {
                    escaped = true;
                    at = self.escape(at)?;
                }
                0..=0x1f => return None,
                0x20..=0x7f => at += 1,
                0x80.. => {
                    notes.non_ascii = true;
                    at += 1;
                }
            }
            while let Some(word) = self.load8(at) {
                let special = specials(word);
                at += if special == 0 { 8 } else { special.trailing_zeros() as usize / 8 };
                if special != 0 {
                    break;
                }
            }
        }
    }

    fn escape(self, backslash: usize) -> Option<usize> {
        match self.byte(backslash + 1) {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(backslash + 2),
            b'u' if (2..6).all(|i| self.byte(backslash + i).is_ascii_hexdigit()) => Some(backslash + 6),
            _ => None,
        }
    }

    /// A value of one of the kinds most usual in votes, told in `found`: the position after it. `None`: it is of another kind, or none.
    #[inline]
    pub(super) fn usual_value(self, at: usize, found: &mut Found) -> Option<usize> {
        let first = self.byte(at);
        if first == b'"' {
            let mut end = at + 1;
            loop {
                let plain = plain_bytes(self.load16(end));
                end += plain;
                if plain < 16 {
                    break;
                }
            }
            if self.byte(end) != b'"' {
                return None;
            }
            found.kind = Kind::Text;
            found.start = at as u32 + 1;
            found.end = end as u32;
            return Some(end + 1);
        }
        let (end, integer) = self.digits(at);
        let leading_zero = first == b'0' && end > at + 1;
        if end == at || leading_zero || matches!(self.byte(end), b'.' | b'e' | b'E') {
            return None;
        }
        found.kind = Kind::Integer;
        found.start = at as u32;
        found.end = end as u32;
        found.integer = integer?;
        Some(end)
    }

    /// Any value that starts at `at`, told in `found`: the position after it. Containers are read whole. (`found` is written field by field where it stays: moving it would cost more than reading a number.)
    #[inline]
    pub(super) fn value(self, at: usize, notes: &mut Notes, found: &mut Found) -> Option<usize> {
        match self.byte(at) {
            b'"' => {
                let (end, escaped) = self.string(at, notes)?;
                found.kind = if escaped { Kind::Escaped } else { Kind::Text };
                found.start = at as u32 + 1;
                found.end = end as u32;
                Some(end + 1)
            }
            b'-' | b'0'..=b'9' => {
                let (end, integer) = self.number(at)?;
                found.kind = if integer.is_some() { Kind::Integer } else { Kind::Number };
                found.start = at as u32;
                found.end = end as u32;
                found.integer = integer.unwrap_or(0);
                Some(end)
            }
            _ => self.rare_value(at, notes, found),
        }
    }

    #[inline(never)]
    fn rare_value(self, at: usize, notes: &mut Notes, found: &mut Found) -> Option<usize> {
        (found.kind, found.end) = (Kind::Other, 0);
        match self.byte(at) {
            b'n' => {
                found.kind = Kind::Null;
                self.literal(at, b"null")
            }
            b't' => self.literal(at, b"true"),
            b'f' => self.literal(at, b"false"),
            b'{' | b'[' => self.container(at, notes),
            _ => None,
        }
    }

    fn literal(self, at: usize, word: &[u8]) -> Option<usize> {
        self.bytes.get(at..)?.starts_with(word).then(|| at + word.len())
    }

    /// A number: the position after it, and its value where that is an integer from 0 to 2^64 − 1.
    #[inline]
    fn number(self, at: usize) -> Option<(usize, Option<u64>)> {
        let negative = self.byte(at) == b'-';
        let first = at + usize::from(negative);
        let (end, integer) = self.digits(first);
        if end == first || (self.byte(first) == b'0' && end > first + 1) {
            return None;
        }
        if matches!(self.byte(end), b'.' | b'e' | b'E') {
            return self.fraction(end).map(|end| (end, None));
        }
        Some((end, integer.filter(|n| !negative || *n == 0)))
    }

    #[inline(never)]
    fn fraction(self, mut at: usize) -> Option<usize> {
        if self.byte(at) == b'.' {
            at = self.some_digits(at + 1)?;
        }
        if matches!(self.byte(at), b'e' | b'E') {
            let signed = matches!(self.byte(at + 1), b'+' | b'-');
            at = self.some_digits(at + 1 + usize::from(signed))?;
        }
        Some(at)
    }

    /// The digits from `start` on, perhaps none, and their value where it is below 2^64.
    #[inline]
    fn digits(self, start: usize) -> (usize, Option<u64>) {
        let mut at = start;
        let mut value = 0_u64;
        // Two words hold 16 digits, too few to overflow.
        while at <= start + 8
            && let Some(word) = self.load8(at)
        {
            let digits = word ^ (LOW * u64::from(b'0'));
            let other = (digits.wrapping_add(LOW * 0x76) | digits) & HIGH;
            if other == 0 {
                value = value.wrapping_mul(100_000_000).wrapping_add(eight_digits(digits));
                at += 8;
                continue;
            }
            let count = other.trailing_zeros() / 8;
            if count > 0 {
                let tail = eight_digits(digits << (64 - 8 * count));
                value = value.wrapping_mul(TEN_TO_THE[count as usize]).wrapping_add(tail);
            }
            return (at + count as usize, Some(value));
        }
        let mut value = Some(value);
        while self.byte(at).is_ascii_digit() {
            let digit = u64::from(self.byte(at) - b'0');
            value = value.and_then(|n| n.checked_mul(10)?.checked_add(digit));
            at += 1;
        }
        (at, value)
    }

    fn some_digits(self, start: usize) -> Option<usize> {
        let mut at = start;
        while self.byte(at).is_ascii_digit() {
            at += 1;
        }
        (at > start).then_some(at)
    }

    /// An array or object whose bracket is at `open`, with all that is in it, however deep.
    fn container(self, open: usize, notes: &mut Notes) -> Option<usize> {
        notes.nesting.clear();
        let mut at = open;
        loop {
            // Here a value starts.
            match self.byte(at) {
                b'{' => {
                    notes.nesting.push(true);
                    at = self.space(at + 1);
                    if self.byte(at) != b'}' {
                        at = self.key(at, notes)?;
                        continue;
                    }
                }
                b'[' => {
                    notes.nesting.push(false);
                    at = self.space(at + 1);
                    if self.byte(at) != b']' {
                        continue;
                    }
                }
                _ => {
                    let end = self.scalar(at, notes)?;
                    at = self.space(end);
                }
            }
            // Here a value has ended, or an empty container is about to: close what closes, until another value starts.
            loop {
                let in_object = notes.nesting.innermost();
                match self.byte(at) {
                    b',' => {
                        at = self.space(at + 1);
                        if in_object {
                            at = self.key(at, notes)?;
                        }
                        break;
                    }
                    b'}' if in_object => {}
                    b']' if !in_object => {}
                    _ => return None,
                }
                if notes.nesting.pop() {
                    return Some(at + 1);
                }
                at = self.space(at + 1);
            }
        }
    }

    /// A key, its colon and the space around it: where the value starts.
    fn key(self, at: usize, notes: &mut Notes) -> Option<usize> {
        if self.byte(at) != b'"' {
            return None;
        }
        let (end, _) = self.string(at, notes)?;
        self.colon(end + 1)
    }

    /// A colon and the space around it: where the value starts.
    #[inline]
    pub(super) fn colon(self, at: usize) -> Option<usize> {
        let at = self.space(at);
        (self.byte(at) == b':').then(|| self.space(at + 1))
    }

    fn scalar(self, at: usize, notes: &mut Notes) -> Option<usize> {
        match self.byte(at) {
            b'"' => self.string(at, notes).map(|(end, _)| end + 1),
            b'-' | b'0'..=b'9' => self.number(at).map(|(end, _)| end),
            b'n' => self.literal(at, b"null"),
            b't' => self.literal(at, b"true"),
            b'f' => self.literal(at, b"false"),
            _ => None,
        }
    }
}

/// Which of the containers that are open are objects: one bit each, so that 65,536 levels take 8 KiB.
#[derive(Clone, Debug, Default)]
struct Nesting {
    bits: Vec<u64>,
    depth: usize,
}

impl Nesting {
    fn clear(&mut self) {
        self.depth = 0;
    }

    fn push(&mut self, object: bool) {
        let word = self.depth / 64;
        if word == self.bits.len() {
            self.bits.push(0);
        }
        let bit = 1 << (self.depth % 64);
        if object {
            self.bits[word] |= bit;
        } else {
            self.bits[word] &= !bit;
        }
        self.depth += 1;
    }

    /// Whether the innermost is an object. At least one is open.
    fn innermost(&self) -> bool {
        let last = self.depth - 1;
        self.bits[last / 64] >> (last % 64) & 1 == 1
    }

    /// Closes the innermost; whether it was the outermost as well.
    fn pop(&mut self) -> bool {
        self.depth -= 1;
        self.depth == 0
    }
}

/// The text that a string's bytes between its quotes mean, into `out`. `false`: it has a lone surrogate, so it is no text. The string is
/// grammatical and valid UTF-8.
pub(super) fn decode(string: &[u8], out: &mut Vec<u8>) -> bool {
    out.clear();
    let mut rest = string;
    while let Some(backslash) = rest.iter().position(|byte| *byte == b'\\') {
        out.extend_from_slice(&rest[..backslash]);
        let escape = rest[backslash + 1];
        rest = &rest[backslash + 2..];
        let plain = match escape {
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let Some(c) = code_point(&mut rest) else { return false };
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
            other => other,
        };
        out.push(plain);
    }
    out.extend_from_slice(rest);
    true
}

/// The character whose `\u` was just passed; takes the second half of a surrogate pair as well.
fn code_point(rest: &mut &[u8]) -> Option<char> {
    let first = hex4(rest)?;
    if !(0xd800..0xdc00).contains(&first) {
        return char::from_u32(first);
    }
    *rest = rest.strip_prefix(b"\\u")?;
    let second = hex4(rest)?;
    (0xdc00..0xe000)
        .contains(&second)
        .then(|| char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)))?
}

fn hex4(rest: &mut &[u8]) -> Option<u32> {
    let (digits, after) = rest.split_first_chunk::<4>()?;
    *rest = after;
    digits.iter().try_fold(0, |n, digit| Some(n * 16 + char::from(*digit).to_digit(16)?))
}

/// Marks, by their top bits, the bytes of `word` that end a run of plain text: quote, backslash, control, above 0x7f. Exact for the lowest.
#[inline]
fn specials(word: u64) -> u64 {
    // Flipping one bit puts the quote just below the printable characters: quote and controls are then what is below 0x21.
    let quote_or_control = (word ^ (LOW * 0x02)).wrapping_sub(LOW * 0x21);
    let backslash = (word ^ (LOW * u64::from(b'\\'))).wrapping_sub(LOW);
    (quote_or_control | backslash | word) & HIGH
}

/// How many of sixteen bytes, from the lowest on, are plain text.
#[inline]
fn plain_bytes(block: u128) -> usize {
    let (low, high) = (specials(block as u64), specials((block >> 64) as u64));
    let (word, before) = if low == 0 { (high, 8) } else { (low, 0) };
    before + word.trailing_zeros() as usize / 8
}

/// The value of eight digits 0–9, the first in the lowest byte. (D. Lemire, "Quickly parsing eight digits", 2018.)
#[inline]
fn eight_digits(digits: u64) -> u64 {
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let low = (pairs & 0x0000_00ff_0000_00ff).wrapping_mul(0x000f_4240_0000_0064);
    let high = ((pairs >> 16) & 0x0000_00ff_0000_00ff).wrapping_mul(0x0000_2710_0000_0001);
    low.wrapping_add(high) >> 32
}

const TEN_TO_THE: [u64; 8] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000];
