import type { Clock } from '../clock.ts';
import { FairChoice } from './fair-choice.ts';
import type { HostProblem, Hosts } from './hosts.ts';
import { Line, type Order } from './line.ts';
import { isListedRegion } from './regions.ts';

/** How long a key whose turn it is may keep others waiting, in milliseconds. */
const TURN_MS = 30_000;

/**
 * What bounds how many keys are inside at once, where a key asks hosts of other Regions than the operator's: `foreign` all of
 * them, `listed` those that ask a host of a Region that AWS is known to have and that is not proven, `unlisted` the same for
 * any other name of a Region.
 */
type Kind = 'foreign' | 'listed' | 'unlisted';

/** Where a host is, as far as it decides on its bounds while it is not proven. */
type Place = 'own' | 'listed' | 'unlisted';

const bounds: Readonly<Record<Place | 'proven', readonly Kind[]>> = {
  own: [],
  proven: ['foreign'],
  listed: ['foreign', 'listed'],
  unlisted: ['foreign', 'unlisted'],
};

function kindsOf(place: Place, isProven: boolean): readonly Kind[] {
  return bounds[isProven && place !== 'own' ? 'proven' : place];
}

/** The keys that wait for a host. */
interface HostLine {
  line: Line;
  place: Place;
}

/** A key that is inside, or that may go in. */
interface Stay {
  hosts: readonly string[];
  kinds: ReadonlySet<Kind>;
  /** When its turn ends if it does not come; undefined while it is inside. */
  until: number | undefined;
}

export interface GatesOptions {
  hosts: Hosts;
  clock: Clock;
  /** The operator's own Region: its hosts have no bounds but those of a host that is not proven. */
  region: string;
  /** How many keys are worked on at once. */
  workers: number;
  /** It is this key's turn, or what it waits for is known now. Called with no locks held; it may call `enter` itself. */
  onTurn(key: string): void;
}

/**
 * Keeps work away from hosts of AWS that do not answer, so that it waits without a worker. A host that is not proven lets
 * one key in at a time, after pauses that grow; its answer lets in all that wait. Since users name Regions, hosts of others
 * than the operator's never take more than a share of all workers, and those that are not proven only a few, at which
 * namespaces take turns, however many Regions each names.
 */
export class Gates {
  readonly #o: GatesOptions;
  readonly #limits: Record<Kind, number>;
  readonly #counts: Record<Kind, number> = { foreign: 0, listed: 0, unlisted: 0 };
  readonly #stays = new Map<string, Stay>();
  readonly #insideOf = new Map<string, number>();
  /** Keys that may go in and have not come yet, in the order of the ends of their turns. */
  readonly #turns = new Map<string, number>();
  /** By host, the one whose turn it was last at the end. */
  readonly #lines = new Map<string, HostLine>();
  readonly #choice = new FairChoice();
  readonly #waiting = new Map<string, { host: string; namespace: string }>();
  readonly #forgetNews: () => void;
  #timer: { at: number; cancel: () => void } | undefined;

  constructor(options: GatesOptions) {
    this.#o = options;
    const share = (part: number) => Math.max(1, Math.floor(options.workers * part));
    this.#limits = { foreign: share(3 / 4), listed: share(1 / 8), unlisted: share(1 / 16) };
    this.#forgetNews = options.hosts.onNews((host, isProven) => (isProven ? this.#pump() : this.#tell(host)));
  }

