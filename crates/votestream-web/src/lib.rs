//! The built dashboard as bytes: every file of `dist/`, found by path, with what an HTTP answer needs to say about it. How it is
//! served (routes, headers, which encoding a client takes) is the server's business; how it is made is in `web/`.

mod table;

mod standalone;

pub use standalone::Standalone;

/// One file of the dashboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asset {
    /// The file as it is.
    pub bytes: &'static [u8],
    /// Its media type, as `Content-Type` says it.
    pub mime: &'static str,
    /// A hash of `bytes` for the entity tag, without quotes.
    pub etag: &'static str,
    /// The same file compressed with gzip, where that makes it smaller.
    pub gzip: Option<&'static [u8]>,
    /// The same with Brotli.
    pub br: Option<&'static [u8]>,
    /// The path holds a hash of the content, so that an answer may be kept for ever.
    pub immutable: bool,
}

/// A file and the path it is served under, without a leading slash.
struct Entry {
    path: &'static str,
    asset: Asset,
}

/// The file at a path of the URL, with or without the leading slash; `""` and `"/"` are the page itself. `None`: there is none.
pub fn asset(path: &str) -> Option<Asset> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = if path.is_empty() { "index.html" } else { path };
    table::TABLE.iter().find(|entry| entry.path == path).map(|entry| entry.asset)
}

/// Paths of all files, without a leading slash, sorted.
pub fn paths() -> impl Iterator<Item = &'static str> {
    table::TABLE.iter().map(|entry| entry.path)
}

#[cfg(test)]
mod tests {
    use super::{asset, paths};

    #[test]
    fn the_page_and_all_it_names_are_there() {
        let page = asset("/").expect("the page is built");
        assert_eq!(Some(page), asset("index.html"));
        assert_eq!(page.mime, "text/html; charset=utf-8");
        assert!(!page.immutable);
        let html = std::str::from_utf8(page.bytes).expect("the page is UTF-8");
        for part in html.split('"').filter_map(|text| text.strip_prefix("./")) {
            assert!(asset(part).is_some(), "the page names {part:?}, which is not there");
        }
    }

    #[test]
    fn the_page_suits_a_strict_policy() {
        let page = asset("/").expect("the page is built");
        let html = std::str::from_utf8(page.bytes).expect("the page is UTF-8");
        assert!(!html.contains("<style") && !html.contains("style="), "inline style");
        assert!(!html.contains("<script>") && !html.contains(" onload="), "inline script");
        // A namespace is a name; nothing is fetched by it.
        let fetched = html.replace("xmlns='http://www.w3.org/2000/svg'", "");
        assert!(!fetched.contains("http://") && !fetched.contains("https://"), "another origin");
    }

    #[test]
    fn tags_tell_files_apart() {
        let mut tags: Vec<_> = paths().filter_map(asset).map(|a| a.etag).collect();
        assert!(tags.iter().all(|t| t.len() == 20 && t.bytes().all(|b| b.is_ascii_hexdigit())));
        let all = tags.len();
        tags.sort_unstable();
        tags.dedup();
        assert_eq!(tags.len(), all);
    }

    #[test]
    fn compressed_copies_are_gzip_and_smaller() {
        for a in paths().filter_map(asset) {
            if let Some(packed) = a.gzip {
                assert_eq!(packed[..3], [0x1f, 0x8b, 8]);
                let size = u32::from_le_bytes(packed[packed.len() - 4..].try_into().expect("four bytes"));
                assert_eq!(size as usize, a.bytes.len());
                assert!(packed.len() < a.bytes.len());
                assert!(a.br.is_some_and(|br| br.len() < packed.len()));
            }
        }
    }

    #[test]
    fn nothing_else_is_there() {
        assert_eq!(asset("../Cargo.toml"), None);
        assert_eq!(asset("//index.html"), None);
        assert_eq!(asset("assets"), None);
    }
}
