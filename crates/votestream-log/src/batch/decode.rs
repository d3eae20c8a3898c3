//! A stored batch to its records: checked, decompressed once into a reused buffer, walked without a copy or an allocation.
//!
//! Hostile bytes give an error, never a panic, and never more memory than [`super::RECORDS_BYTES_MAX`] ([`super::KAFKA_RECORDS_BYTES_MAX`] where asked for).

#[cfg(feature = "kafka")]
use super::foreign;
use super::{
    BatchError, BatchHeader, HEADER_BYTES, KAFKA_RECORDS_BYTES_MAX, LENGTH_KEY, MARK_KEY, RECORDS_BYTES_MAX,
    SOURCE_KEY, lz4, varint,
};
use crate::url::Codec;
use votestream_election::{Millis, Offset, SourceId};

/// One record of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its offset in the partition.
    pub offset: Offset,
    /// Its time, as the producer gave it (or, where a topic says so, the broker's).
    pub timestamp: Millis,
    /// Its key; null in a directory log.
    pub key: Option<&'a [u8]>,
    /// Its value: the event's bytes as they came.
    pub value: Option<&'a [u8]>,
    /// The value is the kept start of a line that was over the bound.
    pub oversize: bool,
}

/// Checks and decompresses batches. Keeps its buffer.
pub struct BatchDecoder {
    buffer: Vec<u8>,
    /// Most bytes of a batch's records.
    bound: usize,
    #[cfg(feature = "zstd")]
    zstd: Option<Box<zstd::bulk::Decompressor<'static>>>,
}

/// A batch, checked and decompressed.
#[derive(Clone, Copy, Debug)]
pub struct RecordBatch<'a> {
    header: BatchHeader,
    records: &'a [u8],
}

/// The records of a batch, in offset order.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    rest: &'a [u8],
    left: u32,
    index: u32,
    /// Offset deltas rise; this is the least that may come.
    delta_min: i64,
    delta_max: i64,
    base_offset: u64,
    base_timestamp: i64,
    fixed_timestamp: Option<Millis>,
}

/// What the headers of a batch's first record say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FirstRecord {
    /// The partition's synced end when the batch was written.
    pub synced: Option<Offset>,
    /// The writer's incarnation, as the batch's header has it too.
    pub epoch: Option<i32>,
    /// Who made the batch, and the source's index of its last record.
    pub source: Option<(SourceId, u64)>,
}

impl BatchDecoder {
    /// A decoder with an empty buffer, for records of at most [`RECORDS_BYTES_MAX`] a batch: what we write ourselves.
    pub fn new() -> Self {
        Self::with_bound(RECORDS_BYTES_MAX)
    }

    /// The same for batches of a Kafka topic, which anybody may have written: [`KAFKA_RECORDS_BYTES_MAX`].
    pub fn for_kafka() -> Self {
        Self::with_bound(KAFKA_RECORDS_BYTES_MAX)
    }

    fn with_bound(bound: usize) -> Self {
        Self {
            buffer: Vec::new(),
            bound,
            #[cfg(feature = "zstd")]
            zstd: None,
        }
    }

    /// Checks and decompresses the batch at the front of `bytes`.
    ///
    /// # Errors
    /// What does not hold; the records' own framing is checked by [`Records`].
    pub fn decode<'a>(&'a mut self, bytes: &'a [u8]) -> Result<RecordBatch<'a>, BatchError> {
        let header = BatchHeader::read(bytes)?;
        header.check_crc(bytes)?;
        let body = &bytes[HEADER_BYTES..header.bytes];
        let records = self.decompress(&header, body, usize::MAX)?;
        Ok(RecordBatch { header, records })
    }

