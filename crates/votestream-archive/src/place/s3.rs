//! An archive on S3, or on a server that speaks its language. Credentials and endpoint as the AWS tools have them: `AWS_…` variables,
//! then a profile of the shared files, then the machine's own role.

use super::wait::{Waits, first_line};
use super::{Found, Place, PlaceError, Put, Trouble, profile};
use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions, RetryConfig};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often the client itself asks again, for what passes at once; what lasts longer is waited for by the engine, and said.
const RETRIES: usize = 2;
/// And for how long.
const RETRY_MAX: Duration = Duration::from_secs(10);
/// Requests under way at once.
const WIDTH: usize = 8;

/// A bucket, and the prefix of all names.
pub struct S3Place {
    bucket: String,
    prefix: String,
    waits: Waits,
    /// Made anew after its credentials were refused: they may have been renewed in their file.
    client: Mutex<Option<Arc<AmazonS3>>>,
}

impl fmt::Debug for S3Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Place")
            .field("bucket", &self.bucket)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

impl S3Place {
    /// A bucket as the environment says it is reached.
    pub fn new(bucket: String, prefix: String, patience: Duration) -> Result<Self, PlaceError> {
        // Where another part of the program was first, its choice is the same.
        drop(rustls::crypto::ring::default_provider().install_default());
        let place = Self { bucket, prefix, waits: Waits::new(patience)?, client: Mutex::new(None) };
        // What is wrong with the settings is found at once.
        place.client()?;
        Ok(place)
    }

    fn client(&self) -> Result<Arc<AmazonS3>, PlaceError> {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = &*client {
            return Ok(Arc::clone(client));
        }
        let made = Arc::new(client_for(&self.bucket).map_err(|what| PlaceError {
            act: "reach",
            name: format!("s3://{}", self.bucket),
            what,
            trouble: Trouble::Other,
        })?);
        *client = Some(Arc::clone(&made));
        Ok(made)
    }

    fn path(&self, name: &str) -> Path {
        Path::from(if self.prefix.is_empty() { name.to_owned() } else { format!("{}/{name}", self.prefix) })
    }

    fn error(&self, act: &'static str, name: &str, error: &Error) -> PlaceError {
        let text = text_of(error);
        let trouble = trouble_of(error, &text);
        if matches!(trouble, Trouble::Credentials | Trouble::Denied) {
            *self.client.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        PlaceError { act, name: name.to_owned(), what: text, trouble }
    }
}

impl Place for S3Place {
    fn url(&self) -> String {
        crate::url::s3_text(&self.bucket, &self.prefix)
    }

    fn hurry(&self) {
        self.waits.hurry();
    }

    fn put_new(&self, name: &str, bytes: Bytes) -> Result<Put, PlaceError> {
        let (client, path, size) = (self.client()?, self.path(name), bytes.len() as u64);
        self.waits.within(("write", name, size), async {
            let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
            match client.put_opts(&path, bytes.into(), options).await {
                Ok(_) => Ok(Put::Created),
                // A server that compares without `*` answers a failed condition.
                Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(Put::Exists),
                Err(error) => Err(self.error("write", name, &error)),
            }
        })
    }

    fn get(&self, name: &str) -> Result<Option<Bytes>, PlaceError> {
        let (client, path) = (self.client()?, self.path(name));
        // Its size is not known before: as much patience as the largest file needs.
        self.waits.within(("read", name, 1 << 28), async {
            let got = match client.get(&path).await {
                Ok(got) => got.bytes().await,
                Err(error) => Err(error),
            };
            match got {
                Ok(bytes) => Ok(Some(bytes)),
                Err(Error::NotFound { .. }) if self.bucket_is_there(&client).await => Ok(None),
                Err(error) => Err(self.error("read", name, &error)),
            }
        })
    }

    fn list(&self, directory: &str) -> Result<Vec<Found>, PlaceError> {
        let client = self.client()?;
        let whole = self.path(directory);
        let listed: Vec<_> = self.waits.within(("list", directory, 1 << 26), async {
            client
                .list(Some(&whole))
                .try_collect()
                .await
                .map_err(|error| self.error("list", directory, &error))
        })?;
        let prefix = Path::from(self.prefix.as_str());
        let found = |meta: object_store::ObjectMeta| {
            let parts: Vec<_> = meta.location.prefix_match(&prefix)?.collect();
            let name = parts.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join("/");
            Some(Found { name, bytes: meta.size })
        };
        Ok(listed.into_iter().filter_map(found).collect())
    }

