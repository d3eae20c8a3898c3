// The live feed: the first snapshot by request, then server-sent events; reconnects, tells a quiet stream from a dead
// one, and closes while the tab is hidden. It knows nothing of what is shown; `state/feed.ts` decides what to commit.

import { ApiError, getJson, isResults, type Trouble } from './client';
import type { Results } from './types';
import { written } from './written';

/** No message for this long, and the server is asked whether it is still there. */
export const QUIET_MS = 3_000;
/** No sign of life for this long, and the data is called stale. */
export const STALE_MS = 5_000;
/** After connecting, a snapshot must come this soon, or one is fetched. */
const FIRST_MESSAGE_MS = 700;

/** After this many attempts without a stream, each further one also fetches the present snapshot. */
const FETCH_AFTER = 3;

/** A server that refuses (which election? who are you?) will hardly change its mind within this. */
const REFUSED_EVERY_MS = 5_000;

/** What the stream is asked for: as many snapshots a second as the page's own address says (`?hz=`, 1 to 20), else the server's default. */
export function liveQuery(search: string): Record<string, string> {
	const hz = Number(new URLSearchParams(search).get('hz'));
	return hz >= 1 && hz <= 20 ? { hz: String(hz) } : {};
}

/** How long to wait before attempt `n` (from 0) to reach the server again. Quick at first, so that a restart is not
 * noticed; slower for an outage; spread, so that a thousand viewers do not come back in one instant. */
export function retryDelayMs(attempt: number, random: number): number {
	const base = attempt < 20 ? 900 : 5_000;
	return base * (0.75 + random / 2);
}

export interface FeedEvents {
	/** A snapshot as text, with its sequence where the stream named one. */
	message(text: string, sequence: number | null): void;
	/** A snapshot that was fetched. */
	snapshot(results: Results): void;
	/** The server gave a sign of life. */
	alive(): void;
	/** The first snapshot could not be had; it is tried again after `waitMs`. */
	trouble(trouble: Trouble, waitMs: number): void;
	/** The stream opened or broke. */
	connection(open: boolean): void;
}

export class LiveFeed {
	private source: EventSource | null = null;
	private timer: ReturnType<typeof setTimeout> | undefined;
	private quiet: ReturnType<typeof setInterval> | undefined;
	private attempt = 0;
	private heardAt = 0;
	private polling = false;
	private loaded = false;
	/** Until then the server asked to be left alone. */
	private restUntil = 0;
	private stopped = false;

	constructor(
		private readonly events: FeedEvents,
		/** Adds to a path what every request of this page carries. */
		private readonly address: (path: string, query?: Record<string, string>) => string = (path) => path,
	) {}

	start(): void {
		document.addEventListener('visibilitychange', this.visibility);
		window.addEventListener('online', this.retryNow);
		window.addEventListener('pagehide', this.closeStream);
		window.addEventListener('pageshow', this.shown);
		void this.load();
	}

	stop(): void {
		this.stopped = true;
		document.removeEventListener('visibilitychange', this.visibility);
		window.removeEventListener('online', this.retryNow);
		window.removeEventListener('pagehide', this.closeStream);
		window.removeEventListener('pageshow', this.shown);
		this.closeStream();
	}

	/** Tries at once, whatever the wait was. */
	readonly retryNow = (): void => {
		if (this.stopped) return;
		this.attempt = 0;
		if (!this.loaded) void this.load();
		else if (!this.source && !document.hidden) this.open();
	};

	private readonly visibility = (): void => {
		if (document.hidden) this.closeStream();
		else this.retryNow();
	};

	private readonly shown = (event: PageTransitionEvent): void => {
		if (event.persisted) this.retryNow();
	};

	private async load(): Promise<void> {
		clearTimeout(this.timer);
		try {
			const results = await getJson<unknown>(this.address('/api/results'));
			if (this.loaded || this.stopped) return;
			if (!isResults(results)) throw new ApiError({ kind: 'malformed' });
			this.loaded = true;
			this.attempt = 0;
			this.heard();
			this.events.snapshot(results);
			if (!document.hidden) this.open();
		} catch (error) {
			if (this.loaded || this.stopped) return;
			const fault = error instanceof ApiError ? error : new ApiError({ kind: 'malformed' });
			const asks = fault.trouble.kind === 'status' && fault.trouble.status < 500;
			const wait = this.later(() => void this.load(), Math.max(fault.retryAfterMs, asks ? REFUSED_EVERY_MS : 0));
			this.events.trouble(fault.trouble, wait);
		}
	}

	private open(): void {
		if (written) return;
		this.closeStream();
		const source = new EventSource(this.address('/api/live', liveQuery(location.search)));
		this.source = source;
		source.onopen = () => {
			this.attempt = 0;
			this.heard();
			this.events.connection(true);
			const openedAt = this.heardAt;
			setTimeout(() => {
				if (this.source === source && this.heardAt === openedAt) void this.poll(source);
			}, FIRST_MESSAGE_MS);
		};
		const take = (event: MessageEvent<string>) => {
			if (this.source !== source) return;
			this.heard();
			const sequence = /^\d+$/.test(event.lastEventId) ? Number(event.lastEventId) : null;
			this.events.message(event.data, sequence);
		};
		source.onmessage = take;
		source.addEventListener('results', take);
		source.addEventListener('snapshot', take);
		source.addEventListener('beat', () => this.source === source && this.heard());
		source.onerror = () => {
			if (this.source !== source) return;
			this.closeStream();
			this.events.connection(false);
			// No place in the stream, or a proxy in its way: the numbers can still be asked for.
			if (this.attempt >= FETCH_AFTER) void this.fetchOnce();
			this.later(() => this.open());
		};
		this.quiet = setInterval(() => {
			if (source.readyState === EventSource.OPEN && performance.now() - this.heardAt >= QUIET_MS)
				void this.poll(source);
		}, 1_000);
	}

	/** Asks for the present snapshot over an open but quiet stream: tells quiet from dead, and heals a stream that lost its tail. */
	private async poll(source: EventSource): Promise<void> {
		if (this.polling) return;
		this.polling = true;
		try {
			const results = await getJson<unknown>(this.address('/api/results'), QUIET_MS);
			if (this.source !== source || !isResults(results)) return;
			this.heard();
			this.events.snapshot(results);
		} catch {
			// No answer is no sign of life: the page turns stale by itself.
		} finally {
			this.polling = false;
		}
	}

	private async fetchOnce(): Promise<void> {
		if (this.polling) return;
		this.polling = true;
		try {
			const results = await getJson<unknown>(this.address('/api/results'), QUIET_MS);
			if (!this.stopped && isResults(results)) this.events.snapshot(results);
		} catch (error) {
			// The page says already that it is not live; a server that asks for rest gets it.
			if (error instanceof ApiError) this.restUntil = Date.now() + error.retryAfterMs;
		} finally {
			this.polling = false;
		}
	}

	private heard(): void {
		this.heardAt = performance.now();
		this.events.alive();
	}

	/** Does something after a while, at least `leastMs`; returns how long that is. */
	private later(then: () => void, leastMs = 0): number {
		clearTimeout(this.timer);
		if (this.stopped || (document.hidden && this.loaded)) return 0;
		const wait = Math.max(leastMs, this.restUntil - Date.now(), retryDelayMs(this.attempt++, Math.random()));
		this.timer = setTimeout(then, wait);
		return wait;
	}

	private readonly closeStream = (): void => {
		clearTimeout(this.timer);
		clearInterval(this.quiet);
		this.source?.close();
		this.source = null;
	};
}
