import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { Ecr } from './ecr.ts';
import type { Hosts } from './hosts.ts';
import { BaseIdentity } from './identity.ts';
import type { AwsOptions } from './options.ts';
import { Sts } from './sts.ts';
import { TimeWatch } from './time-watch.ts';
import { Transport } from './transport.ts';

/** Everything that vending needs of AWS, over one transport. */
export interface Aws {
  /** The caller runs `identity.start(signal)`. */
  identity: BaseIdentity;
  /** The caller runs `time.start(signal)`. */
  time: TimeWatch;
  sts: Sts;
  ecr: Ecr;
  /** Which hosts answer. */
  hosts: Hosts;
  /** Ends every connection and the calls on it. */
  close(): Promise<void>;
}

/** Wires the clients of this folder together; nothing is called yet. */
export function connectAws(options: { aws: AwsOptions; clock: Clock; log: Logger; metrics: Metrics }): Aws {
  const transport = new Transport(options);
  const identity = new BaseIdentity({ ...options, transport });
  const time = new TimeWatch({ ...options, transport, identity });
  const sts = new Sts({ transport, identity });
  const ecr = new Ecr({ transport });
  return { identity, time, sts, ecr, hosts: transport.hosts, close: () => transport.close() };
}
