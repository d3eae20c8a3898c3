import { describe, expect, it } from 'vitest';
import { isResults, parseResults } from '../api/client';
import { liveQuery, retryDelayMs } from '../api/live';
import { COMMIT_EVERY_MS, commitDelayMs, Inbox, RESTART_AFTER_MS } from './inbox';
import { region, results } from './samples';

describe('the inbox', () => {
	it('takes what is newer, and tells the same from the older', () => {
		const inbox = new Inbox();
		expect([inbox.judge(5, 'e', 0), inbox.judge(5, 'e', 1), inbox.judge(4, 'e', 2), inbox.judge(6, 'e', 3)]).toEqual([
			'newer',
			'same',
			'older',
			'newer',
		]);
		expect(inbox.sequence).toBe(6);
	});
	it('follows another election at once', () => {
		const inbox = new Inbox();
		inbox.judge(500, 'e', 0);
		expect(inbox.judge(1, 'f', 1)).toBe('newer');
	});
	it('follows a count that began anew, but no straggler', () => {
		const inbox = new Inbox();
		inbox.judge(500, 'e', 0);
		expect(inbox.judge(1, null, 1000)).toBe('older');
		expect(inbox.judge(501, null, 1100)).toBe('newer');
		expect(inbox.judge(2, null, 2000)).toBe('older');
		expect(inbox.judge(3, null, 2000 + RESTART_AFTER_MS)).toBe('newer');
		expect(inbox.sequence).toBe(3);
	});
	it('lets at most five commits a second through', () => {
		expect(commitDelayMs(Number.NEGATIVE_INFINITY, 0)).toBe(0);
		expect(commitDelayMs(1000, 1050)).toBe(COMMIT_EVERY_MS - 50);
		expect(commitDelayMs(1000, 5000)).toBe(0);
		expect(1000 / COMMIT_EVERY_MS).toBeLessThan(5);
	});
});

describe('an answer', () => {
	const good = results([region('A', { ana: 1, ben: 2 })]);
	it('is taken when it is a snapshot', () => {
		expect(isResults(good)).toBe(true);
		expect(parseResults(JSON.stringify(good))?.sequence).toBe(7);
	});
	it.each([
		['null', null],
		['a text', 'hello'],
		['an error', { title: 'not found' }],
		['a negative count', { ...good, counted: -1 }],
		['a candidate without a name', { ...good, candidates: [{ id: 'x', votes: 1 }] }],
		['regions that are none', { ...good, regions: [null] }],
	])('is dropped when it is %s', (_what, value) => expect(isResults(value)).toBe(false));
	it('is dropped when it is torn', () => expect(parseResults('{"election":{"id"')).toBeNull());
});

describe('reconnecting', () => {
	it('is quick, spread, and slower in an outage', () => {
		expect(retryDelayMs(0, 0)).toBeGreaterThanOrEqual(500);
		expect(retryDelayMs(5, 1)).toBeLessThan(1500);
		expect(retryDelayMs(0, 0)).not.toBe(retryDelayMs(0, 1));
		expect(retryDelayMs(30, 0.5)).toBe(5000);
	});
});

describe('how many snapshots a second are asked for', () => {
	it('is what the address says, where it makes sense', () => {
		expect(liveQuery('?hz=20&state=PA')).toEqual({ hz: '20' });
		expect(liveQuery('')).toEqual({});
		for (const wrong of ['0', '21', 'fast', '-4', '']) expect(liveQuery(`?hz=${wrong}`)).toEqual({});
	});
});
