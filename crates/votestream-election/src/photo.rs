//! A candidate's picture: small, of a kind that runs nothing, known by its first bytes, named by its digest. Reading its file is the
//! binary's business, sending it the server's.

use crate::base64;
use std::fmt;
use std::sync::Arc;

/// Bytes of a picture, at most (64 KiB): a face on a card needs a few thousand.
pub const PHOTO_BYTES_MAX: usize = 64 * 1024;

/// Hexadecimal digits of a picture's digest: enough to tell its versions apart.
const DIGEST_DIGITS: usize = 16;

/// A picture, kept with the definition.
#[derive(Clone, PartialEq, Eq)]
pub struct Photo {
    kind: PhotoKind,
    bytes: Arc<[u8]>,
    digest: String,
}

/// What a picture is. Vector graphics are not among them: they may hold scripts and addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhotoKind {
    /// Portable Network Graphics.
    Png,
    /// JPEG.
    Jpeg,
    /// WebP.
    Webp,
    /// AVIF.
    Avif,
}

/// Why bytes are no picture that can be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PhotoError {
    /// Over [`PHOTO_BYTES_MAX`].
    #[error("the picture has more than {PHOTO_BYTES_MAX} bytes")]
    TooLarge,
    /// None of [`PhotoKind`] begins so.
    #[error("this is no PNG, JPEG, WebP or AVIF picture")]
    UnknownKind,
}

impl Photo {
    /// The picture that these bytes are, by how they begin; what follows is the browser's to judge.
    ///
    /// # Errors
    /// Too many bytes; another kind.
    pub fn new(bytes: &[u8]) -> Result<Self, PhotoError> {
        if bytes.len() > PHOTO_BYTES_MAX {
            return Err(PhotoError::TooLarge);
        }
        let kind = PhotoKind::of(bytes).ok_or(PhotoError::UnknownKind)?;
        let mut digest = blake3::hash(bytes).to_hex().to_string();
        digest.truncate(DIGEST_DIGITS);
        Ok(Self { kind, bytes: Arc::from(bytes), digest })
    }

    /// The picture itself.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its media type.
    pub fn mime(&self) -> &'static str {
        match self.kind {
            PhotoKind::Png => "image/png",
            PhotoKind::Jpeg => "image/jpeg",
            PhotoKind::Webp => "image/webp",
            PhotoKind::Avif => "image/avif",
        }
    }

    /// The start of its BLAKE3 digest, 16 hexadecimal digits: another picture has another.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// As a definition keeps it: base64.
    pub(crate) fn to_text(&self) -> String {
        base64::encode(&self.bytes)
    }
}

impl fmt::Debug for Photo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Photo({}, {} bytes, {})", self.mime(), self.bytes.len(), self.digest)
    }
}

impl PhotoKind {
    /// By the first bytes.
    fn of(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
            return Some(Self::Png);
        }
        if bytes.starts_with(b"\xff\xd8\xff") {
            return Some(Self::Jpeg);
        }
        if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
            return Some(Self::Webp);
        }
        // The file type box: its length, its name, the major brand, a version, other brands.
        let length = u32::from_be_bytes(bytes.first_chunk::<4>().copied()?) as usize;
        let brands = bytes.get(4..length.min(bytes.len()))?.strip_prefix(b"ftyp")?;
        let is_avif = |brand: &[u8]| brand == b"avif" || brand == b"avis";
        brands.chunks(4).enumerate().any(|(place, brand)| place != 1 && is_avif(brand)).then_some(Self::Avif)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_by_the_first_bytes() {
        for (bytes, expect) in [
            (&b"\x89PNG\r\n\x1a\n rest"[..], Ok("image/png")),
            (b"\xff\xd8\xff\xe0 rest", Ok("image/jpeg")),
            (b"RIFF\x10\0\0\0WEBPVP8 ", Ok("image/webp")),
            (b"\0\0\0\x1cftypavif\0\0\0\0mif1miaf", Ok("image/avif")),
            (b"\0\0\0\x1cftypmif1\0\0\0\0avifmiaf", Ok("image/avif")),
            (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", Err(PhotoError::UnknownKind)),
            (b"\0\0\0\x10ftypmp42\0\0\0\0avif", Err(PhotoError::UnknownKind)),
            (b"RIFF\x10\0\0\0WAVEfmt ", Err(PhotoError::UnknownKind)),
            (b"<svg xmlns='http://www.w3.org/2000/svg'/>", Err(PhotoError::UnknownKind)),
            (b"GIF89a", Err(PhotoError::UnknownKind)),
            (b"\xff\xff\xff\xff", Err(PhotoError::UnknownKind)),
            (b"\0\0\0", Err(PhotoError::UnknownKind)),
            (b"", Err(PhotoError::UnknownKind)),
        ] {
            assert_eq!(Photo::new(bytes).map(|photo| photo.mime()), expect, "{bytes:?}");
        }
    }

    #[test]
    fn a_picture_is_bounded_and_named_by_its_digest() {
        let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
        bytes.resize(PHOTO_BYTES_MAX, 7);
        let photo = Photo::new(&bytes).unwrap();
        assert_eq!(photo.digest(), &blake3::hash(&bytes).to_hex().as_str()[..16]);
        assert_eq!(format!("{photo:?}"), format!("Photo(image/png, 65536 bytes, {})", photo.digest()));
        bytes.push(7);
        assert_eq!(Photo::new(&bytes), Err(PhotoError::TooLarge));
    }
}
