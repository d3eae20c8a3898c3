// What a look at the page's code cannot tell and axe does not: labels of drawings, sizes of targets. Each function runs in the page, by itself;
// check.mjs here and tests/web of the project load it. Not shipped.

/** Every text of a drawing against what lies under it: 4.5 : 1 at least, 12 px at least. */
export function labels() {
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

/** Buttons and the like that are smaller than 24 px either way; tiles too, and links that stand by themselves. */
export function targets() {
	const pressed =
		'button, select, input:not([type=radio]), summary, fieldset label, textarea, [data-view=tiles] [data-testid=map-region]';
	return [...document.querySelectorAll(`${pressed}, a:not(.skip, p a)`)]
		.filter((el) => el.getClientRects().length > 0)
		.map((el) => [el, el.getBoundingClientRect()])
		.filter(([, b]) => b.width < 23.9 || b.height < 23.9)
		.map(([el, b]) => `${el.textContent.trim() || el.tagName} ${b.width.toFixed(0)}×${b.height.toFixed(0)}`);
}
