import type { RestartTarget } from '../../api/rollout-restart.ts';
import { describeError } from '../../errors.ts';
import { isNotFound, KubeError } from '../../kube/errors.ts';
import { refuserAdvice } from '../../kube/refusal.ts';
import { nameOf } from './restart-target.ts';

/** What is wrong with the restarts: reason and message of the condition `RestartImpaired`. */
export interface RestartProblem {
  reason: string;
  message: string;
}

/** A workload that could not be restarted. */
export interface Failed {
  target: RestartTarget;
  error: unknown;
}

/** Whether another try at the same data may help. A workload that does not exist starts with them once it is made. */
export function isToRetry({ error }: Failed): boolean {
  return !isNotFound(error);
}

/** Whether the API server has trouble, so that it is not asked for anything else now. */
export function isTrouble({ error }: Failed): boolean {
  if (!(error instanceof KubeError)) return true;
  return error.status === 0 || error.status === 429 || error.status >= 500;
}

/** All failures as one problem. What is to be tried again gives the reason. */
export function problemOf(failures: readonly Failed[]): RestartProblem | undefined {
  const said = [...failures].sort((a, b) => Number(isToRetry(b)) - Number(isToRetry(a))).map(problemWith);
  const [first] = said;
  return first && { reason: first.reason, message: said.map(({ message }) => message).join('; ') };
}

const TAKE_OUT = 'take it out of spec.rolloutRestart.targets';

function problemWith({ target, error }: Failed): RestartProblem {
  const what = nameOf(target);
  if (isNotFound(error)) {
    const message = `${what} does not exist, so it was not restarted; create it or ${TAKE_OUT}`;
    return { reason: 'TargetNotFound', message };
  }
  const isKube = error instanceof KubeError;
  const cause = isKube ? error.message : describeError(error);
  return {
    reason: isKube ? error.code : 'InternalError',
    message: `${what} was not restarted: ${cause}${isKube ? fixOf(error) : ''}`,
  };
}

/** What the chart can allow is the right; what else refuses has a master of its own. */
function fixOf({ code, refuser }: KubeError): string {
  if (refuser !== undefined && refuser.by !== 'authorization') return `; ${refuserAdvice(refuser)}`;
  return code === 'Forbidden' ? `; allow it with the chart value rolloutRestart.enabled=true, or ${TAKE_OUT}` : '';
}
