// Which of the snapshots that arrive is taken, and when. Pure: the clock is passed in.

/** At least this long between two commits to the page, so at most five a second whatever the server sends. */
export const COMMIT_EVERY_MS = 210;
/** Lower sequences for this long, rising and nothing else: the count began anew, and the page follows. */
export const RESTART_AFTER_MS = 8_000;

export type Verdict = 'newer' | 'same' | 'older';

/** Keeps the highest sequence seen and judges each arrival against it. */
export class Inbox {
	private latest = -1;
	private election = '';
	private olderSince: number | null = null;

	get sequence(): number {
		return this.latest;
	}

	judge(sequence: number, election: string | null, nowMs: number): Verdict {
		const other = election !== null && this.election !== '' && election !== this.election;
		if (election !== null) this.election = election;
		if (sequence > this.latest || other) {
			this.latest = sequence;
			this.olderSince = null;
			return 'newer';
		}
		if (sequence === this.latest) {
			this.olderSince = null;
			return 'same';
		}
		this.olderSince ??= nowMs;
		if (nowMs - this.olderSince < RESTART_AFTER_MS) return 'older';
		this.latest = sequence;
		this.olderSince = null;
		return 'newer';
	}
}

/** How long to wait before the next commit, given when the last one was; 0: now. */
export function commitDelayMs(lastCommitMs: number, nowMs: number): number {
	return Math.max(0, lastCommitMs + COMMIT_EVERY_MS - nowMs);
}
