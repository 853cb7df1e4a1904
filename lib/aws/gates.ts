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
  readonly #lines = new Map<string, Line>();
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

  #isOpen(host: string, now: number): boolean {
    const { isProven, retryAt } = this.#o.hosts.look(host);
    if (retryAt > now || (!isProven && (this.#insideOf.get(host) ?? 0) > 0)) return false;
    return this.#kindsOf(host).every((kind) => this.#counts[kind] < this.#limits[kind]);
  }

  #kindsOf(host: string): Kind[] {
    const region = host.slice(host.lastIndexOf(' ') + 1);
    if (region === this.#o.region) return [];
    if (this.#o.hosts.look(host).isProven) return ['foreign'];
    return ['foreign', isListedRegion(region) ? 'listed' : 'unlisted'];
  }

  #admit(key: string, hosts: readonly string[], until: number | undefined): void {
    const kinds = new Set(hosts.flatMap((host) => this.#kindsOf(host)));
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
    const line = this.#lines.get(host) ?? new Line();
    this.#lines.set(host, line);
    this.#waiting.set(key, { host, namespace: order.namespace });
    line.add(key, order);
    this.#arm();
  }

  #leaveLine(key: string): void {
    const host = this.#waiting.get(key)?.host;
    if (host === undefined) return;
    this.#waiting.delete(key);
    const line = this.#lines.get(host);
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
    for (let line = this.#nextFew(now); line !== undefined; line = this.#nextFew(now))
      told.push(this.#giveTurn(...line, now));
    for (const [host, line] of [...this.#lines]) {
      while (line.size > 0 && this.#isOpen(host, now)) told.push(this.#giveTurn(host, line, now));
    }
    this.#arm();
    for (const key of told) this.#o.onTurn(key);
  }

  /** The host with its line that has the next turn of those that are not proven and of other Regions. */
  #nextFew(now: number): [string, Line] | undefined {
    const open = [...this.#lines].filter(([host]) => this.#kindsOf(host).length > 1 && this.#isOpen(host, now));
    const host = this.#choice.next(open.map(([name, line]) => [name, this.#namespacesIn(line)]));
    const line = host === undefined ? undefined : this.#lines.get(host);
    return host === undefined || line === undefined ? undefined : [host, line];
  }

  #namespacesIn(line: Line): Set<string> {
    return new Set([...line.keys()].flatMap((key) => this.#waiting.get(key)?.namespace ?? []));
  }

  #giveTurn(host: string, line: Line, now: number): string {
    const key = line.next() ?? '';
    this.#waiting.delete(key);
    this.#lines.delete(host);
    if (line.size > 0) this.#lines.set(host, line);
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
    for (const key of [...(this.#lines.get(host)?.keys() ?? [])]) this.#o.onTurn(key);
  }

  /** Whoever leaves gives turns by that; a timer is for pauses, and for keys that do not come. */
  #arm(): void {
    const now = this.#o.clock.monotonic();
    const pauses = [...this.#lines.keys()].map((host) => this.#o.hosts.look(host).retryAt).filter((at) => at > now);
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
