import type { KubeClient, Page, PageOptions, WatchEnd, WatchOptions } from '../../../lib/kube/client.ts';
import type { ConfigMap } from './cluster.ts';

/** A watch that the reflector has asked for. The test says what becomes of it. */
export interface AskedWatch extends WatchOptions<ConfigMap> {
  /** The server accepts it. */
  open(): void;
  /** It ends after it was accepted. */
  end(how: WatchEnd['how']): void;
  /** The server refuses it, or tells an error. */
  fail(error: unknown): void;
}

/** A page of a list that the reflector has asked for. */
export interface AskedPage extends PageOptions {
  /** Default: the last one, empty, of version 10. */
  answer(page?: Partial<Page<ConfigMap>>): void;
  fail(error: unknown): void;
}

/** The client of a reflector whose time a test moves. It keeps what was asked, oldest first. */
export class ScriptedClient implements Pick<KubeClient, 'page' | 'watch'> {
  readonly pages: AskedPage[] = [];
  readonly watches: AskedWatch[] = [];

  page<T>(_resource: unknown, options: PageOptions): Promise<Page<T>> {
    const answer = Promise.withResolvers<Page<T>>();
    endWith(options.signal, answer.reject);
    const empty = { items: [], bytes: 100, metadata: { resourceVersion: '10' } };
    this.pages.push({
      ...options,
      answer: (page) => answer.resolve({ ...empty, ...page } as unknown as Page<T>),
      fail: answer.reject,
    });
    return answer.promise;
  }

  watch<T>(_resource: unknown, options: unknown): Promise<WatchEnd> {
    const asked = options as WatchOptions<ConfigMap>;
    const end = Promise.withResolvers<WatchEnd>();
    endWith(asked.signal, end.reject);
    this.watches.push({
      ...asked,
      open: () => asked.onOpen?.(),
      end: (how) => end.resolve(how === 'ended' ? { how } : { how, problem: new Error(how) }),
      fail: end.reject,
    });
    return end.promise as Promise<WatchEnd> & T;
  }

  /** The page that was asked for last. */
  get lastPage(): AskedPage {
    return newest(this.pages);
  }

  /** The watch that was asked for last. */
  get lastWatch(): AskedWatch {
    return newest(this.watches);
  }
}

function endWith(signal: AbortSignal | undefined, reject: (reason: unknown) => void): void {
  signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
}

function newest<T>(asked: readonly T[]): T {
  const one = asked.at(-1);
  if (one === undefined) throw new Error('nothing was asked for');
  return one;
}
