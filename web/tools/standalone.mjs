// Builds the dashboard once more as one HTML file that needs nothing beside it: script and styles inline, allowed by their hashes
// and nothing else by a policy in the page itself. `votestream results --format html` writes title, summary and answers where the marks
// are. The same sources give the same bytes.
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const web = fileURLToPath(new URL('..', import.meta.url));
const from = join(web, 'dist-standalone');
const to = join(web, '../crates/votestream-web/standalone');

/** Where the command writes; each stands in the page once. */
const MARKS = {
	title: '<!--votestream:title-->',
	summary: '<!--votestream:summary-->',
	answers: '<!--votestream:answers-->',
};

await build({
	root: web,
	configFile: join(web, 'vite.config.ts'),
	logLevel: 'warn',
	build: {
		outDir: from,
		emptyOutDir: true,
		cssCodeSplit: false,
		// What the page fetches when it is wanted must stand in the file too.
		rolldownOptions: { output: { codeSplitting: false } },
	},
});

const assets = readdirSync(join(from, 'assets'));
const only = (ending) => {
	const found = assets.filter((name) => extname(name) === ending);
	if (found.length !== 1) throw new Error(`one ${ending} file was expected, not ${found.length}: ${found.join(', ')}`);
	let text = readFileSync(join(from, 'assets', found[0]), 'utf8');
	// In a script such text stands in strings only, where a character may be written by its number.
	if (ending === '.js') text = text.replaceAll(/<(?=\/?(script|style)|!--)/gi, '\\x3c');
	if (/<\/?(script|style)|\r/i.test(text)) throw new Error(`${found[0]} holds text that would end its element`);
	return { text, hash: createHash('sha256').update(text).digest('base64') };
};
const script = only('.js');
const styles = only('.css');
if (/\bimport\s*\(/.test(script.text)) throw new Error('the script still fetches a part of itself');
const policy = [
	"default-src 'none'",
	`script-src 'sha256-${script.hash}'`,
	`style-src 'sha256-${styles.hash}'`,
	'img-src data:',
	"connect-src 'none'",
	"base-uri 'none'",
	"form-action 'none'",
].join('; ');

/** Puts `text` in the place of the one match. */
function put(html, what, text) {
	const parts = html.split(what);
	if (parts.length !== 2) throw new Error(`the page holds ${what} ${parts.length - 1} times, not once`);
	return parts.join(text);
}

let html = readFileSync(join(from, 'index.html'), 'utf8');
html = html.replaceAll(/\s*<link rel="modulepreload"[^>]*>/g, '');
html = put(html, /<title>[^<]*<\/title>/, `<title>${MARKS.title}</title>`);
html = put(
	html,
	/<noscript>.*?<\/noscript>/s,
	`<noscript><pre>${MARKS.summary}</pre></noscript>
		<script type="application/json" id="votestream-static">${MARKS.answers}</script>`,
);
html = put(html, /<link rel="stylesheet"[^>]*>/, `<style>${styles.text}</style>`);
html = put(html, /<script type="module"[^>]*><\/script>/, `<script type="module">${script.text}</script>`);
// Before anything that it speaks of.
html = put(
	html,
	'<meta charset="utf-8" />',
	`<meta charset="utf-8" />
		<meta http-equiv="Content-Security-Policy" content="${policy}" />`,
);
for (const mark of Object.values(MARKS))
	if (html.split(mark).length !== 2) throw new Error(`${mark} stands not just once`);
if (/(src|href)="\.?\//.test(html)) throw new Error('the page still names a file');

rmSync(to, { recursive: true, force: true });
mkdirSync(to, { recursive: true });
writeFileSync(join(to, 'page.html'), html);
rmSync(from, { recursive: true, force: true });
console.log(`${String(Buffer.byteLength(html)).padStart(8)}  the page that stands alone, without its data`);
