// Who stands where: the facts that the page shows, computed from one snapshot. Pure.

import type { CandidateResult, RegionResult, Results } from '../api/types';

/** What a region's result is worth at this moment. */
export type RegionState = 'none' | 'tied' | 'leading' | 'decided';

export interface RegionStanding {
	region: RegionResult;
	state: RegionState;
	/** Closed, or every expected vote is in: only then may 100 % be shown. */
	complete: boolean;
	/** Candidates with votes here, most first. */
	ranked: { id: string; votes: number; share: number }[];
	leader: string | null;
	marginVotes: number;
	/** In points of the votes counted here; null before the first. */
	marginPoints: number | null;
	/** Counted over expected; null where nothing is expected. May exceed 1. */
	progress: number | null;
}

/** `countComplete`: the whole count is, and so each region. */
export function regionStanding(region: RegionResult, order: readonly string[], countComplete = false): RegionStanding {
	const place = new Map(order.map((id, i) => [id, i]));
	const ranked = Object.entries(region.votes)
		.map(([id, votes]) => ({ id, votes, share: region.counted > 0 ? votes / region.counted : 0 }))
		.sort((a, b) => b.votes - a.votes || (place.get(a.id) ?? 0) - (place.get(b.id) ?? 0));
	const first = ranked[0];
	const marginVotes = first ? first.votes - (ranked[1]?.votes ?? 0) : 0;
	const tied = region.counted > 0 && ranked.length > 1 && marginVotes === 0;
	let state: RegionState = 'leading';
	if (region.counted === 0 || !first) state = 'none';
	else if (tied) state = 'tied';
	else if (region.status === 'decided' || region.status === 'closed') state = 'decided';
	return {
		region,
		state,
		complete: countComplete || region.closed === true,
		ranked,
		leader: (state === 'leading' || state === 'decided') && first ? first.id : null,
		marginVotes,
		marginPoints: region.counted > 0 ? (marginVotes / region.counted) * 100 : null,
		progress: region.expected ? region.counted / region.expected : null,
	};
}

export interface CandidateStanding extends CandidateResult {
	rank: number;
	decided: number;
	leading: number;
	/** Votes behind the first (or, for the first, ahead of the second). */
	gap: number;
	tied: boolean;
}

export interface Standing {
	/** Ranked by votes, as the server ranks. */
	candidates: CandidateStanding[];
	/** By the rule that wins: seats first where there are seats. */
	leader: CandidateStanding | null;
	runnerUp: CandidateStanding | null;
	/** Level by the rule that wins, two or more of them. */
	tied: CandidateStanding[];
	/** The first by votes, where the leader by seats is another. */
	votesLeader: CandidateStanding | null;
	/** Votes of the leader less those of the best other: below 0 where another leads the vote. */
	marginVotes: number;
	marginPoints: number | null;
	seats: { total: number; toWin: number; open: number } | null;
	/** Whatever still comes. */
	won: boolean;
	progress: number | null;
	outstanding: number | null;
	regions: RegionStanding[];
}

function seatsOf(
	results: Results,
	regions: readonly RegionStanding[],
): Map<string, { decided: number; leading: number }> {
	const out = new Map(results.candidates.map((c) => [c.id, { decided: 0, leading: 0 }]));
	if (results.candidates.some((c) => c.seats)) {
		for (const c of results.candidates)
			out.set(c.id, { decided: c.seats?.decided ?? 0, leading: c.seats?.leading ?? 0 });
		return out;
	}
	for (const r of regions) {
		const seats = r.leader === null ? undefined : out.get(r.leader);
		if (seats && (r.state === 'decided' || r.state === 'leading')) seats[r.state] += r.region.seats ?? 0;
	}
	return out;
}

/** The server's word where it gives one; else by decided seats, or by a complete count. */
function hasWon(results: Results, first: CandidateStanding, seats: Standing['seats']): boolean {
	if (results.winner !== undefined) return results.winner === first.id;
	return seats ? first.decided >= seats.toWin : results.status === 'complete';
}

export function standing(results: Results): Standing {
	const order = results.candidates.map((c) => c.id);
	const regions = results.regions.map((r) => regionStanding(r, order, results.status === 'complete'));
	const seatsById = seatsOf(results, regions);
	const byVotes = [...results.candidates].sort((a, b) => b.votes - a.votes);
	const top = byVotes[0]?.votes ?? 0;
	const candidates: CandidateStanding[] = byVotes.map((c) => {
		const seats = seatsById.get(c.id) ?? { decided: 0, leading: 0 };
		const rank = byVotes.findIndex((o) => o.votes === c.votes) + 1;
		const tied = c.votes > 0 && byVotes.some((o) => o !== c && o.votes === c.votes);
		return { ...c, ...seats, rank, tied, gap: c.votes === top ? top - (byVotes[1]?.votes ?? 0) : top - c.votes };
	});

	const held = candidates.reduce((sum, c) => sum + c.decided + c.leading, 0);
	const total = Math.max(held, results.election.seats ?? results.regions.reduce((sum, r) => sum + (r.seats ?? 0), 0));
	const toWin = results.election.seats_to_win ?? Math.floor(total / 2) + 1;
	const bySeats = total > 0 && results.election.seats_to_win !== null;
	const seats = bySeats ? { total, toWin, open: total - held } : null;

	const seatCount = (c: CandidateStanding) => (seats ? c.decided + c.leading : 0);
	const byRule = [...candidates].sort((a, b) => seatCount(b) - seatCount(a) || b.votes - a.votes);
	const counted = results.counted;
	const first = counted > 0 ? (byRule[0] ?? null) : null;
	const level = first ? byRule.filter((c) => seatCount(c) === seatCount(first) && c.votes === first.votes) : [];
	const tied = level.length > 1 ? level : [];
	const bestOther = candidates.find((c) => c.id !== first?.id);
	const marginVotes = first ? first.votes - (bestOther?.votes ?? 0) : 0;
	const expected = results.expected ?? null;
	return {
		candidates,
		leader: first,
		runnerUp: byRule[1] ?? null,
		tied,
		votesLeader: first && candidates[0] && candidates[0].votes > first.votes ? candidates[0] : null,
		marginVotes,
		marginPoints: counted > 0 ? (marginVotes / counted) * 100 : null,
		seats,
		won: first !== null && tied.length === 0 && hasWon(results, first, seats),
		progress: expected ? counted / expected : null,
		outstanding: expected ? Math.max(0, expected - counted) : null,
		regions,
	};
}

/** All candidates, the one who leads by the rule that wins first and the runner-up second; the others by votes. */
export function byRule(s: Standing): CandidateStanding[] {
	const front = [s.leader, s.runnerUp].filter((c) => c !== null);
	return [...front, ...s.candidates.filter((c) => !front.some((f) => f.id === c.id))];
}

/** The regions whose result is nearest to turning: smallest margin in points first. Only where somebody leads or leaders are tied. */
export function closest(regions: readonly RegionStanding[]): RegionStanding[] {
	return regions
		.filter((r) => (r.state === 'leading' || r.state === 'tied' || r.state === 'decided') && r.marginPoints !== null)
		.sort((a, b) => (a.marginPoints ?? 0) - (b.marginPoints ?? 0) || a.region.name.localeCompare(b.region.name));
}
