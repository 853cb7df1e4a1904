import { BoundedMap } from './bounded-map.ts';

/** Namespaces of which it is known when they were chosen last. One that is forgotten counts as never chosen. */
const MOST_NAMESPACES = 1_000;

/** Chooses among several lines, so that no namespace keeps another one out by waiting in many of them. */
export class FairChoice {
  readonly #chosenAt = new BoundedMap<string, number>(MOST_NAMESPACES);
  #count = 0;

  /**
   * The line in which the namespace waits that was chosen the longest ago, and of several of them the first. `lines` are
   * pairs of a line's name and the namespaces that wait in it. Undefined where nobody waits.
   */
  next(lines: readonly (readonly [string, Iterable<string>])[]): string | undefined {
    let found: { name: string; namespace: string; at: number } | undefined;
    for (const [name, namespaces] of lines) {
      for (const namespace of namespaces) {
        const at = this.#chosenAt.get(namespace) ?? 0;
        if (found === undefined || at < found.at) found = { name, namespace, at };
      }
    }
    if (found === undefined) return undefined;
    this.#count += 1;
    this.#chosenAt.set(found.namespace, this.#count);
    return found.name;
  }
}
