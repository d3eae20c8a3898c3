// The seat bar: leader from the left, runner-up from the right, everyone else and what is open between them. Pure.

import type { Standing } from './standing';

export interface BarPart {
	key: string;
	/** Null: nobody leads these seats yet. */
	candidate: string | null;
	kind: 'decided' | 'leading' | 'open';
	seats: number;
	/** Of the whole bar, 0 to 1. */
	start: number;
	width: number;
}

/** Parts from left to right; they cover the bar exactly and never overlap. */
export function seatBar(s: Standing): BarPart[] {
	if (!s.seats || s.seats.total === 0) return [];
	const total = s.seats.total;
	const parts: Omit<BarPart, 'start' | 'width'>[] = [];
	const push = (candidate: string | null, kind: BarPart['kind'], seats: number) => {
		if (seats > 0) parts.push({ key: `${candidate ?? 'open'}:${kind}`, candidate, kind, seats });
	};
	const left = s.leader ?? s.candidates[0];
	const right = s.runnerUp && s.runnerUp.id !== left?.id ? s.runnerUp : undefined;
	if (left) {
		push(left.id, 'decided', left.decided);
		push(left.id, 'leading', left.leading);
	}
	const others = s.candidates.filter((c) => c.id !== left?.id && c.id !== right?.id);
	for (const c of others) {
		push(c.id, 'decided', c.decided);
		push(c.id, 'leading', c.leading);
	}
	push(null, 'open', s.seats.open);
	if (right) {
		push(right.id, 'leading', right.leading);
		push(right.id, 'decided', right.decided);
	}
	let start = 0;
	return parts.map((part) => {
		const width = part.seats / total;
		const placed = { ...part, start, width };
		start += width;
		return placed;
	});
}

/** Where the line that wins stands, 0 to 1 from the left. A bare majority is the middle of the bar, right for both ends;
 * any other threshold is measured from the leader's end. */
export function winLine(total: number, toWin: number): number {
	if (total <= 0) return 0.5;
	return toWin === Math.floor(total / 2) + 1 ? 0.5 : Math.min(1, toWin / total);
}
