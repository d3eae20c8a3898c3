// The page's one store: the snapshot that is shown, how the feed is doing, and what the address holds. Sections read it and
// call its methods; nothing else holds state that outlives a section.

import { flushSync, untrack } from 'svelte';
import { isDesk, isElections } from '../api/check';
import { parseResults, type Trouble } from '../api/client';
import { LiveFeed, STALE_MS } from '../api/live';
import type { DeskLog, Elections, Results } from '../api/types';
import { written } from '../api/written';
import { isState, STATE_CODES } from '../map/shapes';
import { t } from '../strings';
import { initials } from '../strings/format';
import { ANNOUNCE_EVERY_MS, announcement } from './announce';
import { type Paint, paintAll, type Theme } from './colours';
import { type DeskState, deskState, type Withheld, withheldOf } from './desk';
import type { Frame } from './frame';
import { commitDelayMs, Inbox } from './inbox';
import { Past } from './past.svelte';
import { Polled } from './polled.svelte';
import { type RegionStanding, type Standing, standing } from './standing';
import { readView, type ThemeChoice, type View, writeView } from './url';

export type LinkStatus =
	| 'loading'
	| 'waiting'
	| 'live'
	| 'stale'
	| 'offline'
	| 'paused'
	| 'final'
	| 'error'
	| 'past'
	| 'snapshot';

