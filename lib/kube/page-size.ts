/** Larger pages save little time, and their text and garbage stay as memory of the process. */
export const largestPage = 100;

/** What a page should have at most: objects of tenants may be a megabyte each. */
const targetBytes = 2 * 1024 * 1024;
/** Of a list, before anything is known of the size of its objects. */
const firstPage = 10;
/** A page that took so long is not followed by a larger one. */
const slowMs = 15_000;

/** How a page came. */
export interface PageCost {
  items: number;
  bytes: number;
  /** From its request to its last byte. */
  tookMs: number;
}

/** How many objects the next page of a list is asked for, so that no page is too large to hold or to come in time. */
export class PageSize {
  readonly #largest: number;
  #limit: number;

  /** @param largest objects a page at most, default `largestPage` */
  constructor(largest: number = largestPage) {
    this.#largest = largest;
    this.#limit = Math.min(firstPage, largest);
  }

  /** Objects, at least 1. */
  get limit(): number {
    return this.#limit;
  }

  /** A list begins: its objects may have grown since the last one. */
  begin(): void {
    this.#limit = Math.min(this.#limit, firstPage);
  }

  /** A page came. The next one has as many objects as fit by the size of these, and at most twice as many as asked for now. */
  came({ items, bytes, tookMs }: PageCost): void {
    if (items === 0) return;
    const fitting = Math.floor((targetBytes * items) / Math.max(1, bytes));
    const most = tookMs < slowMs ? this.#limit * 2 : this.#limit;
    this.#limit = Math.max(1, Math.min(fitting, most, this.#largest));
  }

  /** A page was too large or too slow: the next one is half of it. False where that is no page any more. */
  halve(): boolean {
    if (this.#limit === 1) return false;
    this.#limit = Math.floor(this.#limit / 2);
    return true;
  }
}
