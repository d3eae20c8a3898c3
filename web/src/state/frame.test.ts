import { describe, expect, it } from 'vitest';
import { PARTS, readFrame, readSize, SAFE_SHARE, unit, wholeQuery } from './frame';
import { frameCode, overlayAddress, partAddress, readWidth, type Wish } from './snippet';

describe('what an address asks for', () => {
	it.each(PARTS)('%s is a part', (part) => expect(readFrame(`?embed=${part}`)).toEqual({ part, overlay: null }));
	it.each(['', '?embed=', '?embed=nonsense', '?embed=MAP', '?transparent=1&size=1920x1080'])(
		'%s is the whole page',
		(q) => expect(readFrame(q)).toBeNull(),
	);
	it('is an overlay with a size or without a ground', () => {
		expect(readFrame('?embed=bar&transparent=1&size=1280x720')?.overlay).toEqual({
			transparent: true,
			size: { width: 1280, height: 720 },
			plate: 'scrim',
			cycle: null,
		});
		expect(readFrame('?embed=bar&size=1280x720')?.overlay?.transparent).toBe(false);
		expect(readFrame('?embed=bar&transparent=1')?.overlay?.size).toBeNull();
		expect(readFrame('?embed=table&transparent=1&plate=none&cycle=10')?.overlay).toMatchObject({
			plate: 'none',
			cycle: 10,
		});
		expect(readFrame('?embed=table&transparent=1&plate=lava&cycle=1')?.overlay).toMatchObject({
			plate: 'scrim',
			cycle: null,
		});
	});
	it.each(['', '1920', '1920x', 'x1080', '0x0', '-1x500', '99999x1080', '1920x9', '1e3x1e3', '1920x1080px', '100x100'])(
		'%s is no size',
		(text) => expect(readSize(text)).toBeNull(),
	);
	it('falls back to an ordinary frame where the size is bad', () =>
		expect(readFrame('?embed=bar&size=huge')).toEqual({ part: 'bar', overlay: null }));
	it('leads to the whole page with the same election, language and region', () =>
		expect(wholeQuery('?embed=map&theme=dark&lang=es&election=a&state=PA&size=9x9')).toBe(
			'?lang=es&election=a&state=PA',
		));
});

describe('units of a picture', () => {
	it.each(PARTS)('%s: one pixel at 1920 × 1080, two at twice that', (part) => {
		expect(unit(part, { width: 1920, height: 1080 })).toBeCloseTo(1);
		expect(unit(part, { width: 3840, height: 2160 })).toBeCloseTo(2);
	});
	it.each(PARTS)('%s fits into the safe area of a strip and of an upright picture', (part) => {
		for (const size of [
			{ width: 1920, height: 200 },
			{ width: 1080, height: 1920 },
			{ width: 320, height: 4320 },
		]) {
			const u = unit(part, size);
			expect(u).toBeGreaterThan(0);
			expect(360 * u).toBeLessThanOrEqual(size.height * (1 - 2 * SAFE_SHARE) + 0.01);
			expect(860 * u).toBeLessThanOrEqual(size.width * (1 - 2 * SAFE_SHARE) + 0.01);
		}
	});
});

describe('the code for another page', () => {
	const wish: Wish = {
		part: 'table',
		theme: 'dark',
		width: 640,
		title: '"><script>x</script>',
		language: 'es',
		election: 'a&b',
	};
	const page = 'https://votes.example/live/';
	it('is one frame with a name, a sandbox and no way out of its attributes', () => {
		const box = document.createElement('div');
		box.innerHTML = frameCode(page, wish)
			.replace('<script async', '<template data-script')
			.replace('</script>', '</template>');
		const frames = box.querySelectorAll('iframe');
		expect(frames).toHaveLength(1);
		expect(box.querySelector('script')).toBeNull();
		const frame = frames[0];
		expect(frame?.getAttribute('title')).toBe(wish.title);
		expect(frame?.getAttribute('loading')).toBe('lazy');
		expect(frame?.getAttribute('sandbox')?.split(' ')).toEqual(
			expect.arrayContaining(['allow-scripts', 'allow-same-origin', 'allow-popups', 'allow-downloads']),
		);
		expect(frame?.getAttribute('src')).toBe(`${page}?embed=table&election=a%26b&theme=dark&lang=es`);
		expect(box.querySelector('template')?.getAttribute('src')).toBe('https://votes.example/live/embed.js');
	});
	it('opens as what it asks for', () => {
		expect(readFrame(new URL(partAddress(page, wish)).search)).toEqual({ part: 'table', overlay: null });
		expect(readFrame(new URL(overlayAddress(page, wish)).search)?.overlay?.size).toEqual({ width: 1920, height: 1080 });
	});
	it.each([
		['640', 640],
		['12', 280],
		['99999', 1240],
		['', null],
		['wide', null],
	])('a width of %s is %s', (text, width) => expect(readWidth(text)).toBe(width));
});
