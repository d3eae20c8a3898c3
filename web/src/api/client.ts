// Plain requests to the server that served this page. No other origin is ever asked.

import type { Results } from './types';

/** Why a request brought nothing: no answer at all, an answer with an error status, or an answer that makes no sense. */
export type Trouble = { kind: 'network' } | { kind: 'status'; status: number } | { kind: 'malformed' };

export class ApiError extends Error {
	constructor(readonly trouble: Trouble) {
		super(trouble.kind === 'status' ? `status ${trouble.status}` : trouble.kind);
	}
}

/** Fetches JSON; throws `ApiError` and nothing else. */
export async function getJson<T>(path: string, timeoutMs = 10_000, fetcher: typeof fetch = fetch): Promise<T> {
	let response: Response;
	try {
		response = await fetcher(path, {
			headers: { accept: 'application/json' },
			cache: 'no-cache',
			signal: AbortSignal.timeout(timeoutMs),
		});
	} catch {
		throw new ApiError({ kind: 'network' });
	}
	if (!response.ok) throw new ApiError({ kind: 'status', status: response.status });
	try {
		return (await response.json()) as T;
	} catch {
		throw new ApiError({ kind: 'malformed' });
	}
}

const isCount = (n: unknown): n is number => typeof n === 'number' && Number.isFinite(n) && n >= 0;

/** Whether an answer is a snapshot that the page can show; a wrong one is dropped, the last good one stays. */
export function isResults(value: unknown): value is Results {
	if (typeof value !== 'object' || value === null) return false;
	const r = value as Partial<Results>;
	return (
		typeof r.election === 'object' &&
		r.election !== null &&
		typeof r.election.name === 'string' &&
		isCount(r.sequence) &&
		isCount(r.counted) &&
		Array.isArray(r.candidates) &&
		r.candidates.every((c) => typeof c?.id === 'string' && typeof c.name === 'string' && isCount(c.votes)) &&
		Array.isArray(r.regions) &&
		r.regions.every(
			(g) => typeof g?.code === 'string' && isCount(g.counted) && typeof g.votes === 'object' && g.votes !== null,
		)
	);
}

/** Reads one snapshot from the text of a stream message; `null` where it is none. */
export function parseResults(text: string): Results | null {
	try {
		const value: unknown = JSON.parse(text);
		return isResults(value) ? value : null;
	} catch {
		return null;
	}
}
