//! Which keys of a record matter, and where their values lie. The keys form a tree, since a field may lie in an object within the record;
//! what the values mean is the parser's business.
//!
//! Records of one producer are mostly alike: what stands between two values (`,"state": `) is the same bytes each time. It is remembered
//! by its place in the record and compared as a whole; only what differs is read by the grammar, and remembered for the next record.

use super::json::{Found, Kind, Notes, Reader, decode};
use crate::election::FieldPath;

/// One of the fields that were asked for: its place in the tree.
pub(super) type FieldId = u16;

/// Finds fields in records.
#[derive(Clone, Debug)]
pub(super) struct Fields {
    nodes: Vec<Node>,
    /// Some field lies in an object within the record.
    nested: bool,
    found: Vec<Found>,
    /// What stood before the first value of the last record, before its second, and so on.
    glue: Vec<Glue>,
    /// Objects of the tree that are open, the record itself first.
    open: Vec<FieldId>,
    notes: Notes,
    key: Vec<u8>,
}

/// A key in an object. Nodes are in preorder: those below `i` are `i + 1..end`.
#[derive(Clone, Debug)]
struct Node {
    key: Box<[u8]>,
    end: FieldId,
}

/// Where the grammar stands: in which object of the tree, and whether before its first member or after a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    object: FieldId,
    first: bool,
}

/// The bytes from one value's end (or an object's opening brace) to the next value's start: comma, key, colon, white space. ASCII, so that
/// no byte is taken for UTF-8 that was not checked.
#[derive(Clone, Debug)]
struct Glue {
    head: u128,
    head_mask: u128,
    tail: u128,
    tail_mask: u128,
    len: usize,
    state: State,
    field: FieldId,
}

/// What is not in the tree: the record itself, or a key that nobody asked for.
const ROOT: FieldId = 0;

/// Glue longer than this is read by the grammar each time.
const GLUE_BYTES_MAX: usize = 32;

/// Members beyond this many are read by the grammar each time.
const GLUES_MAX: usize = 64;

impl Fields {
    /// The places of these fields are given in their order; equal paths share one.
    pub(super) fn new(paths: &[&FieldPath]) -> (Self, Vec<FieldId>) {
        let mut sorted: Vec<&[String]> = Vec::new();
        for path in paths {
            assert!(!path.0.is_empty(), "a validated mapping names at least one key for each field");
            (1..=path.0.len()).for_each(|len| sorted.push(&path.0[..len]));
        }
        // In lexical order a path stands right before all that lies below it.
        sorted.sort_unstable();
        sorted.dedup();
        let mut nodes = vec![Node::new("", sorted.len() + 1)];
        for (i, path) in sorted.iter().enumerate() {
            let below = sorted[i..].iter().take_while(|p| p.starts_with(path)).count();
            nodes.push(Node::new(path.last().expect("no path is empty"), i + 1 + below));
        }
        let place = |path: &&FieldPath| {
            sorted.iter().position(|p| *p == path.0).expect("inserted above") as FieldId + 1
        };
        let ids = paths.iter().map(place).collect();
        let count = nodes.len();
        let fields = Self {
            nodes,
            nested: paths.iter().any(|path| path.0.len() > 1),
            found: vec![Found::default(); count],
            glue: Vec::with_capacity(GLUES_MAX),
            open: Vec::with_capacity(count),
            notes: Notes::default(),
            key: Vec::new(),
        };
        (fields, ids)
    }

    /// Where a field's value lies in the record read last.
    #[inline]
    pub(super) fn get(&self, field: FieldId) -> &Found {
        &self.found[usize::from(field)]
    }

    /// Reads a record whole. `false`: it is not one JSON object in UTF-8 with nothing but white space around it.
    #[inline]
    pub(super) fn read(&mut self, value: &[u8]) -> bool {
        self.notes.non_ascii = false;
        self.object(Reader::new(value)).is_some()
            && (!self.notes.non_ascii || std::str::from_utf8(value).is_ok())
    }

    #[inline]
    fn object(&mut self, reader: Reader<'_>) -> Option<()> {
        self.found.fill(Found::default());
        self.open.clear();
        let mut at = reader.space(0);
        if reader.byte(at) != b'{' {
            return None;
        }
        at += 1;
        let mut state = State { object: ROOT, first: true };
        let mut ordinal = 0;
        loop {
            (at, ordinal) = self.as_before(reader, at, &mut state, ordinal);
            let next = reader.space(at);
            if reader.byte(next) == b'}' {
                at = next + 1;
                match self.open.pop() {
                    Some(outer) => state = State { object: outer, first: false },
                    None => return (reader.space(at) == reader.bytes().len()).then_some(()),
                }
                continue;
            }
            let (field, start) = self.member(reader, at, state, ordinal)?;
            ordinal += 1;
            self.forget(field);
            if reader.byte(start) == b'{' && self.has_fields_below(field) {
                self.found[usize::from(field)].kind = Kind::Other;
                self.open.push(state.object);
                state = State { object: field, first: true };
                at = start + 1;
                continue;
            }
            // What nobody asked for lands in the root's place, which nobody reads.
            at = reader.value(start, &mut self.notes, &mut self.found[usize::from(field)])?;
            state.first = false;
        }
    }

