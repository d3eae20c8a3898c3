// Calm order: rows and cards follow the ranking, but not under someone's hand. Pure.

/** Cards and rows change places at most this often. */
export const REORDER_EVERY_MS = 5_000;

export interface Held {
	keys: readonly string[];
	at: number;
}

/** The order to show: the wanted one, unless the last change was too recent or `busy` (pointer over it, or focus in it). Keys that
 * are new come in where they are wanted, keys that are gone leave; that never waits. */
export function calmOrder(held: Held | null, wanted: readonly string[], nowMs: number, busy: boolean): Held {
	if (!held) return { keys: wanted, at: nowMs };
	const same = held.keys.length === wanted.length && held.keys.every((key, i) => key === wanted[i]);
	if (same) return held;
	const members = new Set(wanted);
	const changed = held.keys.length !== wanted.length || held.keys.some((key) => !members.has(key));
	if (changed || (!busy && nowMs - held.at >= REORDER_EVERY_MS)) return { keys: wanted, at: nowMs };
	return held;
}
