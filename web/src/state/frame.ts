// What an address asks for besides the whole page: one part of it, in another site's frame or over a broadcast picture. Unknown or wrong
// values fall back in silence. Pure.

export type Part = 'map' | 'bar' | 'table' | 'card';
export const PARTS: readonly Part[] = ['map', 'bar', 'table', 'card'];

/** What lies between a graphic and the picture under it: a dark or light veil, a full ground, or nothing. */
export type Plate = 'scrim' | 'solid' | 'none';

export interface Size {
	width: number;
	height: number;
}

export interface Overlay {
	transparent: boolean;
	plate: Plate;
	/** Pixels of the picture; null: those of the window. */
	size: Size | null;
	/** Seconds that a page of the table stands before the next; null: it stays. */
	cycle: number | null;
}

export interface Frame {
	part: Part;
	/** Null: an ordinary frame, as wide as its page lets it be. */
	overlay: Overlay | null;
}

const SIZE = /^(\d{2,5})[x×](\d{2,5})$/i;
const WIDTH_MIN = 320;
const WIDTH_MAX = 7680;
const HEIGHT_MIN = 120;
const HEIGHT_MAX = 4320;
const CYCLE_MIN_S = 5;
const CYCLE_MAX_S = 120;
/** The least share of the picture that stays free on each side. */
export const SAFE_SHARE = 0.05;

/** "1920x1080"; null where it is no size, or none that a picture has. */
export function readSize(text: string | null): Size | null {
	const found = SIZE.exec(text ?? '');
	if (!found) return null;
	const [width, height] = [Number(found[1]), Number(found[2])];
	const fits = width >= WIDTH_MIN && width <= WIDTH_MAX && height >= HEIGHT_MIN && height <= HEIGHT_MAX;
	return fits ? { width, height } : null;
}

/** Null: the whole page. */
export function readFrame(search: string): Frame | null {
	const p = new URLSearchParams(search);
	const part = PARTS.find((known) => known === p.get('embed'));
	if (!part) return null;
	const transparent = p.get('transparent') === '1' || p.get('transparent') === 'true';
	const size = readSize(p.get('size'));
	if (!transparent && !size) return { part, overlay: null };
	const cycle = Number(p.get('cycle') ?? 0);
	const plate = p.get('plate');
	return {
		part,
		overlay: {
			transparent,
			size,
			plate: plate === 'solid' || plate === 'none' ? plate : 'scrim',
			cycle: cycle >= CYCLE_MIN_S && cycle <= CYCLE_MAX_S ? cycle : null,
		},
	};
}

/** The query of the whole page that a part belongs to: the same election, language, region and minute. */
export function wholeQuery(search: string): string {
	const p = new URLSearchParams(search);
	for (const key of ['embed', 'transparent', 'size', 'plate', 'cycle', 'theme', 'q', 'sort', 'dir', 'page'])
		p.delete(key);
	const text = p.toString();
	return text === '' ? '?' : `?${text}`;
}

/** Least width and height, in units, in which each part can be drawn. */
const LEAST: Readonly<Record<Part, Size>> = {
	bar: { width: 972, height: 360 },
	card: { width: 860, height: 420 },
	map: { width: 972, height: 900 },
	table: { width: 972, height: 520 },
};

/** Pixels of one unit: 1 at 1920 × 1080, so that type keeps its share of the picture whatever its size, and the part fits. */
export function unit(part: Part, { width, height }: Size): number {
	const usual = Math.max(width / 1920, Math.min(width, height) / 1080);
	const free = 1 - 2 * SAFE_SHARE;
	return Math.min(usual, (width * free) / LEAST[part].width, (height * free) / LEAST[part].height);
}
