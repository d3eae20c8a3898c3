// A look over embeds, overlays, Spanish and print in a real browser, with made-up data: axe, label contrast, sideways scroll, heights
// told to the page around, who may frame, transparency, bad sizes. `--api http://127.0.0.1:8501` frames a real server instead, which
// was started with `--allow-origin http://127.0.0.1:8531`. Not shipped.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { labels, targets } from './audit.mjs';
import { launch } from './browser.mjs';
import { start } from './server.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const browser = await launch();
let failures = 0;
const say = (ok, what) => {
	if (!ok) failures++;
	console.log(`${ok ? 'ok  ' : 'FAIL'} ${what}`);
};
const PARTS = ['map', 'bar', 'table', 'card'];
const READY = '[data-testid=leader], [data-testid=failure], [data-testid=embed] .card, [data-testid=overlay] header';

async function visit(server, width, theme, query, height = 900) {
	const context = await browser.newContext({ viewport: { width, height }, colorScheme: theme });
	const page = await context.newPage();
	const faults = [];
	page.on('console', (m) => ['error', 'warning'].includes(m.type()) && faults.push(m.text()));
	page.on('pageerror', (e) => faults.push(String(e)));
	await page.goto(server.url + query);
	await page.waitForSelector(READY);
	await page.waitForTimeout(500);
	return { page, faults, close: () => context.close() };
}

async function examine(name, page) {
	await page.evaluate(axe);
	const found = await page.evaluate(() => axe.run());
	say(
		found.violations.length === 0,
		`${name}: axe${found.violations.map((v) => ` ${v.id} (${v.nodes.length}: ${v.nodes[0].html.slice(0, 160)})`).join()}`,
	);
	const bad = await page.evaluate(labels);
	say(bad.length === 0, `${name}: labels ${bad.slice(0, 6).join(', ')}`);
	const small = await page.evaluate(targets);
	say(small.length === 0, `${name}: targets ${small.slice(0, 4).join(', ')}`);
	const sideways = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
	say(sideways <= 0, `${name}: sideways ${sideways}`);
}

/** Texts that are cut off or run out of the picture's safe area. */
const outside = () => {
	const stage = document.querySelector('[data-testid=overlay]').getBoundingClientRect();
	const [x, y] = [stage.width * 0.05 - 1, stage.height * 0.05 - 1];
	return [...document.querySelectorAll('main *')]
		.filter(
			(e) =>
				!e.closest('.visually-hidden') &&
				(e.children.length === 0 || e.tagName === 'svg') &&
				e.getClientRects().length > 0,
		)
		.filter((e) => e.tagName !== 'svg' || !e.parentElement.closest('svg'))
		.map((e) => [e, e.getBoundingClientRect()])
		.filter(([, b]) => b.left < x || b.top < y || b.right > stage.width - x || b.bottom > stage.height - y)
		.map(
			([e, b]) => `${e.tagName} ${e.textContent.trim().slice(0, 20)} ${Math.round(b.right)},${Math.round(b.bottom)}`,
		);
};

for (const [scenario, width, theme, query] of [
	...PARTS.map((part) => ['mid', 280, 'light', `?embed=${part}`]),
	...PARTS.map((part) => ['mid', 390, 'dark', `?embed=${part}&lang=es-ES`]),
	...PARTS.map((part) => ['mid', 640, 'light', `?embed=${part}`]),
	['photos', 640, 'light', '?embed=card'],
	['mid', 900, 'dark', '?embed=map&state=PA'],
	['poll', 320, 'light', '?embed=map'],
	['poll30', 390, 'dark', '?embed=bar'],
	['council', 390, 'light', '?embed=map'],
	['waiting', 390, 'light', '?embed=card'],
	['error', 390, 'light', '?embed=table'],
	['mid', 390, 'light', '?lang=es-ES'],
	['council', 390, 'dark', '?lang=es-ES&state=W4'],
	['mid', 320, 'light', '?lang=es-ES'],
	['photos', 1280, 'dark', '?lang=es'],
]) {
	const server = await start({ scenario, port: 0 });
	const { page, faults, close } = await visit(server, width, theme, query);
	const name = `${scenario} ${width} ${theme} ${query}`;
	await examine(name, page);
	if (scenario !== 'error' && scenario !== 'photos')
		say(faults.length === 0, `${name}: console ${faults.slice(0, 3).join(' | ')}`);
	if (query.includes('lang=')) say((await page.getAttribute('html', 'lang')).startsWith('es'), `${name}: lang`);
	await close();
	server.stop();
}

