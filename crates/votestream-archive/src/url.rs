//! Where an archive is: `file:PATH`, `s3://bucket/prefix`, `hdfs://namenode:port/path`, the latter two maybe with `?patience=30s`. Nothing is opened here.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;
use thiserror::Error;

/// Where an archive is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArchiveUrl {
    /// A directory.
    File(PathBuf),
    /// A bucket of S3 or of a server that speaks its language, and a prefix, maybe empty, without slashes at its ends.
    S3 {
        /// The bucket.
        bucket: String,
        /// What all names begin with.
        prefix: String,
        /// What an operation may take, before the server is taken to be away.
        patience: Duration,
    },
    /// A directory of HDFS.
    Hdfs {
        /// `namenode:port`, or the name of a service that the configuration resolves.
        authority: String,
        /// The directory, from the root, without slashes at its ends.
        path: String,
        /// What an operation may take, before the servers are taken to be away.
        patience: Duration,
    },
}

/// What an operation may take unless the URL says otherwise; more for many bytes.
const PATIENCE: Duration = Duration::from_mins(1);
/// What a URL may say.
const PATIENCE_SECONDS: RangeInclusive<u64> = 1..=3_600;

/// An archive URL that cannot be understood.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "archive '{given}' is not understood ({why}); write file:PATH, s3://BUCKET/PREFIX or hdfs://NAMENODE:PORT/PATH"
)]
pub struct ArchiveUrlError {
    given: String,
    why: &'static str,
}

impl FromStr for ArchiveUrl {
    type Err = ArchiveUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |why| Err(ArchiveUrlError { given: text.to_owned(), why });
        let whole = text;
        let wrong_option = "its only option is ?patience=SECONDS, as in ?patience=30s, up to an hour";
        let (text, patience) = match text.split_once('?').filter(|_| !text.starts_with("file:")) {
            None => (text, Some(PATIENCE)),
            Some((text, options)) => (text, patience(options)),
        };
        let Some(patience) = patience.filter(|_| whole.starts_with("file:") || !whole.contains('#')) else {
            return wrong(wrong_option);
        };
        if let Some(rest) = text.strip_prefix("s3://") {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            if bucket.is_empty() {
                return wrong("the bucket is missing");
            }
            let Some(prefix) = clean(prefix) else { return wrong("its prefix has empty, '.' or '..' parts") };
            return Ok(Self::S3 { bucket: bucket.to_owned(), prefix, patience });
        }
        if let Some(rest) = text.strip_prefix("hdfs://") {
            let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
            if authority.is_empty() {
                return wrong("the NameNode is missing");
            }
            let Some(path) = clean(path) else { return wrong("its path has empty, '.' or '..' parts") };
            if path.is_empty() {
                return wrong("it needs a directory of its own");
            }
            if path.contains(':') {
                return wrong("HDFS allows no ':' in names");
            }
            return Ok(Self::Hdfs { authority: authority.to_owned(), path, patience });
        }
        match text.strip_prefix("file:").map(|path| path.strip_prefix("//").unwrap_or(path)) {
            Some("") => wrong("the path is missing"),
            Some(path) => Ok(Self::File(path.into())),
            None => wrong("it begins with none of these"),
        }
    }
}

/// What `patience=30s` says.
fn patience(options: &str) -> Option<Duration> {
    let seconds: u64 = options.strip_prefix("patience=")?.strip_suffix('s')?.parse().ok()?;
    PATIENCE_SECONDS.contains(&seconds).then(|| Duration::from_secs(seconds))
}

/// A bucket and a prefix as a URL.
pub(crate) fn s3_text(bucket: &str, prefix: &str) -> String {
    if prefix.is_empty() { format!("s3://{bucket}") } else { format!("s3://{bucket}/{prefix}") }
}

/// A prefix without slashes at its ends; none where a part of it is empty or points elsewhere.
fn clean(prefix: &str) -> Option<String> {
    let prefix = prefix.trim_matches('/');
    let odd = |part: &str| part.is_empty() || part == "." || part == "..";
    (prefix.is_empty() || !prefix.split('/').any(odd)).then(|| prefix.to_owned())
}

impl fmt::Display for ArchiveUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::S3 { bucket, prefix, .. } => f.write_str(&s3_text(bucket, prefix)),
            Self::Hdfs { authority, path, .. } => write!(f, "hdfs://{authority}/{path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_say_where() {
        for (text, again) in [
            ("file:data/archive", "file:data/archive"),
            ("file:///srv/archive", "file:/srv/archive"),
            ("s3://bucket", "s3://bucket"),
            ("s3://bucket/a/b/", "s3://bucket/a/b"),
            ("s3://bucket/a?patience=5s", "s3://bucket/a"),
            ("hdfs://namenode:8020/votes", "hdfs://namenode:8020/votes"),
            ("hdfs://cluster/votes/2024/", "hdfs://cluster/votes/2024"),
        ] {
            assert_eq!(text.parse::<ArchiveUrl>().unwrap().to_string(), again);
        }
    }

    #[test]
    fn what_is_none_is_refused_with_the_reason() {
        for (text, why) in [
            ("", "none of these"),
            ("data/archive", "none of these"),
            ("file:", "path is missing"),
            ("s3:///a", "bucket is missing"),
            ("s3://bucket/a//b", "empty"),
            ("s3://bucket/../x", "'..'"),
            ("hdfs://namenode:8020", "directory of its own"),
            ("hdfs:///votes", "NameNode is missing"),
            ("hdfs://namenode/a:b", "no ':'"),
            ("s3://bucket/a?x=1", "only option"),
            ("s3://bucket/a?patience=0s", "only option"),
            ("hdfs://namenode/a?patience=2h", "only option"),
            ("s3://bucket/a#b", "only option"),
        ] {
            let error = text.parse::<ArchiveUrl>().unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
