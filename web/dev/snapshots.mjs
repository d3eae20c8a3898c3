// Snapshots for looking at the page without the engine: the certified figures of 2024, brought in as a night would. Not shipped.
import { readFileSync } from 'node:fs';

const DATA = process.env.VOTESTREAM_DATA ?? new URL('../../crates/votestream-election/data/', import.meta.url).pathname;

function csv(name) {
	const [head, ...lines] = readFileSync(`${DATA}/${name}`, 'utf8').trim().split(/\r?\n/);
	const keys = head.split(',');
	return lines.map((line) => Object.fromEntries(line.split(',').map((cell, i) => [keys[i], cell])));
}

const CANDIDATES = [
	{ id: 'trump', name: 'Donald Trump', party: 'REP', colour: 'vermilion' },
	{ id: 'harris', name: 'Kamala Harris', party: 'DEM', colour: 'blue' },
	{ id: 'stein', name: 'Jill Stein', party: 'GRN', colour: 'teal' },
	{ id: 'other', name: 'Other', party: '', colour: 'ochre' },
];

/** A number in [0, 1) from a text; the same for the same text. */
function noise(text) {
	let h = 2166136261;
	for (const c of text) h = Math.imul(h ^ c.codePointAt(0), 16777619);
	h = Math.imul(h ^ (h >>> 15), 2246822519);
	return ((h ^ (h >>> 13)) >>> 0) / 4294967296;
}

function finish(election, candidates, regions, expected, counted, sequence, status, extra) {
	const totals = candidates.map((c) => ({
		...c,
		votes: regions.length ? regions.reduce((sum, r) => sum + (r.votes[c.id] ?? 0), 0) : (extra.votes[c.id] ?? 0),
	}));
	const seats = (id, state) =>
		regions
			.filter((r) => r.leader === id && (r.status === 'decided') === (state === 'decided'))
			.reduce((s, r) => s + r.seats, 0);
	return {
		election,
		sequence,
		as_of: new Date().toISOString(),
		status,
		records: counted + extra.duplicate + extra.rejected,
		counted,
		duplicate: extra.duplicate,
		rejected: extra.rejected,
		...(expected === null ? {} : { expected }),
		candidates: totals
			.map((c) => ({
				...c,
				share: counted ? c.votes / counted : 0,
				...(regions.length ? { seats: { leading: seats(c.id, 'leading'), decided: seats(c.id, 'decided') } } : {}),
			}))
			.sort((a, b) => b.votes - a.votes),
		regions,
		ledger: { leaves: sequence * 4, records: counted, digest: '9f2c4be1'.repeat(8) },
	};
}

/** The US night at `at` (0 to 1): states report after their polls close, early votes lean another way than late ones. */
export function us(at, sequence) {
	const closing = new Map(csv('us-poll-closing-2024.csv').map((r) => [r.state, Date.parse(r.last_polls_close_utc)]));
	const first = Math.min(...closing.values());
	const span = 11 * 3_600_000;
	const regions = csv('us-president-2024-states.csv').map((row) => {
		const opened = (closing.get(row.state) - first) / span;
		const pace = 0.3 + noise(row.state) * 0.35;
		const f = at >= 1 ? 1 : Math.max(0, Math.min(1, (at - opened * 0.9) / pace)) ** 0.8;
		const votes = {};
		let expected = 0;
		const lean =
			(noise(`${row.state}lean`) - 0.5) * 0.3 * (1 - f) + Math.sin(at * 9 + noise(row.state) * 6) * 0.03 * (1 - f);
		for (const { id } of CANDIDATES) {
			const final = Number(row[id]);
			expected += final;
			const bent = id === 'trump' ? f * (1 + lean) : id === 'harris' ? f * (1 - lean) : f;
			votes[id] = Math.round(final * Math.min(1, bent));
		}
		const counted = Object.values(votes).reduce((a, b) => a + b, 0);
		const order = Object.entries(votes).sort((a, b) => b[1] - a[1]);
		const margin = order[0][1] - order[1][1];
		const status = counted === 0 ? 'waiting' : margin > expected - counted ? 'decided' : 'leading';
		return {
			code: row.state,
			name: row.name,
			seats: Number(row.electoral_votes),
			counted,
			expected,
			status,
			leader: margin > 0 ? order[0][0] : null,
			margin_votes: margin,
			votes,
		};
	});
	const counted = regions.reduce((s, r) => s + r.counted, 0);
	const expected = regions.reduce((s, r) => s + r.expected, 0);
	const election = {
		id: 'us-president-2024',
		name: 'US presidential election 2024',
		date: '2024-11-05',
		simulated: true,
		note: 'A simulated night on the certified figures.',
		seats_to_win: 270,
		time_zone: 'America/New_York',
	};
	const status = counted === 0 ? 'waiting' : at >= 1 ? 'complete' : 'counting';
	return finish(election, CANDIDATES, regions, expected, counted, sequence, status, {
		duplicate: Math.round(counted * 0.01),
		rejected: Math.round(counted * 0.001),
	});
}

