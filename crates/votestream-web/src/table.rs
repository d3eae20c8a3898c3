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
        path: "assets/Behind-DUw4rbal.js",
        asset: Asset {
            bytes: include_bytes!("../dist/assets/Behind-DUw4rbal.js"),
            mime: "text/javascript; charset=utf-8",
            etag: "666884c21e6c4d3d3f78",
            gzip: Some(include_bytes!("../dist/assets/Behind-DUw4rbal.js.gz")),
            br: Some(include_bytes!("../dist/assets/Behind-DUw4rbal.js.br")),
            immutable: true,
        },
    },
    Entry {
        path: "assets/Embed-B6Dg3AaY.js",
        asset: Asset {
            bytes: include_bytes!("../dist/assets/Embed-B6Dg3AaY.js"),
            mime: "text/javascript; charset=utf-8",
            etag: "39e7229ddf1391ded2fc",
            gzip: Some(include_bytes!("../dist/assets/Embed-B6Dg3AaY.js.gz")),
            br: Some(include_bytes!("../dist/assets/Embed-B6Dg3AaY.js.br")),
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
        path: "assets/EmbedCode-kQJLeeZm.js",
        asset: Asset {
            bytes: include_bytes!("../dist/assets/EmbedCode-kQJLeeZm.js"),
            mime: "text/javascript; charset=utf-8",
            etag: "9940c77cdd03105f8451",
            gzip: Some(include_bytes!("../dist/assets/EmbedCode-kQJLeeZm.js.gz")),
            br: Some(include_bytes!("../dist/assets/EmbedCode-kQJLeeZm.js.br")),
            immutable: true,
        },
    },
    Entry {
        path: "assets/es-DXAsUvsR.js",
        asset: Asset {
            bytes: include_bytes!("../dist/assets/es-DXAsUvsR.js"),
            mime: "text/javascript; charset=utf-8",
            etag: "e86b1463e3322f0bdfc3",
            gzip: Some(include_bytes!("../dist/assets/es-DXAsUvsR.js.gz")),
            br: Some(include_bytes!("../dist/assets/es-DXAsUvsR.js.br")),
            immutable: true,
        },
    },
    Entry {
        path: "assets/index-DYRLG641.js",
        asset: Asset {
            bytes: include_bytes!("../dist/assets/index-DYRLG641.js"),
            mime: "text/javascript; charset=utf-8",
            etag: "77d4474e643f2caec423",
            gzip: Some(include_bytes!("../dist/assets/index-DYRLG641.js.gz")),
            br: Some(include_bytes!("../dist/assets/index-DYRLG641.js.br")),
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
            etag: "84a919a801e2a54bb341",
            gzip: Some(include_bytes!("../dist/index.html.gz")),
            br: Some(include_bytes!("../dist/index.html.br")),
            immutable: false,
        },
    },
];
