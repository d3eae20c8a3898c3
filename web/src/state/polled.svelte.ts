// What is not in the live snapshot and is asked for now and then: the timeline, demographics, the desk's acts, the engine's health.

import { untrack } from 'svelte';
import { ApiError, getJson } from '../api/client';

export class Polled<T> {
	value = $state.raw<T | null>(null);
	/** The last attempt brought nothing; what came before is kept. */
	failed = $state(false);
	/** The server has no such thing: it is not asked again. */
	absent = $state(false);
	private key = '';
	private busy = false;
	private again = false;
	/** Until then the server asked to be left alone, by `Date.now()`. */
	private restUntil = 0;

	/** `is`: whether an answer is one; any other counts as none. */
	constructor(private readonly is: (value: unknown) => value is T) {}

	/** Asks once. */
	async once(path: string): Promise<void> {
		try {
			const value = await getJson<unknown>(path);
			if (this.is(value)) this.value = value;
		} catch {
			this.failed = true;
		}
	}

	/**
	 * Asks at once and then every `everyMs`, as long as the tab is shown and `wanted` gives a path. The same `stamp` as at the last
	 * answer means that nothing can have changed: then it does not ask. An answer that nobody wants any more is dropped. Returns what
	 * stops it.
	 */
	run(everyMs: number, wanted: () => { path: string; stamp: string | number } | null): () => void {
		let stopped = false;
		const ask = async () => {
			// Read without being watched: what is asked for next must not start the asking anew.
			const want = untrack(wanted);
			if (stopped || want === null || document.hidden || this.absent || Date.now() < this.restUntil) return;
			if (this.busy) {
				this.again = true;
				return;
			}
			const key = `${want.path} ${want.stamp}`;
			if (key === this.key && !untrack(() => this.failed)) return;
			this.busy = true;
			try {
				const value = await getJson<unknown>(want.path);
				if (!this.is(value)) throw new ApiError({ kind: 'malformed' });
				// Paused meanwhile: nothing on the page changes any more.
				if (untrack(wanted) === null) return;
				this.value = value;
				this.key = key;
				this.failed = false;
			} catch (error) {
				this.failed = true;
				if (error instanceof ApiError) {
					this.restUntil = Date.now() + error.retryAfterMs;
					this.absent = error.trouble.kind === 'status' && error.trouble.status === 404 && this.value === null;
				}
			} finally {
				this.busy = false;
				if (this.again) {
					this.again = false;
					void ask();
				}
			}
		};
		void ask();
		const timer = setInterval(() => void ask(), everyMs);
		return () => {
			stopped = true;
			clearInterval(timer);
		};
	}
}
