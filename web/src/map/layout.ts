// Where regions lie: the tile grid of the US states, a plain grid for any others, and which region is next in a direction. Pure.

import { isState, US_STATES } from './shapes';

export interface Spot {
	code: string;
	x: number;
	y: number;
}

/** Equal-area tiles: one row a line, one state a cell, after the common newsroom arrangement. */
const US_TILES = [
	'AK .. .. .. .. .. .. .. .. .. .. ME',
	'.. .. .. .. .. .. .. .. .. .. VT NH',
	'WA ID MT ND MN IL WI MI NY RI MA ..',
	'OR NV WY SD IA IN OH PA NJ CT .. ..',
	'CA UT CO NE MO KY WV VA MD DE .. ..',
	'.. AZ NM KS AR TN NC SC DC .. .. ..',
	'.. .. .. OK LA MS AL GA .. .. .. ..',
	'HI .. .. TX .. .. .. .. FL .. .. ..',
];

export interface Tiles {
	columns: number;
	rows: number;
	spots: Spot[];
}

/** Tiles for these regions: the states where they are states, otherwise a grid in the given order. */
export function tiles(codes: readonly string[]): Tiles {
	if (codes.length > 0 && codes.every(isState)) {
		const wanted = new Set(codes);
		const spots = US_TILES.flatMap((line, y) =>
			line.split(' ').flatMap((code, x) => (wanted.has(code) ? [{ code, x, y }] : [])),
		);
		return { columns: 12, rows: US_TILES.length, spots };
	}
	const columns = Math.min(12, Math.max(1, Math.ceil(Math.sqrt(codes.length * 1.8))));
	const spots = codes.map((code, i) => ({ code, x: i % columns, y: Math.floor(i / columns) }));
	return { columns, rows: Math.ceil(codes.length / columns), spots };
}

/** Letters of a code that a tile has room for, and tiles that a page has. */
const CODE_MAX = 4;
const TILES_MAX = 160;

/** Whether these regions can be shown as tiles at all. */
export function hasTiles(codes: readonly string[]): boolean {
	return codes.length <= TILES_MAX && codes.every((code) => [...code].length <= CODE_MAX);
}

/** Where the states lie on the map, for the arrow keys. */
export function mapSpots(codes: readonly string[]): Spot[] {
	return codes.flatMap((code) => {
		const shape = US_STATES[code];
		return shape ? [{ code, x: shape.x, y: shape.y }] : [];
	});
}

const AXES: Record<string, readonly [number, number]> = {
	ArrowRight: [1, 0],
	ArrowLeft: [-1, 0],
	ArrowDown: [0, 1],
	ArrowUp: [0, -1],
};

/** The region that lies next in the direction of an arrow key: near, and straight ahead rather than aside. Home and End take
 * the first and the last. Null where there is none. */
export function step(spots: readonly Spot[], from: string | null, key: string): string | null {
	if (spots.length === 0) return null;
	if (key === 'Home') return spots[0]?.code ?? null;
	if (key === 'End') return spots.at(-1)?.code ?? null;
	const axis = AXES[key];
	if (!axis) return null;
	const at = spots.find((s) => s.code === from);
	if (!at) return spots[0]?.code ?? null;
	let best: string | null = null;
	let least = Number.POSITIVE_INFINITY;
	for (const s of spots) {
		const along = (s.x - at.x) * axis[0] + (s.y - at.y) * axis[1];
		const aside = Math.abs((s.x - at.x) * axis[1]) + Math.abs((s.y - at.y) * axis[0]);
		if (s.code === from || along <= 0 || aside > along * 2.2) continue;
		const cost = along + aside * 1.6;
		if (cost < least) {
			least = cost;
			best = s.code;
		}
	}
	return best;
}
