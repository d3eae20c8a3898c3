//! A proxy before a broker that cuts connections in the middle of what they carry, or holds everything back for a while: at any time, or
//! when a request of some kind comes by.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
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
    /// What befalls requests to come: each the next one of its kind, in this order.
    awaited: Mutex<VecDeque<(i16, Fault)>>,
}

/// What befalls a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is held back, with everything else.
    Held,
    /// It reaches the broker, and the connection is cut before the answer comes.
    Unanswered,
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
            awaited: Mutex::default(),
        });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let to = accepting.to.lock().unwrap().clone();
                let Ok(server) = TcpStream::connect(to) else { continue };
                let unanswered = Arc::new(AtomicBool::new(false));
                // Answers are small: cut within the first few.
                for (from, to, most, way) in
                    [(&client, &server, 300_000, Way::Requests), (&server, &client, 4_000, Way::Answers)]
                {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let (shared, unanswered) = (Arc::clone(&accepting), Arc::clone(&unanswered));
                    std::thread::spawn(move || carry(from, to, most, way, &unanswered, &shared));
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

    /// The next request of each kind meets its fault, one after the other.
    pub fn await_requests(&self, faults: &[(i16, Fault)]) {
        *self.shared.awaited.lock().unwrap() = faults.iter().copied().collect();
    }

    /// Faults whose request has not come by yet.
    pub fn awaits(&self) -> usize {
        self.shared.awaited.lock().unwrap().len()
    }

    /// Carries nothing on, or goes on.
    pub fn hold(&self, held: bool) {
        *self.shared.held.lock().unwrap() = held;
        self.shared.let_go.notify_all();
    }
}

/// Which way bytes are carried.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Requests,
    Answers,
}

/// Carries bytes on, until a number of bytes after which the connection is cut, request or answer half carried.
fn carry(
    mut from: TcpStream,
    mut to: TcpStream,
    most: u64,
    way: Way,
    unanswered: &AtomicBool,
    shared: &Shared,
) {
    let mut left = shared.random() % most;
    let mut bytes = [0; 16 << 10];
    while let Ok(read) = from.read(&mut bytes) {
        if read == 0 {
            break;
        }
        match way {
            Way::Answers if unanswered.load(Ordering::Acquire) => break,
            Way::Answers => {}
            Way::Requests => match shared.fault_of(&bytes[..read]) {
                Some(Fault::Held) => *shared.held.lock().unwrap() = true,
                Some(Fault::Unanswered) => unanswered.store(true, Ordering::Release),
                None => {}
            },
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
    /// The fault that awaits the request with which `bytes` begin: after its length comes its kind.
    fn fault_of(&self, bytes: &[u8]) -> Option<Fault> {
        let kind = i16::from_be_bytes(bytes.get(4..6)?.try_into().ok()?);
        let mut awaited = self.awaited.lock().unwrap();
        let (next, fault) = *awaited.front()?;
        (next == kind).then(|| {
            awaited.pop_front();
            fault
        })
    }

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
