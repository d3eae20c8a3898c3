// A quick look over the built page in a real browser, with made-up data: axe, label contrast, sideways scroll, policy, keys, stale and
// pause, and what a minute at 20 snapshots a second costs (`--load`). The acceptance tests against the real server are elsewhere. Not shipped.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { labels, targets } from './audit.mjs';
import { launch } from './browser.mjs';
import { start } from './server.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const browser = await launch();
/** `node dev/check.mjs desk embargo` looks at these scenarios alone, `--flows` at none. */
const only = process.argv.slice(2).filter((a) => !a.startsWith('--'));
let failures = 0;
const say = (ok, what) => {
	if (!ok) failures++;
	console.log(`${ok ? 'ok  ' : 'FAIL'} ${what}`);
};

/** What is fetched only when it comes near is seen once. */
async function visit(page) {
	for (const id of ['trend', 'demographics', 'health', 'method']) {
		const section = await page.$(`[data-testid=${id}]`);
		await section?.scrollIntoViewIfNeeded();
		if (section) await page.waitForTimeout(120);
	}
	await page.evaluate(() => scrollTo(0, 0));
}

const minutesAgo = (n) => new Date(Math.floor(Date.now() / 60_000 - n) * 60_000).toISOString();

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
	if (!options.top) await visit(page);
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
	['late', 1280, 'dark', `?at=${minutesAgo(20)}&trend=shares`],
	['late', 390, 'light', `?at=${minutesAgo(20)}&state=GA`],
	['desk', 1280, 'light', '?state=OH'],
	['desk', 390, 'dark', '?map=tiles&state=KY'],
	['embargo', 390, 'light', ''],
	['several', 1280, 'light', ''],
	['several', 390, 'dark', '?election=poll'],
	['several', 1280, 'light', '?election=council'],
	['apart', 1280, 'dark', ''],
	['behind', 390, 'light', ''],
	['over', 1280, 'light', ''],
	['poll8', 1280, 'dark', ''],
	['poll30', 390, 'dark', ''],
	['communes', 1280, 'light', ''],
	['communes', 390, 'dark', '?state=COMMUNE-006'],
	['older', 1280, 'light', ''],
	['s401', 390, 'dark', ''],
	['s429', 1280, 'light', ''],
	['malformed', 390, 'light', ''],
].filter(([scenario]) => !process.argv.includes('--flows') && (only.length === 0 || only.includes(scenario)))) {
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
	const blank = await page.evaluate(() => document.querySelector('main').textContent.trim().length < 20);
	say(!blank, `${name}: not blank`);
	say((await page.$('[data-testid=guard]')) === null, `${name}: every section is drawn`);
	say(
		!(await page.evaluate(() => document.body.textContent)).match(/\bNaN\b|undefined|\[object/),
		`${name}: no NaN or undefined`,
	);
	if (!/error|s4|older|several/.test(scenario))
		say(faults.length === 0, `${name}: console ${faults.slice(0, 3).join(' | ')}`);
	await close();
}

if (only.length > 0) await finish();

async function finish() {
	await browser.close();
	console.log(failures === 0 ? 'all well' : `${failures} failed`);
	process.exit(failures === 0 ? 0 : 1);
}

{
	const { page, asked, close } = await open('late', 1280, 'light', '', { top: true });
	await page.waitForTimeout(1500);
	say(asked.length <= 5, `${asked.length} requests at load`);
	await visit(page);
	await page.waitForTimeout(300);
	const now = await page.textContent('[data-testid=total-votes]');
	await page.focus('[data-testid=past-slider]');
	for (let i = 0; i < 5; i++) await page.keyboard.press('ArrowLeft');
	await page.waitForSelector('[data-testid=banner][data-kind=past][data-at]:not([data-at=""])');
	await page.waitForTimeout(500);
	say(page.url().includes('at='), 'a past minute has an address');
	say((await page.textContent('[data-testid=total-votes]')) !== now, 'the slider moves the whole page');
	say((await page.$('[data-testid=health]')) === null, 'health is hidden in the past');
	const told = await page.getAttribute('[data-testid=past-slider]', 'aria-valuetext');
	say(/\d\d:\d\d.*pts.*counted/.test(told), `the slider says "${told}"`);
	const asks = () => asked.filter((url) => url.includes('/api/results?at=')).length;
	const before = asks();
	await page.evaluate(async () => {
		const input = document.querySelector('[data-testid=past-slider]');
		for (let i = 0; i < 40; i++) {
			input.value = String(Number(input.min) + i);
			input.dispatchEvent(new Event('input', { bubbles: true }));
			await new Promise((r) => setTimeout(r, 25));
		}
	});
	await page.waitForTimeout(500);
	say(asks() - before <= 12, `a slider drawn over 40 minutes asks ${asks() - before} times`);
	await page.goBack();
	await page.waitForTimeout(200);
	say((await page.$('[data-testid=banner]')) === null && !page.url().includes('at='), 'Back leaves the past');
	await page.click('[data-testid=lead-change]');
	await page.waitForSelector('[data-kind=past]');
	say(page.url().includes('at='), 'a change of the lead leads to its minute');
	await page.reload();
	await page.waitForSelector('[data-kind=past]:not([data-at=""])');
	await page.click('[data-testid=past-back]');
	say((await page.$('[data-kind=past]')) === null, 'the banner leads back to live');
	await close();
}

{
	const { page, close } = await open('desk', 1280, 'light', '?size=51');
	say((await page.$$('[data-testid=region-row]')).length === 49, 'withheld regions have no row');
	say((await page.$$('[data-testid=map-withheld]')).length === 2, 'and are drawn as withheld');
	say((await page.getAttribute('[data-testid=withheld]', 'data-held')) === 'NV OH', 'and named');
	say((await page.$$('[data-testid=mark]')).length >= 4, 'acts of the desk stand on the timeline');
	await page.click('[data-testid=events-kind] label:nth-of-type(2)');
	say((await page.$$('[data-testid=desk-act]')).length === 6, 'and in a list');
	say((await page.$$('[data-testid=final]')).length === 2, 'regions declared final say so');
	await close();
}

{
	const { page, server, close } = await open('several', 1280, 'light');
	await page.click('[data-election=council]');
	await page.waitForSelector('[data-testid=leader]');
	say(page.url().includes('election=council'), 'an election is chosen on the page');
	await page.waitForSelector('[data-testid=election-chooser]');
	await page.click('[data-testid=map] [data-region=W5]');
	say(page.url().includes('election=council') && page.url().includes('state=W5'), 'and stays in the address');
	await page.selectOption('[data-testid=election-chooser]', 'poll');
	await page.waitForURL(`${server.url}/?election=poll`);
	say(true, 'another is chosen in the header');
	await close();
}

{
	const { page, asked, close } = await open('s429', 1280, 'light');
	await page.waitForTimeout(4000);
	say(asked.filter((url) => url.endsWith('/api/results')).length === 1, 'Retry-After is kept to');
	say(/in \d s/.test(await page.textContent('[data-testid=retry-in]')), 'and said');
	await close();
}

{
	const { page, close } = await open('backwards', 1280, 'light');
	await page.waitForTimeout(5000);
	say((await page.getAttribute('[data-testid=sequence]', 'data-sequence')) === '900', 'lower sequences are not shown');
	await page.waitForFunction(() => document.querySelector('[data-testid=sequence]').dataset.sequence !== '900', null, {
		timeout: 9000,
	});
	say(true, 'until it is clear that the count began anew');
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
	// Of this thread's own time, so that a busy machine does not count.
	await cdp.send('Performance.enable', { timeDomain: 'threadTicks' });
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
await finish();
