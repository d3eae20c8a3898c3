//! The built dashboard, file by file. Written by `web/build.sh`; do not edit. What a file is for stands in `web/`.

use crate::{Asset, Entry};

/// Sorted by path.
pub(crate) const TABLE: &[Entry] = &[
    Entry {
        path: "assets/Behind-B1YqqnEh.css",
        asset: Asset {
            bytes: include_bytes!("../dist/assets/Behind-B1YqqnEh.css"),
            mime: "text/css; charset=utf-8",
            etag: "f3254d6cc138c19d77cf",
            gzip: Some(include_bytes!("../dist/assets/Behind-B1YqqnEh.css.gz")),
            br: Some(include_bytes!("../dist/assets/Behind-B1YqqnEh.css.br")),
            immutable: true,
        },
    },
    Entry {
        path: "assets/Behind-Bu5W0ZXC.js",
        asset: Asset {
            bytes: include_bytes!("../dist/assets/Behind-Bu5W0ZXC.js"),
            mime: "text/javascript; charset=utf-8",
            etag: "3c893ae9bba2eb5c6f11",
            gzip: Some(include_bytes!("../dist/assets/Behind-Bu5W0ZXC.js.gz")),
            br: Some(include_bytes!("../dist/assets/Behind-Bu5W0ZXC.js.br")),
            immutable: true,
        },
    },
    Entry {
        path: "assets/Embed-Bx6R5UO_.js",
        asset: Asset {
            bytes: include_bytes!("../dist/assets/Embed-Bx6R5UO_.js"),
            mime: "text/javascript; charset=utf-8",
            etag: "90b5e806c591a3e9c1da",
            gzip: Some(include_bytes!("../dist/assets/Embed-Bx6R5UO_.js.gz")),
            br: Some(include_bytes!("../dist/assets/Embed-Bx6R5UO_.js.br")),
            immutable: true,
        },
    },
    Entry {
        path: "assets/Embed-CeaaIcYS.css",
        asset: Asset {
            bytes: include_bytes!("../dist/assets/Embed-CeaaIcYS.css"),
            mime: "text/css; charset=utf-8",
            etag: "9b9fbfc9d3bd72dbbdec",
            gzip: Some(include_bytes!("../dist/assets/Embed-CeaaIcYS.css.gz")),
            br: Some(include_bytes!("../dist/assets/Embed-CeaaIcYS.css.br")),
            immutable: true,
        },
    },
    Entry {
        path: "assets/EmbedCode-CuLw5fq1.css",
        asset: Asset {
            bytes: include_bytes!("../dist/assets/EmbedCode-CuLw5fq1.css"),
            mime: "text/css; charset=utf-8",
            etag: "d895e63d582ffe43c32c",
            gzip: Some(include_bytes!("../dist/assets/EmbedCode-CuLw5fq1.css.gz")),
            br: Some(include_bytes!("../dist/assets/EmbedCode-CuLw5fq1.css.br")),
            immutable: true,
        },
    },
    Entry {
        path: "assets/EmbedCode-Dl6LZ0iZ.js",
        asset: Asset {
            bytes: include_bytes!("../dist/assets/EmbedCode-Dl6LZ0iZ.js"),
            mime: "text/javascript; charset=utf-8",
            etag: "f86e0c7da8a5e01bfcfd",
            gzip: Some(include_bytes!("../dist/assets/EmbedCode-Dl6LZ0iZ.js.gz")),
            br: Some(include_bytes!("../dist/assets/EmbedCode-Dl6LZ0iZ.js.br")),
            immutable: true,
        },
    },
    Entry {
        path: "assets/es-_MLtcMRB.js",
        asset: Asset {
            bytes: include_bytes!("../dist/assets/es-_MLtcMRB.js"),
            mime: "text/javascript; charset=utf-8",
            etag: "b6d44d8af20834a47ef5",
            gzip: Some(include_bytes!("../dist/assets/es-_MLtcMRB.js.gz")),
            br: Some(include_bytes!("../dist/assets/es-_MLtcMRB.js.br")),
            immutable: true,
        },
    },
    Entry {
        path: "assets/index-CfS6wtEK.js",
        asset: Asset {
            bytes: include_bytes!("../dist/assets/index-CfS6wtEK.js"),
            mime: "text/javascript; charset=utf-8",
            etag: "6504c68927ba4d63f0a7",
            gzip: Some(include_bytes!("../dist/assets/index-CfS6wtEK.js.gz")),
            br: Some(include_bytes!("../dist/assets/index-CfS6wtEK.js.br")),
            immutable: true,
        },
    },
    Entry {
        path: "assets/index-fN8tBNnl.css",
        asset: Asset {
            bytes: include_bytes!("../dist/assets/index-fN8tBNnl.css"),
            mime: "text/css; charset=utf-8",
            etag: "102b54d28749abd4d977",
            gzip: Some(include_bytes!("../dist/assets/index-fN8tBNnl.css.gz")),
            br: Some(include_bytes!("../dist/assets/index-fN8tBNnl.css.br")),
            immutable: true,
        },
    },
    Entry {
        path: "embed.js",
        asset: Asset {
            bytes: include_bytes!("../dist/embed.js"),
            mime: "text/javascript; charset=utf-8",
            etag: "1e2931033a4cb1411fa5",
            gzip: Some(include_bytes!("../dist/embed.js.gz")),
            br: Some(include_bytes!("../dist/embed.js.br")),
            immutable: false,
        },
    },
    Entry {
        path: "index.html",
        asset: Asset {
            bytes: include_bytes!("../dist/index.html"),
            mime: "text/html; charset=utf-8",
            etag: "e1661a7226acd616d46f",
            gzip: Some(include_bytes!("../dist/index.html.gz")),
            br: Some(include_bytes!("../dist/index.html.br")),
            immutable: false,
        },
    },
];
