//! Lines: ended by a line feed, with or without a carriage return before it. The last one needs no end.

use super::{Gathered, Piece, RECORD_BYTES_MAX, is_blank};

/// Cuts bytes that arrive in chunks into non-blank lines.
#[derive(Default)]
pub struct LineSplitter {
    gathered: Gathered,
    /// Whether the last byte gathered is a carriage return, which may belong to the terminator.
    carriage_return: bool,
    /// Blank lines are given too.
    keep_blank: bool,
    /// Bytes of a line that do not count for a record's length.
    slack: usize,
}

impl LineSplitter {
    /// Nothing read yet; blank lines are left out.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lines of an event stream: blank ones are given too, and each may be as much longer than a record as `data: ` is.
    pub fn of_events() -> Self {
        Self { keep_blank: true, slack: 6, ..Self::default() }
    }

    /// Lines of which a record may take several: blank ones are given too.
    pub fn with_blanks() -> Self {
        Self { keep_blank: true, ..Self::default() }
    }

    /// Takes a chunk and gives each line that it completes.
    pub fn feed(&mut self, mut chunk: &[u8], mut line: impl FnMut(Piece<'_>)) {
        while let Some(end) = memchr::memchr(b'\n', chunk) {
            if self.gathered.length == 0 {
                let bytes = chunk[..end].strip_suffix(b"\r").unwrap_or(&chunk[..end]);
                self.give(bytes, bytes.len() as u64, &mut line);
            } else {
                self.gather(&chunk[..end]);
                self.end(&mut line);
            }
            chunk = &chunk[end + 1..];
        }
        self.gather(chunk);
    }

    /// The input has ended: gives the last line if it had no terminator.
    pub fn finish(&mut self, mut line: impl FnMut(Piece<'_>)) {
        if self.gathered.length > 0 {
            self.carriage_return = false;
            self.end(&mut line);
        }
    }

    fn gather(&mut self, bytes: &[u8]) {
        if let Some(last) = bytes.last() {
            self.carriage_return = *last == b'\r';
            self.gathered.push(bytes);
        }
    }

    fn end(&mut self, line: &mut impl FnMut(Piece<'_>)) {
        let length = self.gathered.length - u64::from(self.carriage_return);
        let kept = self.gathered.kept.len().min(usize::try_from(length).unwrap_or(usize::MAX));
        self.give(&self.gathered.kept[..kept], length, line);
        self.gathered.clear();
        self.carriage_return = false;
    }

    fn give(&self, bytes: &[u8], length: u64, line: &mut impl FnMut(Piece<'_>)) {
        let piece = Piece::within(RECORD_BYTES_MAX + self.slack, bytes, length);
        // A too large line is never blank-tested on its first bytes alone: it is a record.
        if self.keep_blank || piece.oversize.is_some() || !is_blank(bytes) {
            line(piece);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(chunks: &[&[u8]]) -> Vec<(Vec<u8>, Option<u64>)> {
        let mut out = Vec::new();
        let mut splitter = LineSplitter::new();
        for chunk in chunks {
            splitter.feed(chunk, |p| out.push((p.bytes.to_vec(), p.oversize)));
        }
        splitter.finish(|p| out.push((p.bytes.to_vec(), p.oversize)));
        out
    }

    #[test]
    fn blank_lines_and_terminators_are_no_part_of_a_record() {
        let lines = split(&[b"a\r\n \t\n\n{\"b\"", b":1}\r", b"\nlast\r"]);
        let texts: Vec<_> = lines.iter().map(|(b, _)| String::from_utf8_lossy(b).into_owned()).collect();
        assert_eq!(texts, ["a", "{\"b\":1}", "last\r"]);
    }

    #[test]
    fn a_line_is_too_large_from_one_byte_over_whatever_ends_it() {
        let fits = vec![b'x'; RECORD_BYTES_MAX];
        for end in [&b"\n"[..], b"\r\n", b""] {
            let whole = [&fits[..], end].concat();
            assert_eq!(split(&[&whole]), [(fits.clone(), None)]);
            assert_eq!(split(&[&whole[..9], &whole[9..]]), [(fits.clone(), None)]);
            let over = [b"y", &whole[..]].concat();
            assert_eq!(split(&[&over[..5], &over[5..]])[0].1, Some(65_537));
        }
    }

    proptest! {
        #[test]
        fn how_the_input_is_cut_into_chunks_does_not_matter(
            text in prop::collection::vec(prop::sample::select(b"ab \r\n".to_vec()), 0..60),
            cut in 0_usize..60,
        ) {
            let cut = cut.min(text.len());
            prop_assert_eq!(split(&[&text]), split(&[&text[..cut], &text[cut..]]));
        }
    }
}