for (const [scenario, width, height, query] of [
	...PARTS.map((part) => ['mid', 1920, 1080, `?embed=${part}&transparent=1&size=1920x1080`]),
	...PARTS.map((part) => ['mid', 1920, 1080, `?embed=${part}&transparent=1&size=1920x1080&theme=light&lang=es-ES`]),
	...PARTS.map((part) => ['council', 1080, 1920, `?embed=${part}&transparent=1&size=1080x1920`]),
	['poll30', 1280, 720, '?embed=card&transparent=1&size=1280x720'],
	['mid', 1920, 300, '?embed=bar&transparent=1&size=1920x300'],
	['waiting', 1920, 1080, '?embed=bar&transparent=1'],
	['error', 1920, 1080, '?embed=card&transparent=1&size=1920x1080'],
]) {
	const server = await start({ scenario, port: 0 });
	const { page, close } = await visit(server, width, 'light', query, height);
	const name = `${scenario} overlay ${query}`;
	await examine(name, page);
	const out = await page.evaluate(outside);
	say(out.length === 0, `${name}: inside the safe area ${out.slice(0, 3).join(' | ')}`);
	const ground = await page.evaluate(() =>
		[document.documentElement, document.body].map((e) => getComputedStyle(e).backgroundColor),
	);
	say(
		ground.every((c) => c === 'rgba(0, 0, 0, 0)'),
		`${name}: transparent ${ground}`,
	);
	const type = await page.evaluate(() =>
		Math.min(
			...[...document.querySelectorAll('main *')]
				.filter((e) => e.children.length === 0 && e.textContent.trim() && !e.closest('svg, .visually-hidden'))
				.map((e) => Number.parseFloat(getComputedStyle(e).fontSize)),
		),
	);
	const least = (24 * Math.min(width, height)) / 1080;
	say(type >= Math.min(least, 24) * (height < 400 ? 2 : 0.99), `${name}: smallest type ${type.toFixed(1)} px`);
	say((await page.evaluate(() => document.getAnimations().length)) === 0, `${name}: nothing moves`);
	if (scenario === 'mid') say(await page.isVisible('[data-testid=simulated]'), `${name}: says simulated`);
	say((await page.$$('main button, main a, main input')).length === 0, `${name}: nothing to press`);
	await close();
	server.stop();
}

{
	const server = await start({ scenario: 'mid', port: 0 });
	const { page, close } = await visit(server, 800, 'light', '?embed=bar&transparent=1&size=banana', 600);
	say(
		(await page.getAttribute('[data-testid=overlay]', 'data-size')) === '800x600',
		'a bad size falls back to the window',
	);
	await page.goto(`${server.url}?embed=everything`);
	await page.waitForSelector('[data-testid=regions]');
	say((await page.$('[data-testid=embed]')) === null, 'an unknown part is the whole page');
	await page.goto(`${server.url}?embed=bar`);
	await page.waitForSelector('[data-testid=bar]');
	say((await page.getAttribute('[data-testid=whole]', 'rel')) === 'noopener', 'a way to the whole page');
	server.mute(true);
	await page.waitForSelector('[data-testid=banner]', { timeout: 7000 });
	say(await page.isVisible('[data-testid=seat-bar]'), 'stale: says so and keeps the numbers');
	server.mute(false);
	await page.waitForSelector('[data-testid=banner]', { state: 'detached', timeout: 6000 });
	await page.goto(`${server.url}?embed=map&map=map`);
	await page.focus('[data-testid=map]');
	await page.keyboard.press('Enter');
	say((await page.getAttribute('[data-testid=panel]', 'data-region')) === 'PA', 'by keyboard: Enter chooses PA');
	await page.keyboard.press('Escape');
	say((await page.$('[data-testid=panel]')) === null, 'Escape closes');
	await page.goto(server.url);
	await page.click('[data-testid=embed-code] summary');
	await page.waitForSelector('[data-testid=embed-form]');
	await examine('the code', page);
	await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
	await page.click('[data-testid=copy-code]');
	await page.waitForFunction(() => document.querySelector('[data-testid=copied-code]').textContent !== '');
	const code = await page.inputValue('[data-testid=embed-code] textarea');
	say((await page.evaluate(() => navigator.clipboard.readText())) === code, 'copy');
	await page.evaluate(() => {
		navigator.clipboard.writeText = () => Promise.reject(new Error('no'));
	});
	await page.click('[data-testid=copy-code]');
	await page.waitForTimeout(200);
	say(
		(await page.evaluate(() => getSelection().toString().replaceAll('\r\n', '\n'))) === code,
		'where copying is refused the code is selected',
	);
	await page.emulateMedia({ media: 'print' });
	const paper = await page.pdf({ format: 'A4' });
	say(paper.toString('latin1').match(/\/Type\s*\/Page\b/g)?.length === 1, 'print: one page');
	say(await page.isVisible('[data-testid=simulated]'), 'print: says simulated');
	await close();
	server.stop();
}

