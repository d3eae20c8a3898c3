// Whether the count keeps up: figures of the engine judged for people at the desk. What is not known is called neither good nor bad. Pure.

import type { EngineAnswer, EngineFacts, Results } from '../api/types';

export type Mood = 'ok' | 'warn' | 'bad' | 'none';
export type Summary = 'done' | 'paused' | 'elsewhere' | 'behind' | 'well' | 'late' | 'rejects';

/** A result this long after its record is late; longer than the second, very late. */
const DELAY_WARN_MS = 1_000;
const DELAY_BAD_MS = 5_000;
/** A backlog that takes longer than this to work off is one to know of. */
const CATCH_UP_WARN_S = 5;
const CATCH_UP_BAD_S = 60;
/** So many records are nothing, however slow they come. */
const BACKLOG_SMALL = 1_000;
/** With records waiting, a commit must not be older than this. */
const COMMIT_WARN_S = 10;
/** More rejects than this of all records: something is wrong with what comes in. */
const REJECTS_WARN = 0.01;
const REJECTS_BAD = 0.1;

export interface Health {
	/** Counting runs in this server's process. */
	here: boolean;
	paused: string | null;
	speed: Mood;
	delay: Mood;
	backlog: Mood;
	commit: Mood;
	rejected: Mood;
	/** The worst of them. */
	all: Mood;
	summary: Summary;
	/** Records counted a second; null where that is not known. */
	perS: number | null;
	p50Ms: number | null;
	p99Ms: number | null;
	workers: number | null;
	/** Records not counted yet; null where that is not told. */
	waiting: number | null;
	/** How long they take at the present speed; null where that is not known. */
	catchUpS: number | null;
	/** Since the last commit; null before the first. */
	sinceS: number | null;
}

const over = (n: number, warn: number, bad: number): Mood => (n > bad ? 'bad' : n > warn ? 'warn' : 'ok');

export function health(results: Results, answer: EngineAnswer | null, nowMs: number): Health {
	const e = answer?.engine ?? null;
	const fact = (key: keyof EngineFacts): number | null => answer?.[key] ?? e?.[key] ?? null;
	const waiting = fact('backlog');
	const p99Ms = fact('commit_p99_ms');
	const sinceS = results.as_of ? Math.max(0, Math.floor((nowMs - Date.parse(results.as_of)) / 1000)) : null;
	const quiet = sinceS === null || sinceS > COMMIT_WARN_S;
	// Nothing waits and nothing was committed of late: none a second, whatever the last report said.
	const perS = waiting === 0 && sinceS !== null && quiet ? 0 : fact('records_per_s');
	const catchUpS = waiting && perS ? waiting / perS : null;
	const delay: Mood = p99Ms === null ? 'none' : over(p99Ms, DELAY_WARN_MS, DELAY_BAD_MS);
	let backlog: Mood = waiting === null ? 'none' : 'ok';
	// Where the speed is not known, recent commits say that it goes on.
	if (waiting !== null && waiting > BACKLOG_SMALL)
		backlog = catchUpS === null ? (quiet ? 'warn' : 'none') : over(catchUpS, CATCH_UP_WARN_S, CATCH_UP_BAD_S);
	const commit: Mood = waiting === null || sinceS === null ? 'none' : waiting > 0 && quiet ? 'warn' : 'ok';
	const rejected: Mood =
		results.records > 0 ? over(results.rejected / results.records, REJECTS_WARN, REJECTS_BAD) : 'none';
	const paused = e?.paused ?? null;
	const moods = { speed: paused ? 'bad' : ('none' as Mood), delay, backlog, commit, rejected };
	const list = Object.values(moods);
	const worst = list.includes('bad') ? 'bad' : list.includes('warn') ? 'warn' : e ? 'ok' : 'none';
	const summary = ((): Summary => {
		if (paused) return 'paused';
		if (backlog === 'warn' || backlog === 'bad' || commit === 'warn') return 'behind';
		if (delay === 'warn' || delay === 'bad') return 'late';
		if (rejected === 'warn' || rejected === 'bad') return 'rejects';
		if (results.status === 'complete') return 'done';
		return e ? 'well' : 'elsewhere';
	})();
	return {
		here: e !== null,
		paused,
		...moods,
		all: answer === null ? 'none' : worst,
		summary,
		perS,
		p50Ms: fact('commit_p50_ms'),
		p99Ms,
		workers: fact('workers'),
		waiting,
		catchUpS,
		sinceS,
	};
}
