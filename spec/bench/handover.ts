import { systemClock as clock, sleep } from '../../lib/clock.ts';
import type { OperatorProcess } from '../lab/demo/operator.ts';
import { HANG_LIMIT_MS } from '../support/eventually.ts';
import type { FigureName } from './figures.ts';
import type { Ground } from './ground.ts';
import { pidOf } from './usage.ts';

type Name = Extract<FigureName, 'handover' | 'ending' | 'failover'>;

const LEADS = /^leader_election_master_status\{.*\} 1$/m;
const POLL_MS = 20;

/**
 * Two replicas of which one leads: how long, in seconds, until the other does after an orderly end, and after a
 * kill; and how long that orderly end takes.
 */
export async function handover(ground: Ground, namespace: string): Promise<Record<Name, number>> {
  await ground.cluster.createNamespace(namespace);
  const start = async () => (await ground.startOperator([namespace], namespace)).operator;
  const first = await start();
  await untilLeads(first);
  const second = await start();
  const afterEnd = await gap(first, second, 'SIGTERM');
  const third = await start();
  const afterKill = await gap(second, third, 'SIGKILL');
  await third.process.stop();
  return { handover: afterEnd.leads, ending: afterEnd.ended, failover: afterKill.leads };
}

async function gap(leader: OperatorProcess, next: OperatorProcess, signal: NodeJS.Signals) {
  const startedAt = clock.monotonic();
  const seconds = () => (clock.monotonic() - startedAt) / 1000;
  const ended = leader.process.exited.then(seconds);
  process.kill(await pidOf(leader.process.group), signal);
  await untilLeads(next);
  return { leads: seconds(), ended: await ended };
}

/** Asks often, since what is measured may be a tenth of a second. */
async function untilLeads({ url }: OperatorProcess): Promise<void> {
  const end = clock.monotonic() + HANG_LIMIT_MS;
  while (!LEADS.test(await (await fetch(`${url}/metrics`)).text())) {
    if (clock.monotonic() > end) throw new Error(`no other replica leads after ${HANG_LIMIT_MS / 1000} s`);
    await sleep(clock, POLL_MS);
  }
}
