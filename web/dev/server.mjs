// A stand-in for the real server, for looking at the page: `node dev/server.mjs --scenario night --port 8510`. Not shipped.
// `--api http://127.0.0.1:8501` shows a real server's numbers in the page as built here. Scenarios:
// night (runs); early, mid, late, final, waiting, tie, over; desk, embargo; poll, poll1, poll2, poll8, poll30, council, communes, older, photos; several
// (elections); apart, behind (engine); error, s401, s404, s429, s500, malformed (answers); backwards (sequences fall).
import { createReadStream, existsSync } from 'node:fs';
import { request as ask, createServer } from 'node:http';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { portrait } from './picture.mjs';
import {
	communes,
	council,
	demographics,
	desk,
	deskActs,
	embargo,
	older,
	photos,
	poll,
	tie,
	timeline,
	us,
} from './snapshots.mjs';

const DIST = fileURLToPath(new URL('../../crates/votestream-web/dist', import.meta.url));
const MIME = {
	'.html': 'text/html; charset=utf-8',
	'.js': 'text/javascript; charset=utf-8',
	'.css': 'text/css; charset=utf-8',
	'.svg': 'image/svg+xml',
};
/** As the server says it; `ancestors` are the origins that it allows. */
const policy = (ancestors) =>
	`default-src 'self'; img-src 'self' data:; style-src 'self'; script-src 'self'; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors ${["'self'", ...ancestors].join(' ')}`;

const fixed = {
	waiting: () => us(0, 1),
	early: () => us(0.16, 812),
	mid: () => us(0.42, 2814),
	late: () => us(0.8, 5210),
	final: () => us(1, 9001),
	tie: () => tie(700),
	poll: () => poll(5, 0.6, 90),
	poll2: () => poll(2, 0.6, 90),
	poll1: () => poll(1, 0.6, 90),
	poll0: () => poll(3, 0, 1),
	poll30: () => poll(30, 0.6, 90),
	poll8: () => poll(8, 0.6, 90),
	council: () => council(77),
	photos: () => photos(0.42, 2814),
	communes: () => communes(78),
	older: () => older(44),
	desk: () => desk(0.8, 5211),
	embargo: () => embargo(900),
	apart: () => us(0.42, 2815),
	behind: () => ({
		...us(0.42, 2816),
		rejected: 2_900_000,
		records: 96_000_000,
		as_of: new Date(Date.now() - 42_000).toISOString(),
	}),
	over: () => ({ ...us(0.97, 8000), expected: 120_000_000 }),
	several: () => us(0.42, 2814),
	error: () => us(0.42, 1),
	malformed: () => us(0.42, 1),
};

/** What is answered instead of results. */
const REFUSED = { error: 503, s401: 401, s404: 404, s429: 429, s500: 500 };
const SEVERAL = {
	elections: [
		{
			id: 'us-president-2024',
			name: 'US presidential election 2024',
			date: '2024-11-05',
			simulated: true,
			status: 'counting',
		},
		{ id: 'council', name: 'City council 2026', date: '2026-05-17', simulated: false, status: 'complete' },
		{
			id: 'poll',
			name: 'Members’ poll: what should the association do next?',
			date: null,
			simulated: false,
			status: 'waiting',
		},
	],
};

/** How far the night is in the fixed scenarios. */
const UNTIL = {
	early: 0.16,
	mid: 0.42,
	photos: 0.42,
	late: 0.8,
	final: 1,
	desk: 0.8,
	apart: 0.42,
	behind: 0.42,
	over: 0.97,
	several: 0.42,
	older: 0.42,
};

