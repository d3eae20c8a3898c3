// Lines over time: from the timeline and the live snapshot to points of a chart. Pure.

import type { Results, Timeline } from '../api/types';

export type TrendMode = 'lead' | 'shares' | 'seats';

export interface TrendPoint {
	/** Milliseconds since 1970. */
	at: number;
	/** The minute as the API writes it; null for the live end. */
	minute: string | null;
	counted: number;
	votes: ReadonlyMap<string, number>;
	seats: ReadonlyMap<string, number>;
}

/**
 * The timeline's points with votes, oldest first; the last of them is the running minute, and holds the live snapshot. Minutes are
 * those of the records, which in a simulated night are not those of the clock on the wall.
 */
export function trendPoints(timeline: Timeline | null, live: Results | null): TrendPoint[] {
	const ids = timeline?.candidates ?? [];
	const points: TrendPoint[] = [];
	for (const p of timeline?.points ?? []) {
		// A point closes its minute.
		const at = Date.parse(p.minute) + 60_000;
		if (p.counted <= 0 || Number.isNaN(at)) continue;
		points.push({
			at,
			minute: p.minute,
			counted: p.counted,
			votes: new Map(ids.map((id, i) => [id, p.votes[i] ?? 0])),
			seats: new Map(ids.map((id, i) => [id, p.seats?.[i] ?? 0])),
		});
	}
	const now = live?.as_of ? Date.parse(live.as_of) : Number.NaN;
	if (live && live.counted > 0 && !Number.isNaN(now)) {
		points.push({
			at: points.pop()?.at ?? now,
			minute: null,
			counted: live.counted,
			votes: new Map(live.candidates.map((c) => [c.id, c.votes])),
			seats: new Map(live.candidates.map((c) => [c.id, (c.seats?.decided ?? 0) + (c.seats?.leading ?? 0)])),
		});
	}
	return points;
}

/** Points of the vote by which `a` is ahead of `b`; below 0 where it trails. */
export function leadAt(p: TrendPoint, a: string, b: string | undefined): number {
	const other = b === undefined ? 0 : (p.votes.get(b) ?? 0);
	return (((p.votes.get(a) ?? 0) - other) / p.counted) * 100;
}

export function valueAt(p: TrendPoint, id: string, mode: 'shares' | 'seats'): number {
	return mode === 'seats' ? (p.seats.get(id) ?? 0) : ((p.votes.get(id) ?? 0) / p.counted) * 100;
}

/** Round numbers that span `low` to `high` in about `steps` steps, low first. */
export function ticks(low: number, high: number, steps: number): number[] {
	const span = Math.max(high - low, 1e-9);
	const rough = span / Math.max(1, steps);
	const power = 10 ** Math.floor(Math.log10(rough));
	const step = ([1, 2, 2.5, 5, 10].find((m) => m * power >= rough) ?? 10) * power;
	const out: number[] = [];
	for (let i = Math.floor(low / step); i * step < high + step * 0.999; i++)
		out.push(Number((i * step).toPrecision(12)));
	return out;
}

/** Moves labels apart: wanted heights in, heights at least `gap` apart and within `low`–`high` out, in the same order. */
export function spread(wanted: readonly number[], gap: number, low: number, high: number): number[] {
	const order = wanted.map((y, i) => ({ y, i })).sort((a, b) => a.y - b.y);
	let floor = low;
	for (const item of order) {
		item.y = Math.max(item.y, floor);
		floor = item.y + gap;
	}
	let ceiling = high;
	for (const item of order.reverse()) {
		item.y = Math.min(item.y, ceiling);
		ceiling = item.y - gap;
	}
	const out = new Array<number>(wanted.length).fill(0);
	for (const item of order) out[item.i] = item.y;
	return out;
}
