//! Server-sent events: the `data` of each event is a record (WHATWG HTML, "Server-sent events"). Other fields and comments pass by.

use super::{Gathered, Piece, is_blank};

/// Joins the `data` lines of events. Feed it lines without their terminators, empty ones included.
#[derive(Default)]
pub struct SseEvents {
    data: Gathered,
    any: bool,
}

impl SseEvents {
    /// Nothing read yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one line; an empty one ends the event.
    pub fn line(&mut self, line: &[u8], length: u64, record: impl FnMut(Piece<'_>)) {
        if line.is_empty() {
            self.end(record);
            return;
        }
        let Some(data) = line.strip_prefix(b"data:") else { return };
        let (data, prefix) = data.strip_prefix(b" ").map_or((data, 5), |data| (data, 6));
        if self.any {
            self.data.push(b"\n");
        }
        self.any = true;
        self.data.push(data);
        // A line of which only the first bytes were kept counts with all its length.
        self.data.length += length.saturating_sub((data.len() + prefix) as u64);
    }

    /// The stream has ended: gives the event that no empty line ended.
    pub fn end(&mut self, mut record: impl FnMut(Piece<'_>)) {
        if self.any && !is_blank(&self.data.kept) {
            record(Piece::of(&self.data.kept, self.data.length));
        }
        self.any = false;
        self.data.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_the_record_and_all_else_passes_by() {
        let mut out = Vec::new();
        let mut events = SseEvents::new();
        for line in [
            ": hello",
            "id: 7",
            "data: {\"a\":1}",
            "",
            "data:{\"b\":",
            "data: 2}",
            "",
            "event: x",
            "",
            "data: last",
        ] {
            events.line(line.as_bytes(), line.len() as u64, |p| {
                out.push(String::from_utf8_lossy(p.bytes).into_owned());
            });
        }
        events.end(|p| out.push(String::from_utf8_lossy(p.bytes).into_owned()));
        assert_eq!(out, ["{\"a\":1}", "{\"b\":\n2}", "last"]);
    }
}
