//! A connection's middle, where cables are cut: forwards bytes to a server until it is told to do otherwise.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// What is done with bytes that arrive from now on.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Mode {
    Forward = 0,
    /// The next request reaches the server; its answer cuts the connection instead of arriving.
    CutAnswer = 1,
    /// The next request cuts the connection instead of reaching the server.
    CutRequest = 2,
    /// The client is cut off at its next request, which is kept back and reaches the server when it is let go.
    HoldRequest = 3,
    /// Nothing goes either way, and nothing is said.
    Freeze = 4,
}

const MODES: [Mode; 5] = [Mode::Forward, Mode::CutAnswer, Mode::CutRequest, Mode::HoldRequest, Mode::Freeze];

#[derive(Default)]
struct State {
    mode: AtomicU8,
    /// Requests kept back, with the connection that they belong on.
    held: Mutex<Vec<(TcpStream, Vec<u8>)>>,
    /// What the server said on a connection whose client was cut off.
    said: Mutex<Vec<u8>>,
    thawed: (Mutex<()>, Condvar),
}

pub struct Proxy {
    pub address: SocketAddr,
    state: Arc<State>,
}

impl Proxy {
    pub fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::<State>::default();
        let (server, shared) = (server.to_owned(), Arc::clone(&state));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(upstream) = TcpStream::connect(&server) else { continue };
                let (a, b) = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
                let (up, down) = (Arc::clone(&shared), Arc::clone(&shared));
                let held = Arc::new(AtomicBool::new(false));
                let holds = Arc::clone(&held);
                std::thread::spawn(move || pass(client, upstream, true, &up, &held));
                std::thread::spawn(move || pass(b, a, false, &down, &holds));
            }
        });
        Self { address, state }
    }

    pub fn set(&self, mode: Mode) {
        self.state.mode.store(mode as u8, Ordering::SeqCst);
        let _guard = self.state.thawed.0.lock().unwrap();
        self.state.thawed.1.notify_all();
    }

    pub fn mode(&self) -> Mode {
        MODES[usize::from(self.state.mode.load(Ordering::SeqCst))]
    }

    /// Lets what was kept back reach the server; returns what the server said to it.
    pub fn let_go(&self) -> Vec<u8> {
        for (mut upstream, bytes) in self.state.held.lock().unwrap().drain(..) {
            upstream.write_all(&bytes).unwrap();
        }
        let began = Instant::now();
        loop {
            let said = self.state.said.lock().unwrap().clone();
            // A server ends each answer by saying that it is ready.
            if said.windows(5).any(|w| w == b"Z\0\0\0\x05") {
                return said;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "the server said nothing to it");
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }
}

/// Passes bytes on in one direction until either end closes.
fn pass(mut from: TcpStream, mut to: TcpStream, upwards: bool, state: &State, held: &AtomicBool) {
    let mut buffer = vec![0; 1 << 16];
    from.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    loop {
        let read = match from.read(&mut buffer) {
            Ok(read) => read,
            Err(e) if matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                continue;
            }
            Err(_) => 0,
        };
        let mode = || MODES[usize::from(state.mode.load(Ordering::SeqCst))];
        while mode() == Mode::Freeze {
            let guard = state.thawed.0.lock().unwrap();
            drop(state.thawed.1.wait_timeout(guard, Duration::from_millis(20)).unwrap());
        }
        let now = mode();
        let forward = || state.mode.store(Mode::Forward as u8, Ordering::SeqCst);
        if read > 0 && upwards && now == Mode::HoldRequest {
            let kept = (to.try_clone().unwrap(), buffer[..read].to_vec());
            held.store(true, Ordering::SeqCst);
            state.held.lock().unwrap().push(kept);
            forward();
            let _ = from.shutdown(Shutdown::Both);
            return;
        }
        if read > 0 && !upwards && held.load(Ordering::SeqCst) {
            state.said.lock().unwrap().extend_from_slice(&buffer[..read]);
            continue;
        }
        let cut = (upwards && now == Mode::CutRequest) || (!upwards && now == Mode::CutAnswer);
        if read > 0 && cut {
            forward();
        }
        if read == 0 || cut || to.write_all(&buffer[..read]).is_err() {
            let _ = to.shutdown(Shutdown::Both);
            let _ = from.shutdown(Shutdown::Both);
            return;
        }
    }
}
