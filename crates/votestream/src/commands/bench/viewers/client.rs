//! One viewer: a connection that reads a live stream and counts its chunks. Nothing is decoded: the server is measured, not this.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Snapshots take more than this, comments less, in bytes.
const COMMENT_BYTES_MAX: usize = 200;
/// Bytes read at once.
const READ_BYTES: usize = 16 * 1024;
/// Bytes of a head or of a chunk's size line, at most.
const LINE_BYTES_MAX: usize = 8 * 1024;

/// What one viewer was sent.
#[derive(Debug, Default)]
pub struct Viewer {
    events: AtomicU64,
    bytes: AtomicU64,
}

impl Viewer {
    /// Snapshots so far.
    pub fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }

    /// Bytes of them.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn add(&self, chunk: usize) {
        if chunk > COMMENT_BYTES_MAX {
            self.events.fetch_add(1, Ordering::Relaxed);
            self.bytes.fetch_add(chunk as u64, Ordering::Relaxed);
        }
    }
}

/// Watches until the stream ends; what then is missing shows in the counts.
pub async fn watch(address: SocketAddr, gzip: bool, viewer: Arc<Viewer>) {
    let Ok(mut stream) = TcpStream::connect(address).await else { return };
    let accept = if gzip { "accept-encoding: gzip\r\n" } else { "" };
    // Faster than commits come: then who is not starved has each.
    let request = format!("GET /api/live?hz=20 HTTP/1.1\r\nhost: {address}\r\n{accept}\r\n");
    if stream.write_all(request.as_bytes()).await.is_err() {
        return;
    }
    let mut chunks = Chunks::default();
    let mut buffer = vec![0_u8; READ_BYTES];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        let Some(bytes) = buffer.get(..read) else { return };
        if !chunks.take(bytes, |chunk| viewer.add(chunk)) {
            return;
        }
    }
}

/// Where in a chunked answer the reader is.
#[derive(Default)]
struct Chunks {
    in_body: bool,
    /// The head, or the size line of the next chunk, as far as read.
    line: Vec<u8>,
    /// Size of the chunk that is being read, and what of it and of the line end after it is still to come.
    chunk: usize,
    left: usize,
}

impl Chunks {
    /// Takes what was read and hands over the size of each chunk that ends in it. False: this is no such answer.
    fn take(&mut self, mut bytes: &[u8], mut each: impl FnMut(usize)) -> bool {
        while let Some((first, rest)) = bytes.split_first() {
            if self.left > 0 {
                let passed = self.left.min(bytes.len());
                self.left -= passed;
                bytes = bytes.get(passed..).unwrap_or_default();
                if self.left == 0 {
                    each(self.chunk);
                }
                continue;
            }
            self.line.push(*first);
            bytes = rest;
            if self.line.len() > LINE_BYTES_MAX || !self.line_ends() {
                return false;
            }
        }
        true
    }

    /// Looks at the line when it is whole. False: it is not what it should be.
    fn line_ends(&mut self) -> bool {
        let end: &[u8] = if self.in_body { b"\r\n" } else { b"\r\n\r\n" };
        if !self.line.ends_with(end) {
            return true;
        }
        let line = std::mem::take(&mut self.line);
        if !self.in_body {
            self.in_body = true;
            return line.starts_with(b"HTTP/1.1 200");
        }
        let size =
            std::str::from_utf8(&line).ok().and_then(|text| usize::from_str_radix(text.trim(), 16).ok());
        match size {
            Some(size @ 1..) => {
                (self.chunk, self.left) = (size, size + 2);
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_counted_however_they_are_cut() {
        let answer =
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab\r\nc\r\nA\r\n0123456789\r\n";
        for cut in 1..answer.len() {
            let mut chunks = Chunks::default();
            let mut found = Vec::new();
            for part in answer.chunks(cut) {
                assert!(chunks.take(part, |chunk| found.push(chunk)));
            }
            assert_eq!(found, [5, 10], "cut at {cut}");
        }
        assert!(!Chunks::default().take(b"HTTP/1.1 503 Service Unavailable\r\n\r\n", |_| ()));
    }
}