    /// What the first record's headers say. The CRC must have been checked; no more is decompressed than that record needs.
    ///
    /// # Errors
    /// When the records do not decompress or the first one is malformed.
    pub fn first_record(&mut self, bytes: &[u8]) -> Result<FirstRecord, BatchError> {
        let header = BatchHeader::read(bytes)?;
        let body = bytes.get(HEADER_BYTES..header.bytes).ok_or(BatchError::Short)?;
        if header.records == 0 {
            return Ok(FirstRecord::default());
        }
        let front = self.decompress(&header, body, 1)?;
        first_headers(front)
            .or_else(|| {
                // A first record longer than the first compressed block: rare enough to decompress all.
                let all = self.decompress(&header, body, usize::MAX).ok()?;
                first_headers(all)
            })
            .ok_or(BatchError::Record { index: 0 })
    }

    fn decompress<'a>(
        &'a mut self,
        header: &BatchHeader,
        body: &'a [u8],
        enough: usize,
    ) -> Result<&'a [u8], BatchError> {
        match header.codec_bits() {
            0 => Ok(body),
            #[cfg(feature = "kafka")]
            1 => {
                let bytes = foreign::gunzip(body, &mut self.buffer, enough, self.bound)?;
                Ok(&self.buffer[..bytes])
            }
            #[cfg(feature = "kafka")]
            2 => {
                let bytes = foreign::unsnap(body, &mut self.buffer, enough, self.bound)?;
                Ok(&self.buffer[..bytes])
            }
            3 => {
                let bytes = lz4::decompress(body, &mut self.buffer, enough, self.bound)?;
                Ok(&self.buffer[..bytes])
            }
            #[cfg(feature = "zstd")]
            4 => self.decompress_zstd(body),
            #[cfg(not(feature = "zstd"))]
            4 => Err(BatchError::CodecNotBuilt(Codec::Zstd)),
            bits => Err(BatchError::UnknownCodec(bits)),
        }
    }

    #[cfg(feature = "zstd")]
    fn decompress_zstd(&mut self, body: &[u8]) -> Result<&[u8], BatchError> {
        /// What a frame that does not tell its size is first given.
        const GUESS_BYTES: usize = 1 << 20;
        let told = zstd::zstd_safe::get_frame_content_size(body);
        let told = told.map_err(|_| BatchError::Compressed("not a zstd frame"))?;
        let mut room = match told {
            Some(bytes) if bytes > self.bound as u64 => return Err(BatchError::TooLarge),
            Some(bytes) => bytes as usize,
            // Where an earlier batch needed more, so may this one.
            None => self.buffer.len().max(GUESS_BYTES).min(self.bound),
        };
        if self.zstd.is_none() {
            let made = zstd::bulk::Decompressor::new().map_err(|_| BatchError::CodecNotBuilt(Codec::Zstd))?;
            self.zstd = Some(Box::new(made));
        }
        let decompressor = self.zstd.as_mut().expect("made above");
        loop {
            if self.buffer.len() < room {
                self.buffer.resize(room, 0);
            }
            match decompressor.decompress_to_buffer(body, &mut self.buffer[..room]) {
                Ok(bytes) => return Ok(&self.buffer[..bytes]),
                Err(_) if told.is_none() && room < self.bound => {
                    room = (room * 4).min(self.bound);
                }
                Err(_) => return Err(BatchError::Compressed("the zstd frame is malformed")),
            }
        }
    }
}

impl Default for BatchDecoder {
    fn default() -> Self {
        Self::new()
    }
}

impl FirstRecord {
    /// Checks the header's epoch against the first record's, which the CRC covers. A batch without one passes.
    ///
    /// # Errors
    /// [`BatchError::Epoch`].
    pub fn check_epoch(&self, header: &BatchHeader) -> Result<(), BatchError> {
        match self.epoch {
            Some(record) if record != header.leader_epoch => {
                Err(BatchError::Epoch { header: header.leader_epoch, record })
            }
            _ => Ok(()),
        }
    }
}

impl<'a> RecordBatch<'a> {
    /// Of records that were laid out here.
    #[cfg(feature = "kafka")]
    pub(super) fn of(header: BatchHeader, records: &'a [u8]) -> Self {
        Self { header, records }
    }

