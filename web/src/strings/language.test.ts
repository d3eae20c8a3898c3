import { afterEach, describe, expect, it } from 'vitest';
import { photoAddress } from '../state/photo';
import { en } from './en';
import { es } from './es';
import { count, list, minuteText, points, progress, setLocale, share } from './format';
import { chooseLanguage } from './language';

afterEach(() => setLocale('en-US'));

describe('the language', () => {
	it.each<[string | null, string[], string, string]>([
		[null, ['en-GB'], 'en', 'en-GB'],
		[null, ['es-MX', 'en-US'], 'es', 'es-MX'],
		[null, ['de-DE', 'es'], 'es', 'es-US'],
		[null, ['de-DE'], 'en', 'en-US'],
		[null, [], 'en', 'en-US'],
		['es', ['en-US'], 'es', 'es-US'],
		['es', ['en-US', 'es-ES'], 'es', 'es-ES'],
		['es-AR', ['en-US'], 'es', 'es-AR'],
		['en', ['es-ES'], 'en', 'en-US'],
		['fr', ['es-ES'], 'es', 'es-ES'],
		['%%%', ['en-US'], 'en', 'en-US'],
		['es-u-nu-arab', ['en-US'], 'es', 'es-US'],
	])('asked %s of a browser that prefers %s: %s, as %s writes', (asked, preferred, language, locale) =>
		expect(chooseLanguage(asked, preferred)).toEqual({ language, locale }),
	);
});

/** Every path to a word, so that two languages can be compared. */
const paths = (value: object, at = ''): string[] =>
	Object.entries(value).flatMap(([key, inner]) =>
		typeof inner === 'object' && inner !== null && !Array.isArray(inner)
			? paths(inner, `${at}${key}.`)
			: [`${at}${key}`],
	);

describe('Spanish', () => {
	it('says all that English says, and nothing else', () => expect(paths(es).sort()).toEqual(paths(en).sort()));
	it('leaves no sentence in English', () => {
		const same = ['app', 'error.title', 'method.command', 'status.error', 'method.docs'];
		const get = (o: object, path: string) =>
			path.split('.').reduce<unknown>((v, k) => (v as Record<string, unknown>)[k], o);
		const english = paths(en).filter((path) => typeof get(en, path) === 'string' && get(en, path) === get(es, path));
		expect(english.filter((path) => !same.includes(path) && String(get(en, path)).includes(' '))).toEqual([]);
	});
	it.each([
		[0, '0 votos'],
		[1, '1 voto'],
		[2, '2 votos'],
		[1_000_000, '1.000.000 de votos'],
		[1_000_001, '1.000.001 votos'],
	])('%d are %s', (votes, text) => {
		setLocale('es-ES');
		expect(es.cards.votes(votes)).toBe(text);
	});
	it('agrees with what it counts', () => {
		const [states, regions] = [es.words(true), es.words(false)];
		expect(es.panel.none(states)).toBe('Ningún estado tiene votos aún.');
		expect(es.panel.none(regions)).toBe('Ninguna región tiene votos aún.');
		expect(es.panel.closest(regions)).toBe('Regiones más reñidas');
		expect(es.banner.paused(1)).toBe('En pausa. 1 actualización pendiente.');
		expect(es.banner.paused(3)).toBe('En pausa. 3 actualizaciones pendientes.');
		expect(es.withheld.more(1, false, false, regions)).toBe('1 región retenida.');
		expect(es.withheld.more(3, true, false, states)).toBe('3 estados más retenidos.');
	});
	it('writes numbers as its readers do', () => {
		setLocale('es-ES');
		expect(count(155_212_715)).toBe('155.212.715');
		expect(share(0.3967)).toBe('39,7\u00a0%');
		expect(share(0.0001)).toBe('<0,1\u00a0%');
		expect(progress(0.9999, false)).toBe('>99\u00a0%');
		expect(points(-0.42)).toBe('−0,4');
		expect(list(['Ana', 'Isa', 'Inés'])).toBe('Ana, Isa e Inés');
		expect(minuteText('2024-11-05T23:31:00Z', 'America/New_York')).toContain('18:31');
		setLocale('es-US');
		expect(share(0.3967)).toBe('39.7%');
	});
});

describe('a photograph', () => {
	const base = 'https://votes.example/?embed=card';
	it.each([
		['/api/photos/ana?v=1', 'https://votes.example/api/photos/ana?v=1'],
		['api/photos/ana', 'https://votes.example/api/photos/ana'],
		['data:image/png;base64,AAAA', 'data:image/png;base64,AAAA'],
		['https://elsewhere.example/a.png', null],
		['//elsewhere.example/a.png', null],
		['javascript:alert(1)', null],
		['data:image/svg+xml;base64,AAAA', null],
		['data:text/html,x', null],
		['', null],
		[undefined, null],
	])('%s is loaded from %s', (photo, address) => expect(photoAddress(photo, base)).toBe(address));
});
