//! Candidates' pictures in a definition: files beside it as written, base64 as kept.

use super::error::{Fault, Path};
use super::raw::RawCandidate;
use crate::base64;
use crate::photo::{PHOTO_BYTES_MAX, Photo, PhotoError};

/// Reads a picture's file, named relative to the definition's. It need not read on after [`PHOTO_BYTES_MAX`] and one byte more.
pub type ReadPicture<'a> = dyn Fn(&str) -> Result<Vec<u8>, String> + 'a;

const KINDS: &str = "name a PNG, JPEG, WebP or AVIF file beside the definition, such as \"ada.png\"";

/// Puts each picture in place of the name of its file.
pub(super) fn read(candidates: &mut [RawCandidate], picture: &ReadPicture<'_>) -> Result<(), Fault> {
    for (i, candidate) in candidates.iter_mut().enumerate() {
        let at = || Path::item("candidates", i, "photo");
        let Some(file) = &candidate.photo else { continue };
        if !is_beside(file) {
            let problem = format!(
                "{file:?} is no file beside the definition: pictures are never fetched from elsewhere"
            );
            return Err(Fault::new(at(), problem, KINDS));
        }
        let bytes =
            picture(file).map_err(|why| Fault::new(at(), format!("cannot read {file:?}: {why}"), KINDS))?;
        let photo = Photo::new(&bytes).map_err(|why| fault(at(), why))?;
        candidate.photo = Some(photo.to_text());
    }
    Ok(())
}

/// A picture as the store keeps it.
pub(super) fn kept(path: Path, text: &str) -> Result<Photo, Fault> {
    let Some(bytes) = base64::decode(text) else {
        return Err(Fault::new(path, "the picture kept here is damaged", "count into a new store"));
    };
    Photo::new(&bytes).map_err(|why| fault(path, why))
}

fn fault(path: Path, why: PhotoError) -> Fault {
    let help = match why {
        PhotoError::TooLarge => {
            format!("make it smaller: at most {PHOTO_BYTES_MAX} bytes, which 256 by 256 pixels hardly take")
        }
        PhotoError::UnknownKind => KINDS.to_owned(),
    };
    Fault::new(path, why.to_string(), help)
}

/// A plain relative path that stays below the definition's directory.
fn is_beside(file: &str) -> bool {
    let part = |part: &str| !part.is_empty() && part != "." && part != "..";
    !file.contains(['\\', ':', '\0']) && file.split('/').all(part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Election;

    const POLL: &str = "id = \"p\"\nname = \"P\"\n[[candidates]]\nid = \"ada\"\nname = \"Ada\"\nphoto = \"FILE\"\n\
                        [[candidates]]\nid = \"bo\"\nname = \"Bo\"\n";
    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n and so on";

    fn poll(file: &str, bytes: Result<&[u8], &str>) -> Result<Election, String> {
        let read = |asked: &str| {
            assert_eq!(asked, file);
            bytes.map(<[u8]>::to_vec).map_err(str::to_owned)
        };
        Election::from_toml_with(&POLL.replace("FILE", file), "p.toml", &read)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_picture_is_kept_with_the_definition() {
        let election = poll("faces/ada.png", Ok(PNG)).unwrap();
        let photo = election.candidates[0].photo.as_ref().unwrap();
        assert_eq!((photo.bytes(), photo.mime()), (PNG, "image/png"));
        assert_eq!(election.candidates[1].photo, None);
        let json = election.to_json();
        assert!(json.contains("\"photo\":\"iVBORw0KGgogYW5kIHNvIG9u\""), "{json}");
        assert_eq!(Election::from_json(&json).unwrap(), election);
        assert_ne!(election.hash(), poll("ada.png", Ok(b"\xff\xd8\xff another")).unwrap().hash());
        let damaged = Election::from_json(&json.replace("iVBO", "iVB!")).unwrap_err().to_string();
        assert!(damaged.contains("candidates[0].photo") && damaged.contains("damaged"), "{damaged}");
    }

    #[test]
    fn without_pictures_nothing_changes() {
        let text = POLL.replace("photo = \"FILE\"\n", "");
        let json = Election::from_toml(&text, "p.toml").unwrap().to_json();
        assert!(!json.contains("photo"), "{json}");
    }

    #[test]
    fn what_cannot_be_taken_is_named() {
        let large = vec![0x89; PHOTO_BYTES_MAX + 1];
        for (file, bytes, says) in [
            ("https://example.org/ada.png", Ok(PNG), "never fetched"),
            ("//example.org/ada.png", Ok(PNG), "never fetched"),
            ("/etc/passwd", Ok(PNG), "never fetched"),
            ("../ada.png", Ok(PNG), "never fetched"),
            ("a/../../ada.png", Ok(PNG), "never fetched"),
            ("C:/ada.png", Ok(PNG), "never fetched"),
            ("data:image/png;base64,iVBO", Ok(PNG), "never fetched"),
            ("ada.svg", Ok(b"<svg/>"), "no PNG, JPEG, WebP or AVIF"),
            ("ada.png", Err("no such file"), "cannot read \"ada.png\": no such file"),
            ("ada.png", Ok(&large), "more than 65536 bytes"),
        ] {
            let error = poll(file, bytes).unwrap_err();
            assert!(error.contains(says) && error.contains("p.toml, line 6, candidates[0].photo"), "{error}");
        }
    }
}
