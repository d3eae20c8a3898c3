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

/** Where the drawing begins, and the room right of it for the lines' ends: the value alone on a phone, with who it is elsewhere. */
export const CHART_LEFT_PX = 46;
export const chartRoomPx = (width: number): number => (width < 480 ? 70 : 112);

/** Minutes since 1970, as the slider counts; the last point is the present. */
const stop = (p: TrendPoint) => Math.round(p.at / 60_000);

export interface Slider {
	min: number;
	max: number;
	value: number;
}

/** The slider over these points; `at`: the minute that is shown, null for the present. */
export function slider(points: readonly TrendPoint[], at: string | null): Slider {
	const min = points[0] ? stop(points[0]) : 0;
	const last = points.at(-1);
	const max = Math.max(min + 1, last ? stop(last) : 0);
	const closes = at === null ? Number.NaN : Math.round(Date.parse(at) / 60_000) + 1;
	return { min, max, value: Number.isNaN(closes) ? max : Math.min(max, Math.max(min, closes)) };
}

/** The minute to show when the slider goes to `value`: minutes without news are stepped over in the direction of the move. Null: the present. */
export function slideTo(points: readonly TrendPoint[], from: number, value: number): string | null {
	const found = value >= from ? points.find((p) => stop(p) >= value) : points.findLast((p) => stop(p) <= value);
	return (found ?? (value >= from ? points.at(-1) : points[0]))?.minute ?? null;
}

/** The point whose totals a past minute shows: the last that closes no later. */
export function pointAt(points: readonly TrendPoint[], at: string): TrendPoint | undefined {
	const closes = Date.parse(at) + 60_000;
	return points.findLast((p) => p.at <= closes) ?? points[0];
}

/** Something that happened, as it is marked on the drawing. */
export interface Mark {
	at: number;
	kind: 'lead' | 'close' | 'hold' | 'reopen';
	text: string;
	/** Whose lead began. */
	candidate?: string;
}

/** Marks from left to right, those closer than `gap` to the one before left out; acts of the desk come before changes of the lead. */
export function thinned(marks: readonly Mark[], x: (at: number) => number, gap: number): Mark[] {
	const kept: Mark[] = [];
	for (const mark of [...marks].sort((a, b) => Number(a.kind === 'lead') - Number(b.kind === 'lead') || a.at - b.at))
		if (kept.every((k) => Math.abs(x(k.at) - x(mark.at)) >= gap)) kept.push(mark);
	return kept.sort((a, b) => a.at - b.at);
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
