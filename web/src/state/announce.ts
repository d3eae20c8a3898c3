// What the live region says. Pure.

import type { Results } from '../api/types';
import { t } from '../strings';
import { progress, share } from '../strings/format';
import type { Standing } from './standing';

/** At most one message in this time. */
export const ANNOUNCE_EVERY_MS = 15_000;

export function announcement(results: Results, s: Standing): string {
	if (!s.leader) return t.announce.waiting;
	if (s.tied.length > 0) return t.announce.tie(t.leader.tiedNames(s.tied.map((c) => c.name)));
	if (results.status === 'complete') return t.announce.final(s.leader.name);
	const own = share(s.leader.votes / Math.max(1, results.counted));
	const what = s.seats ? t.announce.seats(s.leader.decided + s.leader.leading, s.seats.total, own) : own;
	if (s.progress === null) return t.announce.leadPlain(s.leader.name, what);
	return t.announce.lead(s.leader.name, what, progress(s.progress, false));
}
