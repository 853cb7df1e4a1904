import { isRead, type SeenRequest } from '../lab/fault-proxy.ts';

/** What one process that takes part in a leader election asked of the API server, oldest first. */
export type History = readonly SeenRequest[];

const RENEW_DEADLINE_MS = 10_000;
/** A request arrives later than it was sent, on a busy machine by seconds; less than until another one may take the Lease. */
const TRAVEL_MS = 4_500;

/**
 * The writes of the histories that nobody may make, as lines: those that started after the renew deadline of their writer,
 * and those of a process while another one held the Lease. Empty where all is well.
 */
export function strayWrites(
  histories: Readonly<Record<string, History>>,
  renewDeadlineMs = RENEW_DEADLINE_MS,
): string[] {
  const all = Object.entries(histories).flatMap(([writer, history]) => history.map((seen) => ({ writer, ...seen })));
  const renewedAt = new Map<string, number>();
  const stray: string[] = [];
  let holder: string | undefined;
  for (const seen of all.filter(isWrite).sort((a, b) => a.at - b.at)) {
    const { writer, at, verb, resource, name = '' } = seen;
    const age = at - (renewedAt.get(writer) ?? Number.NEGATIVE_INFINITY);
    const line = `${writer}: ${verb} ${resource} ${name}`;
    if (isTerm(seen)) {
      holder = writer;
      renewedAt.set(writer, at);
    } else if (resource === 'leases') continue;
    else if (holder !== writer) stray.push(`${line} while ${holder ?? 'nobody'} leads`);
    else if (age > renewDeadlineMs + TRAVEL_MS) stray.push(`${line} ${age} ms after the last renewal`);
  }
  return stray;
}

/** Whether a request began a term of whoever sent it. */
export function isTerm({ resource, verb, status = 0 }: SeenRequest): boolean {
  return resource === 'leases' && (verb === 'create' || verb === 'update') && status >= 200 && status < 300;
}

/** Whether a request is a write that the API server got. */
export function isWrite({ verb, passed }: SeenRequest): boolean {
  return passed && !isRead(verb);
}
