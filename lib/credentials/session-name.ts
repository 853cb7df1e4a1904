import { hash } from 'node:crypto';

/** Longest session name that STS takes. */
const MAX_LENGTH = 64;
const KEPT = 47;
const DIGITS = 16;

/**
 * The session name of an object that sets none: `rolevend-<namespace>.<name>`. A namespace holds no dot, so it reads
 * back in one way. A longer one keeps its first 47 characters, then `=` and 16 hex digits of the SHA-256 of
 * `<namespace>/<name>`; no Kubernetes name holds a `=`, so it equals no other object's name.
 */
export function defaultSessionName(namespace: string, name: string): string {
  const full = `rolevend-${namespace}.${name}`;
  if (full.length <= MAX_LENGTH) return full;
  const digits = hash('sha256', `${namespace}/${name}`).slice(0, DIGITS);
  return `${full.slice(0, KEPT)}=${digits}`;
}
