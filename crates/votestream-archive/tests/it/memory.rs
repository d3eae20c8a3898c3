//! Storage in memory that goes wrong as it is told to.

use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use votestream_archive::manifest::{Identity, LogEntry, VoterIds};
use votestream_archive::place::{Found, Place, PlaceError, Put, Trouble};
use votestream_election::Election;

/// What happens to the next operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is carried out.
    None,
    /// It never arrives.
    Lost,
    /// It is carried out, and the answer is lost.
    AnswerLost,
    /// It arrives after the next operation.
    Late,
}

/// Objects in memory.
#[derive(Debug, Default)]
pub struct Memory {
    objects: Mutex<BTreeMap<String, Bytes>>,
    faults: Mutex<VecDeque<Fault>>,
    late: Mutex<Vec<(String, Bytes)>>,
    /// Puts replace what is there, as some servers do.
    replaces: bool,
}

impl Memory {
    /// Storage that does not know create-if-absent.
    pub fn replacing() -> Self {
        Self { replaces: true, ..Self::default() }
    }

    /// Faults of the next operations.
    pub fn plan(&self, faults: &[Fault]) {
        let mut planned = self.faults.lock().unwrap();
        planned.clear();
        planned.extend(faults);
    }

    /// Lets what is under way arrive.
    pub fn settle(&self) {
        for (name, bytes) in std::mem::take(&mut *self.late.lock().unwrap()) {
            self.objects.lock().unwrap().entry(name).or_insert(bytes);
        }
    }

    /// Changes an object by hand.
    pub fn change(&self, name: &str, change: impl FnOnce(&mut BTreeMap<String, Bytes>)) {
        let mut objects = self.objects.lock().unwrap();
        assert!(objects.contains_key(name), "{name}");
        change(&mut objects);
    }

    pub fn names(&self) -> Vec<String> {
        self.objects.lock().unwrap().keys().cloned().collect()
    }

    fn fault(&self) -> Fault {
        self.faults.lock().unwrap().pop_front().unwrap_or(Fault::None)
    }

    fn failed(act: &'static str, name: &str) -> PlaceError {
        PlaceError { act, name: name.to_owned(), what: "no answer".to_owned(), trouble: Trouble::Away }
    }
}

impl Place for Memory {
    fn url(&self) -> String {
        "memory:".to_owned()
    }

    fn put_new(&self, name: &str, bytes: Bytes) -> Result<Put, PlaceError> {
        let fault = self.fault();
        if fault == Fault::Late {
            self.settle();
            self.late.lock().unwrap().push((name.to_owned(), bytes));
            return Err(Self::failed("write", name));
        }
        if fault == Fault::Lost {
            return Err(Self::failed("write", name));
        }
        let mut objects = self.objects.lock().unwrap();
        let put = if objects.contains_key(name) && !self.replaces { Put::Exists } else { Put::Created };
        if put == Put::Created {
            objects.insert(name.to_owned(), bytes);
        }
        drop(objects);
        self.settle();
        if fault == Fault::AnswerLost { Err(Self::failed("write", name)) } else { Ok(put) }
    }

    fn get(&self, name: &str) -> Result<Option<Bytes>, PlaceError> {
        if self.fault() != Fault::None {
            return Err(Self::failed("read", name));
        }
        Ok(self.objects.lock().unwrap().get(name).cloned())
    }

    fn list(&self, directory: &str) -> Result<Vec<Found>, PlaceError> {
        if self.fault() != Fault::None {
            return Err(Self::failed("list", directory));
        }
        let objects = self.objects.lock().unwrap();
        let below = |name: &str| directory.is_empty() || name.starts_with(&format!("{directory}/"));
        let found =
            |(name, bytes): (&String, &Bytes)| Found { name: name.clone(), bytes: bytes.len() as u64 };
        let listed = objects.iter().filter(|(name, _)| below(name)).map(found).collect();
        drop(objects);
        self.settle();
        Ok(listed)
    }

    fn delete(&self, name: &str) -> Result<(), PlaceError> {
        if self.fault() != Fault::None {
            return Err(Self::failed("delete", name));
        }
        self.objects.lock().unwrap().remove(name);
        Ok(())
    }

    fn tidy(&self) -> Result<(), PlaceError> {
        Ok(())
    }
}

static SERIAL: AtomicU64 = AtomicU64::new(1);

/// Numbers that nobody else has, for tests.
pub fn make_up() -> u128 {
    u128::from(SERIAL.fetch_add(1, Ordering::Relaxed))
}

/// An archive of the US election's log with one partition.
pub fn identity(keep_bytes: bool) -> Identity {
    let election = Election::preset("us-president-2024").unwrap();
    Identity {
        election: election.id.clone(),
        definition: election.to_json(),
        log: LogEntry {
            kind: "kafka".to_owned(),
            id: 7,
            partitions: 1,
            start_offsets: vec![0],
            partitioners: "murmur2,crc32".to_owned(),
        },
        keep_bytes,
        voter_ids: VoterIds::AsIs,
        key_check: None,
        head_in_store: false,
    }
}
