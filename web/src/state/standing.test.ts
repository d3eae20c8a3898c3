import { describe, expect, it } from 'vitest';
import { announcement } from './announce';
import { region, results } from './samples';
import { seatBar, winLine } from './seatbar';
import { closest, regionStanding, standing } from './standing';

const check = (r: ReturnType<typeof results>) => standing(r);

describe('a region', () => {
	const order = ['ana', 'ben', 'cyd'];
	it('has no leader before its first vote', () => {
		const s = regionStanding(region('A', { ana: 0, ben: 0 }, { status: 'waiting' }), order);
		expect([s.state, s.leader, s.marginPoints]).toEqual(['none', null, null]);
	});
	it('names a tie instead of a leader', () => {
		const s = regionStanding(region('A', { ana: 5, ben: 5, cyd: 1 }, { status: 'tied' }), order);
		expect([s.state, s.leader, s.marginVotes]).toEqual(['tied', null, 0]);
	});
	it('is decided where the server says so, also by the desk', () => {
		expect(regionStanding(region('A', { ana: 9, ben: 1 }, { status: 'decided' }), order).state).toBe('decided');
		const closed = regionStanding(region('A', { ana: 9, ben: 1 }, { status: 'closed', closed: true }), order);
		expect([closed.state, closed.complete]).toEqual(['decided', true]);
	});
	it('is not complete for having more votes than expected', () => {
		const s = regionStanding(region('A', { ana: 900, ben: 200 }), order);
		expect(s.progress).toBeCloseTo(1.1);
		expect(s.complete).toBe(false);
	});
});

describe('the standing', () => {
	it('ranks by seats who wins and by votes who is shown first', () => {
		const s = check(
			results([region('A', { ana: 900, ben: 0 }), region('B', { ana: 0, ben: 10 }), region('C', { ana: 1, ben: 10 })]),
		);
		expect(s.leader?.id).toBe('ben');
		expect(s.runnerUp?.id).toBe('ana');
		expect(s.candidates[0]?.id).toBe('ana');
		expect(s.votesLeader?.id).toBe('ana');
		expect(s.marginVotes).toBe(20 - 901);
	});
	it('computes seats, their total and the majority where the server gives none', () => {
		const s = check(
			results([
				region('A', { ana: 9, ben: 1 }, { status: 'decided' }),
				region('B', { ana: 1, ben: 3 }),
				region('C', { ana: 0, ben: 0 }),
			]),
		);
		expect(s.seats).toEqual({ total: 30, toWin: 16, open: 10 });
		expect(s.candidates.map((c) => [c.id, c.decided, c.leading])).toEqual([
			['ana', 10, 0],
			['ben', 0, 10],
			['cyd', 0, 0],
		]);
	});
	it('counts the seats of withheld regions too, where the server gives them', () => {
		const r = results([region('A', { ana: 9, ben: 1 }, { status: 'decided' })]);
		const s = check({ ...r, withheld: 1, election: { ...r.election, seats_to_win: 11, seats: 20 } });
		expect(s.seats).toEqual({ total: 20, toWin: 11, open: 10 });
	});
	it('has no seats where votes alone decide', () => {
		const r = results([region('A', { ana: 9, ben: 1 })]);
		expect(check({ ...r, election: { ...r.election, seats_to_win: null } }).seats).toBeNull();
		expect(check({ ...results([]), candidates: r.candidates, counted: 10 }).seats).toBeNull();
	});
	it('names all who are level', () => {
		const s = check(results([region('A', { ana: 5, ben: 5 }, { status: 'tied' })]));
		expect(s.tied.map((c) => c.id)).toEqual(['ana', 'ben']);
		expect(s.won).toBe(false);
		expect(announcement(results([region('A', { ana: 5, ben: 5 })]), s)).toContain('ANA and BEN');
	});
	it('has nobody in front without votes', () => {
		const s = check(results([region('A', { ana: 0, ben: 0 })]));
		expect([s.leader, s.marginPoints, s.won]).toEqual([null, null, false]);
	});
	it('takes the word of the server on who has won', () => {
		const r = results([region('A', { ana: 9, ben: 1 }, { status: 'decided' })]);
		expect(check(r).won).toBe(true);
		expect(check({ ...r, winner: null }).won).toBe(false);
		expect(check({ ...r, winner: 'ana' }).won).toBe(true);
	});
	it('works with one candidate', () => {
		const r = results([]);
		const s = check({ ...r, candidates: [{ id: 'ana', name: 'Ana', votes: 3, share: 1 }], counted: 3 });
		expect([s.leader?.id, s.runnerUp, s.tied.length]).toEqual(['ana', null, 0]);
	});
	it('never expects fewer than none', () => {
		expect(check(results([region('A', { ana: 5000, ben: 1 })])).outstanding).toBe(0);
	});
	it('finds the closest regions, ties first', () => {
		const s = check(
			results([
				region('A', { ana: 60, ben: 40 }),
				region('B', { ana: 51, ben: 49 }),
				region('C', { ana: 5, ben: 5 }),
				region('D', { ana: 0, ben: 0 }),
			]),
		);
		expect(
			closest(s.regions)
				.slice(0, 2)
				.map((r) => r.region.code),
		).toEqual(['C', 'B']);
	});
});

describe('the seat bar', () => {
	it('covers the bar exactly, leader left, runner-up right, the open between', () => {
		const s = check(
			results([
				region('A', { ana: 9, ben: 1 }, { status: 'decided' }),
				region('B', { ana: 3, ben: 1 }),
				region('C', { ben: 2, ana: 1 }),
				region('D', { ana: 0, ben: 0 }),
				region('E', { cyd: 3, ana: 1, ben: 0 }),
			]),
		);
		const parts = seatBar(s);
		expect(parts.map((p) => p.key)).toEqual(['ana:decided', 'ana:leading', 'cyd:leading', 'open:open', 'ben:leading']);
		let end = 0;
		for (const p of parts) {
			expect(p.start).toBeCloseTo(end);
			end = p.start + p.width;
		}
		expect(end).toBeCloseTo(1);
	});
	it('is empty without seats', () => expect(seatBar(check(results([])))).toEqual([]));
	it.each([
		[538, 270, 0.5],
		[9, 5, 0.5],
		[100, 67, 0.67],
		[0, 0, 0.5],
	])('of %i seats with %i to win has its line at %f', (total, toWin, at) =>
		expect(winLine(total, toWin)).toBeCloseTo(at),
	);
});
