import { afterEach, describe, expect, it, vi } from 'vitest';
import { tellHeight } from './height';

afterEach(() => {
	vi.useRealTimers();
	vi.unstubAllGlobals();
});

describe('the height message', () => {
	it('is sent on a change, not twice for the same height, and not more often than ten times a second', () => {
		vi.useFakeTimers();
		let changed: () => void = () => {};
		vi.stubGlobal(
			'ResizeObserver',
			class {
				constructor(on: () => void) {
					changed = on;
				}
				observe() {}
				disconnect() {}
			},
		);
		const element = document.createElement('div');
		let height = 120.4;
		element.getBoundingClientRect = () => ({ height }) as DOMRect;
		const sent: unknown[] = [];
		const parent = { postMessage: (message: unknown) => sent.push(message) } as unknown as Window;
		const stop = tellHeight(element, parent);
		changed();
		vi.advanceTimersByTime(1);
		expect(sent).toEqual([{ type: 'votestream:height', height: 121 }]);
		for (let i = 0; i < 50; i++) {
			height += 1;
			changed();
			vi.advanceTimersByTime(10);
		}
		expect(sent.length).toBeGreaterThan(3);
		expect(sent.length).toBeLessThanOrEqual(6);
		vi.advanceTimersByTime(200);
		expect(sent.at(-1)).toEqual({ type: 'votestream:height', height: 171 });
		const before = sent.length;
		changed();
		vi.advanceTimersByTime(200);
		expect(sent.length).toBe(before);
		stop();
	});
	it('is not sent where nobody frames the page', () => {
		const element = document.createElement('div');
		expect(() => tellHeight(element, window)()).not.toThrow();
	});
});