    /// Its header.
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// Its records' bytes, decompressed.
    #[cfg(feature = "kafka")]
    pub(super) fn raw(&self) -> &'a [u8] {
        self.records
    }

    /// What its first record's headers say; nothing when there is no record, or a malformed one.
    pub fn first_record(&self) -> FirstRecord {
        first_headers(self.records).unwrap_or_default()
    }

    /// Its records. A control batch's records are markers, not votes.
    pub fn records(&self) -> Records<'a> {
        let header = &self.header;
        Records {
            rest: self.records,
            left: header.records.unsigned_abs(),
            index: 0,
            delta_min: 0,
            delta_max: i64::from(header.last_offset_delta),
            base_offset: header.base_offset.0,
            base_timestamp: header.base_timestamp.0,
            fixed_timestamp: header.is_log_append_time().then_some(header.max_timestamp),
        }
    }
}

impl<'a> Records<'a> {
    /// `None`: malformed.
    #[inline]
    fn parse(&mut self) -> Option<Record<'a>> {
        let bytes = varint::take_len(&mut self.rest)??;
        let mut body = self.rest.split_off(..bytes)?;
        body.split_off_first()?;
        let timestamp = varint::take(&mut body)?;
        let delta = varint::take(&mut body)?;
        if delta < self.delta_min || delta > self.delta_max {
            return None;
        }
        self.delta_min = delta + 1;
        let key = take_bytes(&mut body)?;
        let value = take_bytes(&mut body)?;
        let oversize = if body == [0] { false } else { scan_headers(body, |_, _| ())? };
        Some(Record {
            offset: Offset(self.base_offset + delta as u64),
            timestamp: self.fixed_timestamp.unwrap_or(Millis(self.base_timestamp.wrapping_add(timestamp))),
            key,
            value,
            oversize,
        })
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, BatchError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return if self.rest.is_empty() {
                None
            } else {
                self.rest = &[];
                Some(Err(BatchError::Trailing))
            };
        }
        if let Some(record) = self.parse() {
            self.left -= 1;
            self.index += 1;
            Some(Ok(record))
        } else {
            (self.left, self.rest) = (0, &[]);
            Some(Err(BatchError::Record { index: self.index }))
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.left as usize + 1))
    }
}

#[inline]
#[expect(
    clippy::option_option,
    reason = "malformed, null and bytes are three things, and this is the hot path"
)]
fn take_bytes<'a>(body: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    match varint::take_len(body)? {
        None => Some(None),
        Some(bytes) => Some(Some(body.split_off(..bytes)?)),
    }
}

/// Walks the headers that end a record; tells whether it is oversize. `None`: malformed.
#[inline(never)]
fn scan_headers(mut body: &[u8], mut each: impl FnMut(&[u8], &[u8])) -> Option<bool> {
    let mut oversize = false;
    for _ in 0..varint::take_len(&mut body)?? {
        let key = take_bytes(&mut body)??;
        let value = take_bytes(&mut body)?.unwrap_or_default();
        oversize |= key == LENGTH_KEY;
        each(key, value);
    }
    body.is_empty().then_some(oversize)
}

fn first_headers(mut records: &[u8]) -> Option<FirstRecord> {
    let bytes = varint::take_len(&mut records)??;
    let mut body = records.split_off(..bytes)?;
    body.split_off_first()?;
    varint::take(&mut body)?;
    varint::take(&mut body)?;
    take_bytes(&mut body)?;
    take_bytes(&mut body)?;
    let mut first = FirstRecord::default();
    scan_headers(body, |key, value| {
        if key == MARK_KEY
            && let Some((synced, epoch)) = value.split_first_chunk()
            && let Ok(epoch) = epoch.try_into()
        {
            first.synced = Some(Offset(u64::from_be_bytes(*synced)));
            first.epoch = Some(i32::from_be_bytes(epoch));
        }
        if key == SOURCE_KEY
            && let Some((id, index)) = value.split_first_chunk()
            && let Ok(index) = index.try_into()
        {
            first.source = Some((SourceId(u64::from_be_bytes(*id)), u64::from_be_bytes(index)));
        }
    })?;
    Some(first)
}

impl std::fmt::Debug for BatchDecoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BatchDecoder").field("buffer_bytes", &self.buffer.len()).finish_non_exhaustive()
    }
}
