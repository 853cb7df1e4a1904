import { hash } from 'node:crypto';
import type { Clock } from '../clock.ts';

/** What an Event says of those of its kind that were not written. */
export interface Occurrences {
  /** How often it happened, this time included. */
  count: number;
  /** When it happened first, milliseconds since 1970. */
  firstAt: number;
}

/** One message about one object, which comes again and again. */
interface Run extends Occurrences {
  message: string;
  /** When it was written last, steady clock. */
  writtenAt: number;
  /** How long it is not written again after that; 0 before it was written. */
  quietMs: number;
}

/** All Events of one reason about one object. */
interface Story {
  writtenAt: number;
  seenAt: number;
  runs: Run[];
}

/** No reason is told of an object more often. */
const QUIET_MS = 300_000;
/** What repeats is told 5, 25 and 105 minutes after it was told first, and then every 4 hours. */
const GROWTH = 4;
const LONGEST_QUIET_MS = 4 * 3_600_000;
/** What did not happen for so long is over. */
const OVER_MS = 3_600_000;
const MAX_STORIES = 50_000;
/** A reason with more messages than these has one that never is the same twice. */
const MAX_RUNS = 4;

/**
 * Which of the Events that happen are written: of one reason about one object one in 5 minutes, and what repeats ever more
 * rarely. What it remembers is bounded.
 */
export class EventPace {
  readonly #clock: Clock;
  /** By object and reason; what was not seen for the longest time comes first. */
  readonly #stories = new Map<string, Story>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Notes that something happened. Gives what to write of it, or undefined where nothing is to be written now.
   *
   * @param key object and reason
   */
  happened(key: string, message: string): Occurrences | undefined {
    const now = this.#clock.monotonic();
    const story = this.#story(key, now);
    const run = this.#run(story, message);
    run.count += 1;
    if (now < Math.max(story.writtenAt + QUIET_MS, run.writtenAt + run.quietMs)) return undefined;
    run.quietMs = run.quietMs === 0 ? QUIET_MS : Math.min(run.quietMs * GROWTH, LONGEST_QUIET_MS);
    run.writtenAt = now;
    story.writtenAt = now;
    return { count: run.count, firstAt: run.firstAt };
  }

  /** What was to be written was not: the next time may be. */
  failed(key: string): void {
    const story = this.#stories.get(key);
    if (story === undefined) return;
    story.writtenAt = Number.NEGATIVE_INFINITY;
    for (const run of story.runs) run.writtenAt = Number.NEGATIVE_INFINITY;
  }

  /** It is over: when it comes again it is told as if it were new, though not within 5 minutes. */
  over(key: string): void {
    const story = this.#stories.get(key);
    if (story !== undefined) story.runs = [];
  }

  #story(key: string, now: number): Story {
    this.#forget(now, MAX_STORIES);
    const known = this.#stories.get(key);
    if (known === undefined) this.#forget(now, MAX_STORIES - 1);
    const story = known ?? { writtenAt: Number.NEGATIVE_INFINITY, seenAt: now, runs: [] };
    story.seenAt = now;
    this.#stories.delete(key);
    this.#stories.set(key, story);
    return story;
  }

  #forget(now: number, most: number): void {
    for (const [key, { seenAt }] of this.#stories) {
      if (now - seenAt < OVER_MS && this.#stories.size <= most) break;
      this.#stories.delete(key);
    }
  }

  /** Too many messages count as one, since what differs in them is no news. */
  #run({ runs }: Story, text: string): Run {
    const message = hash('sha256', text).slice(0, 8);
    const known = runs.find((run) => run.message === message) ?? runs[MAX_RUNS - 1];
    if (known !== undefined) return known;
    const run = { message, count: 0, firstAt: this.#clock.now(), writtenAt: Number.NEGATIVE_INFINITY, quietMs: 0 };
    runs.push(run);
    return run;
  }
}