    fn delete(&self, name: &str) -> Result<(), PlaceError> {
        let (client, path) = (self.client()?, self.path(name));
        self.waits.within(("delete", name, 0), async {
            match client.delete(&path).await {
                Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
                Err(error) => Err(self.error("delete", name, &error)),
            }
        })
    }

    fn tidy(&self) -> Result<(), PlaceError> {
        // An object is there whole or not at all.
        Ok(())
    }

    fn width(&self) -> usize {
        WIDTH
    }
}

impl S3Place {
    /// A bucket that is not there answers as an object that is not there, and must not be taken for an empty archive.
    async fn bucket_is_there(&self, client: &AmazonS3) -> bool {
        !matches!(client.list_with_delimiter(Some(&self.path("manifest"))).await, Err(Error::NotFound { .. }))
    }
}

fn client_for(bucket: &str) -> Result<AmazonS3, String> {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let retry = RetryConfig { max_retries: RETRIES, retry_timeout: RETRY_MAX, ..RetryConfig::default() };
    let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket).with_retry(retry);
    let from_profile = profile::load(set("AWS_PROFILE").as_deref())?;
    let profiled = |name: &str| from_profile.get(name).cloned().filter(|value| !value.is_empty());
    if set("AWS_ACCESS_KEY_ID").is_none() {
        for (name, key) in [
            ("aws_access_key_id", AmazonS3ConfigKey::AccessKeyId),
            ("aws_secret_access_key", AmazonS3ConfigKey::SecretAccessKey),
            ("aws_session_token", AmazonS3ConfigKey::Token),
        ] {
            if let Some(value) = profiled(name) {
                builder = builder.with_config(key, value);
            }
        }
    }
    let region = set("AWS_REGION").or_else(|| set("AWS_DEFAULT_REGION")).or_else(|| profiled("region"));
    builder = builder.with_region(region.unwrap_or_else(|| "us-east-1".to_owned()));
    let endpoint =
        set("AWS_ENDPOINT_URL_S3").or_else(|| set("AWS_ENDPOINT_URL")).or_else(|| profiled("endpoint_url"));
    if let Some(endpoint) = endpoint {
        builder = builder.with_allow_http(endpoint.starts_with("http://")).with_endpoint(endpoint);
    }
    builder.build().map_err(|error| first_line(&error.to_string()))
}

/// What the server said, on one line.
fn text_of(error: &Error) -> String {
    let mut text = error.to_string();
    // The answer's own message says more than the request's address.
    if let (Some(code), message) = (tag(&text, "Code"), tag(&text, "Message")) {
        text = message.map_or_else(|| code.clone(), |message| format!("{code}: {message}"));
    }
    first_line(&text)
}

fn tag(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(value, _)| value.to_owned())
}

fn trouble_of(error: &Error, text: &str) -> Trouble {
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(&[
        "ExpiredToken",
        "InvalidToken",
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "InvalidClientTokenId",
    ]) {
        return Trouble::Credentials;
    }
    if says(&["QuotaExceeded", "InsufficientStorage", "StorageFull", "XMinioStorageFull", "no space left"]) {
        return Trouble::Full;
    }
    if says(&["SlowDown", "ServiceUnavailable", "RequestTimeout", "InternalError"]) {
        return Trouble::NotReady;
    }
    match error {
        Error::Unauthenticated { .. } => Trouble::Credentials,
        Error::PermissionDenied { .. } => Trouble::Denied,
        // No such bucket, or a request that no waiting will make right.
        Error::NotFound { .. }
        | Error::InvalidPath { .. }
        | Error::NotSupported { .. }
        | Error::NotImplemented { .. } => Trouble::Other,
        _ if says(&["NoSuchBucket", "status code: 4", "BareRedirect", "redirect"]) => Trouble::Other,
        _ => Trouble::Away,
    }
}
