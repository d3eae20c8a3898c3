// Snapshots for the unit tests: small, with every field a test may want to change.

import type { RegionResult, Results } from '../api/types';

export function region(code: string, votes: Record<string, number>, more: Partial<RegionResult> = {}): RegionResult {
	const counted = Object.values(votes).reduce((a, b) => a + b, 0);
	return { code, name: `Region ${code}`, seats: 10, counted, expected: 1000, status: 'leading', votes, ...more };
}

export function results(regions: RegionResult[], more: Partial<Results> = {}): Results {
	const ids = ['ana', 'ben', 'cyd'];
	const of = (id: string) => regions.reduce((sum, r) => sum + (r.votes[id] ?? 0), 0);
	const counted = ids.reduce((sum, id) => sum + of(id), 0);
	return {
		election: { id: 'e', name: 'Election', simulated: true },
		sequence: 7,
		as_of: '2026-11-22T04:10:09.123Z',
		status: 'counting',
		records: counted,
		counted,
		duplicate: 0,
		rejected: 0,
		expected: 3000,
		candidates: ids
			.map((id) => ({ id, name: id.toUpperCase(), party: id, votes: of(id), share: counted ? of(id) / counted : 0 }))
			.sort((a, b) => b.votes - a.votes),
		regions,
		...more,
	};
}
