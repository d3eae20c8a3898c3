// Makes src/map/us-states.ts from us-atlas: run `npm run map` after changing this file; the result is committed, so a
// build never needs the atlas. The atlas is already projected (Albers USA, 975 × 610, Alaska and Hawaii inset).
import { readFileSync, writeFileSync } from 'node:fs';
import { feature } from 'topojson-client';
import { presimplify, simplify } from 'topojson-simplify';

/** Triangles smaller than this (px², Visvalingam) are dropped; rings smaller than the second too. */
const TRIANGLE_MIN = 4.2;
const RING_MIN = 3;
/** Steps a pixel to which points are rounded. */
const SCALE = 3;

const FIPS = Object.fromEntries(
	'01AL 02AK 04AZ 05AR 06CA 08CO 09CT 10DE 11DC 12FL 13GA 15HI 16ID 17IL 18IN 19IA 20KS 21KY 22LA 23ME 24MD 25MA 26MI 27MN 28MS 29MO 30MT 31NE 32NV 33NH 34NJ 35NM 36NY 37NC 38ND 39OH 40OK 41OR 42PA 44RI 45SC 46SD 47TN 48TX 49UT 50VT 51VA 53WA 54WV 55WI 56WY'
		.split(' ')
		.map((pair) => [pair.slice(0, 2), pair.slice(2)]),
);

const atlas = JSON.parse(readFileSync(new URL(import.meta.resolve('us-atlas/states-albers-10m.json'))));
const simplified = simplify(presimplify(atlas), TRIANGLE_MIN);
const states = feature(simplified, simplified.objects.states).features;

const area = (ring) => {
	let sum = 0;
	for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
		sum += ring[j][0] * ring[i][1] - ring[i][0] * ring[j][1];
	}
	return Math.abs(sum / 2);
};

/** One number of a border as one character: -40 to 40 from "(" on, with "~" for the backslash. `map/shapes.ts` reads it. */
const letter = (n) => (n === 12 ? '~' : String.fromCharCode(n + 80));
const STEP_MAX = 40;

/** One border as text: where it begins, then each point relative to the one before; a long step is taken as several. */
function borderText(points) {
	const [[x0, y0], ...rest] = points.map(([x, y]) => [Math.round(x * SCALE), Math.round(y * SCALE)]);
	let [px, py] = [x0, y0];
	let out = '';
	for (const [x, y] of rest) {
		const [fx, fy] = [px, py];
		const steps = Math.ceil(Math.max(Math.abs(x - fx), Math.abs(y - fy)) / STEP_MAX);
		for (let i = 1; i <= steps; i++) {
			const [tx, ty] = [fx + Math.round(((x - fx) * i) / steps), fy + Math.round(((y - fy) * i) / steps)];
			out += letter(tx - px) + letter(ty - py);
			[px, py] = [tx, ty];
		}
	}
	return `${x0} ${y0} ${out}`;
}

const inside = (ring, x, y) => {
	let hit = false;
	for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
		const [xi, yi] = ring[i];
		const [xj, yj] = ring[j];
		if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) hit = !hit;
	}
	return hit;
};

/** Half the width of a label box (2 : 1) that fits around a point; 0 where the point is outside. */
function room(ring, x, y) {
	if (!inside(ring, x, y)) return 0;
	let half = Number.POSITIVE_INFINITY;
	for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
		const steps = 4;
		for (let s = 0; s < steps; s++) {
			const t = s / steps;
			const ex = ring[j][0] + (ring[i][0] - ring[j][0]) * t - x;
			const ey = ring[j][1] + (ring[i][1] - ring[j][1]) * t - y;
			half = Math.min(half, Math.max(Math.abs(ex), Math.abs(ey) * 2));
		}
	}
	return half;
}

/** Where a label sits best, and how much room it has there: a grid search, refined twice. */
function labelPoint(ring) {
	const xs = ring.map((p) => p[0]);
	const ys = ring.map((p) => p[1]);
	let box = [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
	let best = [0, 0, -1];
	for (let round = 0; round < 3; round++) {
		const [x0, y0, x1, y1] = box;
		for (let i = 0; i <= 28; i++) {
			for (let j = 0; j <= 28; j++) {
				const x = x0 + ((x1 - x0) * i) / 28;
				const y = y0 + ((y1 - y0) * j) / 28;
				const half = room(ring, x, y);
				if (half > best[2]) best = [x, y, half];
			}
		}
		const w = (x1 - x0) / 10;
		const h = (y1 - y0) / 10;
		box = [best[0] - w, best[1] - h, best[0] + w, best[1] + h];
	}
	return best.map((n) => Math.round(n));
}

const rows = [];
const borders = [];
const numbers = new Map();
/** The number of a border of the atlas among those that are kept; turned around it is `~number`, as in the atlas. */
function numberOf(arc) {
	const at = arc < 0 ? ~arc : arc;
	if (!numbers.has(at)) {
		numbers.set(at, borders.length);
		borders.push(borderText(simplified.arcs[at]));
	}
	return arc < 0 ? ~numbers.get(at) : numbers.get(at);
}
states.forEach((state, n) => {
	const code = FIPS[state.id];
	if (!code) return;
	const { type, arcs } = simplified.objects.states.geometries[n];
	const outlines = type === 'Polygon' ? [arcs] : arcs;
	const polygons = state.geometry.type === 'Polygon' ? [state.geometry.coordinates] : state.geometry.coordinates;
	const rings = polygons
		.map((p, i) => ({ ring: p[0], arcs: outlines[i][0] }))
		.sort((a, b) => area(b.ring) - area(a.ring));
	// Far islands of Alaska reach out of the picture.
	const kept = rings.filter(({ ring }, i) => i === 0 || (area(ring) >= RING_MIN && ring.every(([x]) => x > 40)));
	const [x, y, half] = labelPoint(rings[0].ring);
	const text = kept.map((r) => r.arcs.map(numberOf).join(' ')).join();
	rows.push({ code, line: `\t${code}: [${x}, ${y}, ${half}, '${text}'],` });
});
rows.sort((a, b) => (a.code < b.code ? -1 : 1));

const text = `// Generated by tools/make-map.mjs from us-atlas (U.S. Census Bureau, public domain). Do not edit; \`shapes.ts\` reads it.

/** Steps a pixel of the atlas, in which borders are written. */
export const SCALE = ${SCALE};

/** Borders, each once: where it begins, then each point relative to the one before, a character a number. */
export const BORDERS =
	'${borders.join('|')}';

/** Of each state where its label sits, half the width of the label that fits there, and its rings by the numbers of their borders. */
export const STATES: Record<string, [x: number, y: number, room: number, rings: string]> = {
${rows.map((r) => r.line).join('\n')}
};
`;
writeFileSync(new URL('../src/map/us-states.ts', import.meta.url), text);
console.log(`${rows.length} states, ${borders.length} borders, ${text.length} bytes`);
