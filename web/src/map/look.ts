// How one region is drawn and what it is called aloud; the same for map and tiles. Pure.

import type { Paint } from '../state/colours';
import type { RegionStanding } from '../state/standing';
import { t } from '../strings';
import { points, progress } from '../strings/format';

export interface Look {
	/** A colour, or a reference to a pattern of the drawing. */
	fill: string;
	label: string;
	/** Drawn around the label where the fill is hatched, so that small letters stay clear. */
	halo: string | null;
}

/** Fill and label colour. `patterns`: the id prefix of the drawing's hatching, in the order of `ids`. */
export function look(
	r: RegionStanding,
	paints: ReadonlyMap<string, Paint>,
	empty: Paint,
	patterns: string,
	ids: readonly string[],
): Look {
	const p = r.leader === null ? undefined : paints.get(r.leader);
	if (p && r.state === 'decided') return { fill: p.solid, label: p.onSolid, halo: null };
	if (p) return { fill: `url(#${patterns}-${ids.indexOf(r.leader ?? '')})`, label: p.onHatch, halo: p.ground };
	if (r.state === 'tied') return { fill: `url(#${patterns}-${ids.length})`, label: empty.onHatch, halo: empty.ground };
	return { fill: empty.solid, label: empty.onSolid, halo: null };
}

/** What a reader who sees nothing is told of a region. */
export function spoken(r: RegionStanding, nameOf: (id: string) => string): string {
	const in_ = r.progress === null && !r.complete ? '' : `, ${t.map.progress(progress(r.progress, r.complete))}`;
	const by = points(r.marginPoints ?? 0).replace(/^[+\u2212]/, '');
	switch (r.state) {
		case 'none':
			return t.map.region(r.region.name, t.map.none);
		case 'tied':
			return t.map.region(r.region.name, t.map.tied + in_);
		case 'leading':
			return t.map.region(r.region.name, t.map.leads(nameOf(r.leader ?? ''), by) + in_);
		case 'decided':
			return t.map.region(r.region.name, t.map.won(nameOf(r.leader ?? ''), by) + in_);
	}
}
