// The code that puts a part of this page into another. Pure.

import type { Part } from './frame';
import type { ThemeChoice } from './url';

export interface Wish {
	part: Part;
	theme: ThemeChoice;
	/** Greatest width in pixels; null: as wide as there is room. */
	width: number | null;
	/** What a screen reader calls the frame. */
	title: string;
	language: string;
	election: string | null;
}

/** Heights before the frame has told its own, in pixels. */
const HEIGHTS: Readonly<Record<Part, number>> = { map: 620, bar: 300, table: 760, card: 520 };
export const WIDTH_MIN = 280;
export const WIDTH_MAX = 1240;

const attribute = (text: string) =>
	text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** A width that a frame can have; null where the text is none. */
export function readWidth(text: string): number | null {
	const width = Number(text);
	return text.trim() !== '' && Number.isFinite(width)
		? Math.round(Math.min(WIDTH_MAX, Math.max(WIDTH_MIN, width)))
		: null;
}

/** `page`: address of the whole page, without a query. */
export function partAddress(page: string, wish: Wish): string {
	const p = new URLSearchParams({ embed: wish.part });
	if (wish.election) p.set('election', wish.election);
	if (wish.theme !== 'auto') p.set('theme', wish.theme);
	p.set('lang', wish.language);
	return `${page}?${p}`;
}

export function frameCode(page: string, wish: Wish): string {
	const downloads = wish.part === 'table' ? ' allow-downloads' : '';
	const most = wish.width === null ? '' : `; max-width: ${wish.width}px`;
	return [
		`<iframe src="${attribute(partAddress(page, wish))}"`,
		`  title="${attribute(wish.title)}" width="100%" height="${HEIGHTS[wish.part]}"`,
		`  style="border: 0${most}" loading="lazy" data-votestream`,
		`  sandbox="allow-scripts allow-same-origin allow-popups allow-popups-to-escape-sandbox${downloads}"></iframe>`,
		`<script async src="${attribute(new URL('embed.js', page).href)}"></script>`,
	].join('\n');
}

/** For a browser source of a vision mixer or graphics system. */
export function overlayAddress(page: string, wish: Wish): string {
	return `${partAddress(page, wish)}&transparent=1&size=1920x1080`;
}
