import { describe, expect, it } from 'vitest';
import type { Demographics, Timeline } from '../api/types';
import { mapSpots, step, tiles } from '../map/layout';
import { US_STATES } from '../map/shapes';
import { contrast, EMPTY, labelOn, PALETTE, paint, paintAll } from './colours';
import { groupRows } from './groups';
import { region, results } from './samples';
import { leadAt, spread, ticks, trendPoints, valueAt } from './trend';

const THEMES = ['light', 'dark'] as const;
const CARD = { light: '#ffffff', dark: '#141a22' };

describe('colours', () => {
	const any = ['#ffffff', '#000000', '#808080', '#ff00ff', '#ffff00', '#123456'];
	const pairs = [...Object.values(PALETTE), ...any.map((c) => [c, c] as const)];
	it.each(THEMES)('carry readable labels and stand out, %s', (theme) => {
		for (const pair of pairs) {
			const p = paint(pair, theme);
			expect(contrast(p.onSolid, p.solid)).toBeGreaterThanOrEqual(4.5);
			expect(contrast(p.onHatch, p.ground)).toBeGreaterThanOrEqual(4.5);
			expect(contrast(p.onHatch, p.stripe)).toBeGreaterThanOrEqual(4.5);
			expect(contrast(p.solid, CARD[theme])).toBeGreaterThanOrEqual(2.99);
		}
		const e = EMPTY[theme];
		expect(contrast(e.onSolid, e.solid)).toBeGreaterThanOrEqual(4.5);
		expect(contrast(e.onHatch, e.stripe)).toBeGreaterThanOrEqual(4.5);
	});
	it('labels are black or white', () => {
		expect(labelOn('#004cdd')).toBe('#ffffff');
		expect(labelOn('#60b4fd')).toBe('#000000');
	});
	it('do not depend on who is ahead, and are the given ones where they are given', () => {
		const a = { id: 'a', name: 'A', votes: 1, share: 0, colour: 'vermilion' };
		const b = { id: 'b', name: 'B', votes: 2, share: 0 };
		const one = paintAll([a, b], 'light');
		const two = paintAll([b, a], 'light');
		expect(one.get('b')).toEqual(two.get('b'));
		expect(one.get('a')?.solid).toBe('#d94e0b');
		expect(one.get('b')?.solid).toBe('#004cdd');
	});
	it('last for thirty candidates', () => {
		const many = Array.from({ length: 30 }, (_, i) => ({ id: `c${i}`, name: 'x', votes: 0, share: 0 }));
		expect(paintAll(many, 'dark').size).toBe(30);
	});
});

describe('tiles and map', () => {
	const codes = Object.keys(US_STATES);
	it('hold each of the 51 once', () => {
		expect(codes.length).toBe(51);
		expect(new Set(tiles(codes).spots.map((s) => s.code)).size).toBe(51);
		expect(new Set(tiles(codes).spots.map((s) => `${s.x}/${s.y}`)).size).toBe(51);
		expect(mapSpots(codes).length).toBe(51);
	});
	it('fall back to a plain grid for other regions', () => {
		const t = tiles(['W1', 'W2', 'W3', 'W4', 'W5']);
		expect(t.spots.map((s) => s.code)).toEqual(['W1', 'W2', 'W3', 'W4', 'W5']);
		expect(t.columns * t.rows).toBeGreaterThanOrEqual(5);
	});
	it('arrows move to the neighbour, and reach every state', () => {
		expect(step(tiles(codes).spots, 'PA', 'ArrowLeft')).toBe('OH');
		expect(step(tiles(codes).spots, 'PA', 'ArrowRight')).toBe('NJ');
		expect(step(mapSpots(codes), 'CO', 'ArrowRight')).toBe('KS');
		expect(step(mapSpots(codes), null, 'ArrowRight')).not.toBeNull();
		expect(step(mapSpots(codes), 'CO', 'x')).toBeNull();
		for (const spots of [mapSpots(codes), tiles(codes).spots]) {
			const seen = new Set(['CO']);
			const open = ['CO'];
			for (let at = open.pop(); at; at = open.pop()) {
				for (const key of ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown']) {
					const next = step(spots, at, key);
					if (next && !seen.has(next)) {
						seen.add(next);
						open.push(next);
					}
				}
			}
			expect(codes.filter((code) => !seen.has(code))).toEqual([]);
		}
	});
});

