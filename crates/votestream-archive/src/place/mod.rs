//! Where an archive's bytes are kept, as the rest of the crate uses it: few operations on whole objects by name, each durable when it
//! returns. What an object means is the manifest's business.

mod file;

mod headed;

mod kept;

#[cfg(any(feature = "s3", feature = "hdfs"))]
mod wait;

#[cfg(feature = "s3")]
mod s3;

#[cfg(feature = "s3")]
mod profile;

#[cfg(feature = "hdfs")]
mod hdfs;

pub use file::FilePlace;
pub use headed::{HeadedPlace, Heads, KeptHead};
pub use kept::KeptPlace;

use crate::error::ArchiveError;
use crate::url::ArchiveUrl;
use bytes::Bytes;
use std::fmt;
use std::sync::Arc;
use thiserror::Error;

/// What became of a put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is there, with these bytes.
    Created,
    /// Something of that name was there already, and was left as it is.
    Exists,
}

/// An object found by listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its name, relative to the archive, parts separated by `/`.
    pub name: String,
    /// Its size.
    pub bytes: u64,
}

/// Storage of whole objects. Names are relative to the archive.
pub trait Place: fmt::Debug + Send + Sync {
    /// Where this is, for messages.
    fn url(&self) -> String;

    /// Makes an object where none of that name is; what is there stays. Durable when it returns: bytes and name.
    fn put_new(&self, name: &str, bytes: Bytes) -> Result<Put, PlaceError>;

    /// An object's bytes; none where there is none.
    fn get(&self, name: &str) -> Result<Option<Bytes>, PlaceError>;

    /// All objects below a directory (`""`: all of the archive), in no order. What an unfinished put left behind is not listed.
    fn list(&self, directory: &str) -> Result<Vec<Found>, PlaceError>;

    /// Removes an object; no error where there is none.
    fn delete(&self, name: &str) -> Result<(), PlaceError>;

    /// Removes what unfinished puts of earlier writers left behind, where that can be told from anything else.
    fn tidy(&self) -> Result<(), PlaceError>;

    /// The manifest's head is kept elsewhere and moved by comparison, so that create-if-absent is not needed of the storage.
    fn keeps_heads_elsewhere(&self) -> bool {
        false
    }

    /// A stop was asked for: from now on a server that does not answer is waited for some seconds, no longer.
    fn hurry(&self) {}

    /// How many operations are best under way at once.
    fn width(&self) -> usize {
        1
    }
}

/// Why an operation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// No room, or a quota is used up.
    Full,
    /// No right to do that.
    Denied,
    /// Credentials are missing, wrong or expired.
    Credentials,
    /// Nobody answers, or not in time.
    Away,
    /// The server is not ready yet: HDFS in safe mode, S3 asking to slow down.
    NotReady,
    /// Anything else.
    Other,
}

/// A failed operation: what was tried on what, why it failed, what to do.
#[derive(Clone, Debug, Error)]
#[error("cannot {act} '{name}': {what}{}", hint(*.trouble))]
pub struct PlaceError {
    /// What was tried: `write`, `read`, `list`, `delete`.
    pub act: &'static str,
    /// On which object.
    pub name: String,
    /// What the storage said, on one line.
    pub what: String,
    /// What kind of trouble that is.
    pub trouble: Trouble,
}

impl PlaceError {
    /// Whether waiting may cure it. Room, rights and credentials may be given back by a person, who is told meanwhile.
    pub fn is_transient(&self) -> bool {
        self.trouble != Trouble::Other
    }
}

fn hint(trouble: Trouble) -> &'static str {
    match trouble {
        Trouble::Full => "; make room: nothing is lost, the log keeps the votes",
        Trouble::Denied => "; give this user the right to write there",
        Trouble::Credentials => {
            "; renew the credentials (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN or a profile)"
        }
        Trouble::Away => "; see whether its servers run and can be reached from here",
        Trouble::NotReady | Trouble::Other => "",
    }
}

/// The storage at a URL. Nothing is asked of it yet.
///
/// # Errors
/// This build leaves that kind out; the environment's settings for it cannot be understood.
pub fn open(url: &ArchiveUrl) -> Result<Arc<dyn Place>, ArchiveError> {
    match url {
        ArchiveUrl::File(path) => Ok(Arc::new(FilePlace::new(path.clone()))),
        #[cfg(feature = "s3")]
        ArchiveUrl::S3 { bucket, prefix, patience } => {
            let place = s3::S3Place::new(bucket.clone(), prefix.clone(), *patience);
            place
                .map(|place| Arc::new(place) as _)
                .map_err(|source| ArchiveError::Place { url: url.to_string(), source })
        }
        #[cfg(not(feature = "s3"))]
        ArchiveUrl::S3 { .. } => Err(ArchiveError::NotBuilt { what: "archives on S3" }),
        #[cfg(feature = "hdfs")]
        ArchiveUrl::Hdfs { authority, path, patience } => {
            let place = hdfs::HdfsPlace::new(authority, path, *patience);
            place
                .map(|place| Arc::new(place) as _)
                .map_err(|source| ArchiveError::Place { url: url.to_string(), source })
        }
        #[cfg(not(feature = "hdfs"))]
        ArchiveUrl::Hdfs { .. } => Err(ArchiveError::NotBuilt { what: "archives in HDFS" }),
    }
}