  /**
   * Undefined: the key is in, and all of these hosts (`hostName`) may be asked until it leaves. Otherwise the host for which
   * it waits; `onTurn` will name it, and it should ask again then. Asking again while waiting updates the order.
   */
  enter(key: string, hosts: readonly string[], order: Order): string | undefined {
    const left = this.#drop(key);
    const now = this.#o.clock.monotonic();
    const shut = hosts.find((host) => !this.#isOpen(host, now));
    if (this.#waiting.get(key)?.host !== shut) this.#leaveLine(key);
    if (shut === undefined) this.#admit(key, hosts, undefined);
    else this.#wait(key, shut, order);
    // Also who goes in may have left a turn at another host.
    this.#pumpAfter(left);
    return shut;
  }

  /** The calls of a key have ended, or it is not wanted any more. */
  leave(key: string): void {
    this.#leaveLine(key);
    this.#pumpAfter(this.#drop(key));
  }

  /** Why a host is shut; undefined while that is not known, or where it only waits for others. */
  problem(host: string): HostProblem | undefined {
    return this.#o.hosts.look(host).problem;
  }

  /** How many keys wait. */
  waiting(): number {
    return this.#waiting.size;
  }

  /** Ends the timer; nobody is told any more. */
  close(): void {
    this.#forgetNews();
    this.#timer?.cancel();
    this.#timer = { at: Number.NEGATIVE_INFINITY, cancel: () => {} };
  }

  /** There is one look at a host for all that is asked about it here, since users may name many. */
  #isOpen(host: string, now: number): boolean {
    const { isProven, retryAt } = this.#o.hosts.look(host);
    if (retryAt > now || (!isProven && (this.#insideOf.get(host) ?? 0) > 0)) return false;
    return this.#hasRoom(this.#placeOf(host), isProven);
  }

  /** Whether one more may be inside that asks a host of this place. */
  #hasRoom(place: Place, isProven: boolean): boolean {
    return kindsOf(place, isProven).every((kind) => this.#counts[kind] < this.#limits[kind]);
  }

  #placeOf(host: string): Place {
    // Users may name so many Regions that to look each up again and again takes long.
    const known = this.#lines.get(host)?.place;
    if (known !== undefined) return known;
    const region = host.slice(host.lastIndexOf(' ') + 1);
    if (region === this.#o.region) return 'own';
    return isListedRegion(region) ? 'listed' : 'unlisted';
  }

  #admit(key: string, hosts: readonly string[], until: number | undefined): void {
    const kinds = new Set(hosts.flatMap((host) => kindsOf(this.#placeOf(host), this.#o.hosts.look(host).isProven)));
    for (const kind of kinds) this.#counts[kind] += 1;
    for (const host of hosts) this.#insideOf.set(host, (this.#insideOf.get(host) ?? 0) + 1);
    this.#stays.set(key, { hosts, kinds, until });
    if (until !== undefined) this.#turns.set(key, until);
  }

  /** Takes a key out, and gives what it has left. */
  #drop(key: string): Stay | undefined {
    const stay = this.#stays.get(key);
    if (stay === undefined) return undefined;
    this.#stays.delete(key);
    this.#turns.delete(key);
    for (const kind of stay.kinds) this.#counts[kind] -= 1;
    for (const host of stay.hosts) {
      const left = (this.#insideOf.get(host) ?? 1) - 1;
      if (left > 0) this.#insideOf.set(host, left);
      else this.#insideOf.delete(host);
    }
    return stay;
  }

  #wait(key: string, host: string, order: Order): void {
    const known = this.#lines.get(host) ?? { line: new Line(), place: this.#placeOf(host) };
    this.#lines.set(host, known);
    this.#waiting.set(key, { host, namespace: order.namespace });
    known.line.add(key, order);
    this.#arm([host]);
  }

  #leaveLine(key: string): void {
    const host = this.#waiting.get(key)?.host;
    if (host === undefined) return;
    this.#waiting.delete(key);
    const line = this.#lines.get(host)?.line;
    line?.delete(key);
    if (line?.size === 0) this.#lines.delete(host);
  }

  /** Most keys leave a place that nobody waits for. */
  #pumpAfter(left: Stay | undefined): void {
    if (left === undefined || this.#lines.size === 0) return;
    if (left.kinds.size > 0 || left.hosts.some((host) => this.#lines.has(host))) this.#pump();
  }

  /** Gives turns to those that may go in now. */
  #pump(): void {
    const now = this.#o.clock.monotonic();
    this.#endTurns(now);
    const told: string[] = [];
    // First those that have only a few places, so that they get these whoever else waits.
    for (let host = this.#nextFew(now); host !== undefined; host = this.#nextFew(now))
      told.push(this.#giveTurn(host, now));
    for (const [host, { line }] of [...this.#lines])
      while (line.size > 0 && this.#isOpen(host, now)) told.push(this.#giveTurn(host, now));
    this.#arm();
    for (const key of told) this.#o.onTurn(key);
  }

  /** The host that has the next turn of those that are not proven and of other Regions. */
  #nextFew(now: number): string | undefined {
    const rooms = { own: false, listed: this.#hasRoom('listed', false), unlisted: this.#hasRoom('unlisted', false) };
    if (!rooms.listed && !rooms.unlisted) return undefined;
    const isNext = ([host, { place }]: [string, HostLine]) => {
      if (!rooms[place] || this.#insideOf.has(host)) return false;
      const { isProven, retryAt } = this.#o.hosts.look(host);
      return !isProven && retryAt <= now;
    };
    const open = [...this.#lines].filter(isNext);
    return this.#choice.next(open.map(([host, { line }]) => [host, this.#namespacesIn(line)]));
  }

  *#namespacesIn(line: Line): IterableIterator<string> {
    for (const key of line.keys()) {
      const namespace = this.#waiting.get(key)?.namespace;
      if (namespace !== undefined) yield namespace;
    }
  }

  #giveTurn(host: string, now: number): string {
    const known = this.#lines.get(host);
    const key = known?.line.next() ?? '';
    this.#waiting.delete(key);
    this.#lines.delete(host);
    if (known && known.line.size > 0) this.#lines.set(host, known);
    this.#admit(key, [host], now + TURN_MS);
    return key;
  }

  #endTurns(now: number): void {
    for (const [key, until] of this.#turns) {
      if (until > now) return;
      this.#drop(key);
    }
  }

  /** Those that wait for a host learn that it does not answer. */
  #tell(host: string): void {
    for (const key of [...(this.#lines.get(host)?.line.keys() ?? [])]) this.#o.onTurn(key);
  }

  /**
   * Whoever leaves gives turns by that; a timer is for pauses of these hosts, as far as there is room behind them, and for
   * keys that do not come.
   */
  #arm(hosts: Iterable<string> = this.#lines.keys()): void {
    const now = this.#o.clock.monotonic();
    const pauseEnd = (host: string) => {
      const { isProven, retryAt } = this.#o.hosts.look(host);
      return retryAt > now && this.#hasRoom(this.#placeOf(host), isProven) ? retryAt : now;
    };
    const pauses = [...hosts].map(pauseEnd).filter((at) => at > now);
    const [turnEnds = Number.POSITIVE_INFINITY] = this.#lines.size > 0 ? this.#turns.values() : [];
    const at = Math.min(turnEnds, ...pauses);
    if (at === Number.POSITIVE_INFINITY || (this.#timer !== undefined && this.#timer.at <= at)) return;
    this.#timer?.cancel();
    const fire = () => {
      this.#timer = undefined;
      this.#pump();
    };
    this.#timer = { at, cancel: this.#o.clock.after(at - now, fire) };
  }
}
