// The region table: search, sort, pages. Pure.

import type { RegionStanding } from './standing';

export const PAGE_SIZES = [10, 25, 51] as const;
export type SortKey = 'name' | 'seats' | 'leader' | 'margin' | 'progress' | 'votes' | `share:${string}`;
export type SortDir = 'asc' | 'desc';

/** Text columns start at A, number columns at the largest, the margin at the closest. */
export function firstDir(key: SortKey): SortDir {
	return key === 'name' || key === 'leader' || key === 'margin' ? 'asc' : 'desc';
}

const plain = (text: string) => text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase().trim();

export function matches(row: RegionStanding, query: string): boolean {
	const q = plain(query);
	if (q === '') return true;
	return plain(row.region.name).includes(q) || plain(row.region.code).startsWith(q);
}

function value(row: RegionStanding, key: SortKey, names: ReadonlyMap<string, string>): number | string | null {
	switch (key) {
		case 'name':
			return row.region.name;
		case 'seats':
			return row.region.seats ?? 0;
		case 'leader':
			return row.leader === null ? null : (names.get(row.leader) ?? row.leader);
		case 'margin':
			return row.marginPoints;
		case 'progress':
			return row.progress;
		case 'votes':
			return row.region.counted;
		default: {
			const id = key.slice('share:'.length);
			return row.region.counted > 0 ? (row.region.votes[id] ?? 0) / row.region.counted : null;
		}
	}
}

/** Sorted copy; what has no value comes last in either direction; equals by name. */
export function sortRows(
	rows: readonly RegionStanding[],
	key: SortKey,
	dir: SortDir,
	names: ReadonlyMap<string, string>,
): RegionStanding[] {
	const sign = dir === 'asc' ? 1 : -1;
	return [...rows].sort((a, b) => {
		const x = value(a, key, names);
		const y = value(b, key, names);
		let by = 0;
		if (x === null || y === null) by = x === y ? 0 : x === null ? 1 : -1;
		else if (typeof x === 'string') by = sign * x.localeCompare(y as string);
		else by = sign * (x - (y as number));
		return by || a.region.name.localeCompare(b.region.name);
	});
}

/** A page number that exists, from 1. */
export function clampPage(page: number, rows: number, size: number): number {
	const last = Math.max(1, Math.ceil(rows / size));
	return Number.isFinite(page) ? Math.min(last, Math.max(1, Math.trunc(page))) : 1;
}

const cell = (text: string | number) => {
	// A spreadsheet must not take a name for a formula.
	const safe = typeof text === 'string' && /^[=+\-@\t\r]/.test(text) ? `'${text}` : String(text);
	return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
};

/** All regions as CSV: what the API says at this snapshot, one row a region, votes by candidate id. */
export function toCsv(rows: readonly RegionStanding[], candidates: readonly string[]): string {
	const head = ['code', 'name', 'seats', 'status', 'leader', 'margin_votes', 'counted', 'expected', ...candidates];
	const lines = rows.map(({ region, leader, marginVotes }) =>
		[
			region.code,
			region.name,
			region.seats ?? '',
			region.status,
			leader ?? '',
			marginVotes,
			region.counted,
			region.expected ?? '',
			...candidates.map((id) => region.votes[id] ?? 0),
		]
			.map(cell)
			.join(','),
	);
	return `${[head.map(cell).join(','), ...lines].join('\r\n')}\r\n`;
}
