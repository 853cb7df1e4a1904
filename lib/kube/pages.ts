import { type Clock, sleep } from '../clock.ts';
import { describeError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { KubeClient, ListOptions, ObjectList, Page } from './client.ts';
import { isTooMuch } from './errors.ts';
import type { KubeObject, Resource } from './objects.ts';
import { PageSize } from './page-size.ts';

export interface PagesOptions {
  client: Pick<KubeClient, 'page'>;
  resource: Resource;
  namespace?: string | undefined;
  labelSelector?: string | undefined;
  /** Default false. */
  metadataOnly?: boolean;
  /** Objects a page at most. Default `largestPage`. */
  pageSize?: number | undefined;
  /** Called with each page that came. */
  onPage?: () => void;
  clock: Clock;
  log: Logger;
}

/** A server ends what takes it a minute by itself. Of an answer that has begun, something always comes. */
const patience = { headMs: 60_000, gapMs: 30_000 };

/** Lists one kind in pages that are neither too large to hold nor too slow to come. */
export class Pages<T extends KubeObject> {
  readonly #options: PagesOptions;
  readonly #size: PageSize;

  constructor(options: PagesOptions) {
    this.#options = options;
    this.#size = new PageSize(options.pageSize);
  }

  /** One list, page by page; between two of them everything else runs. Throws as `KubeClient.page`. */
  async *of(from: ListOptions, signal: AbortSignal): AsyncGenerator<ObjectList<T>, void, void> {
    const { clock } = this.#options;
    this.#size.begin();
    for (let next: ListOptions | undefined = from; next !== undefined; ) {
      const page: ObjectList<T> = await this.#page(next, signal);
      yield page;
      next = page.metadata.continue ? { continue: page.metadata.continue } : undefined;
      if (next !== undefined) await sleep(clock, 0, signal);
    }
  }

  /** A page that is too much is asked for again with half as many objects, from where it began. */
  async #page(from: ListOptions, signal: AbortSignal): Promise<Page<T>> {
    const { clock, onPage } = this.#options;
    for (;;) {
      const startedAt = clock.monotonic();
      try {
        const page = await this.#ask(from, signal);
        this.#size.came({ items: page.items.length, bytes: page.bytes, tookMs: clock.monotonic() - startedAt });
        onPage?.();
        return page;
      } catch (error) {
        if (signal.aborted || !isTooMuch(error) || !this.#size.halve()) throw error;
        this.#report(error);
      }
    }
  }

  #ask(from: ListOptions, signal: AbortSignal): Promise<Page<T>> {
    const { client, resource, namespace, labelSelector, metadataOnly = false } = this.#options;
    const { limit } = this.#size;
    return client.page<T>(resource, { ...from, namespace, labelSelector, metadataOnly, limit, patience, signal });
  }

  #report(error: unknown): void {
    const { log, resource, namespace } = this.#options;
    const about = { resource: resource.plural, group: resource.group, namespace, problem: describeError(error) };
    log.warn({ ...about, objects: this.#size.limit }, 'a page of a list was too much, asking for a smaller one');
  }
}