/** Starts the server; `scenario` may be changed while it runs. */
export function start({ scenario = 'night', port = 8510, hz = 4, api = null, ancestors = [] } = {}) {
	const began = Date.now();
	const state = { scenario, muted: false, hz };
	const now = () => {
		if (REFUSED[state.scenario]) return us(0, 1);
		if (state.scenario === 'backwards')
			return us(0.4, Date.now() - began < 3000 ? 900 : 1 + Math.floor((Date.now() - began) / 500));
		if (state.scenario !== 'night') return fixed[state.scenario]?.();
		const step = Math.floor(((Date.now() - began) / 1000) * state.hz);
		return us(Math.min(1, step / (180 * state.hz)), step + 1);
	};
	const viewers = new Set();
	const send = (response, snapshot) =>
		response.write(`id: ${snapshot.sequence}\ndata: ${JSON.stringify(snapshot)}\n\n`);
	const server = createServer((request, response) => {
		const url = new URL(request.url, 'http://localhost');
		if (state.muted) return request.socket.destroy();
		if (api && url.pathname.startsWith('/api/')) {
			const real = ask(`${api}${request.url}`, { headers: { accept: request.headers.accept ?? '*/*' } }, (answer) => {
				response.writeHead(answer.statusCode, answer.headers);
				answer.pipe(response);
			});
			real.on('error', () => response.writeHead(502).end());
			response.on('close', () => real.destroy());
			return real.end();
		}
		const refused = REFUSED[state.scenario];
		if (url.pathname.startsWith('/api/') && refused)
			return response.writeHead(refused, refused === 429 ? { 'retry-after': '7' } : {}).end();
		if (url.pathname.startsWith('/api/') && state.scenario === 'malformed')
			return response.end('{"election": 7, "sequence": "x"}');
		if (url.pathname === '/api/elections')
			return response.end(
				JSON.stringify(state.scenario === 'several' ? SEVERAL : { elections: SEVERAL.elections.slice(0, 1) }),
			);
		const asked = url.searchParams.get('election');
		if (
			url.pathname.startsWith('/api/') &&
			state.scenario === 'several' &&
			!SEVERAL.elections.some((e) => e.id === asked)
		)
			return response.writeHead(asked ? 404 : 400).end();
		if (url.pathname === '/api/desk')
			return state.scenario === 'older'
				? response.writeHead(404).end()
				: response.end(JSON.stringify(state.scenario === 'desk' ? deskActs(Date.now()) : { acts: [] }));
		const json = (value) => {
			response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-cache' });
			response.end(JSON.stringify(value));
		};
		const live =
			asked === 'council'
				? council(77)
				: asked === 'poll'
					? poll(5, 0.6, 90)
					: url.pathname.startsWith('/api/')
						? now()
						: null;
		const until = UNTIL[state.scenario] ?? Math.min(1, (Date.now() - began) / 180_000);
		const pastAt = url.searchParams.get('at');
		const past = pastAt
			? {
					...(state.scenario === 'desk' ? desk : us)(
						until * (1 - (Date.now() - Date.parse(pastAt)) / (48 * 60_000)),
						5,
					),
					at: pastAt,
					as_of: pastAt,
				}
			: null;
		if (url.pathname === '/api/results') return json(past ?? live);
		if (url.pathname === '/api/demographics') return json(demographics(past ?? live, url.searchParams.get('region')));
		if (url.pathname === '/api/timeline') {
			if (live.election.id !== 'us-president-2024' || live.counted === 0)
				return json({ sequence: 1, candidates: [], points: [], lead_changes: [] });
			return json(timeline((at) => us(at, 1), until, Date.now(), live.sequence));
		}
		if (url.pathname === '/api/engine') {
			const wave = 240_000 + 30_000 * Math.sin(Date.now() / 4000);
			const engine = {
				records_per_s: live.status === 'complete' ? 0 : wave,
				commit_p50_ms: 21.4,
				commit_p99_ms: 48.9,
				backlog: 1204,
				workers: 2,
				paused: null,
			};
			if (state.scenario === 'apart') return json({ engine: null, viewers: viewers.size, backlog: 1204 });
			if (state.scenario === 'embargo') Object.assign(engine, { records_per_s: null, backlog: null });
			if (state.scenario === 'behind') Object.assign(engine, { commit_p99_ms: 6_400, backlog: 7_250_000 });
			return json({ engine, viewers: viewers.size, backlog: engine.backlog });
		}
		if (url.pathname === '/api/rejects') {
			const half = Math.floor(live.rejected / 2);
			return json({
				rejected: live.rejected,
				reasons: live.rejected ? { malformed: half, unknown_candidate: live.rejected - half } : {},
			});
		}
		if (url.pathname === '/api/live') {
			response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
			send(response, live);
			if (live.election.id !== now().election.id) return;
			viewers.add(response);
			return request.on('close', () => viewers.delete(response));
		}
		if (url.pathname.startsWith('/api/photos/')) {
			if (url.pathname.endsWith('harris') === false) return response.writeHead(404).end();
			response.writeHead(200, { 'content-type': 'image/png' });
			return response.end(portrait());
		}
		const path = url.pathname === '/' ? '/index.html' : url.pathname;
		const file = join(DIST, path);
		if (path.includes('..') || !existsSync(file) || !extname(file)) return response.writeHead(404).end();
		const packed = existsSync(`${file}.gz`);
		response.writeHead(200, {
			'content-type': MIME[extname(file)],
			'content-security-policy': policy(ancestors),
			...(packed ? { 'content-encoding': 'gzip' } : {}),
		});
		createReadStream(packed ? `${file}.gz` : file).pipe(response);
	});
	let last = -1;
	const timer = setInterval(() => {
		if (state.muted || REFUSED[state.scenario] || state.scenario === 'malformed') return;
		const snapshot = now();
		if (snapshot.sequence === last) return;
		last = snapshot.sequence;
		for (const viewer of viewers) send(viewer, snapshot);
	}, 1000 / hz);
	const beat = setInterval(() => {
		if (!state.muted) for (const viewer of viewers) viewer.write('event: beat\ndata:\n\n');
	}, 2000);
	return new Promise((ready) => {
		server.listen(port, '127.0.0.1', () =>
			ready({
				state,
				url: `http://127.0.0.1:${server.address().port}`,
				/** Cuts every stream and answers nothing until called with false. */
				mute(on) {
					state.muted = on;
					if (on) for (const viewer of viewers) viewer.destroy();
				},
				stop() {
					clearInterval(timer);
					clearInterval(beat);
					server.closeAllConnections();
					server.close();
				},
			}),
		);
	});
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	const arg = (name, fallback) =>
		process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : fallback;
	const { url } = await start({
		scenario: arg('--scenario', 'night'),
		port: Number(arg('--port', 8510)),
		api: arg('--api', null),
		hz: Number(arg('--hz', 4)),
	});
	console.log(`the page with made-up data is at ${url}`);
}
