// Pictures made of nothing, for looking at the page: a portrait, and a frame of video to lay graphics over. Not shipped.
import { crc32, deflateSync } from 'node:zlib';

function chunk(type, data) {
	const out = Buffer.alloc(12 + data.length);
	out.writeUInt32BE(data.length, 0);
	out.write(type, 4, 'latin1');
	data.copy(out, 8);
	out.writeUInt32BE(crc32(out.subarray(4, 8 + data.length)), 8 + data.length);
	return out;
}

/** A PNG whose pixels are given by `at(x, y)` as [r, g, b]. */
export function png(width, height, at) {
	const rows = Buffer.alloc((width * 3 + 1) * height);
	for (let y = 0; y < height; y++) {
		for (let x = 0; x < width; x++) {
			const [r, g, b] = at(x / width, y / height);
			const i = y * (width * 3 + 1) + 1 + x * 3;
			rows[i] = r;
			rows[i + 1] = g;
			rows[i + 2] = b;
		}
	}
	const head = Buffer.alloc(13);
	head.writeUInt32BE(width, 0);
	head.writeUInt32BE(height, 4);
	head.set([8, 2, 0, 0, 0], 8);
	const parts = [chunk('IHDR', head), chunk('IDAT', deflateSync(rows)), chunk('IEND', Buffer.alloc(0))];
	return Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), ...parts]);
}

let face = null;
/** Head and shoulders before a wall. */
export function portrait() {
	face ??= png(160, 200, (x, y) => {
		const head = (x - 0.5) ** 2 / 0.045 + (y - 0.36) ** 2 / 0.05;
		const hair = (x - 0.5) ** 2 / 0.06 + (y - 0.3) ** 2 / 0.05;
		const body = (x - 0.5) ** 2 / 0.16 + (y - 1.02) ** 2 / 0.16;
		if (head < 1 && y > 0.24) return [226, 178, 148];
		if (hair < 1) return [58, 38, 30];
		if (body < 1) return [32, 40, 74];
		return [150 + 60 * x, 170 + 40 * y, 190];
	});
	return face;
}

/** A busy picture with bright and dark places: sky, lights, a crowd. */
export function video(width, height) {
	const wave = (a) => Math.sin(a) * 0.5 + 0.5;
	return png(width, height, (x, y) => {
		const lamp = wave(x * 40) * wave(y * 23) > 0.93 ? 120 : 0;
		if (y < 0.45) return [120 + 135 * x, 160 + 90 * y + lamp, 220 + 30 * x].map((v) => Math.min(255, v));
		const crowd = wave(x * 130 + Math.sin(y * 50) * 3) * wave(y * 90 + x * 7);
		return [40 + 190 * crowd * x, 30 + 150 * crowd, 60 + 120 * (1 - crowd) + lamp].map((v) => Math.min(255, v));
	});
}
