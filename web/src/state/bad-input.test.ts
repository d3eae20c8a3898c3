// Answers that are none, servers that ask for rest, and what the health strip makes of what it is not told.

import { describe, expect, it } from 'vitest';
import { isDemographics, isDesk, isElections, isEngine, isRejects, isResults, isTimeline } from '../api/check';
import { ApiError, getJson, retryAfterMs } from '../api/client';
import type { EngineAnswer } from '../api/types';
import { hasTiles, tiles } from '../map/layout';
import { paintAll } from './colours';
import { health } from './health';
import { region, results } from './samples';

const good = () =>
	structuredClone(results([region('A', { ana: 5, ben: 3, cyd: 1 })])) as unknown as Record<string, never>;

describe('an answer that is none', () => {
	it.each([
		['nothing', null],
		['a text', 'results'],
		['a list', []],
		['no election', { ...good(), election: 7 }],
		['a sequence that is a text', { ...good(), sequence: 'x' }],
		['a count below zero', { ...good(), counted: -1 }],
		['a party that is a number', { ...good(), candidates: [{ id: 'a', name: 'A', votes: 1, party: 3 }] }],
		['a region without a name', { ...good(), regions: [{ code: 'A', counted: 0, votes: {} }] }],
		[
			'votes that are no numbers',
			{ ...good(), regions: [{ code: 'A', name: 'A', counted: 1, votes: { ana: 'one' } }] },
		],
		['a time that is none', { ...good(), as_of: 'soon' }],
	])('is not shown: %s', (_what, value) => {
		expect(isResults(value)).toBe(false);
	});

	it('may leave out what is optional', () => {
		expect(isResults(good())).toBe(true);
		const bare = { election: { id: 'e', name: 'E' }, sequence: 1, counted: 0, candidates: [], regions: [] };
		expect(isResults(bare)).toBe(true);
	});

	it('is told from one in every other address', () => {
		for (const is of [isTimeline, isDemographics, isDesk, isEngine, isRejects, isElections])
			for (const value of [
				null,
				7,
				[],
				'x',
				{},
				{ points: 1, acts: 1, nation: 1, viewers: 'x', reasons: [], elections: {} },
			])
				expect(is(value)).toBe(false);
		expect(
			isDesk({ acts: [{ number: 1, time: '2026-11-24T04:10:30.000Z', action: 'hold', region: null, counted: null }] }),
		).toBe(true);
		expect(isDesk({ acts: [{ number: 1, time: 'noon', action: 'hold' }] })).toBe(false);
		expect(isEngine({ engine: null, viewers: 0, backlog: 0 })).toBe(true);
		expect(isTimeline({ candidates: [], points: [], lead_changes: [] })).toBe(true);
	});
});

describe('Retry-After', () => {
	it('is read as seconds or as a date, and bounded', () => {
		expect(retryAfterMs('7', 0)).toBe(7000);
		expect(retryAfterMs('Thu, 01 Jan 1970 00:00:09 GMT', 2000)).toBe(7000);
		expect(retryAfterMs('Thu, 01 Jan 1970 00:00:09 GMT', 20_000)).toBe(0);
		expect(retryAfterMs('86400', 0)).toBe(120_000);
		expect(retryAfterMs('soon', 0)).toBe(0);
		expect(retryAfterMs(null, 0)).toBe(0);
	});

	it('comes with the error', async () => {
		const fetcher = async () => new Response('', { status: 429, headers: { 'retry-after': '7' } });
		const error = await getJson('/api/results', 1000, fetcher as typeof fetch).catch((e: unknown) => e);
		expect(error).toBeInstanceOf(ApiError);
		expect(error).toMatchObject({ trouble: { kind: 'status', status: 429 }, retryAfterMs: 7000 });
	});
});

describe('how the count is doing', () => {
	const r = results([region('A', { ana: 600, ben: 300, cyd: 100 })]);
	const now = Date.parse(r.as_of ?? '') + 3_000;
	const engine = { records_per_s: 100, commit_p50_ms: 20, commit_p99_ms: 40, backlog: 0, workers: 2, paused: null };
	const answer = (more: Partial<typeof engine> | { paused: string } = {}): EngineAnswer => ({
		engine: { ...engine, ...more },
		viewers: 1,
	});

	it('is well, done, behind, late or paused', () => {
		expect(health(r, answer(), now)).toMatchObject({ all: 'ok', summary: 'well', sinceS: 3, catchUpS: null });
		expect(health({ ...r, status: 'complete' }, answer(), now).summary).toBe('done');
		expect(health(r, answer({ backlog: 20_000 }), now)).toMatchObject({
			summary: 'behind',
			backlog: 'bad',
			catchUpS: 200,
		});
		expect(health(r, answer({ commit_p99_ms: 1200 }), now)).toMatchObject({ summary: 'late', delay: 'warn' });
		expect(health(r, answer({ paused: 'disk full' }), now)).toMatchObject({ all: 'bad', summary: 'paused' });
		expect(health({ ...r, rejected: 30 }, answer(), now)).toMatchObject({ rejected: 'warn', summary: 'rejects' });
		expect(health(r, answer({ backlog: 5 }), now + 60_000)).toMatchObject({ commit: 'warn', summary: 'behind' });
	});

	it('is not called good where it is not known', () => {
		expect(health(r, null, now)).toMatchObject({ all: 'none', delay: 'none', backlog: 'none', commit: 'none' });
		const told = health(r, { engine: null, viewers: 3, backlog: 2000, records_per_s: 1000 }, now);
		expect(told).toMatchObject({ here: false, perS: 1000, catchUpS: 2, backlog: 'ok', workers: null });
		const secret = health(r, answer({ records_per_s: null, backlog: null } as never), now);
		expect(secret).toMatchObject({
			here: true,
			perS: null,
			waiting: null,
			backlog: 'none',
			commit: 'none',
			summary: 'well',
		});
		const apart = health(r, { engine: null, viewers: 3, backlog: 17 }, now);
		expect(apart).toMatchObject({
			all: 'none',
			delay: 'none',
			speed: 'none',
			summary: 'elsewhere',
			waiting: 17,
			catchUpS: null,
		});
	});
});

describe('many candidates and any regions', () => {
	it('tells thirty candidates apart by colour and sign', () => {
		const candidates = Array.from({ length: 30 }, (_, i) => ({ id: `c${i}`, name: `C ${i}`, votes: 0, share: 0 }));
		for (const theme of ['light', 'dark'] as const) {
			const looks = [...paintAll(candidates, theme).values()].map((p) => `${p.solid} ${p.mark}`);
			expect(new Set(looks).size).toBe(30);
			expect(looks.slice(0, 5).every((l) => l.endsWith(' 0'))).toBe(true);
		}
	});

	it('draws tiles for short codes only, and takes no name of an object for a state', () => {
		expect(hasTiles(['W1', 'W22', 'ABCD'])).toBe(true);
		expect(hasTiles(['W1', 'COMMUNE-001'])).toBe(false);
		expect(tiles(['toString', 'constructor']).columns).toBe(2);
	});
});
