// Plain requests to the server that served this page. No other origin is ever asked.

import { isResults } from './check';
import type { Results } from './types';
import { answerOf, written } from './written';

export { isResults } from './check';

/** Why a request brought nothing: no answer at all, an answer with an error status, or an answer that makes no sense. */
export type Trouble = { kind: 'network' } | { kind: 'status'; status: number } | { kind: 'malformed' };

/** The longest `Retry-After` that is kept to: a page that waits for an hour looks dead. */
const RETRY_AFTER_MAX_MS = 120_000;

/** What `Retry-After` says, in milliseconds: seconds or a date; 0 where it says nothing. */
export function retryAfterMs(header: string | null, nowMs: number): number {
	if (!header) return 0;
	const wait = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - nowMs;
	return Number.isNaN(wait) ? 0 : Math.min(RETRY_AFTER_MAX_MS, Math.max(0, wait));
}

export class ApiError extends Error {
	constructor(
		readonly trouble: Trouble,
		/** The server asked not to be asked again sooner. */
		readonly retryAfterMs = 0,
	) {
		super(trouble.kind === 'status' ? `status ${trouble.status}` : trouble.kind);
	}
}

/** Fetches JSON; throws `ApiError` and nothing else. */
export async function getJson<T>(path: string, timeoutMs = 10_000, fetcher: typeof fetch = fetch): Promise<T> {
	if (written) {
		const answer = answerOf(written, path);
		if (answer === undefined) throw new ApiError({ kind: 'malformed' });
		return answer as T;
	}
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
	if (!response.ok) {
		const wait = retryAfterMs(response.headers.get('retry-after'), Date.now());
		throw new ApiError({ kind: 'status', status: response.status }, wait);
	}
	try {
		return (await response.json()) as T;
	} catch {
		throw new ApiError({ kind: 'malformed' });
	}
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
