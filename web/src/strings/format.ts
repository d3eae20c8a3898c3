// Numbers, shares and times as text. One place, so that every number on the page is grouped and rounded alike.

interface Formats {
	whole: Intl.NumberFormat;
	one: Intl.NumberFormat;
	two: Intl.NumberFormat;
	compact: Intl.NumberFormat;
	percent: Intl.NumberFormat;
	wholePercent: Intl.NumberFormat;
	clock: Intl.DateTimeFormat;
	day: Intl.DateTimeFormat;
	moment: Intl.DateTimeFormat;
}

function make(locale: string): Formats {
	const decimals = (digits: number): Intl.NumberFormatOptions => ({
		minimumFractionDigits: digits,
		maximumFractionDigits: digits,
	});
	return {
		whole: new Intl.NumberFormat(locale, decimals(0)),
		one: new Intl.NumberFormat(locale, decimals(1)),
		two: new Intl.NumberFormat(locale, decimals(2)),
		compact: new Intl.NumberFormat(locale, { notation: 'compact', maximumFractionDigits: 1 }),
		percent: new Intl.NumberFormat(locale, { style: 'percent', ...decimals(1) }),
		wholePercent: new Intl.NumberFormat(locale, { style: 'percent', ...decimals(0) }),
		clock: new Intl.DateTimeFormat(locale, {
			hour: '2-digit',
			minute: '2-digit',
			second: '2-digit',
			hourCycle: 'h23',
		}),
		day: new Intl.DateTimeFormat(locale, { dateStyle: 'long', timeZone: 'UTC' }),
		moment: new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'medium', hourCycle: 'h23' }),
	};
}

let locale = 'en-US';
let f = make(locale);

/** Writes all numbers and times as `tag` has them from here on. Called before the page is drawn. */
export function setLocale(tag: string): void {
	locale = tag;
	f = make(tag);
	zones.clear();
}

/** One of two or three forms for a number, and the number before it. Spanish has a third for round millions: "1.000.000 de votos". */
export function counted(many: number, rules: Intl.PluralRules, one: string, other: string, million = other): string {
	const form = rules.select(many);
	return `${count(many)} ${form === 'one' ? one : form === 'many' ? million : other}`;
}

/** Ana, Bo and Cy. */
export const list = (items: readonly string[]): string => new Intl.ListFormat(locale).format(items);

const MINUS = '\u2212';

/** 88925286 → 88,925,286. */
export const count = (n: number): string => f.whole.format(n).replace('-', MINUS);

/** 0.4 → 40%, for the marks of an axis. */
export const percent = (n: number): string => f.wholePercent.format(n);

/** 805700 → 805.7K, for places where the whole number stands elsewhere. */
export const short = (n: number): string => f.compact.format(n).replace('-', MINUS);

/** 0.3967 → 39.7%. Never rounds up to 100 % or down to 0 % what is not. */
export function share(n: number): string {
	if (n > 0 && n < 0.0005) return `<${f.percent.format(0.001)}`;
	if (n < 1 && n >= 0.9995) return `>${f.percent.format(0.999)}`;
	return f.percent.format(n);
}

/** +2.8, −0.4, or two digits where one would say 0.0. Points of the vote. */
export function points(n: number): string {
	const size = Math.abs(n);
	const text =
		size > 0 && size < 0.1 ? (size < 0.005 ? `<${f.two.format(0.01)}` : f.two.format(size)) : f.one.format(size);
	return `${n < 0 ? MINUS : n > 0 ? '+' : ''}${text}`;
}

/** +805,700 or −1,204. */
export const signed = (n: number): string => `${n > 0 ? '+' : n < 0 ? MINUS : ''}${f.whole.format(Math.abs(n))}`;

/** How much of the expected vote is in: never 100 % before the count is complete, and never above it. */
export function progress(n: number | null, complete: boolean): string {
	const text = f.wholePercent.format;
	if (complete) return text(1);
	if (n === null) return '–';
	if (n <= 0) return text(0);
	if (n < 0.01) return `<${text(0.01)}`;
	if (n >= 0.995) return `>${text(0.99)}`;
	return text(Math.floor(n * 100) / 100);
}

/** The same as a width, 0 to 1: a bar is full only when the count is. */
export function progressWidth(n: number | null, complete: boolean): number {
	if (complete) return 1;
	return n === null ? 0 : Math.min(0.985, Math.max(0, n));
}

export const time = (iso: string | number): string => f.clock.format(new Date(iso));

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
		const build = (timeZone: string | undefined): Zoned => ({
			hour: new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23', timeZone }),
			minute: new Intl.DateTimeFormat(locale, {
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
			made = build(zone || undefined);
		} catch {
			made = build(undefined);
		}
		zones.set(key, made);
	}
	return made;
}

/** 19:31:05 on the reader's clock, with the day where it is not today. */
export const clockText = (iso: string | number): string => {
	const at = new Date(iso);
	return at.toDateString() === new Date().toDateString() ? f.clock.format(at) : f.moment.format(at);
};

/** 19:31, in the election's time zone. */
export const hourMinute = (iso: string | number, zone?: string | null): string =>
	zoned(zone).hour.format(new Date(iso));
/** Nov 5, 2024, 19:31 EST. */
export const minuteText = (iso: string | number, zone?: string | null): string =>
	zoned(zone).minute.format(new Date(iso));
export const dateTime = (iso: string | number): string => f.moment.format(new Date(iso));
export const date = (iso: string): string => {
	const at = new Date(`${iso}T00:00:00Z`);
	return Number.isNaN(at.getTime()) ? iso : f.day.format(at);
};

/** Milliseconds with a unit that fits: 3.2 ms, 1.4 s. */
export function millis(ms: number): string {
	if (ms < 10) return `${f.one.format(ms)} ms`;
	return ms < 1000 ? `${f.whole.format(ms)} ms` : `${f.one.format(ms / 1000)} s`;
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
