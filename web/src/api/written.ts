// A page that stands alone: `votestream results --format html` writes into it what the server would answer. Then nothing is asked for,
// and what is not written there is not to be had.

/** Where the answers stand. */
const ELEMENT = 'votestream-static';

export interface Written {
	/** When it was taken, RFC 3339. */
	readonly taken: string;
	/** What the server would answer, by path without its query. */
	readonly answers: Readonly<Record<string, unknown>>;
}

/** The answers in a page's text; null where it holds none, and so has a server. */
export function readWritten(text: string | null | undefined): Written | null {
	if (text === null || text === undefined) return null;
	let answers: Record<string, unknown> = {};
	try {
		const value: unknown = JSON.parse(text);
		if (typeof value === 'object' && value !== null) answers = value as Record<string, unknown>;
	} catch {
		// A damaged file still has no server: every answer is missing, and the page says so.
	}
	const { taken } = answers;
	return { taken: typeof taken === 'string' && !Number.isNaN(Date.parse(taken)) ? taken : '', answers };
}

/** The answer to a request; undefined where it was not written down. One answer stands for all queries: it holds every region. */
export function answerOf(from: Written, path: string): unknown {
	const key = path.split('?', 1)[0] ?? '';
	return Object.hasOwn(from.answers, key) ? from.answers[key] : undefined;
}

/** Of this page; null: it has a server. */
export const written: Written | null = readWritten(document.getElementById(ELEMENT)?.textContent);
