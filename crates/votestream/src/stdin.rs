//! Standard input that a request to stop cuts short: whoever feeds it may be silent for hours. What is read is the caller's business.

use anyhow::{Context, Result};
use std::io::{self, Read};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;
use votestream_engine::Shutdown;

/// How much is read at once.
const CHUNK_BYTES: usize = 64 * 1024;
/// How many chunks may wait to be taken; reading waits when there are as many.
const CHUNKS_MAX: usize = 4;
/// How often a silent input asks whether to stop.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Bytes of an input that is read by a thread of its own; ends where the input ends, or once `shutdown` is raised and nothing waits.
pub struct Patient {
    chunks: Receiver<io::Result<Vec<u8>>>,
    chunk: Vec<u8>,
    taken: usize,
    shutdown: Shutdown,
}

impl Patient {
    /// Begins to read standard input.
    pub fn stdin(shutdown: &Shutdown) -> Result<Self> {
        Self::of(io::stdin(), shutdown)
    }

    fn of(mut input: impl Read + Send + 'static, shutdown: &Shutdown) -> Result<Self> {
        let (sender, chunks) = mpsc::sync_channel(CHUNKS_MAX);
        let work = move || {
            loop {
                let mut chunk = vec![0; CHUNK_BYTES];
                let read = match input.read(&mut chunk) {
                    Ok(0) => return,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    read => read,
                };
                let failed = read.is_err();
                let read = read.map(|bytes| {
                    chunk.truncate(bytes);
                    chunk
                });
                // Nobody takes them any more.
                if sender.send(read).is_err() || failed {
                    return;
                }
            }
        };
        // Never joined: it may be blocked for as long as the process lives.
        std::thread::Builder::new()
            .name("stdin".into())
            .spawn(work)
            .context("cannot start the thread that reads standard input")?;
        Ok(Self { chunks, chunk: Vec::new(), taken: 0, shutdown: shutdown.clone() })
    }
}

impl Read for Patient {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.chunk.len() {
            match self.chunks.recv_timeout(LOOK_EVERY) {
                Ok(chunk) => (self.chunk, self.taken) = (chunk?, 0),
                Err(RecvTimeoutError::Timeout) if !self.shutdown.is_raised() => {}
                Err(_) => return Ok(0),
            }
        }
        let bytes = out.len().min(self.chunk.len() - self.taken);
        out[..bytes].copy_from_slice(&self.chunk[self.taken..self.taken + bytes]);
        self.taken += bytes;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_comes_is_read_and_a_silent_input_ends_when_asked_to() {
        let (mut theirs, ours) = std::os::unix::net::UnixStream::pair().unwrap();
        let shutdown = Shutdown::new();
        let mut patient = Patient::of(ours, &shutdown).unwrap();
        let sent: Vec<u8> = (0..300_000_u32).map(|i| i as u8).collect();
        let mut got = vec![0; sent.len()];
        let all = sent.clone();
        let feeding = std::thread::spawn(move || {
            io::Write::write_all(&mut theirs, &all).unwrap();
            theirs
        });
        patient.read_exact(&mut got).unwrap();
        assert_eq!(got, sent);
        // Still open, and silent from here on.
        let _theirs = feeding.join().unwrap();
        shutdown.raise();
        assert_eq!(patient.read(&mut got).unwrap(), 0);
    }

    #[test]
    fn the_end_is_the_end() {
        let mut all = Vec::new();
        Patient::of(&b"one\ntwo"[..], &Shutdown::new()).unwrap().read_to_end(&mut all).unwrap();
        assert_eq!(all, b"one\ntwo");
    }
}
