// What the desk's acts mean for each region, as the server reads them, and where they stand on the timeline. Pure.

import type { DeskAct } from '../api/types';
import type { TrendPoint } from './trend';

/** Done to the region itself, or to the whole election. */
interface By {
	own: boolean;
	all: boolean;
}

export interface DeskRow {
	closed: By;
	held: By;
	/** When the last hold or close began. */
	since: string;
}

export interface DeskState {
	/** Each region that was ever acted on, by its code. */
	rows: ReadonlyMap<string, DeskRow>;
	/** The whole election is held, or declared final. */
	allHeld: boolean;
	allClosed: boolean;
}

const any = (by: By) => by.own || by.all;
export const isHeld = (row: DeskRow | undefined): boolean => row !== undefined && any(row.held);

/**
 * After all acts, oldest first. An act on the whole election is an act on each region; `reopen` takes back a hold before a close; on the
 * whole election it takes back only what was done to the whole, on a region both.
 */
export function deskState(acts: readonly DeskAct[]): DeskState {
	const rows = new Map<string, DeskRow>();
	let allHeld = false;
	let allClosed = false;
	for (const { region } of acts)
		if (region) rows.set(region, { closed: { own: false, all: false }, held: { own: false, all: false }, since: '' });
	for (const act of acts) {
		if (!act.region) {
			if (act.action === 'close') allClosed = true;
			else if (act.action === 'hold') allHeld = true;
			else if (allHeld) allHeld = false;
			else allClosed = false;
			for (const row of rows.values()) {
				row.held.all = allHeld;
				row.closed.all = allClosed;
				row.since ||= act.time;
			}
			continue;
		}
		const row = rows.get(act.region);
		if (!row) continue;
		if (act.action === 'close') row.closed.own = true;
		else if (act.action === 'hold') row.held.own = true;
		else if (any(row.held)) row.held = { own: false, all: false };
		else row.closed = { own: false, all: false };
		if (act.action !== 'reopen') row.since = act.time;
	}
	return { rows, allHeld, allClosed };
}

export interface Withheld {
	/** Regions on hold, by code, in order. */
	held: string[];
	/** How many more are kept back: under embargo until the desk closes them, and named nowhere. */
	more: number;
}

/** Who is kept from the public: `many` says the snapshot, the names say the acts. `shown` are the codes that have numbers. */
export function withheldOf(many: number, desk: DeskState, shown: ReadonlySet<string>): Withheld {
	if (many <= 0) return { held: [], more: 0 };
	const held = [...desk.rows].filter(([code, row]) => isHeld(row) && !shown.has(code)).map(([code]) => code);
	held.sort();
	return { held: held.slice(0, many), more: Math.max(0, many - held.length) };
}

/** How long before the first or after the last minute of the timeline an act still belongs to it. */
const SLACK_MS = 2 * 3_600_000;

/**
 * Where an act stands on the timeline, in its milliseconds. Acts carry the time of the clock, and the timeline that of the ballots: in a
 * simulated night they are years apart, and then an act on the whole election is found by the votes that were counted. Null: nowhere.
 */
export function placeOf(act: DeskAct, points: readonly TrendPoint[]): number | null {
	const first = points[0];
	const last = points.at(-1);
	if (!first || !last) return null;
	const at = Date.parse(act.time);
	if (at >= first.at - SLACK_MS && at <= last.at + SLACK_MS) return Math.min(last.at, Math.max(first.at, at));
	if (act.region || act.counted === null || act.counted === undefined) return null;
	const counted = act.counted;
	return points.find((p) => p.counted >= counted)?.at ?? last.at;
}
