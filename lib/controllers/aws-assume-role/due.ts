import { hash } from 'node:crypto';
import type { RefreshSettings } from '../../api/aws-assume-role.ts';

/** One credential's life, in milliseconds since 1970 of the server's clock. */
export interface Lifetime {
  issuedAt: number;
  expiresAt: number;
}

/** The span after the issue in which the refresh is due, in milliseconds. */
export interface Window {
  early: number;
  top: number;
}

/** No credential is refreshed later than this share of its life before its end. */
const MAX_LEAD = 0.6;
/** No credential is refreshed before this share of its life. */
const MIN_AGE = 0.3;
/** A container registry's token lives for 12 h; it is replaced before it is this old. */
export const MAX_ECR_AGE_MS = 6 * 3600_000;

/**
 * The span in which a credential of `lifeMs` milliseconds is refreshed. `maxAgeMs` bounds its end.
 * While STS grants, at least `min(minRemaining, 0.6 life)` is left when the span ends.
 */
export function refreshWindow(lifeMs: number, settings: RefreshSettings, maxAgeMs = Number.POSITIVE_INFINITY): Window {
  const wanted = Math.max(lifeMs * (1 - settings.percent / 100), settings.minRemainingSeconds * 1000);
  const lead = Math.min(wanted, MAX_LEAD * lifeMs);
  const top = Math.min(lifeMs - lead, maxAgeMs);
  const early = Math.max(MIN_AGE * lifeMs, top - (lifeMs * settings.jitterPercent) / 100);
  return { early: Math.min(early, top), top };
}

/**
 * When the credential of the object with `uid` is refreshed, in milliseconds since 1970. The spread comes from a hash,
 * so a session's due time never moves, whoever asks and however often the operator restarts.
 */
export function dueAt(uid: string, life: Lifetime, settings: RefreshSettings, maxAgeMs?: number): number {
  const { early, top } = refreshWindow(life.expiresAt - life.issuedAt, settings, maxAgeMs);
  return life.issuedAt + early + fraction(`${uid}/${life.issuedAt}`) * (top - early);
}

/** A number in [0, 1) that depends on the text alone. */
export function fraction(text: string): number {
  return Number.parseInt(hash('sha256', text, 'hex').slice(0, 12), 16) / 2 ** 48;
}
