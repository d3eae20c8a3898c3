//! Storage whose last files read are kept in memory: where several threads read one file by turns, it is fetched once. For readers only:
//! a file never changes under its name, and of the manifest nothing is kept.

use super::{Found, Place, PlaceError, Put};
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Storage that keeps the last files read.
#[derive(Debug)]
pub struct KeptPlace {
    place: Arc<dyn Place>,
    files_max: usize,
    /// The one read last is the last.
    files: Mutex<VecDeque<(String, Bytes)>>,
}

impl KeptPlace {
    /// Keeps at most so many files.
    pub fn new(place: Arc<dyn Place>, files_max: usize) -> Self {
        Self { place, files_max, files: Mutex::default() }
    }

    fn files(&self) -> MutexGuard<'_, VecDeque<(String, Bytes)>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kept(&self, name: &str) -> Option<Bytes> {
        let mut files = self.files();
        let at = files.iter().position(|(kept, _)| kept == name)?;
        let file = files.remove(at)?;
        let bytes = file.1.clone();
        files.push_back(file);
        Some(bytes)
    }
}

impl Place for KeptPlace {
    fn url(&self) -> String {
        self.place.url()
    }

    fn hurry(&self) {
        self.place.hurry();
    }

    fn put_new(&self, name: &str, bytes: Bytes) -> Result<Put, PlaceError> {
        self.place.put_new(name, bytes)
    }

    fn get(&self, name: &str) -> Result<Option<Bytes>, PlaceError> {
        if let Some(bytes) = self.kept(name) {
            return Ok(Some(bytes));
        }
        let got = self.place.get(name)?;
        if let Some(bytes) = got.as_ref().filter(|_| name.ends_with(".parquet")) {
            let mut files = self.files();
            files.push_back((name.to_owned(), bytes.clone()));
            while files.len() > self.files_max {
                files.pop_front();
            }
        }
        Ok(got)
    }

    fn list(&self, directory: &str) -> Result<Vec<Found>, PlaceError> {
        self.place.list(directory)
    }

    fn delete(&self, name: &str) -> Result<(), PlaceError> {
        self.place.delete(name)
    }

    fn tidy(&self) -> Result<(), PlaceError> {
        self.place.tidy()
    }

    fn width(&self) -> usize {
        self.place.width()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[derive(Debug, Default)]
    struct Counting(AtomicUsize);

    impl Place for Counting {
        fn url(&self) -> String {
            "test".to_owned()
        }
        fn put_new(&self, _: &str, _: Bytes) -> Result<Put, PlaceError> {
            Ok(Put::Created)
        }
        fn get(&self, name: &str) -> Result<Option<Bytes>, PlaceError> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok((!name.starts_with("no")).then(|| Bytes::from(name.to_owned())))
        }
        fn list(&self, _: &str) -> Result<Vec<Found>, PlaceError> {
            Ok(Vec::new())
        }
        fn delete(&self, _: &str) -> Result<(), PlaceError> {
            Ok(())
        }
        fn tidy(&self) -> Result<(), PlaceError> {
            Ok(())
        }
    }

    #[test]
    fn the_last_files_are_fetched_once_and_entries_each_time() {
        let counting = Arc::new(Counting::default());
        let kept = KeptPlace::new(counting.clone(), 2);
        let fetched = |name: &str| {
            let before = counting.0.load(Ordering::Relaxed);
            let got = kept.get(name).unwrap();
            assert_eq!(got.is_some(), !name.starts_with("no"));
            counting.0.load(Ordering::Relaxed) - before
        };
        let names =
            ["a.parquet", "a.parquet", "b.parquet", "a.parquet", "c.parquet", "a.parquet", "b.parquet"];
        assert_eq!(names.map(fetched), [1, 0, 1, 0, 1, 0, 1]);
        assert_eq!(["x.json", "x.json", "none.parquet", "none.parquet"].map(fetched), [1, 1, 1, 1]);
    }
}
