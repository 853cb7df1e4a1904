import { isThrottle } from '../aws/errors.ts';
import type { Admission } from '../aws/rate.ts';

/** The rate tokens of one issue. One of each bucket was claimed before it. */
export class Booking {
  readonly #admission: Pick<Admission, 'throttled' | 'charge' | 'refund'>;
  readonly #claimed: Set<string>;

  constructor(admission: Pick<Admission, 'throttled' | 'charge' | 'refund'>, claimed: readonly string[]) {
    this.#admission = admission;
    this.#claimed = new Set(claimed);
  }

  /** Makes a request on a bucket, with the token that was claimed of it or else on credit, and tells it if AWS throttles. */
  async pay<T>(bucket: string, call: () => Promise<T>): Promise<T> {
    if (!this.#claimed.delete(bucket)) this.#admission.charge(bucket);
    try {
      return await call();
    } catch (error) {
      if (isThrottle(error)) this.#admission.throttled(bucket);
      throw error;
    }
  }

  /** Gives back the tokens with which AWS was not asked. */
  close(): void {
    for (const bucket of this.#claimed) this.#admission.refund(bucket);
    this.#claimed.clear();
  }
}