    /// Reads members as long as they are written as in the last record, with values of the most usual kinds. The rest is for the grammar.
    #[inline]
    fn as_before(
        &mut self,
        reader: Reader<'_>,
        mut at: usize,
        state: &mut State,
        mut ordinal: usize,
    ) -> (usize, usize) {
        while let Some(glue) = self.glue.get(ordinal)
            && glue.state == *state
            && glue.is_at(reader, at)
            && let Some(end) = reader.usual_value(at + glue.len, &mut self.found[usize::from(glue.field)])
        {
            at = end;
            ordinal += 1;
            state.first = false;
        }
        (at, ordinal)
    }

    #[inline]
    fn has_fields_below(&self, field: FieldId) -> bool {
        self.nested && field != ROOT && self.nodes[usize::from(field)].end > field + 1
    }

    /// A repeated key's last value holds, wholly: what lay in an earlier one is forgotten.
    #[inline]
    fn forget(&mut self, field: FieldId) {
        if self.has_fields_below(field) {
            let below = usize::from(field)..usize::from(self.nodes[usize::from(field)].end);
            self.found[below].fill(Found::default());
        }
    }

    /// Reads from the end of one value to the start of the next: which field that is, and where it starts.
    #[inline(never)]
    fn member(
        &mut self,
        reader: Reader<'_>,
        at: usize,
        state: State,
        ordinal: usize,
    ) -> Option<(FieldId, usize)> {
        let mut quote = reader.space(at);
        if !state.first {
            if reader.byte(quote) != b',' {
                return None;
            }
            quote = reader.space(quote + 1);
        }
        if reader.byte(quote) != b'"' {
            return None;
        }
        let (end, escaped) = reader.string(quote, &mut self.notes)?;
        let field = self.field(state.object, &reader.bytes()[quote + 1..end], escaped);
        let start = reader.colon(end + 1)?;
        self.remember(&reader.bytes()[at..start], state, field, ordinal);
        Some((field, start))
    }

    fn field(&mut self, object: FieldId, raw: &[u8], escaped: bool) -> FieldId {
        if !escaped {
            return self.child(object, raw);
        }
        let mut key = std::mem::take(&mut self.key);
        let field = if decode(raw, &mut key) { self.child(object, &key) } else { ROOT };
        self.key = key;
        field
    }

    fn child(&self, object: FieldId, key: &[u8]) -> FieldId {
        let end = self.nodes[usize::from(object)].end;
        let mut field = object + 1;
        while field < end {
            let node = &self.nodes[usize::from(field)];
            if *node.key == *key {
                return field;
            }
            field = node.end;
        }
        ROOT
    }

    /// What cannot be compared as a whole is remembered as what is never met: a field with others below it, of which an earlier value must
    /// be forgotten, and glue that is long or not ASCII.
    fn remember(&mut self, text: &[u8], state: State, field: FieldId, ordinal: usize) {
        if ordinal >= GLUES_MAX {
            return;
        }
        let usable = text.len() <= GLUE_BYTES_MAX && text.is_ascii() && !self.has_fields_below(field);
        let glue = if usable { Glue::new(text, state, field) } else { Glue::new(b"", State::NEVER, field) };
        // Each member before this one has been remembered.
        if ordinal == self.glue.len() {
            self.glue.push(glue);
        } else {
            self.glue[ordinal] = glue;
        }
    }
}

impl State {
    /// No object of the tree has this place.
    const NEVER: Self = Self { object: FieldId::MAX, first: false };
}

impl Node {
    fn new(key: &str, end: usize) -> Self {
        Self { key: key.as_bytes().into(), end: end as FieldId }
    }
}

impl Glue {
    fn new(text: &[u8], state: State, field: FieldId) -> Self {
        let mut bytes = [0; GLUE_BYTES_MAX];
        let mut mask = [0; GLUE_BYTES_MAX];
        bytes[..text.len()].copy_from_slice(text);
        mask[..text.len()].fill(0xff);
        let half = |bytes: &[u8]| u128::from_le_bytes(bytes.try_into().expect("sixteen bytes"));
        Self {
            head: half(&bytes[..16]),
            head_mask: half(&mask[..16]),
            tail: half(&bytes[16..]),
            tail_mask: half(&mask[16..]),
            len: text.len(),
            state,
            field,
        }
    }

    #[inline]
    fn is_at(&self, reader: Reader<'_>, at: usize) -> bool {
        reader.load16(at) & self.head_mask == self.head
            && (self.len <= 16 || reader.load16(at + 16) & self.tail_mask == self.tail)
    }
}
