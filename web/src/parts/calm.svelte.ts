// Ties `calmOrder` to a list on the page: pointer over it or focus in it holds the order.

import { calmOrder, type Held } from '../state/order';

/** The order in which to show `wanted` now. `use:calm.watch` goes onto the list's element. */
export class Calm {
	private held: Held | null = null;
	private scene: string | null = null;
	private pointer = false;
	private focus = false;

	/** An action for the list's element. */
	readonly watch = (node: HTMLElement): void => {
		node.addEventListener('pointerenter', (event) => {
			if (event.pointerType === 'mouse') this.pointer = true;
		});
		node.addEventListener('pointerleave', () => {
			this.pointer = false;
		});
		node.addEventListener('focusin', () => {
			this.focus = true;
		});
		node.addEventListener('focusout', () => {
			this.focus = false;
		});
	};

	/** Another minute than the one before (a past one instead of the present) is another list: it begins in its own order. While the page is
	 * paused, the order stands as everything else does. */
	order(wanted: readonly string[], board: { at: string | null; paused: boolean }): readonly string[] {
		if (board.at !== this.scene) this.held = null;
		this.scene = board.at;
		this.held = calmOrder(this.held, wanted, performance.now(), this.pointer || this.focus || board.paused);
		return this.held.keys;
	}

	/** The reader asked for another order: no calm now. */
	forget(): void {
		this.held = null;
	}
}
