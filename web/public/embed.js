// Gives frames of votestream the height that they ask for. Optional: without it a frame keeps the height of its tag.
(() => {
	const LEAST = 60;
	const MOST = 20000;
	addEventListener('message', (event) => {
		const { type, height } = event.data ?? {};
		if (type !== 'votestream:height' || !Number.isFinite(height)) return;
		for (const frame of document.querySelectorAll('iframe[data-votestream]')) {
			if (frame.contentWindow === event.source && new URL(frame.src).origin === event.origin)
				frame.style.height = `${Math.min(MOST, Math.max(LEAST, Math.ceil(height)))}px`;
		}
	});
})();
