import { describe, expect, it } from '@jest/globals';
import type { Page, PageOptions } from '../../lib/kube/client.ts';
import { KubeError, type KubeErrorDetails } from '../../lib/kube/errors.ts';
import type { KubeObject } from '../../lib/kube/objects.ts';
import { Pages, type PagesOptions } from '../../lib/kube/pages.ts';
import { createLogger } from '../../lib/log.ts';
import { ManualClock } from '../support/clock.ts';
import { configMap, configMaps } from './support/cluster.ts';

const never = new AbortController().signal;

describe('a list in pages', () => {
  it('asks again for half of a page that did not come in time, from where it began', async () => {
    const { asked, list, lines } = server(100, ({ limit }) => (limit > 10 ? { status: 0, timedOut: true } : undefined));
    expect(await list()).toBe(100);
    expect(asked.slice(0, 5)).toEqual(['10 from 0', '20 from 10', '10 from 10', '20 from 20', '10 from 20']);
    expect(lines[0]).toEqual({
      ...lines[0],
      level: 'warn',
      resource: 'configmaps',
      objects: 10,
      problem: 'Trouble: list configmaps: Trouble',
      msg: 'a page of a list was too much, asking for a smaller one',
    });
  });

  it.each<[string, Partial<KubeErrorDetails>]>([
    ['larger than is taken', { status: 0, code: 'AnswerTooLarge' }],
    ['given up by the server or a proxy', { status: 504 }],
  ])('does the same with one that is %s', async (_, error) => {
    const { asked, list } = server(12, ({ limit }) => (limit > 2 ? error : undefined));
    expect(await list()).toBe(12);
    expect(asked.slice(0, 4)).toEqual(['10 from 0', '5 from 0', '2 from 0', '4 from 2']);
  });

  it('gives up where a single object does not come', async () => {
    const { asked, list } = server(3, () => ({ status: 0, timedOut: true }));
    await expect(list()).rejects.toMatchObject({ timedOut: true });
    expect(asked).toEqual(['10 from 0', '5 from 0', '2 from 0', '1 from 0']);
  });

  it.each([429, 410, 403, 500])('does not ask again after %i', async (status) => {
    const { asked, list } = server(3, () => ({ status }));
    await expect(list()).rejects.toMatchObject({ status });
    expect(asked).toEqual(['10 from 0']);
  });

  it('waits a minute for an answer to begin, and half of one for it to go on', async () => {
    const { options, list } = server(1, () => undefined);
    await list();
    expect(options[0]).toMatchObject({ patience: { headMs: 60_000, gapMs: 30_000 } });
  });
});

type Refusal = (options: PageOptions) => Partial<KubeErrorDetails> | undefined;

/** A list of so many objects, by the client alone; what is refused comes as an error with these details. */
function server(count: number, refusal: Refusal) {
  const asked: string[] = [];
  const options: PageOptions[] = [];
  const lines: Record<string, unknown>[] = [];
  const page = async <T extends KubeObject>(_: unknown, query: PageOptions): Promise<Page<T>> => {
    const from = Number(query.continue ?? 0);
    options.push(query);
    asked.push(`${query.limit} from ${from}`);
    const details = refusal(query);
    if (details !== undefined) {
      throw new KubeError({ verb: 'list', resource: configMaps }, { status: 0, code: 'Trouble', ...details });
    }
    const end = Math.min(count, from + query.limit);
    const items = Array.from({ length: end - from }, (_, index) => configMap('ns', `${from + index}`));
    const metadata = { resourceVersion: '1', ...(end < count && { continue: `${end}` }) };
    return { items: items as unknown as T[], metadata, bytes: 100 * items.length };
  };
  const clock = new ManualClock();
  const log = createLogger({ destination: { write: (line) => lines.push(JSON.parse(line)) } });
  const client: PagesOptions['client'] = { page };
  const pages = new Pages({ client, resource: configMaps, clock, log });
  const list = async () => {
    let sum = 0;
    const read = async () => {
      for await (const { items } of pages.of({}, never)) sum += items.length;
      return sum;
    };
    const reading = read();
    let isOver = false;
    reading.finally(() => (isOver = true)).catch(() => {});
    while (!isOver) await clock.advance(0);
    return reading;
  };
  return { asked, options, list, lines };
}
