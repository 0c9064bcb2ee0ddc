import type { VideoRow } from './rows.js';

/**
 * Places of ids, for manifests of any length: a Set ends at 2^24 entries and takes several times the memory. Open
 * addressing, half full at most.
 */
export class IdTable {
  readonly #idOf: (place: number) => string;
  /** Place + 1; 0: free. */
  readonly #slots: Int32Array;

  /** For up to `capacity` places, whose ids `idOf` gives. */
  constructor(capacity: number, idOf: (place: number) => string) {
    this.#idOf = idOf;
    this.#slots = new Int32Array(2 ** Math.ceil(Math.log2(2 * Math.max(1, capacity))));
  }

  /** Of all rows. Their ids are different ones. */
  static of(rows: readonly VideoRow[]): IdTable {
    const table = new IdTable(rows.length, (place) => rows[place]!.id);
    for (let place = 0; place < rows.length; place++) table.add(place);
    return table;
  }

  /** Adds a place; false when its id is there already. */
  add(place: number): boolean {
    const slot = this.#slotOf(this.#idOf(place));
    if (this.#slots[slot] !== 0) return false;
    this.#slots[slot] = place + 1;
    return true;
  }

  /** The place of an id; -1 when it is not there. */
  find(id: string): number {
    return this.#slots[this.#slotOf(id)]! - 1;
  }

  /** The slot of an id, or the free one where it would be. */
  #slotOf(id: string): number {
    const slots = this.#slots;
    let slot = hashOf(id) & (slots.length - 1);
    for (let held = slots[slot]!; held !== 0 && this.#idOf(held - 1) !== id; held = slots[slot]!)
      slot = (slot + 1) & (slots.length - 1);
    return slot;
  }
}

/** FNV-1a over UTF-16 units, with MurmurHash3's finaliser, so that the low bits depend on every unit. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return hash ^ (hash >>> 13);
}