const THEME_KEY = 'votestream.theme';
/** A slider on the move writes the address no more often than this: browsers refuse more than some. */
const ADDRESS_AFTER_MS = 250;
/** Which elections there are is asked this long after the first results: nobody waits for it. */
const ELECTIONS_AFTER_MS = 5_000;
const DESK_EVERY_MS = 10_000;
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
	/** When the first snapshot is asked for again, by `performance.now()`. */
	private retryAt = $state(0);
	paused = $state(false);
	/** Snapshots that came while paused. */
	waiting = $state(0);
	announced = $state('');
	/** When this page was taken, where it stands alone and has no server (empty where that cannot be read); else null. */
	readonly taken: string | null = written?.taken ?? null;
	view = $state<View>(readAddress());
	private connected = $state(true);
	private online = $state(navigator.onLine);
	private heardAt = $state(performance.now());
	private committedAt = $state<number | null>(null);
	private nowMs = $state(performance.now());
	private systemDark = $state(matchMedia('(prefers-color-scheme: dark)').matches);
	private printing = $state(false);
	private storedTheme = $state<ThemeChoice>(readStoredTheme());

	private readonly past = new Past((at) => this.api('/api/results', { at }));
	/** What is shown: the past minute that was asked for, once it is there; else the present. */
	readonly results: Results | null = $derived((this.view.at && this.past.results) || this.live);
	/** The minute that is shown, where it is a past one. */
	readonly at: string | null = $derived(this.view.at && this.past.results ? this.past.at : null);
	/** A past minute was asked for and could not be had. */
	readonly pastFailed: boolean = $derived(this.view.at !== null && this.past.failed);
	/** A past minute was asked for and is not here yet. */
	readonly pastPending: boolean = $derived(this.view.at !== null && this.view.at !== this.at && !this.past.failed);
	readonly standing: Standing | null = $derived(this.results ? standing(this.results) : null);
	readonly themeChoice: ThemeChoice = $derived(this.view.theme ?? this.ownTheme());
	readonly theme: Theme = $derived.by(() => {
		if (this.printing) return 'light';
		if (this.themeChoice === 'auto') return this.systemDark ? 'dark' : 'light';
		return this.themeChoice;
	});
	readonly paints: Map<string, Paint> = $derived(paintAll(this.results?.candidates ?? [], this.theme));
	readonly hasRegions: boolean = $derived((this.results?.regions.length ?? 0) > 0);
	/** The regions are states of the US: there is a map, and seats are electoral votes. */
	readonly isUs: boolean = $derived(this.hasRegions && (this.results?.regions ?? []).every((r) => isState(r.code)));
	readonly words = $derived(t.words(this.isUs));
	readonly chosen: RegionStanding | null = $derived(
		this.standing?.regions.find((r) => r.region.code === this.view.state) ?? null,
	);
	readonly desk = new Polled<DeskLog>(isDesk);
	/** Somebody looks at the desk's acts. */
	deskWanted = $state(false);
	readonly deskState: DeskState = $derived(deskState(this.desk.value?.acts ?? []));
	private readonly deskNeeded: boolean = $derived(
		this.deskWanted ||
			(this.live?.withheld ?? 0) > 0 ||
			this.live?.closed === true ||
			(this.live?.regions.some((r) => r.closed) ?? false),
	);
	/** Regions that are in no number of what is shown. */
	readonly withheld: Withheld = $derived(
		withheldOf(this.results?.withheld ?? 0, this.deskState, new Set(this.results?.regions.map((r) => r.code))),
	);
	/** States of the US that are drawn as withheld: those on hold, and any that is missing where every missing one is withheld. */
	readonly missing: string[] = $derived.by(() => {
		const many = this.results?.withheld ?? 0;
		if (!this.isUs || many === 0) return [];
		const shown = new Set(this.results?.regions.map((r) => r.code));
		const rest = STATE_CODES.filter((code) => !shown.has(code));
		return rest.length === many ? rest : this.withheld.held.filter(isState);
	});
	/** Every region is kept back: there is no number at all. */
	readonly allWithheld: boolean = $derived(
		(this.results?.withheld ?? 0) > 0 && this.results?.counted === 0 && !this.hasRegions,
	);
	readonly elections = new Polled<Elections>(isElections);
	readonly election: string | null = new URLSearchParams(location.search).get('election');
	/** Names of regions as last seen: one that is withheld has none any more. */
	private readonly regionNames = new Map<string, string>();
	readonly quietMs: number = $derived(Math.max(0, this.nowMs - this.heardAt));
	/** Ticks once a second: for what must be looked at again though no snapshot came. */
	readonly second: number = $derived(Math.floor(this.nowMs / 1000));
	/** Until the next try, where nothing could be loaded yet. */
	readonly retrySeconds: number = $derived(Math.max(0, Math.ceil((this.retryAt - this.nowMs) / 1000)));
	readonly updatedSeconds: number | null = $derived(
		this.committedAt === null ? null : Math.max(0, Math.floor((this.nowMs - this.committedAt) / 1000)),
	);
	readonly status: LinkStatus = $derived.by(() => {
		if (!this.live) return this.trouble ? 'error' : 'loading';
		if (this.taken !== null) return 'snapshot';
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
	private addressTimer: ReturnType<typeof setTimeout> | undefined;
	private electionsTimer: ReturnType<typeof setTimeout> | undefined;
	private told: LinkStatus = 'loading';
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
			trouble: (trouble, waitMs) => {
				this.trouble = trouble;
				this.retryAt = performance.now() + waitMs;
			},
			connection: (open) => {
				this.connected = open;
			},
		},
		(path, query) => this.api(path, query),
	);

	/** `embedded`: shown as a part in another site's page, whose address rules and whose Back button is not ours. */
	constructor(private readonly embedded: Frame | null = null) {}

	private ownTheme(): ThemeChoice {
		if (this.embedded) return this.embedded.overlay ? 'dark' : 'auto';
		return this.storedTheme;
	}

	/** Starts the feed and the clock; returns what stops them. */
	start(): () => void {
		const dark = matchMedia('(prefers-color-scheme: dark)');
		const onDark = () => {
			this.systemDark = dark.matches;
		};
		const paper = matchMedia('print');
		// Ink on paper is dark on light, and the printer does not wait.
		const onPaper = () => {
			this.printing = paper.matches;
			flushSync();
		};
		const onOnline = () => {
			this.online = navigator.onLine;
		};
		const onPop = () => {
			clearTimeout(this.addressTimer);
			this.view = readAddress();
			this.past.show(this.view.at);
		};
		dark.addEventListener('change', onDark);
		paper.addEventListener('change', onPaper);
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
		const stopPolling = $effect.root(() => {
			$effect(() => {
				if (!this.deskNeeded) return;
				return this.desk.run(DESK_EVERY_MS, () =>
					this.paused || !this.live ? null : { path: this.api('/api/desk'), stamp: this.live.sequence },
				);
			});
			$effect(() => {
				void this.status;
				untrack(() => this.tellStatus());
			});
		});
		return () => {
			stopPolling();
			this.feed.stop();
			clearTimeout(this.addressTimer);
			clearTimeout(this.electionsTimer);
			clearInterval(clock);
			clearTimeout(this.delay);
			clearTimeout(this.announceTimer);
			cancelAnimationFrame(this.frame);
			dark.removeEventListener('change', onDark);
			paper.removeEventListener('change', onPaper);
			window.removeEventListener('online', onOnline);
			window.removeEventListener('offline', onOnline);
			window.removeEventListener('popstate', onPop);
			document.removeEventListener('visibilitychange', onShow);
		};
	}

	readonly retry = (): void => this.feed.retryNow();

	readonly retryPast = (): void => this.past.retry();

	readonly togglePause = (): void => {
		if (this.taken !== null) return;
		this.paused = !this.paused;
		this.waiting = 0;
		if (!this.paused && this.next) this.commit();
	};

	/** Changes what the address holds. `push`: Back undoes it. */
	setView(change: Partial<View>, push = false): void {
		Object.assign(this.view, change);
		this.past.show(this.view.at);
		clearTimeout(this.addressTimer);
		this.writeAddress(push);
	}

	/** Goes to a past minute, or back to the present (null). The first step into the past is one that Back undoes; those after it are one. */
	goTo(at: string | null): void {
		if (this.taken !== null) return;
		const push = this.view.at === null && at !== null;
		this.view.at = at;
		this.past.show(at);
		clearTimeout(this.addressTimer);
		if (push) this.writeAddress(true);
		else this.addressTimer = setTimeout(() => this.writeAddress(false), ADDRESS_AFTER_MS);
	}

	/** The address of this page with something else chosen; without a change, a link to what is shown. */
	href(change: Partial<View> = {}): string {
		return `${location.pathname}${writeView({ ...this.view, ...change }, location.search)}`;
	}

	private writeAddress(push: boolean): void {
		const url = `${this.href()}${location.hash}`;
		try {
			if (push && !this.embedded) history.pushState(null, '', url);
			else history.replaceState(null, '', url);
		} catch {
			// A browser that thinks there were too many: the next change writes it again.
		}
	}

	/** An address of the API, with the election that this page shows. */
	api(path: string, query: Record<string, string> = {}, named = true): string {
		const q = new URLSearchParams(query);
		if (this.election && named) q.set('election', this.election);
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

	/** A region's name, also of one that is withheld now if it was ever seen here. */
	regionName(code: string): string {
		return this.regionNames.get(code) ?? code;
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
		for (const r of results.regions) this.regionNames.set(r.code, r.name);
		// Without one in the address there is hardly more than one election; then it has time.
		this.electionsTimer ??= setTimeout(
			() => void this.elections.once(this.api('/api/elections', {}, false)),
			this.election ? 0 : ELECTIONS_AFTER_MS,
		);
		this.announce();
	}

	/** That the numbers are not live, or are again, is said to a screen reader too. */
	private tellStatus(): void {
		const now = this.status;
		const was = this.told;
		this.told = now;
		const bad = (s: LinkStatus) => s === 'stale' || s === 'offline';
		if (now === was || !(bad(now) || bad(was)) || (now === 'offline' && was === 'stale')) return;
		this.say(bad(now) ? t.announce.stale : t.announce.again);
	}

	/** Tells a screen reader where things stand, at most once in fifteen seconds. */
	private announce(): void {
		if (this.announceTimer !== undefined) return;
		const wait = Math.max(0, this.lastAnnounced + ANNOUNCE_EVERY_MS - performance.now());
		this.announceTimer = setTimeout(() => {
			this.announceTimer = undefined;
			if (!this.results || !this.standing || this.paused || this.at) return;
			this.say(announcement(this.results, this.standing));
		}, wait);
	}

	/** One message; another within fifteen seconds is left out. */
	private say(text: string): void {
		if (text === this.announced || performance.now() - this.lastAnnounced < ANNOUNCE_EVERY_MS) return;
		this.lastAnnounced = performance.now();
		this.announced = text;
	}
}

/** What the address holds. A page that stands alone knows one moment only. */
function readAddress(): View {
	const view = readView(location.search);
	return written ? { ...view, at: null } : view;
}

function readStoredTheme(): ThemeChoice {
	try {
		const stored = localStorage.getItem(THEME_KEY);
		return stored === 'light' || stored === 'dark' ? stored : 'auto';
	} catch {
		return 'auto';
	}
}
