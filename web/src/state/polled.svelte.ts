// What is not in the live snapshot and is asked for now and then: the timeline, demographics, the engine's health.

import { untrack } from 'svelte';
import { getJson } from '../api/client';

export class Polled<T> {
	value = $state.raw<T | null>(null);
	/** The last attempt brought nothing; what came before is kept. */
	failed = $state(false);
	private key = '';
	private busy = false;

	/**
	 * Asks at once and then every `everyMs`, as long as the tab is shown and `wanted` gives a path. The same `stamp` as at the last
	 * answer means that nothing can have changed: then it does not ask. Returns what stops it.
	 */
	run(everyMs: number, wanted: () => { path: string; stamp: string | number } | null): () => void {
		const ask = async () => {
			// Read without being watched: what is asked for next must not start the asking anew.
			const want = untrack(wanted);
			if (want === null || document.hidden || this.busy) return;
			const key = `${want.path} ${want.stamp}`;
			if (key === this.key && !this.failed) return;
			this.busy = true;
			try {
				this.value = await getJson<T>(want.path);
				this.key = key;
				this.failed = false;
			} catch {
				this.failed = true;
			} finally {
				this.busy = false;
			}
		};
		void ask();
		const timer = setInterval(() => void ask(), everyMs);
		return () => clearInterval(timer);
	}
}
