// Pictures of the page in every state, to be looked at: `node dev/shots.mjs [name…]` writes dev/pictures/. Not shipped.
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { launch } from './browser.mjs';
import { start } from './server.mjs';

const OUT = fileURLToPath(new URL('./pictures', import.meta.url));
mkdirSync(OUT, { recursive: true });

/** name: scenario, width, theme, query, and what to do before the picture. */
const SHOTS = {
	'mid-desk-light': ['mid', 1280, 'light'],
	'mid-desk-dark': ['mid', 1280, 'dark'],
	'mid-phone-light': ['mid', 390, 'light'],
	'mid-phone-dark': ['mid', 390, 'dark', '?map=map'],
	'past-desk-light': [
		'late',
		1280,
		'light',
		`?at=${new Date(Math.floor(Date.now() / 60000 - 20) * 60000).toISOString()}&state=GA`,
	],
	'early-desk-light': ['early', 1280, 'light', '?map=tiles'],
	'final-desk-dark': ['final', 1280, 'dark', '?state=PA'],
	'final-phone-light': ['final', 390, 'light', '?state=PA'],
	'waiting-desk-light': ['waiting', 1280, 'light'],
	'tie-desk-light': ['tie', 1280, 'light'],
	'poll-desk-light': ['poll', 1280, 'light'],
	'poll-phone-dark': ['poll', 390, 'dark'],
	'poll2-desk-dark': ['poll2', 1280, 'dark'],
	'poll30-desk-light': ['poll30', 1280, 'light'],
	'council-desk-light': ['council', 1280, 'light'],
	'council-phone-dark': ['council', 390, 'dark'],
	'mid-tablet-light': ['mid', 768, 'light'],
	'mid-small-light': ['mid', 320, 'light'],
	'error-desk-light': ['error', 1280, 'light'],
};

const wanted = process.argv.slice(2);
const browser = await launch();
for (const [name, [scenario, width, theme, query = '']] of Object.entries(SHOTS)) {
	if (wanted.length > 0 && !wanted.some((w) => name.includes(w))) continue;
	const server = await start({ scenario, port: 0 });
	const page = await browser.newPage({
		viewport: { width, height: width < 700 ? 844 : 900 },
		colorScheme: theme,
		deviceScaleFactor: width < 700 ? 2 : 1,
	});
	const faults = [];
	page.on('console', (message) => ['error', 'warning'].includes(message.type()) && faults.push(message.text()));
	page.on('pageerror', (error) => faults.push(String(error)));
	await page.goto(server.url + query);
	await page.waitForSelector('[data-testid=leader], [data-testid=failure]');
	await page.waitForTimeout(name.includes('mid-desk') ? 6500 : 900);
	const sideways = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
	await page.screenshot({ path: `${OUT}/${name}.png`, fullPage: true });
	console.log(
		`${name}${sideways > 0 ? `  SIDEWAYS ${sideways}px` : ''}${faults.length ? `  ${faults.join(' | ')}` : ''}`,
	);
	await page.close();
	server.stop();
}
await browser.close();
