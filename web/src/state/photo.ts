// Whether a candidate's photograph may be shown: from the origin that served the page, or held in the page itself. Pure.

const INSIDE = /^data:image\/(png|jpeg|webp|avif);base64,[A-Za-z0-9+/=]+$/;

/** The address to load; null where there is none or it is not ours. `base`: the page's own address. */
export function photoAddress(photo: string | null | undefined, base: string): string | null {
	if (!photo) return null;
	if (INSIDE.test(photo)) return photo;
	try {
		const url = new URL(photo, base);
		const own = new URL(base);
		return /^https?:$/.test(url.protocol) && url.origin === own.origin && url.username === '' ? url.href : null;
	} catch {
		return null;
	}
}
