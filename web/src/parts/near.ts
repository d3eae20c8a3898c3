// Tells whether an element is on the screen or close below it, so that what belongs to it is asked for again and again only then.

import { written } from '../api/written';

/** How far below the screen counts as near. */
const MARGIN_PX = 160;
/** After this long on the page everything is asked for once, so that a print or a jump to the end shows all of it. */
const ONCE_AFTER_MS = 8_000;

/** An action: calls `seen` on each change. */
export function near(node: Element, seen: (near: boolean) => void): { destroy: () => void } {
	if (written) {
		// Everything is at hand, and the page may be printed or kept as it is.
		seen(true);
		return { destroy: () => {} };
	}
	let is = false;
	let ever = false;
	const watch = new IntersectionObserver(
		(entries) => {
			is = entries.at(-1)?.isIntersecting ?? false;
			ever ||= is;
			seen(is);
		},
		{ rootMargin: `${MARGIN_PX}px 0px` },
	);
	watch.observe(node);
	const once = setTimeout(() => {
		if (ever) return;
		seen(true);
		setTimeout(() => seen(is));
	}, ONCE_AFTER_MS);
	return {
		destroy: () => {
			watch.disconnect();
			clearTimeout(once);
		},
	};
}
