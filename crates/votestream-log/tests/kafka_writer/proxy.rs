//! A proxy before a broker that cuts connections in the middle of what they carry, or holds everything back for a while.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};

pub struct Proxy {
    pub port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    to: Mutex<String>,
    /// Cuts that are still to be made.
    cuts: AtomicU32,
    made: AtomicU32,
    seed: AtomicU64,
    held: Mutex<bool>,
    let_go: Condvar,
}

impl Proxy {
    pub fn start(to: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            to: Mutex::new(to.to_owned()),
            cuts: AtomicU32::new(0),
            made: AtomicU32::new(0),
            seed: AtomicU64::new(0x9e37_79b9_7f4a_7c15),
            held: Mutex::new(false),
            let_go: Condvar::new(),
        });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let to = accepting.to.lock().unwrap().clone();
                let Ok(server) = TcpStream::connect(to) else { continue };
                // Answers are small: cut within the first few.
                for (from, to, most) in [(&client, &server, 300_000), (&server, &client, 4_000)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let shared = Arc::clone(&accepting);
                    std::thread::spawn(move || carry(from, to, most, &shared));
                }
            }
        });
        Self { port, shared }
    }

    /// Where it leads from now on.
    pub fn lead_to(&self, to: &str) {
        to.clone_into(&mut self.shared.to.lock().unwrap());
    }

    /// Cuts so many connections more.
    pub fn cut(&self, times: u32) {
        self.shared.cuts.store(times, Ordering::Release);
    }

    /// How many were cut.
    pub fn made(&self) -> u32 {
        self.shared.made.load(Ordering::Acquire)
    }

    /// Carries nothing on, or goes on.
    pub fn hold(&self, held: bool) {
        *self.shared.held.lock().unwrap() = held;
        self.shared.let_go.notify_all();
    }
}

/// Carries bytes on, until a number of bytes after which the connection is cut, request or answer half carried.
fn carry(mut from: TcpStream, mut to: TcpStream, most: u64, shared: &Shared) {
    let mut left = shared.random() % most;
    let mut bytes = [0; 16 << 10];
    while let Ok(read) = from.read(&mut bytes) {
        if read == 0 {
            break;
        }
        let mut held = shared.held.lock().unwrap();
        while *held {
            held = shared.let_go.wait(held).unwrap();
        }
        drop(held);
        let mut carried = read;
        let cuts = read as u64 > left && shared.take_cut();
        if cuts {
            carried = left as usize;
        }
        left = left.saturating_sub(read as u64);
        if to.write_all(&bytes[..carried]).is_err() || cuts {
            break;
        }
    }
    // Either may be gone already.
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

impl Shared {
    fn random(&self) -> u64 {
        let mut x = self.seed.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ x >> 31
    }

    fn take_cut(&self) -> bool {
        let taken =
            self.cuts.fetch_update(Ordering::AcqRel, Ordering::Acquire, |cuts| cuts.checked_sub(1)).is_ok();
        self.made.fetch_add(u32::from(taken), Ordering::AcqRel);
        taken
    }
}
