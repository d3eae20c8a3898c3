// The desk's acts as the server reads them, and where they stand on the timeline.

import { describe, expect, it } from 'vitest';
import type { DeskAct } from '../api/types';
import { deskState, isHeld, placeOf, withheldOf } from './desk';
import type { TrendPoint } from './trend';

const act = (action: string, region: string | null, more: Partial<DeskAct> = {}): DeskAct => ({
	number: 1,
	time: '2026-11-24T04:10:30.000Z',
	action,
	region,
	counted: 5,
	...more,
});
const held = (...acts: DeskAct[]) => {
	const state = deskState(acts);
	return [...state.rows].filter(([, row]) => isHeld(row)).map(([code]) => code);
};

describe('the desk', () => {
	it('holds until it is reopened', () => {
		expect(held(act('hold', 'OH'))).toEqual(['OH']);
		expect(held(act('hold', 'OH'), act('reopen', 'OH'))).toEqual([]);
		expect(held(act('hold', 'OH'), act('hold', 'NV'), act('reopen', 'OH'))).toEqual(['NV']);
	});

	it('takes back a hold before a close', () => {
		const state = deskState([act('close', 'OH'), act('hold', 'OH'), act('reopen', 'OH')]);
		expect(state.rows.get('OH')?.closed.own).toBe(true);
		expect(isHeld(state.rows.get('OH'))).toBe(false);
	});

	it('does to each region what is done to the whole election, and takes only that back', () => {
		expect(held(act('close', 'OH'), act('hold', null))).toEqual(['OH']);
		expect(held(act('hold', 'OH'), act('hold', null), act('reopen', null))).toEqual(['OH']);
		expect(held(act('hold', 'OH'), act('hold', null), act('reopen', 'OH'))).toEqual([]);
	});

	it('names those on hold that have no numbers, and counts the others', () => {
		const state = deskState([act('hold', 'OH'), act('hold', 'NV')]);
		expect(withheldOf(0, state, new Set())).toEqual({ held: [], more: 0 });
		expect(withheldOf(3, state, new Set(['PA']))).toEqual({ held: ['NV', 'OH'], more: 1 });
		expect(withheldOf(2, state, new Set(['NV']))).toEqual({ held: ['OH'], more: 1 });
	});
});

describe('an act on the timeline', () => {
	const point = (iso: string, counted: number): TrendPoint => ({
		at: Date.parse(iso),
		minute: iso,
		counted,
		votes: new Map(),
		seats: new Map(),
	});
	const points = [
		point('2026-11-24T04:00:00Z', 1),
		point('2026-11-24T04:30:00Z', 50),
		point('2026-11-24T05:00:00Z', 90),
	];

	it('stands at its time, or at the nearest end', () => {
		expect(placeOf(act('hold', 'OH'), points)).toBe(Date.parse('2026-11-24T04:10:30Z'));
		expect(placeOf(act('hold', 'OH', { time: '2026-11-24T05:40:00Z' }), points)).toBe(points[2]?.at);
	});

	it('is found by the votes counted where the ballots are of another day, and else nowhere', () => {
		const old = { time: '2030-01-01T00:00:00Z' };
		expect(placeOf(act('close', null, { ...old, counted: 50 }), points)).toBe(points[1]?.at);
		expect(placeOf(act('close', null, { ...old, counted: 500 }), points)).toBe(points[2]?.at);
		expect(placeOf(act('close', 'OH', { ...old, counted: 50 }), points)).toBeNull();
		expect(placeOf(act('close', null, { ...old, counted: null }), points)).toBeNull();
		expect(placeOf(act('close', null), [])).toBeNull();
	});
});
