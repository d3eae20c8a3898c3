import { describe, expect, it } from 'vitest';
import { calmOrder, REORDER_EVERY_MS } from './order';
import { region } from './samples';
import { regionStanding } from './standing';
import { clampPage, firstDir, matches, sortRows, toCsv } from './table';
import { DEFAULT_VIEW, readView, writeView } from './url';

const rows = [
	region('A', { ana: 60, ben: 40 }, { name: 'Ávila' }),
	region('B', { ana: 5, ben: 5 }, { name: 'Bergen', expected: null }),
	region('C', { ana: 0, ben: 0 }, { name: 'Coruña' }),
].map((r) => regionStanding(r, ['ana', 'ben']));
const names = new Map([
	['ana', 'Ana'],
	['ben', 'Ben'],
]);
const codes = (list: typeof rows) => list.map((r) => r.region.code).join('');

describe('the table', () => {
	it.each([
		['', 'ABC'],
		['avila', 'A'],
		['b', 'B'],
		['coruña ', 'C'],
		['zzz', ''],
	])('search for "%s" finds %s', (q, found) => expect(codes(rows.filter((r) => matches(r, q)))).toBe(found));
	it.each([
		['votes', 'desc', 'ABC'],
		['votes', 'asc', 'CBA'],
		['margin', 'asc', 'BAC'],
		['margin', 'desc', 'ABC'],
		['progress', 'desc', 'ACB'],
		['name', 'desc', 'CBA'],
		['leader', 'asc', 'ABC'],
		['share:ben', 'desc', 'BAC'],
	] as const)('by %s %s is %s', (key, dir, order) => expect(codes(sortRows(rows, key, dir, names))).toBe(order));
	it('starts each column in the direction that is asked for most', () => {
		expect([firstDir('name'), firstDir('margin'), firstDir('votes'), firstDir('share:ana')]).toEqual([
			'asc',
			'asc',
			'desc',
			'desc',
		]);
	});
	it.each([
		[1, 51, 10, 1],
		[9, 51, 10, 6],
		[-3, 51, 10, 1],
		[Number.NaN, 51, 10, 1],
		[2, 0, 10, 1],
	])('page %f of %i rows by %i is %i', (page, many, size, at) => expect(clampPage(page, many, size)).toBe(at));
	it('writes CSV that no spreadsheet takes for a formula', () => {
		const bad = regionStanding(region('=1+1', { ana: 2, ben: 1 }, { name: 'a "b", c' }), ['ana', 'ben']);
		const lines = toCsv([bad], ['ana', 'ben']).split('\r\n');
		expect(lines[0]).toBe('code,name,seats,status,leader,margin_votes,counted,expected,ana,ben');
		expect(lines[1]).toBe('\'=1+1,"a ""b"", c",10,leading,ana,1,3,1000,2,1');
		expect(lines[2]).toBe('');
	});
});

describe('calm order', () => {
	const start = calmOrder(null, ['a', 'b', 'c'], 0, false);
	it('keeps the order until enough time has passed', () => {
		expect(calmOrder(start, ['b', 'a', 'c'], REORDER_EVERY_MS - 1, false).keys).toEqual(['a', 'b', 'c']);
		expect(calmOrder(start, ['b', 'a', 'c'], REORDER_EVERY_MS, false).keys).toEqual(['b', 'a', 'c']);
	});
	it('never moves what is under the hand', () => {
		expect(calmOrder(start, ['b', 'a', 'c'], 1e9, true).keys).toEqual(['a', 'b', 'c']);
	});
	it('lets members come and go at once', () => {
		expect(calmOrder(start, ['b', 'd'], 1, true).keys).toEqual(['b', 'd']);
	});
});

describe('the address', () => {
	it('gives back what was written', () => {
		const view = {
			...DEFAULT_VIEW,
			state: 'PA',
			map: 'tiles' as const,
			q: 'new',
			sort: 'share:ana' as const,
			dir: 'asc' as const,
			page: 3,
			size: 25,
			theme: 'dark' as const,
			at: '2024-11-06T00:31:00Z',
			age: '18-29',
		};
		expect(readView(writeView(view, ''))).toEqual(view);
	});
	it('is empty for the default and keeps what it does not know', () => {
		expect(writeView(DEFAULT_VIEW, '')).toBe('');
		expect(writeView(DEFAULT_VIEW, '?election=x&q=old')).toBe('?election=x');
	});
	it('falls back on nonsense', () => {
		expect(readView('?sort=drop&dir=up&page=-4&size=7&map=globe&theme=pink&at=soon')).toEqual(DEFAULT_VIEW);
	});
});
