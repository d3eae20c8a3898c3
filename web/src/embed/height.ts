// Tells the page around the frame how high this part is, when that changes and not too often.

/** At most one message in this time. */
const EVERY_MS = 100;

/** Follows the element's height; returns what stops it. */
export function tellHeight(element: HTMLElement, parent: Window = window.parent): () => void {
	if (parent === window) return () => {};
	let told = -1;
	let timer: ReturnType<typeof setTimeout> | undefined;
	const tell = () => {
		timer = undefined;
		const height = Math.ceil(element.getBoundingClientRect().height);
		if (height === told) return;
		told = height;
		// A number that whoever frames us may know, so every origin is right.
		parent.postMessage({ type: 'votestream:height', height }, '*');
	};
	const observer = new ResizeObserver(() => {
		timer ??= setTimeout(tell, told < 0 ? 0 : EVERY_MS);
	});
	observer.observe(element);
	return () => {
		observer.disconnect();
		clearTimeout(timer);
	};
}
