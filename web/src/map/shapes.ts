// The states' outlines, put together from their borders: two neighbours share one, so that it is sent once.

import { BORDERS, SCALE, STATES } from './us-states';

/** One state: where its label sits, half the width of the label that fits there, and its outline, `SCALE` steps a pixel. */
export interface StateShape {
	x: number;
	y: number;
	room: number;
	d: string;
}

export { SCALE };
export const isState = (code: string): boolean => Object.hasOwn(STATES, code);

export const STATE_CODES: readonly string[] = Object.keys(STATES);

type Point = readonly [x: number, y: number];

/** A border's points: where it begins, then a character a step, "P" for 0 and "~" for 12. */
function pointsOf(border: string): Point[] {
	const [x0, y0, steps = ''] = border.split(' ');
	let x = Number(x0);
	let y = Number(y0);
	const points: Point[] = [[x, y]];
	const step = (i: number) => (steps[i] === '~' ? 12 : steps.charCodeAt(i) - 80);
	for (let i = 0; i < steps.length; i += 2) {
		x += step(i);
		y += step(i + 1);
		points.push([x, y]);
	}
	return points;
}

function outlines(): Record<string, StateShape> {
	const borders = BORDERS.split('|').map(pointsOf);
	// A negative number is a border the other way around; each begins where the one before ends.
	const along = (n: number) => (n < 0 ? [...(borders[~n] ?? [])].reverse() : (borders[n] ?? []));
	const ring = (numbers: string) => {
		const points = numbers.split(' ').flatMap((n) => along(Number(n)).slice(1));
		return `M${points.join('L')}z`;
	};
	return Object.fromEntries(
		Object.entries(STATES).map(([code, [x, y, room, rings]]) => [
			code,
			{ x, y, room, d: rings.split(',').map(ring).join('') },
		]),
	);
}

/** Albers USA, 975 × 610, Alaska and Hawaii inset. */
export const US_STATES: Record<string, StateShape> = outlines();
