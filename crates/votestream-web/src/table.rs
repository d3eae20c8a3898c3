//! The built dashboard, file by file. Written by `web/build.sh`; do not edit. What a file is for stands in `web/`.

use crate::{Asset, Entry};

/// Sorted by path.
pub(crate) const TABLE: &[Entry] = &[
    Entry {
        path: "assets/Behind-0ernme_u.js",
        asset: Asset {
            bytes: include_bytes!("../dist/assets/Behind-0ernme_u.js"),
            mime: "text/javascript; charset=utf-8",
            etag: "d7923745cd633a0732c1",
            gzip: Some(include_bytes!("../dist/assets/Behind-0ernme_u.js.gz")),
            br: Some(include_bytes!("../dist/assets/Behind-0ernme_u.js.br")),
            immutable: true,
        },
    },
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
        path: "assets/Embed-D6y1V3Uy.js",
        asset: Asset {
            bytes: include_bytes!("../dist/assets/Embed-D6y1V3Uy.js"),
            mime: "text/javascript; charset=utf-8",
            etag: "6941c5a5078de0c70ff4",
            gzip: Some(include_bytes!("../dist/assets/Embed-D6y1V3Uy.js.gz")),
            br: Some(include_bytes!("../dist/assets/Embed-D6y1V3Uy.js.br")),
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
        path: "assets/EmbedCode-DSPoAI4V.js",
        asset: Asset {
            bytes: include_bytes!("../dist/assets/EmbedCode-DSPoAI4V.js"),
            mime: "text/javascript; charset=utf-8",
            etag: "b6a639846040c07cf4f6",
            gzip: Some(include_bytes!("../dist/assets/EmbedCode-DSPoAI4V.js.gz")),
            br: Some(include_bytes!("../dist/assets/EmbedCode-DSPoAI4V.js.br")),
            immutable: true,
        },
    },
    Entry {
        path: "assets/es-NDM_qOQV.js",
        asset: Asset {
            bytes: include_bytes!("../dist/assets/es-NDM_qOQV.js"),
            mime: "text/javascript; charset=utf-8",
            etag: "d5933a6c8a10f4bb1a64",
            gzip: Some(include_bytes!("../dist/assets/es-NDM_qOQV.js.gz")),
            br: Some(include_bytes!("../dist/assets/es-NDM_qOQV.js.br")),
            immutable: true,
        },
    },
    Entry {
        path: "assets/index-Bu7t3iHl.js",
        asset: Asset {
            bytes: include_bytes!("../dist/assets/index-Bu7t3iHl.js"),
            mime: "text/javascript; charset=utf-8",
            etag: "f69b7cb842e95b62fbba",
            gzip: Some(include_bytes!("../dist/assets/index-Bu7t3iHl.js.gz")),
            br: Some(include_bytes!("../dist/assets/index-Bu7t3iHl.js.br")),
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
            etag: "7fa845189ec4d6d3e7b8",
            gzip: Some(include_bytes!("../dist/index.html.gz")),
            br: Some(include_bytes!("../dist/index.html.br")),
            immutable: false,
        },
    },
];
