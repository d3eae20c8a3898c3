// A quick look over the built page in a real browser, with made-up data: axe, label contrast, sideways scroll, policy, keys, stale and
// pause, and what a minute at 20 snapshots a second costs (`--load`). The acceptance tests against the real server are elsewhere. Not shipped.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { launch } from './browser.mjs';
import { start } from './server.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const browser = await launch();
let failures = 0;
const say = (ok, what) => {
	if (!ok) failures++;
	console.log(`${ok ? 'ok  ' : 'FAIL'} ${what}`);
};

/** Every text of a drawing against what lies under it: 4.5 : 1 at least, 12 px at least. */
function labels() {
	const rgb = (text) => (text.match(/[\d.]+/g) ?? []).slice(0, 3).map(Number);
	const lum = (c) => {
		const [r, g, b] = c.map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const ratio = (a, b) => {
		const [x, y] = [lum(a), lum(b)].sort((p, q) => q - p);
		return (x + 0.05) / (y + 0.05);
	};
	const ground = (el) => {
		for (let e = el; e; e = e.parentElement) {
			const c = getComputedStyle(e).backgroundColor;
			if (c && !/, 0\)$|transparent/.test(c)) return [rgb(c)];
		}
		return [[255, 255, 255]];
	};
	const bad = [];
	for (const text of document.querySelectorAll('svg text')) {
		const size = text.getBoundingClientRect();
		if (size.width === 0) continue;
		const scale = text.getScreenCTM()?.a ?? 1;
		const px = Number.parseFloat(getComputedStyle(text).fontSize) * scale;
		if (px < 11.95) bad.push(`${text.textContent}: ${px.toFixed(1)} px`);
		const group = text.dataset.region ? document.querySelector(`g[data-region="${text.dataset.region}"]`) : null;
		let under = text.classList.contains('outside')
			? null
			: (group?.querySelector('.box') ?? group?.querySelector('.shape'));
		if (!group && text.previousElementSibling?.tagName === 'rect' && !text.closest('[data-testid=trend-chart]'))
			under = text.previousElementSibling;
		let grounds;
		const fill = under?.getAttribute('fill') ?? '';
		const pattern = /url\(#(.*)\)/.exec(fill);
		if (pattern)
			grounds = [...document.getElementById(pattern[1]).querySelectorAll('rect')].map((r) =>
				rgb(getComputedStyle(r).fill),
			);
		else grounds = under ? [rgb(getComputedStyle(under).fill)] : ground(text.closest('svg').parentElement);
		for (const g of grounds) {
			const r = ratio(rgb(getComputedStyle(text).fill), g);
			if (r < 4.5) bad.push(`${text.textContent}: ${r.toFixed(2)}`);
		}
	}
	return bad;
}

/** Buttons and the like that are smaller than 24 px either way. */
function targets() {
	return [...document.querySelectorAll('button, select, input:not([type=radio]), summary, fieldset label')]
		.filter((el) => el.getClientRects().length > 0)
		.map((el) => [el, el.getBoundingClientRect()])
		.filter(([, b]) => b.width < 23.9 || b.height < 23.9)
		.map(([el, b]) => `${el.textContent.trim() || el.tagName} ${b.width.toFixed(0)}×${b.height.toFixed(0)}`);
}

async function open(scenario, width, theme, query = '', options = {}) {
	const server = await start({ scenario, port: 0, ...options });
	const context = await browser.newContext({
		viewport: { width, height: 900 },
		colorScheme: theme,
		bypassCSP: false,
		...options.context,
	});
	const page = await context.newPage();
	const faults = [];
	const asked = [];
	page.on('console', (m) => ['error', 'warning'].includes(m.type()) && faults.push(m.text()));
	page.on('pageerror', (e) => faults.push(String(e)));
	page.on('request', (r) => asked.push(r.url()));
	await page.goto(server.url + query);
	await page.waitForSelector('[data-testid=leader], [data-testid=failure]');
	await page.waitForTimeout(700);
	return {
		server,
		page,
		faults,
		asked,
		close: async () => {
			await context.close();
			server.stop();
		},
	};
}

for (const [scenario, width, theme, query] of [
	['mid', 1280, 'light', '?state=PA'],
	['mid', 1280, 'dark', '?map=tiles'],
	['mid', 390, 'light', ''],
	['mid', 390, 'dark', '?map=map&state=GA'],
	['final', 768, 'light', ''],
	['mid', 320, 'dark', ''],
	['waiting', 1280, 'light', ''],
	['tie', 390, 'light', ''],
	['poll', 390, 'dark', ''],
	['poll30', 1280, 'light', ''],
	['poll1', 390, 'light', ''],
	['poll0', 1280, 'light', ''],
	['council', 390, 'light', ''],
	['council', 1280, 'dark', '?state=W4'],
	['error', 390, 'light', ''],
	['mid', 1280, 'light', '?state=ZZ&q=zzz'],
]) {
	const name = `${scenario} ${width} ${theme} ${query}`;
	const { page, faults, asked, server, close } = await open(scenario, width, theme, query);
	await page.evaluate(axe);
	const found = await page.evaluate(() => axe.run());
	say(
		found.violations.length === 0,
		`${name}: axe${found.violations.map((v) => ` ${v.id} (${v.nodes.length}: ${v.nodes[0].html.slice(0, 120)})`).join()}`,
	);
	const bad = await page.evaluate(labels);
	say(bad.length === 0, `${name}: labels ${bad.slice(0, 6).join(', ')}`);
	const small = await page.evaluate(targets);
	say(small.length === 0, `${name}: targets ${small.slice(0, 4).join(', ')}`);
	const sideways = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
	say(sideways <= 0, `${name}: sideways ${sideways}`);
	say(
		asked.every((url) => url.startsWith(server.url)),
		`${name}: one origin`,
	);
	if (scenario !== 'error') say(faults.length === 0, `${name}: console ${faults.slice(0, 3).join(' | ')}`);
	await close();
}

{
	const { page, server, close } = await open('night', 1280, 'light');
	server.mute(true);
	const cut = Date.now();
	await page.waitForSelector('[data-testid=banner]', { timeout: 7000 });
	say(Date.now() - cut < 6000, `stale banner after ${Date.now() - cut} ms`);
	await page.waitForTimeout(3000);
	server.mute(false);
	const back = Date.now();
	await page.waitForSelector('[data-testid=banner]', { state: 'detached', timeout: 5000 });
	say(Date.now() - back < 3000, `gone ${Date.now() - back} ms after the server came back`);

	await page.keyboard.press('p');
	const read = () =>
		page.evaluate(() => [...document.querySelectorAll('main > :not(.banner)')].map((e) => e.textContent).join());
	await page.waitForTimeout(300);
	const frozen = await read();
	await page.waitForTimeout(1500);
	say((await read()) === frozen, 'pause freezes every number');
	say(/[1-9]\d* updates? waiting/.test(await page.textContent('[data-testid=banner]')), 'waiting updates are counted');
	await page.keyboard.press('p');
	await page.waitForTimeout(400);
	say((await read()) !== frozen, 'resume catches up');

	await page.focus('[data-testid=map]');
	await page.keyboard.press('Enter');
	say((await page.getAttribute('[data-testid=panel]', 'data-region')) === 'PA', 'Enter chooses PA');
	await page.keyboard.press('ArrowLeft');
	await page.keyboard.press('Enter');
	say((await page.getAttribute('[data-testid=panel]', 'data-region')) === 'OH', 'ArrowLeft, Enter chooses OH');
	await page.waitForTimeout(2600);
	say(await page.evaluate(() => document.activeElement?.dataset.testid === 'map'), 'focus survives ten updates');
	await page.keyboard.press('Escape');
	say((await page.$('[data-testid=panel]')) === null, 'Escape closes');
	await page.click('[data-sort=margin]');
	say((await page.getAttribute('th:has([data-sort=margin])', 'aria-sort')) === 'ascending', 'aria-sort');
	await page.keyboard.press('/');
	await page.keyboard.type('new');
	await page.waitForTimeout(100);
	say((await page.$$('[data-testid=region-row]')).length === 4, 'search');
	await page.click('[data-region=NY] .open');
	say(page.url().includes('state=NY') && page.url().includes('q=new'), 'the address holds the state');
	await page.goBack();
	await page.waitForTimeout(100);
	say((await page.$('[data-testid=panel]')) === null, 'Back closes the panel');
	const download = page.waitForEvent('download');
	await page.click('[data-testid=csv]');
	const csv = readFileSync(await (await download).path(), 'utf8')
		.trim()
		.split('\r\n');
	say(csv.length === 52, `CSV has ${csv.length - 1} rows`);
	await close();
}

{
	const { page, close } = await open('night', 1280, 'light', '', { context: { reducedMotion: 'reduce' } });
	say((await page.evaluate(() => document.getAnimations().length)) === 0, 'no animation under reduced motion');
	await close();
}

{
	const seconds = process.argv.includes('--load') ? 60 : 10;
	const { page, close } = await open('night', 1280, 'light', '', { hz: 20 });
	const cdp = await page.context().newCDPSession(page);
	await cdp.send('Performance.enable');
	await page.evaluate(() => {
		window.commits = 0;
		window.long = [];
		new MutationObserver(() => {
			window.commits += 1;
		}).observe(document.querySelector('[data-testid=total-votes]'), {
			characterData: true,
			childList: true,
			subtree: true,
		});
		new PerformanceObserver((list) => window.long.push(...list.getEntries().map((e) => e.duration))).observe({
			type: 'longtask',
		});
	});
	const metrics = async () => {
		await cdp.send('HeapProfiler.collectGarbage');
		return Object.fromEntries((await cdp.send('Performance.getMetrics')).metrics.map((m) => [m.name, m.value]));
	};
	const a = await metrics();
	await page.waitForTimeout(seconds * 1000);
	const b = await metrics();
	const { commits, long } = await page.evaluate(() => ({ commits: window.commits, long: window.long }));
	const busy =
		(b.ScriptDuration +
			b.RecalcStyleDuration +
			b.LayoutDuration -
			a.ScriptDuration -
			a.RecalcStyleDuration -
			a.LayoutDuration) /
		seconds;
	say(commits / seconds <= 5, `${(commits / seconds).toFixed(2)} commits a second`);
	say(busy <= 0.25, `script, style and layout take ${(busy * 100).toFixed(1)} % of a core`);
	say(
		long.every((ms) => ms < 200),
		`longest task ${Math.max(0, ...long).toFixed(0)} ms`,
	);
	say(
		(b.JSHeapUsedSize - a.JSHeapUsedSize) / 1e6 < 5,
		`heap grew by ${((b.JSHeapUsedSize - a.JSHeapUsedSize) / 1e6).toFixed(2)} MB in ${seconds} s`,
	);
	await close();
}

{
	const server = await start({ scenario: 'mid', port: 0 });
	const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
	await page.addInitScript(() => {
		window.cls = 0;
		window.shifts = [];
		new PerformanceObserver((list) =>
			list.getEntries().forEach((e) => {
				if (!e.hadRecentInput) {
					window.cls += e.value;
					window.shifts.push(
						`${e.sources.map((x) => x.node?.className || x.node?.nodeName).join('+')} ${e.value.toFixed(3)}`,
					);
				}
			}),
		).observe({ type: 'layout-shift', buffered: true });
	});
	await page.goto(server.url);
	await page.waitForSelector('[data-testid=leader]');
	await page.waitForTimeout(2500);
	const { fcp, cls, shifts, bytes } = await page.evaluate(() => ({
		fcp: performance.getEntriesByName('first-contentful-paint')[0]?.startTime,
		cls: window.cls,
		shifts: window.shifts,
		bytes: performance
			.getEntriesByType('resource')
			.filter((e) => !e.name.includes('/api/live'))
			.map((e) => [e.name.replace(/.*\//, ''), e.transferSize]),
	}));
	say(fcp < 800, `first paint ${fcp?.toFixed(0)} ms`);
	say(cls < 0.05, `layout shift ${cls.toFixed(4)} ${shifts ?? ''}`);
	console.log('     ', bytes.map(([n, b]) => `${n} ${b}`).join(', '));
	await page.close();
	server.stop();
}
await browser.close();
console.log(failures === 0 ? 'all well' : `${failures} failed`);
process.exitCode = failures === 0 ? 0 : 1;
