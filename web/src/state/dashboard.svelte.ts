// The page's one store: the snapshot that is shown, how the feed is doing, and what the address holds. Sections read it and
// call its methods; nothing else holds state that outlives a section.

import { parseResults, type Trouble } from '../api/client';
import { LiveFeed, STALE_MS } from '../api/live';
import type { Results } from '../api/types';
import { US_STATES } from '../map/us-states';
import { t } from '../strings';
import { initials } from '../strings/format';
import { ANNOUNCE_EVERY_MS, announcement } from './announce';
import { type Paint, paintAll, type Theme } from './colours';
import { commitDelayMs, Inbox } from './inbox';
import { Past } from './past.svelte';
import { type RegionStanding, type Standing, standing } from './standing';
import { readView, type ThemeChoice, type View, writeView } from './url';

export type LinkStatus = 'loading' | 'waiting' | 'live' | 'stale' | 'offline' | 'paused' | 'final' | 'error' | 'past';

const THEME_KEY = 'votestream.theme';
/** Out of reach for this long is more than a hiccup: the page says so and dims. */
const OFFLINE_AFTER_MS = 15_000;

interface Waiting {
	text: string | null;
	results: Results | null;
}

export class Dashboard {
	/** The newest snapshot that was committed, whatever is shown. */
	live = $state.raw<Results | null>(null);
	trouble = $state.raw<Trouble | null>(null);
	paused = $state(false);
	/** Snapshots that came while paused. */
	waiting = $state(0);
	announced = $state('');
	view = $state<View>(readView(location.search));
	private connected = $state(true);
	private online = $state(navigator.onLine);
	private heardAt = $state(performance.now());
	private committedAt = $state<number | null>(null);
	private nowMs = $state(performance.now());
	private systemDark = $state(matchMedia('(prefers-color-scheme: dark)').matches);
	private storedTheme = $state<ThemeChoice>(readStoredTheme());

	private readonly past = new Past((at) => this.api('/api/results', { at }));
	/** What is shown: the past minute that was asked for, once it is there; else the present. */
	readonly results: Results | null = $derived((this.view.at && this.past.results) || this.live);
	/** The minute that is shown, where it is a past one. */
	readonly at: string | null = $derived(this.view.at && this.past.results ? this.past.at : null);
	/** A past minute was asked for and could not be had. */
	readonly pastFailed: boolean = $derived(this.view.at !== null && this.past.failed);
	readonly standing: Standing | null = $derived(this.results ? standing(this.results) : null);
	readonly themeChoice: ThemeChoice = $derived(this.view.theme ?? this.storedTheme);
	readonly theme: Theme = $derived(
		this.themeChoice === 'auto' ? (this.systemDark ? 'dark' : 'light') : this.themeChoice,
	);
	readonly paints: Map<string, Paint> = $derived(paintAll(this.results?.candidates ?? [], this.theme));
	readonly hasRegions: boolean = $derived((this.results?.regions.length ?? 0) > 0);
	/** The regions are states of the US: there is a map, and seats are electoral votes. */
	readonly isUs: boolean = $derived(this.hasRegions && (this.results?.regions ?? []).every((r) => r.code in US_STATES));
	readonly words = $derived(t.words(this.isUs));
	readonly chosen: RegionStanding | null = $derived(
		this.standing?.regions.find((r) => r.region.code === this.view.state) ?? null,
	);
	readonly quietMs: number = $derived(Math.max(0, this.nowMs - this.heardAt));
	/** Ticks once a second: for what must be looked at again though no snapshot came. */
	readonly second: number = $derived(Math.floor(this.nowMs / 1000));
	readonly updatedSeconds: number | null = $derived(
		this.committedAt === null ? null : Math.max(0, Math.floor((this.nowMs - this.committedAt) / 1000)),
	);
	readonly status: LinkStatus = $derived.by(() => {
		if (!this.live) return this.trouble ? 'error' : 'loading';
		if (!this.online || (!this.connected && this.quietMs > OFFLINE_AFTER_MS)) return 'offline';
		if (this.quietMs > STALE_MS) return 'stale';
		if (this.paused) return 'paused';
		if (this.at) return 'past';
		if (this.live.status === 'complete') return 'final';
		return this.live.counted === 0 ? 'waiting' : 'live';
	});

	private readonly inbox = new Inbox();
	private next: Waiting | null = null;
	private lastText = '';
	private frame = 0;
	private delay: ReturnType<typeof setTimeout> | undefined;
	private lastCommit = Number.NEGATIVE_INFINITY;
	private lastAnnounced = Number.NEGATIVE_INFINITY;
	private announceTimer: ReturnType<typeof setTimeout> | undefined;
	private readonly feed: LiveFeed = new LiveFeed(
		{
			message: (text, sequence) => this.receiveText(text, sequence),
			snapshot: (results) => this.receive(results.sequence, results.election.id, { text: null, results }),
			alive: () => {
				this.heardAt = performance.now();
				this.nowMs = this.heardAt;
			},
			trouble: (trouble) => {
				this.trouble = trouble;
			},
			connection: (open) => {
				this.connected = open;
			},
		},
		(path) => this.api(path),
	);

