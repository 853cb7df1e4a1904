import * as z from 'zod';
import { durationRules } from './duration.ts';
import { dnsNameRules } from './patterns.ts';
import { ruled } from './rules.ts';

/** Kinds of workloads that can be restarted. */
export const restartKinds = ['Deployment', 'StatefulSet', 'DaemonSet'] as const;

/** What a field of `rolloutRestart` means that is not set. */
export const restartDefaults = { minInterval: '1h' } as const;

const target = z
  .object({
    kind: z.enum(restartKinds).meta({ description: 'Kind of the workload, of the API group apps.' }),
    name: ruled(z.string().max(253), dnsNameRules('rolloutRestart.targets[].name')).meta({
      description: 'Name of the workload, in the namespace of this object. A DNS subdomain of at most 253 characters.',
    }),
  })
  .meta({ description: 'A workload to restart.' });

const minInterval = ruled(
  z.string().max(16),
  durationRules('rolloutRestart.minInterval', { least: '1m', most: '168h', example: '24m or 1h30m' }),
).meta({
  description: `Least time between two restarts; changes within it lead to one restart at its end. A workload that reads the credential only when it starts needs one that is at most 40 % of durationSeconds (24m for an hour); else the condition RestartImpaired warns. Default: ${restartDefaults.minInterval}. A duration of hours, minutes and seconds, 1m to 168h.`,
});

/** Schema of `spec.rolloutRestart`. */
export const rolloutRestartSchema = z
  .object({
    targets: z.array(target).min(1).max(16).meta({
      description:
        'The workloads to restart. One that does not exist is told by the condition RestartImpaired. 1 to 16.',
    }),
    minInterval: minInterval.optional(),
  })
  .meta({
    description:
      'Restarts workloads, as kubectl rollout restart does, after the data of a Secret that stood were replaced: for software that reads its credential only when it starts. The first Secret restarts nothing. Needs the chart value rolloutRestart.enabled. Default: none.',
  });

/** `spec.rolloutRestart` as users write it. */
export type RolloutRestart = z.infer<typeof rolloutRestartSchema>;
/** A workload to restart. */
export type RestartTarget = RolloutRestart['targets'][number];
