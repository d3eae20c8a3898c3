//! The built dashboard, file by file. Written by `web/build.sh`; do not edit. What a file is for stands in `web/`.

use crate::{Asset, Entry};

/// Sorted by path.
pub(crate) const TABLE: &[Entry] = &[
    Entry {
        path: "assets/index-ZDdg1pBc.js",
        asset: Asset {
            bytes: include_bytes!("../dist/assets/index-ZDdg1pBc.js"),
            mime: "text/javascript; charset=utf-8",
            etag: "394e126cb0fbf0af0e9a",
            gzip: Some(include_bytes!("../dist/assets/index-ZDdg1pBc.js.gz")),
            br: Some(include_bytes!("../dist/assets/index-ZDdg1pBc.js.br")),
            immutable: true,
        },
    },
    Entry {
        path: "assets/style-BXCo_PVM.css",
        asset: Asset {
            bytes: include_bytes!("../dist/assets/style-BXCo_PVM.css"),
            mime: "text/css; charset=utf-8",
            etag: "eb740eb7bbf8c5b50264",
            gzip: Some(include_bytes!("../dist/assets/style-BXCo_PVM.css.gz")),
            br: Some(include_bytes!("../dist/assets/style-BXCo_PVM.css.br")),
            immutable: true,
        },
    },
    Entry {
        path: "favicon.svg",
        asset: Asset {
            bytes: include_bytes!("../dist/favicon.svg"),
            mime: "image/svg+xml",
            etag: "dadfbfae2eb4c5487def",
            gzip: Some(include_bytes!("../dist/favicon.svg.gz")),
            br: Some(include_bytes!("../dist/favicon.svg.br")),
            immutable: false,
        },
    },
    Entry {
        path: "index.html",
        asset: Asset {
            bytes: include_bytes!("../dist/index.html"),
            mime: "text/html; charset=utf-8",
            etag: "f2929d9747fc354623fd",
            gzip: Some(include_bytes!("../dist/index.html.gz")),
            br: Some(include_bytes!("../dist/index.html.br")),
            immutable: false,
        },
    },
];
