// The README's picture, from a running votestream: `node dev/readme-shot.mjs http://127.0.0.1:8501 OUT.png [width] [theme]`. Not shipped.
import { launch } from './browser.mjs';

const [url, out, width = '1280', theme = 'light'] = process.argv.slice(2);
if (!out) {
	console.error(
		'say where votestream runs and where the picture goes: node dev/readme-shot.mjs URL OUT.png [width] [theme]',
	);
	process.exit(2);
}
const browser = await launch();
const page = await browser.newPage({ viewport: { width: Number(width), height: 1440 }, colorScheme: theme });
await page.goto(url);
await page.waitForFunction(() => /\d{3}/.test(document.querySelector('main')?.textContent ?? ''));
await page.waitForTimeout(1500);
await page.screenshot({ path: out });
await browser.close();
