// Candidate colours: which one, in which theme, and what may be written on it. Measured for separation under three
// colour-vision deficiencies; every label that the page sets on a colour reaches 4.5 : 1 (`colours.test.ts`).

import type { CandidateResult } from '../api/types';

export type Theme = 'light' | 'dark';
type Pair = readonly [light: string, dark: string];

export const PALETTE: Readonly<Record<string, Pair>> = {
	blue: ['#004cdd', '#60b4fd'],
	vermilion: ['#d94e0b', '#ed612e'],
	teal: ['#2fa391', '#96f4d8'],
	ochre: ['#614100', '#e6bf2e'],
	purple: ['#9a438d', '#9f6da6'],
};
/** Past the palette no further colour can be told apart safely: greys, and then all of them again with a sign. */
const GREYS: readonly Pair[] = [
	['#5b6675', '#97a3b4'],
	['#8792a1', '#6b7787'],
	['#3e4855', '#bcc6d3'],
];
/** Signs there are: a dot, a bar, a ring. */
const MARKS = 3;
const SURFACE: Readonly<Record<Theme, string>> = { light: '#ffffff', dark: '#141a22' };
const INK: Readonly<Record<Theme, string>> = { light: '#0d1117', dark: '#ffffff' };

/** How a candidate is drawn. */
export interface Paint {
	/** Decided: the colour itself. */
	solid: string;
	/** The label on it. */
	onSolid: string;
	/** Leading: ground and stripes of the hatching. */
	ground: string;
	stripe: string;
	/** The label that is readable on both. */
	onHatch: string;
	/** Which sign its squares bear, 0 for none: where there are more candidates than colours, each colour comes again with another. */
	mark: number;
}

const channels = (hex: string): [number, number, number] => {
	const n = Number.parseInt(hex.slice(1), 16);
	return [(n >> 16) & 255, (n >> 8) & 255, n & 255];
};

/** `share` of one colour in another, in sRGB. */
export function mix(hex: string, into: string, share: number): string {
	const a = channels(hex);
	const b = channels(into);
	const at = (i: 0 | 1 | 2) => Math.round(a[i] * share + b[i] * (1 - share));
	return `#${[at(0), at(1), at(2)].map((c) => c.toString(16).padStart(2, '0')).join('')}`;
}

/** Relative luminance, WCAG 2. */
export function luminance(hex: string): number {
	const [r, g, b] = channels(hex).map((c) => {
		const s = c / 255;
		return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
	}) as [number, number, number];
	return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** Contrast ratio of two colours, 1 to 21. */
export function contrast(a: string, b: string): number {
	const [hi, lo] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number];
	return (hi + 0.05) / (lo + 0.05);
}

/** Black or white, whichever contrasts more. */
export function labelOn(hex: string): string {
	return contrast('#000000', hex) >= contrast('#ffffff', hex) ? '#000000' : '#ffffff';
}

/** A given colour, moved towards the ink until it stands out from the card by 3 : 1. */
function visible(hex: string, theme: Theme): string {
	let share = 1;
	let colour = hex;
	while (contrast(colour, SURFACE[theme]) < 3 && share > 0) {
		share -= 0.1;
		colour = mix(hex, theme === 'light' ? '#000000' : '#ffffff', share);
	}
	return colour;
}

export function paint(pair: Pair, theme: Theme, mark = 0): Paint {
	const solid = visible(theme === 'light' ? pair[0] : pair[1], theme);
	const surface = SURFACE[theme];
	const ink = INK[theme];
	let share = 0.68;
	while (contrast(ink, mix(solid, surface, share)) < 5 && share > 0.1) share -= 0.02;
	return {
		solid,
		onSolid: labelOn(solid),
		ground: mix(solid, surface, Math.min(0.24, share / 2)),
		stripe: mix(solid, surface, share),
		onHatch: ink,
		mark,
	};
}

function pairOf(colour: string | null | undefined): Pair | null {
	if (!colour) return null;
	const named = PALETTE[colour.toLowerCase()];
	if (named) return named;
	if (/^#[0-9a-f]{6}$/i.test(colour)) return [colour, colour];
	return null;
}

const byNumber = new Intl.Collator('en', { numeric: true });

/** The colours of all candidates. Those that the election names are kept; the rest take what is left of the palette, in the
 * order of their ids, so that a colour never depends on who is ahead. */
export function paintAll(candidates: readonly CandidateResult[], theme: Theme): Map<string, Paint> {
	const given = new Map(candidates.map((c) => [c.id, pairOf(c.colour)] as const));
	const used = new Set([...given.values()].filter((p) => p !== null));
	const palette = Object.values(PALETTE);
	const all = [...palette, ...GREYS];
	const spare: (readonly [Pair, number])[] = [...palette.filter((p) => !used.has(p)), ...GREYS].map((p) => [p, 0]);
	for (let mark = 1; mark <= MARKS; mark++) spare.push(...all.map((p) => [p, mark] as const));
	let next = 0;
	const out = new Map<string, Paint>();
	for (const id of [...given.keys()].sort(byNumber.compare)) {
		const own = given.get(id);
		const [pair, mark] = own ? [own, 0] : (spare[next++ % spare.length] as readonly [Pair, number]);
		out.set(id, paint(pair, theme, mark));
	}
	return out;
}

/** Where no votes are in yet. */
export const EMPTY: Readonly<Record<Theme, Paint>> = {
	light: { solid: '#d9dee5', onSolid: '#39424e', ground: '#e9ecf0', stripe: '#d3d9e1', onHatch: '#39424e', mark: 0 },
	dark: { solid: '#2a323d', onSolid: '#c2cad4', ground: '#232a34', stripe: '#313a46', onHatch: '#c2cad4', mark: 0 },
};
