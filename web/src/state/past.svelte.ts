// Results at a past minute: fetched once, kept, one request at a time, and only the newest wish is answered.

import { getJson, isResults } from '../api/client';
import type { Results } from '../api/types';

/** Past snapshots kept, so that a slider drawn back and forth asks once for each minute. */
const KEPT_MAX = 120;
/** A slider on the move asks no more often than this. */
const SETTLE_MS = 90;

export class Past {
	/** The last past snapshot that came. */
	results = $state.raw<Results | null>(null);
	/** Which minute it shows, as it was asked for. */
	at = $state<string | null>(null);
	failed = $state(false);
	private kept = new Map<string, Results>();
	private wish: string | null = null;
	private busy = false;
	private timer: ReturnType<typeof setTimeout> | undefined;

	constructor(private readonly path: (at: string) => string) {}

	/** Asks for a minute; null goes back to the present. */
	show(at: string | null): void {
		if (at === this.wish) return;
		this.wish = at;
		this.failed = false;
		clearTimeout(this.timer);
		if (at === null) {
			this.at = null;
			this.results = null;
			return;
		}
		const kept = this.kept.get(at);
		if (kept) this.take(at, kept);
		else this.timer = setTimeout(() => void this.fetch(at), SETTLE_MS);
	}

	/** Asks once more for what could not be had. */
	retry(): void {
		if (this.wish === null) return;
		this.failed = false;
		void this.fetch(this.wish);
	}

	private async fetch(at: string): Promise<void> {
		// The one under way looks at the wish again when it ends.
		if (this.busy) return;
		this.busy = true;
		try {
			const results = await getJson<unknown>(this.path(at));
			if (!isResults(results)) throw new Error('malformed');
			const oldest = this.kept.keys().next();
			if (this.kept.size >= KEPT_MAX && !oldest.done) this.kept.delete(oldest.value);
			this.kept.set(at, results);
			if (this.wish === at) this.take(at, results);
		} catch {
			if (this.wish === at) this.failed = true;
		} finally {
			this.busy = false;
			if (this.wish !== null && this.wish !== at && this.wish !== this.at) void this.fetch(this.wish);
		}
	}

	private take(at: string, results: Results): void {
		this.at = at;
		this.results = results;
	}
}
