import { describe, expect, it } from 'vitest';
import { count, initials, millis, points, progress, progressWidth, share, short, signed } from './format';

describe('numbers', () => {
	it('are grouped', () => {
		expect(count(155212715)).toBe('155,212,715');
		expect(count(-1204)).toBe('−1,204');
		expect(short(805_700)).toBe('805.7K');
		expect(signed(805)).toBe('+805');
		expect(signed(-3)).toBe('−3');
		expect(signed(0)).toBe('0');
	});
	it.each([
		[0, '0.0%'],
		[0.0001, '<0.1%'],
		[0.3967, '39.7%'],
		[0.99961, '>99.9%'],
		[1, '100.0%'],
	])('share of %f is %s', (n, text) => expect(share(n)).toBe(text));
	it.each([
		[2.84, '+2.8'],
		[-0.42, '−0.4'],
		[0.021, '+0.02'],
		[0.0001, '+<0.01'],
		[0, '0.0'],
	])('a margin of %f is %s', (n, text) => expect(points(n)).toBe(text));
	it.each([
		[3.21, '3.2 ms'],
		[48, '48 ms'],
		[1400, '1.4 s'],
	])('%f milliseconds are %s', (n, text) => expect(millis(n)).toBe(text));
});

describe('progress', () => {
	it.each([
		[0, '0%'],
		[0.004, '<1%'],
		[0.589, '58%'],
		[0.994, '99%'],
		[0.9999, '>99%'],
		[1, '>99%'],
		[1.04, '>99%'],
		[null, '–'],
	])('%s before the end is %s', (n, text) => expect(progress(n, false)).toBe(text));
	it('is 100 % only when the count is complete', () => {
		expect(progress(0.97, true)).toBe('100%');
		expect(progressWidth(1.3, false)).toBeLessThan(1);
		expect(progressWidth(0.5, true)).toBe(1);
	});
});

describe('initials', () => {
	it.each([
		['Amara Okafor', 'AO'],
		['Ana María Fernández-Ruiz de la Torre', 'AT'],
		['Yes', 'Y'],
		['<img src=x>', 'IS'],
		['حزب المستقبل', 'حا'],
		['   ', '?'],
		['😀', '?'],
	])('%s is %s', (name, text) => expect(initials(name)).toBe(text));
});