describe('lines over time', () => {
	const timeline: Timeline = {
		sequence: 3,
		candidates: ['ana', 'ben'],
		points: [
			{ minute: '2026-11-22T04:07:00Z', counted: 0, votes: [0, 0] },
			{ minute: '2026-11-22T04:08:00Z', counted: 10, votes: [4, 6], seats: [0, 10] },
			{ minute: '2026-11-22T04:10:00Z', counted: 20, votes: [12, 8], seats: [10, 0] },
		],
		lead_changes: [],
	};
	const live = results([region('A', { ana: 30, ben: 10 })]);
	it('begin with the first vote and end with the live snapshot, which is the last minute', () => {
		const points = trendPoints(timeline, live);
		expect(points.map((p) => p.minute)).toEqual(['2026-11-22T04:08:00Z', null]);
		expect(points.map((p) => leadAt(p, 'ana', 'ben'))).toEqual([-20, 50]);
		expect(valueAt(points[0] as (typeof points)[0], 'ben', 'seats')).toBe(10);
		expect(valueAt(points[1] as (typeof points)[0], 'ben', 'shares')).toBe(25);
	});
	it('do without a timeline', () => {
		expect(trendPoints(null, null)).toEqual([]);
		expect(trendPoints(null, live).length).toBe(1);
	});
	it('have round ticks around all values', () => {
		expect(ticks(-3.2, 7.9, 4)).toEqual([-5, 0, 5, 10]);
		expect(ticks(0, 270, 4)).toEqual([0, 100, 200, 300]);
		expect(ticks(0, 0, 4).length).toBeGreaterThan(0);
	});
	it('have labels that keep apart', () => {
		const ys = spread([100, 101, 99, 250], 16, 0, 256);
		const sorted = [...ys].sort((a, b) => a - b);
		for (let i = 1; i < sorted.length; i++)
			expect((sorted[i] ?? 0) - (sorted[i - 1] ?? 0)).toBeGreaterThanOrEqual(15.99);
		expect(Math.max(...ys)).toBeLessThanOrEqual(256);
	});
});

describe('who voted how', () => {
	const d: Demographics = {
		sequence: 1,
		min_cell: 10,
		genders: ['Male', 'Female', 'Unknown'],
		bands: ['18-29', '65+', 'unknown'],
		withheld: 0,
		nation: [
			{ candidate: 'ana', kind: 'age_gender', votes: 10, cells: [1, 2, 0, 3, 4, 0, 0, 0, 0] },
			{ candidate: 'ben', kind: 'age_gender', votes: 26, cells: [5, 6, 0, 7, 8, 0, 0, 0, 0] },
		],
		regions: [
			{
				code: 'A',
				name: 'A',
				blocks: [
					{ candidate: 'ana', kind: 'gender', votes: 5, cells: [2, 3, 0] },
					{ candidate: 'ana', kind: 'age', votes: 5, cells: [1, 4, 0] },
				],
			},
		],
	};
	const none = { age: null, gender: null, region: null };
	it('has a row for each group with votes', () => {
		expect(groupRows(d, none).map((r) => [r.key, r.votes])).toEqual([
			['18-29/Male', 6],
			['18-29/Female', 10],
			['65+/Male', 8],
			['65+/Female', 12],
		]);
	});
	it('filters', () => {
		expect(groupRows(d, { ...none, age: '65+' }).map((r) => r.key)).toEqual(['65+/Male', '65+/Female']);
		expect(groupRows(d, { ...none, age: '65+', gender: 'Female' }).map((r) => r.votes)).toEqual([12]);
		expect(groupRows(d, { ...none, age: 'no such' })).toEqual([]);
	});
	it('shows ages and genders apart where both are not released together', () => {
		expect(groupRows(d, { ...none, region: 'A' }).map((r) => r.key)).toEqual([
			'18-29/*',
			'65+/*',
			'*/Male',
			'*/Female',
		]);
		expect(groupRows(d, { ...none, region: 'B' })).toEqual([]);
	});
});