/** A page of another origin with the code of the snippet in it. */
function neighbour(port, code) {
	const server = createServer((_request, response) => {
		response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
		response.end(`<!doctype html><title>News</title><h1>News</h1><div style="width:640px">${code()}</div>`);
	});
	return new Promise((ready) => server.listen(port, '127.0.0.1', () => ready(server)));
}

{
	const at = process.argv.indexOf('--api');
	const real = at > 0 ? process.argv[at + 1] : null;
	let code = '';
	const friend = await neighbour(real ? 8531 : 0, () => code);
	const stranger = await neighbour(0, () => code);
	const origin = (server) => `http://127.0.0.1:${server.address().port}`;
	const votes = real
		? { url: real, stop() {} }
		: await start({ scenario: 'night', port: 0, ancestors: [origin(friend)] });
	const page = await browser.newPage({ viewport: { width: 900, height: 900 } });
	const refused = [];
	page.on('console', (m) => /frame-ancestors/.test(m.text()) && refused.push(m.text()));
	for (const part of PARTS) {
		await page.goto(votes.url);
		await page.click('[data-testid=embed-code] summary');
		await page.click(`[data-testid=embed-part] input[value=${part}]`);
		code = await page.inputValue('[data-testid=embed-code] textarea');
		await page.goto(origin(friend));
		const frame = page.frameLocator('iframe');
		await frame.locator('[data-testid=embed] .card').first().waitFor();
		await page.waitForTimeout(1200);
		const given = await page.evaluate(() => Number.parseFloat(document.querySelector('iframe').style.height));
		const inner = await frame.locator('[data-testid=embed]').evaluate((e) => e.getBoundingClientRect().height);
		say(Math.abs(given - inner) <= 1, `${part} in an allowed page: height told ${given}, is ${inner.toFixed(1)}`);
		say(
			await frame.locator('html').evaluate((e) => e.scrollHeight <= e.clientHeight),
			`${part} in an allowed page: no scroll bar`,
		);
	}
	say(refused.length === 0, `allowed: ${refused[0] ?? 'no refusal'}`);
	await page.goto(origin(stranger));
	await page.waitForTimeout(1500);
	const shown = await Promise.all(
		page
			.frames()
			.slice(1)
			.map((f) => f.$('[data-testid=embed]').catch(() => null)),
	);
	say(
		shown.every((e) => e === null) && refused.length > 0,
		`a page that is not allowed is refused: ${refused[0]?.slice(0, 90)}`,
	);
	await page.close();
	votes.stop();
	for (const server of [friend, stranger]) {
		server.closeAllConnections();
		server.close();
	}
}

await browser.close();
console.log(failures === 0 ? 'all well' : `${failures} failed`);
process.exitCode = failures === 0 ? 0 : 1;
