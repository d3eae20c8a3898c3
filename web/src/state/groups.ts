// Who voted how: from released blocks to the rows of a table. Pure.

import type { DemographicBlock, Demographics } from '../api/types';

export interface GroupFilter {
	/** Null: each age apart. */
	age: string | null;
	gender: string | null;
	region: string | null;
}

export interface GroupRow {
	key: string;
	/** Null: all ages together. */
	age: string | null;
	gender: string | null;
	votes: number;
	/** By candidate. */
	byCandidate: ReadonlyMap<string, number>;
}

function blocksOf(d: Demographics, region: string | null): readonly DemographicBlock[] {
	return region === null ? d.nation : (d.regions.find((r) => r.code === region)?.blocks ?? []);
}

function sumRow(
	blocks: readonly DemographicBlock[],
	age: string | null,
	gender: string | null,
	cell: (block: DemographicBlock) => number,
): GroupRow {
	const byCandidate = new Map(blocks.map((b) => [b.candidate, cell(b)]));
	const votes = [...byCandidate.values()].reduce((a, b) => a + b, 0);
	return { key: `${age ?? '*'}/${gender ?? '*'}`, age, gender, votes, byCandidate };
}

/** Rows with votes, ages in order and genders within; where both are not released together, ages first and then genders. */
export function groupRows(d: Demographics, filter: GroupFilter): GroupRow[] {
	const blocks = blocksOf(d, filter.region);
	const both = blocks.filter((b) => b.kind === 'age_gender');
	const bands = [...d.bands.entries()].filter(([, band]) => filter.age === null || band === filter.age);
	const genders = [...d.genders.entries()].filter(([, gender]) => filter.gender === null || gender === filter.gender);
	let rows: GroupRow[];
	if (both.length > 0) {
		rows = bands.flatMap(([b, band]) =>
			genders.map(([g, gender]) => sumRow(both, band, gender, (block) => block.cells[g * d.bands.length + b] ?? 0)),
		);
	} else {
		const byAge = blocks.filter((b) => b.kind === 'age');
		const byGender = blocks.filter((b) => b.kind === 'gender');
		const ages =
			filter.gender === null ? bands.map(([b, band]) => sumRow(byAge, band, null, (block) => block.cells[b] ?? 0)) : [];
		const kinds =
			filter.age === null
				? genders.map(([g, gender]) => sumRow(byGender, null, gender, (block) => block.cells[g] ?? 0))
				: [];
		rows = [...ages, ...kinds];
	}
	return rows.filter((row) => row.votes > 0);
}
