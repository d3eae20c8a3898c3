// Packs what `vite build` made into the crate: the files, a gzip and a Brotli copy of each that shrinks, and the table that the crate
// compiles in. The same input gives the same bytes, so CI can compare the result with what is committed.
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, extname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const from = fileURLToPath(new URL('../dist', import.meta.url));
const crate = fileURLToPath(new URL('../../crates/votestream-web', import.meta.url));
const to = join(crate, 'dist');

/** JS and CSS of the page must stay below this once compressed. */
const PAGE_GZIP_MAX = 80_000;
/** What stands behind the numbers, fetched once the first results are drawn. */
const FOOT_GZIP_MAX = 8_000;
/** A language other than English: fetched by its readers, and by nobody else. */
const LANGUAGE_GZIP_MAX = 8 * 1024;
/** Embeds and their code together: fetched where they are shown. */
const APART_GZIP_MAX = 16 * 1024;
const LANGUAGE = /^assets\/[a-z]{2}-/;
const PAGE = /^assets\/index-/;
const FOOT = /^assets\/Behind-/;

const MIME = {
	'.html': 'text/html; charset=utf-8',
	'.js': 'text/javascript; charset=utf-8',
	'.css': 'text/css; charset=utf-8',
	'.svg': 'image/svg+xml',
};

const files = readdirSync(from, { recursive: true, withFileTypes: true })
	.filter((entry) => entry.isFile())
	.map((entry) => relative(from, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
	.sort();

function gzip(bytes) {
	const packed = gzipSync(bytes, { level: 9 });
	packed.writeUInt32LE(0, 4); // no time
	packed[9] = 255; // no operating system
	return packed;
}

function brotli(bytes) {
	return brotliCompressSync(bytes, {
		params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length },
	});
}

rmSync(to, { recursive: true, force: true });
const weights = { page: 0, foot: 0, language: 0, apart: 0 };
const arms = [];
for (const file of files) {
	const bytes = readFileSync(join(from, file));
	const mime = MIME[extname(file)];
	if (!mime) throw new Error(`no media type is known for "${file}"`);
	const target = join(to, file);
	mkdirSync(dirname(target), { recursive: true });
	writeFileSync(target, bytes);
	const packed = gzip(bytes);
	const small = packed.length < bytes.length * 0.9;
	if (small) {
		writeFileSync(`${target}.gz`, packed);
		writeFileSync(`${target}.br`, brotli(bytes));
	}
	if (/\.(js|css)$/.test(file)) {
		if (PAGE.test(file)) weights.page += packed.length;
		else if (FOOT.test(file)) weights.foot += packed.length;
		else if (LANGUAGE.test(file)) weights.language = Math.max(weights.language, packed.length);
		else weights.apart += packed.length;
	}
	const etag = createHash('sha256').update(bytes).digest('hex').slice(0, 20);
	arms.push(`    Entry {
        path: "${file}",
        asset: Asset {
            bytes: include_bytes!("../dist/${file}"),
            mime: "${mime}",
            etag: "${etag}",
            gzip: ${small ? `Some(include_bytes!("../dist/${file}.gz"))` : 'None'},
            br: ${small ? `Some(include_bytes!("../dist/${file}.br"))` : 'None'},
            immutable: ${file.startsWith('assets/')},
        },
    },`);
}
for (const [what, weight, most] of [
	['the page', weights.page, PAGE_GZIP_MAX],
	["the page's foot", weights.foot, FOOT_GZIP_MAX],
	['a language', weights.language, LANGUAGE_GZIP_MAX],
	['embeds', weights.apart, APART_GZIP_MAX],
])
	if (weight > most)
		throw new Error(`JS and CSS of ${what} weigh ${weight} bytes compressed; at most ${most} are allowed`);

writeFileSync(
	join(crate, 'src/table.rs'),
	`//! The built dashboard, file by file. Written by \`web/build.sh\`; do not edit. What a file is for stands in \`web/\`.

use crate::{Asset, Entry};

/** Sorted by path. */
pub(crate) const TABLE: &[Entry] = &[
${arms.join('\n')}
];
`.replace('/** Sorted by path. */', '/// Sorted by path.'),
);

for (const file of files) console.log(`${String(statSync(join(to, file)).size).padStart(8)}  ${file}`);
console.log(`${String(weights.page).padStart(8)}  JS and CSS of the page, compressed`);
console.log(`${String(weights.foot).padStart(8)}  its foot, fetched after the first results`);
console.log(`${String(weights.language).padStart(8)}  the heaviest language besides English`);
console.log(`${String(weights.apart).padStart(8)}  embeds and their code`);