/** The night with photographs: one that is there, one that is missing, one from elsewhere. */
export function photos(at, sequence) {
	const s = us(at, sequence);
	const addresses = {
		harris: '/api/photos/harris?v=1',
		trump: '/api/photos/trump?v=1',
		stein: 'http://127.0.0.1:9/stein.png',
	};
	for (const c of s.candidates) if (addresses[c.id]) c.photo = addresses[c.id];
	return s;
}

/** The same night at a standstill: the two in front are level everywhere. */
export function tie(sequence) {
	const s = us(0.5, sequence);
	for (const r of s.regions) {
		const half = Math.floor((r.votes.trump + r.votes.harris) / 2);
		r.votes = { ...r.votes, trump: half, harris: half };
		r.counted = Object.values(r.votes).reduce((a, b) => a + b, 0);
		r.leader = null;
		r.margin_votes = 0;
		r.status = r.counted ? 'leading' : 'waiting';
	}
	const counted = s.regions.reduce((sum, r) => sum + r.counted, 0);
	const bare = s.candidates.map(({ id, name, party, colour }) => ({ id, name, party, colour }));
	return finish(s.election, bare, s.regions, s.expected, counted, sequence, 'counting', { duplicate: 0, rejected: 0 });
}

/** A poll without regions, with as many candidates as asked for; some names are meant to hurt. */
export function poll(many, at, sequence) {
	const names = [
		'Nachhaltige Stadtentwicklung und bezahlbares Wohnen für alle',
		'<img src=x onerror=alert(1)>',
		'حزب المستقبل الديمقراطي',
		'Yes',
		'No',
		'Ana María Fernández-Ruiz de la Torre',
		'Supercalifragilisticexpialidociousunbreakable',
		'Ünal Şahin',
		'李小龍',
		'O’Brien, Séamus',
	];
	const candidates = Array.from({ length: many }, (_, i) => ({
		id: `c${i}`,
		name: many === 2 ? ['Yes', 'No'][i] : (names[i] ?? `Candidate number ${i + 1}`),
		party: '',
	}));
	const votes = Object.fromEntries(
		candidates.map((c, i) => [c.id, Math.round((at * 48_000 * (0.6 + noise(c.id))) / (1 + i * 0.6))]),
	);
	const counted = Object.values(votes).reduce((a, b) => a + b, 0);
	const election = {
		id: 'poll',
		name: many === 2 ? 'Shall the statutes be amended?' : 'Members’ poll: what should the association do next?',
		simulated: false,
	};
	return finish(election, candidates, [], null, counted, sequence, counted ? 'counting' : 'waiting', {
		votes,
		duplicate: 12,
		rejected: 3,
	});
}

