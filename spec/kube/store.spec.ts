import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { KubeObject } from '../../lib/kube/objects.ts';
import { type Change, Store } from '../../lib/kube/store.ts';
import type { WatchEvent } from '../../lib/kube/watch.ts';

const object = (
  name: string,
  version: number,
  rest: { uid?: string; namespace?: string; labels?: Record<string, string> } = {},
) =>
  ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { namespace: 'one', uid: `uid-${name}`, ...rest, name, resourceVersion: String(version) },
  }) satisfies KubeObject;

const byTeam = { indexes: { team: ({ metadata }: KubeObject) => Object.values(metadata.labels ?? {}) } };
const snapshot = (store: Store<KubeObject>) =>
  Object.fromEntries([...store.list()].map(({ metadata }) => [metadata.name, metadata.resourceVersion]));

describe('a store', () => {
  it('takes a list and tells what it changed', () => {
    const store = new Store();
    expect(store.replace(undefined, [object('a', 1), object('b', 2)], '5')).toEqual([
      { type: 'added', object: object('a', 1) },
      { type: 'added', object: object('b', 2) },
    ]);
    expect(store.replace(undefined, [object('b', 7), object('c', 8)], '9')).toEqual([
      { type: 'modified', object: object('b', 7), previous: object('b', 2) },
      { type: 'added', object: object('c', 8) },
      { type: 'deleted', object: object('a', 1) },
    ]);
    expect(snapshot(store)).toEqual({ b: '7', c: '8' });
  });

  it('takes events, and ignores what is not newer', () => {
    const store = new Store();
    expect(store.apply({ type: 'ADDED', object: object('a', 9) })).toEqual([{ type: 'added', object: object('a', 9) }]);
    expect(store.apply({ type: 'MODIFIED', object: object('a', 9) })).toEqual([]);
    expect(store.apply({ type: 'MODIFIED', object: object('a', 8) })).toEqual([]);
    expect(store.apply({ type: 'MODIFIED', object: object('a', 10) })).toEqual([
      { type: 'modified', object: object('a', 10), previous: object('a', 9) },
    ]);
    expect(store.apply({ type: 'DELETED', object: object('a', 11) })).toEqual([
      { type: 'deleted', object: object('a', 11) },
    ]);
    expect(store.size).toBe(0);
  });

  it('lists of one namespace leave the others alone', () => {
    const store = new Store();
    store.replace('one', [object('a', 1)], '1');
    store.replace('two', [object('b', 2, { namespace: 'two' })], '2');
    expect(store.replace('one', [], '3')).toEqual([{ type: 'deleted', object: object('a', 1) }]);
    expect(snapshot(store)).toEqual({ b: '2' });
  });

  it('reads its own writes before the watch tells of them', () => {
    const store = new Store();
    store.replace(undefined, [object('a', 1)], '5');
    store.observe(object('a', 7));
    expect(store.get('one/a')).toEqual(object('a', 7));
    expect(store.apply({ type: 'MODIFIED', object: object('a', 6) })).toEqual([]);
    expect(store.get('one/a')).toEqual(object('a', 7));
  });

  it('does not bring back what was deleted after our write', () => {
    const store = new Store();
    store.replace(undefined, [], '5');
    store.apply({ type: 'ADDED', object: object('a', 6) });
    store.apply({ type: 'DELETED', object: object('a', 8) });
    store.observe(object('a', 6));
    expect(store.size).toBe(0);
  });

  it('keeps own writes that are newer than a list', () => {
    const store = new Store();
    store.replace(undefined, [object('a', 1)], '5');
    store.observe(object('a', 8));
    store.observe(object('b', 9));
    expect(store.replace(undefined, [object('a', 1), object('c', 6)], '7')).toEqual([
      { type: 'added', object: object('c', 6) },
    ]);
    expect(snapshot(store)).toEqual({ a: '8', b: '9', c: '6' });
  });

  it('after the server lost writes keeps only those own writes that came since the list began', () => {
    const store = new Store();
    store.replace(undefined, [object('a', 100)], '100');
    store.observe(object('b', 110));
    const mark = store.mark();
    store.observe(object('c', 60));
    store.observe(object('d', 120));
    expect(store.replace(undefined, [object('a', 40)], '50', mark)).toEqual([
      { type: 'modified', object: object('a', 40), previous: object('a', 100) },
      { type: 'deleted', object: object('b', 110) },
    ]);
    expect(snapshot(store)).toEqual({ a: '40', d: '120' });
  });

  it('forgets an object only when this very object is deleted', () => {
    const store = new Store();
    store.replace(undefined, [object('a', 5, { uid: 'new' })], '5');
    expect(store.apply({ type: 'DELETED', object: object('a', 6, { uid: 'old' }) })).toEqual([]);
    expect(store.size).toBe(1);
  });

  it('keeps an object that our own write has put back under the watched label', () => {
    const store = new Store();
    store.replace(undefined, [object('a', 5)], '5');
    store.observe(object('a', 9));
    expect(store.apply({ type: 'DELETED', object: object('a', 7) })).toEqual([]);
    expect(snapshot(store)).toEqual({ a: '9' });
  });

  it('tells of a re-created object as a deletion and an addition', () => {
    const store = new Store();
    store.replace(undefined, [object('a', 5, { uid: 'old' })], '5');
    expect(store.replace(undefined, [object('a', 8, { uid: 'new' })], '9')).toEqual([
      { type: 'deleted', object: object('a', 5, { uid: 'old' }) },
      { type: 'added', object: object('a', 8, { uid: 'new' }) },
    ]);
  });

  it('compares versions as numbers of any length', () => {
    const store = new Store();
    store.replace(undefined, [object('a', 9)], '9');
    store.apply({ type: 'MODIFIED', object: object('a', 10) });
    const huge = {
      ...object('a', 0),
      metadata: { ...object('a', 0).metadata, resourceVersion: '18446744073709551616' },
    };
    store.apply({ type: 'MODIFIED', object: huge });
    expect(store.apply({ type: 'MODIFIED', object: object('a', Number.MAX_SAFE_INTEGER) })).toEqual([]);
    expect(snapshot(store)).toEqual({ a: '18446744073709551616' });
  });

  it('finds objects by the current values of an index', () => {
    const store = new Store(byTeam);
    store.replace(
      undefined,
      [object('a', 1, { labels: { x: 'red' } }), object('b', 2, { labels: { x: 'red', y: 'blue' } })],
      '2',
    );
    store.apply({ type: 'MODIFIED', object: object('a', 3, { labels: { x: 'blue' } }) });
    const names = (value: string) => store.byIndex('team', value).map(({ metadata }) => metadata.name);
    expect({ red: names('red'), blue: names('blue'), green: names('green') }).toEqual({
      red: ['b'],
      blue: ['b', 'a'],
      green: [],
    });
    expect(() => store.byIndex('colour', 'red')).toThrow('the store has no index "colour"');
  });
});

