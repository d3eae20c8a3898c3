// Where the page starts: which language, and the whole page or one part of it for another site's frame.

import { mount } from 'svelte';
import App from './App.svelte';
import { readFrame } from './state/frame';
import { speak, t } from './strings';
import { chooseLanguage } from './strings/language';
import './styles/tokens.css';
import './styles/base.css';
import './styles/print.css';

async function start(target: HTMLElement): Promise<void> {
	const frame = readFrame(location.search);
	await speak(chooseLanguage(new URLSearchParams(location.search).get('lang'), navigator.languages));
	if (!frame) {
		target.textContent = '';
		mount(App, { target });
		return;
	}
	try {
		const { default: Embed } = await import('./embed/Embed.svelte');
		target.textContent = '';
		mount(Embed, { target, props: { frame } });
	} catch {
		target.textContent = t.error.network;
	}
}

const target = document.getElementById('app');
if (target) void start(target);