/** Regions that are no US states, with seats, many parties and more votes than expected. */
export function council(sequence) {
	const parties = [
		'Civic Union',
		'Liberty Front',
		'Green Future',
		'Farm & Labor',
		'Tech Alliance',
		'Pensioners',
		'Independents',
		'Coast',
	];
	const candidates = parties.map((name, i) => ({
		id: `p${i}`,
		name,
		party: name
			.split(' ')
			.map((w) => w[0])
			.join(''),
	}));
	const regions = Array.from({ length: 23 }, (_, i) => {
		const expected = 20_000 + Math.round(noise(`e${i}`) * 60_000);
		const f = i === 3 ? 1.04 : i < 3 ? 0 : noise(`f${i}`);
		const weights = parties.map((_p, k) => (0.2 + noise(`${i}/${k}`)) / (1 + k * 0.5));
		const sum = weights.reduce((a, b) => a + b, 0);
		const votes = Object.fromEntries(
			candidates.map((c, k) => [c.id, Math.round((expected * f * (weights[k] ?? 0)) / sum)]),
		);
		const counted = Object.values(votes).reduce((a, b) => a + b, 0);
		const order = Object.entries(votes).sort((a, b) => b[1] - a[1]);
		const margin = order[0][1] - order[1][1];
		return {
			code: `W${i + 1}`,
			name: ['Harbour', 'Old Town', 'Mill Hill', 'North Field', 'Saint Mary’s-under-the-Castle'][i] ?? `Ward ${i + 1}`,
			seats: 3 + (i % 5),
			counted,
			expected,
			status: counted === 0 ? 'waiting' : margin > expected - counted ? 'decided' : 'leading',
			leader: margin > 0 ? order[0][0] : null,
			margin_votes: margin,
			votes,
		};
	});
	const counted = regions.reduce((s, r) => s + r.counted, 0);
	const expected = regions.reduce((s, r) => s + r.expected, 0);
	return finish(
		{ id: 'council', name: 'City council 2026', date: '2026-05-17', simulated: false },
		candidates,
		regions,
		expected,
		counted,
		sequence,
		'counting',
		{ duplicate: 40, rejected: 7 },
	);
}

/** The desk at work: two states on hold, two declared final, one of them with votes after that. */
export function desk(at, sequence) {
	const s = us(at, sequence);
	const held = new Set(['OH', 'NV']);
	for (const r of s.regions) {
		if (r.code !== 'KY' && r.code !== 'IN') continue;
		r.closed = true;
		r.status = 'closed';
		r.late = r.code === 'KY' ? 1204 : 0;
	}
	const regions = s.regions.filter((r) => !held.has(r.code));
	const sum = (key) => regions.reduce((all, r) => all + r[key], 0);
	const bare = s.candidates.map(({ id, name, party, colour }) => ({ id, name, party, colour }));
	const extra = { duplicate: s.duplicate, rejected: s.rejected };
	return {
		...finish(s.election, bare, regions, sum('expected'), sum('counted'), sequence, s.status, extra),
		withheld: 2,
	};
}

/** `GET /api/desk` for the same; times in the minutes of the made-up timeline. */
export function deskActs(now) {
	const time = (minutesAgo) => new Date(now - minutesAgo * 60_000).toISOString();
	const act = (number, minutesAgo, action, region, counted) => ({
		number,
		time: time(minutesAgo),
		action,
		region,
		counted,
	});
	return {
		acts: [
			act(1, 41, 'hold', 'PA', 0),
			act(2, 33, 'reopen', 'PA', 1_204_551),
			act(3, 21, 'close', 'KY', 2_001_414),
			act(4, 12, 'hold', 'OH', null),
			act(5, 11, 'hold', 'NV', null),
			act(6, 4, 'close', 'IN', 2_936_677),
		],
	};
}

/** Nothing is public yet: every region is under embargo. */
export function embargo(sequence) {
	const s = us(0.3, sequence);
	const bare = s.candidates.map(({ id, name, party, colour }) => ({ id, name, party, colour }));
	return {
		...finish(s.election, bare, [], null, 0, sequence, 'counting', { duplicate: 0, rejected: 0, votes: {} }),
		withheld: 51,
		records: 0,
	};
}

/** Regions with codes too long for tiles, in two scripts, without seats. */
export function communes(sequence) {
	const s = council(sequence);
	const names = [
		'Kreisfreie Stadt Neustadt an der Weinstraße',
		'القاهرة الكبرى',
		'Communauté de communes du Pays de Saint-Éloy',
		'<b>Bold</b> & Co',
	];
	s.regions.forEach((r, i) => {
		r.code = `COMMUNE-${String(i + 1).padStart(3, '0')}`;
		r.name = names[i - 4] ?? r.name;
		r.seats = null;
	});
	for (const c of s.candidates) c.seats = null;
	return {
		...s,
		election: {
			...s.election,
			id: 'communes',
			name: 'Élection des conseils communaux et intercommunaux de la région métropolitaine 2026',
			seats_to_win: null,
		},
	};
}

