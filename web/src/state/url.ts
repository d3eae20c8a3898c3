// What the address holds, so that a link shows what its sender saw. Unknown or wrong values fall back in silence.

import { PAGE_SIZES, type SortDir, type SortKey } from './table';
import type { TrendMode } from './trend';

export type ThemeChoice = 'auto' | 'light' | 'dark';
export type MapView = 'map' | 'tiles';

export interface View {
	/** Code of the chosen region. */
	state: string | null;
	/** Null: by the width of the page. */
	map: MapView | null;
	q: string;
	sort: SortKey;
	dir: SortDir;
	page: number;
	size: number;
	/** Null: what was chosen here last, else auto. */
	theme: ThemeChoice | null;
	/** A past minute, as the API writes it; null: live. */
	at: string | null;
	/** Of the demographics: an age band. */
	age: string | null;
	gender: string | null;
	/** And a region of theirs. */
	area: string | null;
	/** What is drawn over time. */
	trend: TrendMode;
}

export const DEFAULT_VIEW: View = {
	state: null,
	map: null,
	q: '',
	sort: 'votes',
	dir: 'desc',
	page: 1,
	size: PAGE_SIZES[0],
	theme: null,
	at: null,
	age: null,
	gender: null,
	area: null,
	trend: 'lead',
};

const SORTS = new Set(['name', 'seats', 'leader', 'margin', 'progress', 'votes']);
const isSort = (s: string | null): s is SortKey => s !== null && (SORTS.has(s) || /^share:.{1,64}$/.test(s));
const oneOf = <T extends string>(s: string | null, ...all: T[]): T | null => all.find((a) => a === s) ?? null;

/** A time as the minute that the API writes; null where it is none. A `+` that was not escaped arrives as a space. */
export function minuteOf(text: string | null): string | null {
	const said = (text ?? '').trim().replace(/ (?=\d\d:\d\d$)/, '+');
	// A browser would make a time of `12` as well.
	const at = /^\d{4}-\d\d-\d\dT\d\d:\d\d/i.test(said) ? Date.parse(said) : Number.NaN;
	// Years of four digits: those that the API writes alike.
	if (Number.isNaN(at) || at < 0 || at > 2.5e14) return null;
	return `${new Date(Math.floor(at / 60_000) * 60_000).toISOString().slice(0, 16)}:00Z`;
}

export function readView(search: string): View {
	const p = new URLSearchParams(search);
	const sort = p.get('sort');
	const page = Number(p.get('page') ?? 1);
	const size = Number(p.get('size'));
	return {
		state: p.get('state')?.slice(0, 64) || null,
		map: oneOf(p.get('map'), 'map', 'tiles'),
		q: (p.get('q') ?? '').slice(0, 100),
		sort: isSort(sort) ? sort : DEFAULT_VIEW.sort,
		dir: oneOf(p.get('dir'), 'asc', 'desc') ?? DEFAULT_VIEW.dir,
		page: Number.isInteger(page) && page > 0 ? page : 1,
		size: (PAGE_SIZES as readonly number[]).includes(size) ? size : DEFAULT_VIEW.size,
		theme: oneOf(p.get('theme'), 'auto', 'light', 'dark'),
		at: minuteOf(p.get('at')),
		age: p.get('age')?.slice(0, 32) || null,
		gender: p.get('gender')?.slice(0, 32) || null,
		area: p.get('area')?.slice(0, 64) || null,
		trend: oneOf(p.get('trend'), 'lead', 'shares', 'seats') ?? DEFAULT_VIEW.trend,
	};
}

/** The query text of a view: only what differs from the default; parameters that the page does not know are kept. */
export function writeView(view: View, search: string): string {
	const p = new URLSearchParams(search);
	const put = (key: string, value: string | number | null, fallback: string | number | null) => {
		if (value === null || value === fallback || value === '') p.delete(key);
		else p.set(key, String(value));
	};
	put('state', view.state, null);
	put('map', view.map, null);
	put('q', view.q, '');
	put('sort', view.sort, DEFAULT_VIEW.sort);
	put('dir', view.dir, DEFAULT_VIEW.dir);
	put('page', view.page, 1);
	put('size', view.size, DEFAULT_VIEW.size);
	put('theme', view.theme, null);
	put('at', view.at, null);
	put('age', view.age, null);
	put('gender', view.gender, null);
	put('area', view.area, null);
	put('trend', view.trend, DEFAULT_VIEW.trend);
	const text = p.toString();
	return text === '' ? '' : `?${text}`;
}