/** What an API server would have done, in the order of its versions. */
interface History {
  events: WatchEvent[];
  /** Objects as of each version; index 0 is before the first event. */
  states: Map<string, KubeObject>[];
}

const steps = fc.array(
  fc.record({ name: fc.constantFrom('a', 'b', 'c', 'd'), remove: fc.boolean(), team: fc.constantFrom('x', 'y', 'z') }),
  {
    maxLength: 40,
  },
);

function play(given: { name: string; remove: boolean; team: string }[]): History {
  const history: History = { events: [], states: [new Map()] };
  for (const { name, remove, team } of given) {
    const version = history.events.length + 1;
    const state = new Map(history.states.at(-1));
    const known = state.get(name);
    const uid = known?.metadata.uid ?? `${name}-${version}`;
    const next = object(name, version, { uid, labels: { team } });
    if (remove && known) state.delete(name);
    else state.set(name, next);
    history.events.push({ type: remove && known ? 'DELETED' : known ? 'MODIFIED' : 'ADDED', object: next });
    history.states.push(state);
  }
  return history;
}

const sorted = (objects: Iterable<KubeObject>) =>
  [...objects].sort((a, b) => a.metadata.name.localeCompare(b.metadata.name));
const last = (history: History) => sorted((history.states.at(-1) as Map<string, KubeObject>).values());

describe('for every history of an API server', () => {
  it('a store that listed at any point, and observed any own writes at any time, ends up equal to the server', () => {
    fc.assert(
      fc.property(
        steps,
        fc.nat(),
        fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 10 }),
        (given, at, observations) => {
          const history = play(given);
          const start = at % history.states.length;
          const store = new Store<KubeObject>(byTeam);
          store.replace(undefined, [...(history.states[start] as Map<string, KubeObject>).values()], String(start));
          for (let now = start; now < history.events.length; now += 1) {
            observeSome(store, history, observations, now);
            store.apply(history.events[now] as WatchEvent);
          }
          observeSome(store, history, observations, history.events.length);
          expect(sorted(store.list())).toEqual(last(history));
        },
      ),
    );
  });

  it('lists between events change nothing in what a store ends up with', () => {
    fc.assert(
      fc.property(steps, fc.array(fc.nat(), { maxLength: 8 }), (given, lists) => {
        const history = play(given);
        const store = new Store<KubeObject>();
        history.events.forEach((event, now) => {
          const state = history.states[now] as Map<string, KubeObject>;
          if (lists.some((list) => list % history.events.length === now))
            store.replace(undefined, [...state.values()], String(now));
          store.apply(event);
        });
        expect(sorted(store.list())).toEqual(last(history));
      }),
    );
  });

  it('the changes told, played one after the other, give the objects of the store', () => {
    fc.assert(
      fc.property(steps, fc.nat(), (given, at) => {
        const history = play(given);
        const store = new Store<KubeObject>();
        const told = new Map<string, KubeObject>();
        const half = at % history.states.length;
        for (const event of history.events.slice(0, half)) follow(told, store.apply(event));
        follow(told, store.replace(undefined, last(history), String(history.events.length)));
        expect(sorted(told.values())).toEqual(sorted(store.list()));
      }),
    );
  });

  it('an index finds exactly what a search through all objects finds', () => {
    fc.assert(
      fc.property(steps, (given) => {
        const store = new Store<KubeObject>(byTeam);
        for (const event of play(given).events) store.apply(event);
        const search = (team: string) => [...store.list()].filter(({ metadata }) => metadata.labels?.['team'] === team);
        for (const team of ['x', 'y', 'z']) expect(sorted(store.byIndex('team', team))).toEqual(sorted(search(team)));
      }),
    );
  });
});

/** Hands the store the answers of writes that have happened up to now or will be told of by later events. */
function observeSome(
  store: Store<KubeObject>,
  { events }: History,
  observations: [number, number][],
  now: number,
): void {
  for (const [write, when] of observations) {
    const event = events[write % Math.max(1, events.length)];
    if (event && event.type !== 'DELETED' && when % (events.length + 1) === now) store.observe(event.object);
  }
}

function follow(told: Map<string, KubeObject>, changes: Change[]): void {
  for (const { type, object: changed } of changes) {
    if (type === 'deleted') expect(told.delete(changed.metadata.name)).toBe(true);
    else {
      expect(told.has(changed.metadata.name)).toBe(type === 'modified');
      told.set(changed.metadata.name, changed);
    }
  }
}
