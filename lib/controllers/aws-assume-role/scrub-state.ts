import { annotations } from '../../api/names.ts';
import { isScrubbedDigest } from '../../secrets/scrub.ts';
import type { Inspection } from './inspect.ts';

/** Whether the Secret is empty because we emptied it. Its annotation tells, so that every process knows. */
export function isScrubbed({ state, meta }: Pick<Inspection, 'state' | 'meta'>): boolean {
  return state === 'intact' && isScrubbedDigest(meta?.annotations?.[annotations.dataSha256]);
}
