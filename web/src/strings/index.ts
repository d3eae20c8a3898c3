// The language of the page: English until another is fetched, once, before anything is drawn.

import { en, type Strings } from './en';
import { setLocale } from './format';
import { type Choice, LANGUAGES, type Language } from './language';

/** Every language but English is a file of its own, fetched by those who read it. */
const FILES: Readonly<Record<Exclude<Language, 'en'>, () => Promise<Strings>>> = {
	es: () => import('./es').then((file) => file.es),
};

/** Every word on the page. */
export let t: Strings = en;
export let language: Language = 'en';

/** Speaks this language from here on; stays with English where its file cannot be had. */
export async function speak(choice: Choice): Promise<void> {
	let { language: wanted, locale } = choice;
	if (wanted !== 'en') {
		try {
			t = await FILES[wanted]();
		} catch {
			wanted = 'en';
			locale = LANGUAGES.en.locale;
		}
	}
	language = wanted;
	setLocale(locale);
	document.documentElement.lang = locale;
}
