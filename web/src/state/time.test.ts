// The slider, the minute in the address, and what stands on the drawing.

import { describe, expect, it } from 'vitest';
import { pointAt, slider, slideTo, type TrendPoint, thinned } from './trend';
import { DEFAULT_VIEW, minuteOf, readView, writeView } from './url';

/** Points that close minutes 1, 2, 5 and 6 of the hour; the last is the present. */
const points: TrendPoint[] = [0, 1, 4, 5].map((m, i) => ({
	at: Date.parse(`2026-11-24T04:0${m}:00Z`) + 60_000,
	minute: i === 3 ? null : `2026-11-24T04:0${m}:00Z`,
	counted: i + 1,
	votes: new Map(),
	seats: new Map(),
}));
const base = Date.parse('2026-11-24T04:00:00Z') / 60_000;

describe('the slider', () => {
	it('spans the minutes with news and ends at the present', () => {
		expect(slider(points, null)).toEqual({ min: base + 1, max: base + 6, value: base + 6 });
		expect(slider(points, '2026-11-24T04:01:00Z').value).toBe(base + 2);
		expect(slider(points, '1999-01-01T00:00:00Z').value).toBe(base + 1);
		expect(slider([], null).max).toBe(1);
	});

	it('steps over minutes without news, either way', () => {
		expect(slideTo(points, base + 2, base + 3)).toBe('2026-11-24T04:04:00Z');
		expect(slideTo(points, base + 5, base + 4)).toBe('2026-11-24T04:01:00Z');
		expect(slideTo(points, base + 1, base)).toBe('2026-11-24T04:00:00Z');
	});

	it('comes back to the present at its end', () => {
		expect(slideTo(points, base + 5, base + 6)).toBeNull();
		expect(slideTo(points, base + 5, base + 60)).toBeNull();
		expect(slideTo([], 0, 1)).toBeNull();
	});

	it('shows the last totals of a minute without news', () => {
		expect(pointAt(points, '2026-11-24T04:03:00Z')?.counted).toBe(2);
		expect(pointAt(points, '2020-01-01T00:00:00Z')?.counted).toBe(1);
		expect(pointAt([], '2020-01-01T00:00:00Z')).toBeUndefined();
	});
});

describe('marks', () => {
	it('are thinned where they would cover each other, acts of the desk last', () => {
		const mark = (at: number, kind: 'lead' | 'hold') => ({ at, kind, text: `${kind} ${at}` });
		const kept = thinned([mark(10, 'lead'), mark(12, 'hold'), mark(40, 'lead'), mark(44, 'lead')], (at) => at, 14);
		expect(kept.map((m) => m.text)).toEqual(['hold 12', 'lead 40']);
	});
});

describe('the minute in the address', () => {
	it('is written as the API writes it', () => {
		expect(minuteOf('2024-11-06T01:30:59+01:00')).toBe('2024-11-06T00:30:00Z');
		expect(minuteOf('2024-11-06T01:30:00 01:00')).toBe('2024-11-06T00:30:00Z');
		expect(minuteOf('2024-11-06T01:30:00.123Z')).toBe('2024-11-06T01:30:00Z');
	});

	it('is none where it is none', () => {
		for (const text of [
			null,
			'',
			'yesterday',
			'<img>',
			'12',
			'2024',
			'2024-11-06',
			'-271821-04-20T00:00:00Z',
			'+275760-09-13T00:00:00Z',
		])
			expect(minuteOf(text)).toBeNull();
	});

	it('keeps what else the address holds, and which election', () => {
		const view = readView('?election=poll&trend=shares&gender=Male&area=OH&at=nonsense');
		expect(view).toMatchObject({ trend: 'shares', gender: 'Male', area: 'OH', at: null });
		const text = writeView({ ...view, at: '2024-11-06T01:30:00Z' }, '?election=poll');
		expect(new URLSearchParams(text).get('election')).toBe('poll');
		expect(readView(text)).toEqual({ ...view, at: '2024-11-06T01:30:00Z' });
		expect(writeView(DEFAULT_VIEW, '?trend=seats')).toBe('');
	});
});