/** An older server: nothing that is optional. */
export function older(sequence) {
	const s = us(0.42, sequence);
	const { id, name } = s.election;
	return {
		election: { id, name },
		sequence,
		as_of: null,
		status: s.status,
		records: s.records,
		counted: s.counted,
		duplicate: s.duplicate,
		rejected: s.rejected,
		candidates: s.candidates.map((c) => ({ id: c.id, name: c.name, votes: c.votes, share: c.share })),
		regions: s.regions.map((r) => ({
			code: r.code,
			name: r.name,
			counted: r.counted,
			status: r.status,
			votes: r.votes,
		})),
	};
}

const AGES = ['18-29', '30-44', '45-64', '65+', 'unknown'];
const AGE_SHARE = [0.14, 0.23, 0.35, 0.28, 0];
const AGE_LEAN = { trump: [0.43, 0.47, 0.54, 0.5, 0.5], harris: [0.54, 0.51, 0.44, 0.49, 0.5] };
const GENDER_LEAN = { trump: [0.55, 0.45, 0.5], harris: [0.43, 0.53, 0.5] };

/** `GET /api/demographics` for a snapshot; one region has its ages and genders apart. */
export function demographics(snapshot, code) {
	const cells = (id, votes) => {
		const weights = [0.47, 0.53, 0].flatMap((g, i) =>
			AGE_SHARE.map((a, b) => g * a * (AGE_LEAN[id]?.[b] ?? 1) * (GENDER_LEAN[id]?.[i] ?? 1)),
		);
		const sum = weights.reduce((x, y) => x + y, 0);
		return weights.map((w) => Math.round((votes * w) / sum));
	};
	const block = (candidate, kind, list) => ({ candidate, kind, votes: list.reduce((x, y) => x + y, 0), cells: list });
	const region = snapshot.regions.find((r) => r.code === code);
	return {
		election: snapshot.election.id,
		sequence: snapshot.sequence,
		as_of: snapshot.as_of,
		min_cell: 10,
		genders: ['Male', 'Female', 'Unknown'],
		bands: AGES,
		withheld: 0,
		nation:
			code || snapshot.counted === 0 || snapshot.regions.length === 0
				? []
				: snapshot.candidates.map((c) => block(c.id, 'age_gender', cells(c.id, c.votes))),
		regions: region
			? [
					{
						code,
						name: region.name,
						blocks: snapshot.candidates.flatMap((c) => {
							const all = cells(c.id, region.votes[c.id]);
							return [
								block(
									c.id,
									'gender',
									[0, 1, 2].map((g) => all.slice(g * 5, g * 5 + 5).reduce((x, y) => x + y, 0)),
								),
								block(
									c.id,
									'age',
									[0, 1, 2, 3, 4].map((b) => all[b] + all[5 + b] + all[10 + b]),
								),
							];
						}),
					},
				]
			: [],
	};
}

/** `GET /api/timeline`: the minutes up to now of a night whose snapshot at `at` is given by `snapshotAt`. */
export function timeline(snapshotAt, until, endMs, sequence) {
	const steps = 48;
	const points = [];
	const changes = [];
	const led = new Map();
	let ids = [];
	for (let i = 1; i <= steps; i++) {
		const s = snapshotAt((until * i) / steps);
		const order = [...s.candidates].sort((a, b) => (a.id < b.id ? -1 : 1));
		ids = order.map((c) => c.id);
		const minute = new Date(Math.floor((endMs - (steps - i + 1) * 60_000) / 60_000) * 60_000)
			.toISOString()
			.replace('.000', '');
		if (s.counted > 0)
			points.push({
				minute,
				counted: s.counted,
				votes: order.map((c) => c.votes),
				seats: order.map((c) => c.seats.leading + c.seats.decided),
			});
		const all = {
			code: null,
			leader: s.counted ? s.candidates[0].id : null,
			margin_votes: s.candidates[0].votes - s.candidates[1].votes,
		};
		for (const r of [all, ...s.regions]) {
			const before = led.get(r.code);
			if (r.leader && before && before !== r.leader)
				changes.push({ minute, region: r.code, from: before, to: r.leader, margin_votes: r.margin_votes });
			if (r.leader) led.set(r.code, r.leader);
		}
	}
	return {
		election: 'us-president-2024',
		sequence,
		region: null,
		candidates: ids,
		bucket_minutes: 1,
		points,
		lead_changes: changes,
	};
}
