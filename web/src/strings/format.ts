// Numbers, shares and times as text. One place, so that every number on the page is grouped and rounded alike.

export const LOCALE = 'en-US';

const whole = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 0 });
const one = new Intl.NumberFormat(LOCALE, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const two = new Intl.NumberFormat(LOCALE, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const compact = new Intl.NumberFormat(LOCALE, { notation: 'compact', maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat(LOCALE, {
	hour: '2-digit',
	minute: '2-digit',
	second: '2-digit',
	hourCycle: 'h23',
});
const day = new Intl.DateTimeFormat(LOCALE, { dateStyle: 'long', timeZone: 'UTC' });
const moment = new Intl.DateTimeFormat(LOCALE, { dateStyle: 'medium', timeStyle: 'medium', hourCycle: 'h23' });
const MINUS = '\u2212';

/** 88925286 → 88,925,286. */
export const count = (n: number): string => whole.format(n).replace('-', MINUS);

/** 805700 → 805.7K, for places where the whole number stands elsewhere. */
export const short = (n: number): string => compact.format(n).replace('-', MINUS);

/** 0.3967 → 39.7%. Never rounds up to 100 % or down to 0 % what is not. */
export function share(n: number): string {
	if (n > 0 && n < 0.0005) return '<0.1%';
	if (n < 1 && n >= 0.9995) return '>99.9%';
	return `${one.format(n * 100)}%`;
}

/** +2.8, −0.4, or two digits where one would say 0.0. Points of the vote. */
export function points(n: number): string {
	const size = Math.abs(n);
	const text = size > 0 && size < 0.1 ? (size < 0.005 ? '<0.01' : two.format(size)) : one.format(size);
	return `${n < 0 ? MINUS : n > 0 ? '+' : ''}${text}`;
}

/** +805,700 or −1,204. */
export const signed = (n: number): string => `${n > 0 ? '+' : n < 0 ? MINUS : ''}${whole.format(Math.abs(n))}`;

/** How much of the expected vote is in: never 100 % before the count is complete, and never above it. */
export function progress(n: number | null, complete: boolean): string {
	if (complete) return '100%';
	if (n === null) return '–';
	if (n <= 0) return '0%';
	if (n < 0.01) return '<1%';
	if (n >= 0.995) return '>99%';
	return `${Math.floor(n * 100)}%`;
}

/** The same as a width, 0 to 1: a bar is full only when the count is. */
export function progressWidth(n: number | null, complete: boolean): number {
	if (complete) return 1;
	return n === null ? 0 : Math.min(0.985, Math.max(0, n));
}

export const time = (iso: string | number): string => clock.format(new Date(iso));

interface Zoned {
	hour: Intl.DateTimeFormat;
	minute: Intl.DateTimeFormat;
}
const zones = new Map<string, Zoned>();

/** Formats in a time zone; in the reader's where none is given or it is not known here. */
function zoned(zone: string | null | undefined): Zoned {
	const key = zone ?? '';
	let made = zones.get(key);
	if (!made) {
		const make = (timeZone: string | undefined): Zoned => ({
			hour: new Intl.DateTimeFormat(LOCALE, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23', timeZone }),
			minute: new Intl.DateTimeFormat(LOCALE, {
				year: 'numeric',
				month: 'short',
				day: 'numeric',
				hour: '2-digit',
				minute: '2-digit',
				hourCycle: 'h23',
				timeZone,
				timeZoneName: 'short',
			}),
		});
		try {
			made = make(zone || undefined);
		} catch {
			made = make(undefined);
		}
		zones.set(key, made);
	}
	return made;
}

/** 19:31, in the election's time zone. */
export const hourMinute = (iso: string | number, zone?: string | null): string =>
	zoned(zone).hour.format(new Date(iso));
/** Nov 5, 2024, 19:31 EST. */
export const minuteText = (iso: string | number, zone?: string | null): string =>
	zoned(zone).minute.format(new Date(iso));
export const dateTime = (iso: string | number): string => moment.format(new Date(iso));
export const date = (iso: string): string => {
	const at = new Date(`${iso}T00:00:00Z`);
	return Number.isNaN(at.getTime()) ? iso : day.format(at);
};

/** Milliseconds with a unit that fits: 3.2 ms, 1.4 s. */
export function millis(ms: number): string {
	if (ms < 10) return `${one.format(ms)} ms`;
	return ms < 1000 ? `${whole.format(ms)} ms` : `${one.format(ms / 1000)} s`;
}

/** Up to three letters that stand for a name: its initials. */
export function initials(name: string): string {
	const words = name
		.trim()
		.split(/[\s-]+/u)
		.filter((w) => /[\p{L}\p{N}]/u.test(w));
	const letters = words.map((w) => [...w].find((c) => /[\p{L}\p{N}]/u.test(c)) ?? '');
	const picked = letters.length > 2 ? [letters[0], letters.at(-1)] : letters;
	return picked.join('').toUpperCase() || '?';
}
