// A stand-in for the real server, for looking at the page: `node dev/server.mjs --scenario night --port 8510`. Not shipped.
// `--api http://127.0.0.1:8501` shows a real server's numbers in the page as built here. Scenarios: early, mid, final, waiting, night (runs), tie, poll, poll2, poll30, council, error.
import { createReadStream, existsSync } from 'node:fs';
import { request as ask, createServer } from 'node:http';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { council, demographics, poll, tie, timeline, us } from './snapshots.mjs';

const DIST = fileURLToPath(new URL('../../crates/votestream-web/dist', import.meta.url));
const MIME = {
	'.html': 'text/html; charset=utf-8',
	'.js': 'text/javascript; charset=utf-8',
	'.css': 'text/css; charset=utf-8',
	'.svg': 'image/svg+xml',
};
const CSP =
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

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
	council: () => council(77),
};

/** How far the night is in the fixed scenarios. */
const UNTIL = { early: 0.16, mid: 0.42, late: 0.8, final: 1 };

/** Starts the server; `scenario` may be changed while it runs. */
export function start({ scenario = 'night', port = 8510, hz = 4, api = null } = {}) {
	const began = Date.now();
	const state = { scenario, muted: false, hz };
	const now = () => {
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
		if (url.pathname.startsWith('/api/') && state.scenario === 'error') return response.writeHead(503).end();
		const json = (value) => {
			response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-cache' });
			response.end(JSON.stringify(value));
		};
		const live = url.pathname.startsWith('/api/') ? now() : null;
		const until = UNTIL[state.scenario] ?? Math.min(1, (Date.now() - began) / 180_000);
		const pastAt = url.searchParams.get('at');
		const past = pastAt
			? { ...us(until * (1 - (Date.now() - Date.parse(pastAt)) / (48 * 60_000)), 5), at: pastAt, as_of: pastAt }
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
			return json({ engine, viewers: viewers.size, backlog: 1204 });
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
			send(response, now());
			viewers.add(response);
			return request.on('close', () => viewers.delete(response));
		}
		const path = url.pathname === '/' ? '/index.html' : url.pathname;
		const file = join(DIST, path);
		if (path.includes('..') || !existsSync(file) || !extname(file)) return response.writeHead(404).end();
		const packed = existsSync(`${file}.gz`);
		response.writeHead(200, {
			'content-type': MIME[extname(file)],
			'content-security-policy': CSP,
			...(packed ? { 'content-encoding': 'gzip' } : {}),
		});
		createReadStream(packed ? `${file}.gz` : file).pipe(response);
	});
	let last = -1;
	const timer = setInterval(() => {
		if (state.muted || state.scenario === 'error') return;
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
