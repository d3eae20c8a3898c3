import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

// One HTML file, one script, one style sheet; what few readers want (another language, embeds) is fetched by those who do.
// `build.sh` packs what lands in `dist/` into the crate.
/** Modules that only later parts use. */
const LATER =
	/\/src\/(embed\/|strings\/es|sections\/(Behind|Health|Method|EmbedCode)|parts\/Spark|state\/(health|snippet))/;

export default defineConfig({
	plugins: [svelte()],
	base: './',
	build: {
		target: 'es2022',
		outDir: 'dist',
		emptyOutDir: true,
		assetsInlineLimit: 0,
		modulePreload: { polyfill: false },
		reportCompressedSize: false,
		rolldownOptions: {
			// What the page and a later part both use stays with the page: one script until the first results.
			output: {
				entryFileNames: 'assets/[name]-[hash].js',
				assetFileNames: 'assets/[name]-[hash][extname]',
				codeSplitting: { groups: [{ name: 'index', test: (id: string) => !LATER.test(id) }] },
			},
		},
	},
	resolve: process.env.VITEST ? { conditions: ['browser'] } : {},
	test: { environment: 'happy-dom', include: ['src/**/*.test.ts'] },
});
