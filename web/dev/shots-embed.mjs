// Pictures of embeds, overlays, Spanish and print, to be looked at: `node dev/shots-embed.mjs [name…]` writes dev/pictures/. Not shipped.
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { launch } from './browser.mjs';
import { video } from './picture.mjs';
import { start } from './server.mjs';

const OUT = fileURLToPath(new URL('./pictures', import.meta.url));
mkdirSync(OUT, { recursive: true });

/** name: scenario, width, theme, query, more. */
const SHOTS = {};
for (const part of ['map', 'bar', 'table', 'card']) {
	SHOTS[`embed-${part}-280-light`] = ['mid', 280, 'light', `?embed=${part}`];
	SHOTS[`embed-${part}-390-dark`] = ['mid', 390, 'dark', `?embed=${part}`];
	SHOTS[`embed-${part}-640-light`] = ['mid', 640, 'light', `?embed=${part}`];
	SHOTS[`embed-${part}-1280-dark`] = ['mid', 1280, 'dark', `?embed=${part}`];
	SHOTS[`embed-${part}-640-es`] = ['mid', 640, 'light', `?embed=${part}&lang=es-ES`];
	SHOTS[`over-${part}-1080`] = [
		'mid',
		1920,
		'light',
		`?embed=${part}&transparent=1&size=1920x1080`,
		{ overlay: [1920, 1080] },
	];
	SHOTS[`over-${part}-light`] = [
		'mid',
		1920,
		'light',
		`?embed=${part}&transparent=1&size=1920x1080&theme=light&lang=es`,
		{ overlay: [1920, 1080] },
	];
	SHOTS[`over-${part}-upright`] = [
		'photos',
		1080,
		'light',
		`?embed=${part}&transparent=1&size=1080x1920`,
		{ overlay: [1080, 1920] },
	];
}
Object.assign(SHOTS, {
	'over-bar-poll': ['poll2', 1920, 'light', '?embed=bar&transparent=1&size=1920x1080', { overlay: [1920, 1080] }],
	'over-bar-strip': ['mid', 1920, 'light', '?embed=bar&transparent=1&size=1920x300', { overlay: [1920, 300] }],
	'over-bar-none': [
		'final',
		1280,
		'light',
		'?embed=bar&transparent=1&size=1280x720&plate=none',
		{ overlay: [1280, 720] },
	],
	'over-card-poll30': ['poll30', 1920, 'light', '?embed=card&transparent=1&size=1920x1080', { overlay: [1920, 1080] }],
	'over-card-photos': ['photos', 1920, 'light', '?embed=card&transparent=1&size=1920x1080', { overlay: [1920, 1080] }],
	'over-map-council': ['council', 1920, 'light', '?embed=map&transparent=1&size=1920x1080', { overlay: [1920, 1080] }],
	'over-map-tiles': [
		'final',
		1920,
		'light',
		'?embed=map&map=tiles&transparent=1&size=1920x1080',
		{ overlay: [1920, 1080] },
	],
	'over-bar-waiting': ['waiting', 1920, 'light', '?embed=bar&transparent=1&size=1920x1080', { overlay: [1920, 1080] }],
	'over-card-error': ['error', 1920, 'light', '?embed=card&transparent=1&size=1920x1080', { overlay: [1920, 1080] }],
	'over-table-stale': [
		'mid',
		1920,
		'light',
		'?embed=table&transparent=1&size=1920x1080',
		{ overlay: [1920, 1080], mute: true },
	],
	'embed-map-panel': ['mid', 900, 'light', '?embed=map&state=GA'],
	'embed-map-panel-390': ['mid', 390, 'light', '?embed=map&state=GA'],
	'embed-map-poll': ['poll', 390, 'light', '?embed=map'],
	'embed-card-photos': ['photos', 640, 'light', '?embed=card'],
	'embed-card-waiting': ['waiting', 390, 'light', '?embed=card'],
	'embed-bar-waiting': ['waiting', 640, 'dark', '?embed=bar'],
	'embed-bar-poll30': ['poll30', 390, 'light', '?embed=bar'],
	'embed-bar-error': ['error', 390, 'light', '?embed=bar'],
	'embed-bar-stale': ['mid', 390, 'light', '?embed=bar', { mute: true }],
	'es-desk-light': ['mid', 1280, 'light', '?lang=es'],
	'es-phone-dark': ['mid', 390, 'dark', '?lang=es-ES&state=PA'],
	'es-council-phone': ['council', 390, 'light', '?lang=es-ES'],
	'photos-desk': ['photos', 1280, 'light', ''],
	'code-desk': ['mid', 1280, 'light', '', { unfold: true }],
	'code-phone': ['mid', 390, 'dark', '?lang=es', { unfold: true }],
	'print-dark': ['mid', 726, 'dark', '?theme=dark', { print: true }],
	'print-poll': ['poll', 726, 'light', '?lang=es', { print: true }],
});

const wanted = process.argv.slice(2);
const browser = await launch();
for (const [name, [scenario, width, theme, query, more = {}]] of Object.entries(SHOTS)) {
	if (wanted.length > 0 && !wanted.some((w) => name.includes(w))) continue;
	const server = await start({ scenario, port: 0 });
	const [w, h] = more.overlay ?? [width, width < 700 ? 844 : 900];
	const page = await browser.newPage({
		viewport: { width: w, height: h },
		colorScheme: theme,
		deviceScaleFactor: width < 500 ? 2 : 1,
	});
	const faults = [];
	page.on('console', (message) => ['error', 'warning'].includes(message.type()) && faults.push(message.text()));
	page.on('pageerror', (error) => faults.push(String(error)));
	await page.goto(server.url + query);
	await page.waitForSelector('[data-testid=leader], [data-testid=failure], [data-testid=embed], [data-testid=overlay]');
	await page.waitForTimeout(900);
	if (more.mute) {
		server.mute(true);
		await page.waitForTimeout(6500);
	}
	if (more.unfold) {
		await page.click('[data-testid=embed-code] summary');
		await page.waitForSelector('[data-testid=embed-form]');
		await page.click('[data-testid=copy-code]');
		await page.waitForTimeout(200);
	}
	if (more.print) {
		await page.emulateMedia({ media: 'print' });
		await page.waitForTimeout(200);
	}
	const sideways = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
	if (more.overlay) {
		const cut = await page.screenshot({ omitBackground: true });
		const under = await browser.newPage({ viewport: { width: w, height: h } });
		const layer = (bytes) =>
			`<img src="data:image/png;base64,${bytes.toString('base64')}" style="position:absolute;left:0;top:0">`;
		await under.setContent(`<body style="margin:0;overflow:hidden">${layer(video(w, h))}${layer(cut)}`);
		await under.waitForTimeout(300);
		await under.screenshot({ path: `${OUT}/${name}.png` });
		await under.close();
	} else if (more.unfold) {
		const box = await page.$('[data-testid=method]');
		await box.screenshot({ path: `${OUT}/${name}.png` });
	} else {
		await page.screenshot({ path: `${OUT}/${name}.png`, fullPage: true });
	}
	if (more.print) {
		const paper = await page.pdf({ preferCSSPageSize: true, printBackground: false });
		console.log(`  pages on paper: ${paper.toString('latin1').match(/\/Type\s*\/Page\b/g)?.length}`);
	}
	console.log(
		`${name}${sideways > 0 ? `  SIDEWAYS ${sideways}px` : ''}${faults.length ? `  ${faults.slice(0, 3).join(' | ')}` : ''}`,
	);
	await page.close();
	server.stop();
}
await browser.close();