	/** Starts the feed and the clock; returns what stops them. */
	start(): () => void {
		const dark = matchMedia('(prefers-color-scheme: dark)');
		const onDark = () => {
			this.systemDark = dark.matches;
		};
		const onOnline = () => {
			this.online = navigator.onLine;
		};
		const onPop = () => {
			this.view = readView(location.search);
			this.past.show(this.view.at);
		};
		dark.addEventListener('change', onDark);
		window.addEventListener('online', onOnline);
		window.addEventListener('offline', onOnline);
		window.addEventListener('popstate', onPop);
		const clock = setInterval(() => {
			if (!document.hidden) this.nowMs = performance.now();
		}, 250);
		const onShow = () => {
			// While hidden nothing was heard on purpose; staleness counts from now.
			if (!document.hidden) this.heardAt = this.nowMs = performance.now();
		};
		document.addEventListener('visibilitychange', onShow);
		this.past.show(this.view.at);
		this.feed.start();
		return () => {
			this.feed.stop();
			clearInterval(clock);
			clearTimeout(this.delay);
			clearTimeout(this.announceTimer);
			cancelAnimationFrame(this.frame);
			dark.removeEventListener('change', onDark);
			window.removeEventListener('online', onOnline);
			window.removeEventListener('offline', onOnline);
			window.removeEventListener('popstate', onPop);
			document.removeEventListener('visibilitychange', onShow);
		};
	}

	readonly retry = (): void => this.feed.retryNow();

	readonly togglePause = (): void => {
		this.paused = !this.paused;
		this.waiting = 0;
		if (!this.paused && this.next) this.commit();
	};

	/** Changes what the address holds. `push`: Back undoes it. */
	setView(change: Partial<View>, push = false): void {
		Object.assign(this.view, change);
		this.past.show(this.view.at);
		const url = `${location.pathname}${writeView(this.view, location.search)}${location.hash}`;
		if (push) history.pushState(null, '', url);
		else history.replaceState(null, '', url);
	}

	/** An address of the API, with the election that this page shows. */
	api(path: string, query: Record<string, string> = {}): string {
		const q = new URLSearchParams(query);
		const election = new URLSearchParams(location.search).get('election');
		if (election) q.set('election', election);
		const text = q.toString();
		return text === '' ? path : `${path}?${text}`;
	}

	choose(code: string): void {
		if (this.view.state !== code) this.setView({ state: code }, this.view.state === null);
	}

	readonly unchoose = (): void => {
		if (this.view.state !== null) this.setView({ state: null });
	};

	setTheme(theme: ThemeChoice): void {
		this.storedTheme = theme;
		try {
			localStorage.setItem(THEME_KEY, theme);
		} catch {
			// A browser that stores nothing still shows the theme until the page is left.
		}
		if (this.view.theme !== null) this.setView({ theme });
	}

	/** What stands for a candidate where there is no room for a name. */
	code(id: string): string {
		const c = this.results?.candidates.find((o) => o.id === id);
		if (!c) return id;
		const party = c.party?.trim();
		if (party && party.length <= 5) return party;
		return [...c.name].length <= 6 ? c.name : initials(c.name);
	}

	name(id: string): string {
		return this.results?.candidates.find((o) => o.id === id)?.name ?? id;
	}

	private receiveText(text: string, sequence: number | null): void {
		if (text === this.lastText) return;
		if (sequence !== null) {
			this.receive(sequence, null, { text, results: null });
			return;
		}
		const results = parseResults(text);
		if (results) this.receive(results.sequence, results.election.id, { text, results });
	}

	private receive(sequence: number, election: string | null, arrival: Waiting): void {
		const verdict = this.inbox.judge(sequence, election, performance.now());
		if (verdict === 'older') return;
		if (verdict === 'same' && arrival.text === null && this.live) return;
		if (arrival.text !== null) this.lastText = arrival.text;
		this.next = arrival;
		if (this.paused) {
			if (verdict === 'newer') this.waiting += 1;
			return;
		}
		this.schedule();
	}

	private schedule(): void {
		if (this.delay !== undefined || this.frame !== 0) return;
		this.delay = setTimeout(
			() => {
				this.delay = undefined;
				this.frame = requestAnimationFrame(() => {
					this.frame = 0;
					if (!this.paused) this.commit();
				});
			},
			commitDelayMs(this.lastCommit, performance.now()),
		);
	}

	/** The one place where a snapshot becomes what is shown. */
	private commit(): void {
		const arrival = this.next;
		this.next = null;
		const results = arrival?.results ?? (arrival?.text ? parseResults(arrival.text) : null);
		if (!results) return;
		this.lastCommit = performance.now();
		this.live = results;
		this.trouble = null;
		this.committedAt = this.nowMs = this.lastCommit;
		this.announce();
	}

	/** Tells a screen reader where things stand, at most once in fifteen seconds. */
	private announce(): void {
		if (this.announceTimer !== undefined) return;
		const wait = Math.max(0, this.lastAnnounced + ANNOUNCE_EVERY_MS - performance.now());
		this.announceTimer = setTimeout(() => {
			this.announceTimer = undefined;
			if (!this.results || !this.standing || this.paused || this.at) return;
			const text = announcement(this.results, this.standing);
			if (text === this.announced) return;
			this.lastAnnounced = performance.now();
			this.announced = text;
		}, wait);
	}
}

function readStoredTheme(): ThemeChoice {
	try {
		const stored = localStorage.getItem(THEME_KEY);
		return stored === 'light' || stored === 'dark' ? stored : 'auto';
	} catch {
		return 'auto';
	}
}
