// Which language the page speaks, and how that language writes numbers: asked for by the address, else the browser's. Pure.

export type Language = 'en' | 'es';

/** Each language by its own name, and the variant that writes its numbers and dates where the browser names none. */
export const LANGUAGES: Readonly<Record<Language, { name: string; locale: string }>> = {
	en: { name: 'English', locale: 'en-US' },
	es: { name: 'Español', locale: 'es-US' },
};

export interface Choice {
	language: Language;
	/** A tag for `Intl`: the language and a region, nothing else. */
	locale: string;
}

/** Language and region of a tag; null where it is no tag, or not of a language that the page speaks. */
function read(tag: string | null | undefined): { language: Language; region: string | undefined } | null {
	if (!tag || tag.length > 35) return null;
	try {
		const { language, region } = new Intl.Locale(tag);
		return language in LANGUAGES ? { language: language as Language, region } : null;
	} catch {
		return null;
	}
}

/** `asked`: the address's `lang`, as `es` or `es-MX`. `preferred`: the browser's, best first. */
export function chooseLanguage(asked: string | null, preferred: readonly string[]): Choice {
	const known = preferred.flatMap((tag) => read(tag) ?? []);
	const wanted = read(asked) ?? known[0];
	if (!wanted) return { language: 'en', locale: LANGUAGES.en.locale };
	const { language } = wanted;
	const region = wanted.region ?? known.find((k) => k.language === language && k.region)?.region;
	return { language, locale: region ? `${language}-${region}` : LANGUAGES[language].locale };
}
