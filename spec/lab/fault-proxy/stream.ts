import { Transform, type TransformCallback } from 'node:stream';
import { LineFramer } from '../../../lib/kube/framing.ts';

/** What is done to a watch that runs: nothing more comes, or the next event that matters is lost or comes twice. */
export type StreamFault = 'frozen' | 'lost-event' | 'duplicated-event';

interface StreamRule {
  fault: StreamFault;
  isMeant(object: EventObject): boolean;
  struck(): void;
}

/** What every object of an event has. */
export interface EventObject {
  metadata?: { namespace?: string; name?: string };
}

/** The answer of a watch on its way to the client, event by event. */
export class WatchStream extends Transform {
  readonly #framer = new LineFramer();
  readonly #told: (object: EventObject) => void;
  #rule: StreamRule | undefined;
  #isFrozen = false;

  /** @param told called with the object of each event that comes from the API server, bookmarks aside */
  constructor(told: (object: EventObject) => void) {
    super();
    this.#told = told;
  }

  /** The fault acts on what comes from now on: `frozen` at once, the others at the first event that is meant. */
  strike(rule: StreamRule): void {
    if (rule.fault !== 'frozen') {
      this.#rule = rule;
      return;
    }
    this.#isFrozen = true;
    rule.struck();
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    if (!this.#isFrozen) for (const line of this.#framer.push(chunk)) this.#pass(line);
    done();
  }

  /** A frozen watch does not even end. */
  override _flush(done: TransformCallback): void {
    if (!this.#isFrozen) done();
  }

  #pass(line: string): void {
    const rule = this.#rule;
    const { type, object } = JSON.parse(line) as { type: string; object: EventObject };
    if (type !== 'BOOKMARK') this.#told(object);
    const copies = rule !== undefined && type !== 'BOOKMARK' && rule.isMeant(object) ? this.#copies(rule) : 1;
    for (let copy = 0; copy < copies; copy += 1) this.push(`${line}\n`);
  }

  #copies(rule: StreamRule): number {
    this.#rule = undefined;
    rule.struck();
    return rule.fault === 'lost-event' ? 0 : 2;
  }
}
