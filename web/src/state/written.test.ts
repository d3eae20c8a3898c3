import { describe, expect, it } from 'vitest';
import { answerOf, readWritten, written } from '../api/written';

describe('a page that stands alone', () => {
	it('is none without the element', () => {
		expect(written).toBeNull();
		expect(readWritten(undefined)).toBeNull();
	});
	it('finds an answer by its path, whatever is asked of it', () => {
		const page = readWritten('{"taken":"2026-11-24T04:50:00.000Z","/api/demographics":{"nation":[]}}');
		expect(page?.taken).toBe('2026-11-24T04:50:00.000Z');
		if (!page) throw new Error('there is one');
		expect(answerOf(page, '/api/demographics?region=OH&election=x')).toEqual({ nation: [] });
		expect(answerOf(page, '/api/engine')).toBeUndefined();
		expect(answerOf(page, 'toString')).toBeUndefined();
	});
	it('stays without a server when it is damaged', () => {
		for (const text of ['', '{"taken":', 'null', '[]', '{"taken":"yesterday"}']) {
			const page = readWritten(text);
			expect(page?.taken).toBe('');
			if (page) expect(answerOf(page, '/api/results')).toBeUndefined();
		}
	});
});
