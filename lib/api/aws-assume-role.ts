import type * as z from 'zod';
import { awsAssumeRoleSpecSchema, specDefaults } from './aws-assume-role-spec.ts';
import type { awsAssumeRoleStatusSchema } from './aws-assume-role-status.ts';
import type { Condition } from './conditions.ts';
import type { Metadata, ResourceName } from './metadata.ts';
import { type OutputSettings, outputSettings } from './output.ts';
import type { RestartTarget } from './rollout-restart.ts';
import { problems } from './rules.ts';
import { defaultDurationSeconds } from './secret-type.ts';

/** Address of the AWSAssumeRole kind. */
export const awsAssumeRoles = {
  group: 'pincette.net',
  version: 'v1',
  plural: 'awsassumeroles',
  kind: 'AWSAssumeRole',
  namespaced: true,
} as const satisfies ResourceName;

/** `spec` as users write it. */
export type AWSAssumeRoleSpec = z.infer<typeof awsAssumeRoleSpecSchema>;
/** `Delete` or `Retain`. */
export type DeletionPolicy = NonNullable<AWSAssumeRoleSpec['deletionPolicy']>;
/** `Keep` or `Scrub`. */
export type OnExpiry = NonNullable<AWSAssumeRoleSpec['onExpiry']>;
/** `Never` or `IfUnowned`. */
export type Adoption = NonNullable<AWSAssumeRoleSpec['adoption']>;

/** `status` as we write it. Objects of older operators may hold conditions with fewer keys and repeated types. */
export interface AWSAssumeRoleStatus extends Omit<z.infer<typeof awsAssumeRoleStatusSchema>, 'conditions'> {
  conditions?: Condition[];
}

/** An AWSAssumeRole object. */
export interface AWSAssumeRole {
  apiVersion: string;
  kind: string;
  metadata: Metadata;
  spec: AWSAssumeRoleSpec;
  status?: AWSAssumeRoleStatus;
}

/** When a session is replaced; percentages of the session's life and seconds. */
export interface RefreshSettings {
  percent: number;
  jitterPercent: number;
  minRemainingSeconds: number;
}

/** `spec` with every default filled in. `region` stays undefined where the operator's own is meant. */
export interface ResolvedSpec
  extends Omit<
    AWSAssumeRoleSpec,
    'durationSeconds' | 'deletionPolicy' | 'adoption' | 'onExpiry' | 'rolloutRestart' | 'refresh' | 'suspend' | 'output'
  > {
  /** Seconds. */
  durationSeconds: number;
  deletionPolicy: DeletionPolicy;
  adoption: Adoption;
  onExpiry: OnExpiry;
  /** Without targets nothing is restarted. */
  rolloutRestart: { targets: readonly RestartTarget[]; minInterval: string };
  refresh: RefreshSettings;
  suspend: boolean;
  output: OutputSettings;
}

/** Fills in what the object leaves open; takes and leaves everything else as it is. */
export function withDefaults(spec: AWSAssumeRoleSpec): ResolvedSpec {
  const { refresh, rolloutRestart } = specDefaults;
  return {
    ...spec,
    durationSeconds: spec.durationSeconds ?? defaultDurationSeconds(spec.secretType),
    deletionPolicy: spec.deletionPolicy ?? specDefaults.deletionPolicy,
    adoption: spec.adoption ?? specDefaults.adoption,
    onExpiry: spec.onExpiry ?? specDefaults.onExpiry,
    rolloutRestart: {
      targets: spec.rolloutRestart?.targets ?? rolloutRestart.targets,
      minInterval: spec.rolloutRestart?.minInterval ?? rolloutRestart.minInterval,
    },
    suspend: spec.suspend ?? specDefaults.suspend,
    output: outputSettings(spec.output),
    refresh: {
      percent: spec.refresh?.percent ?? refresh.percent,
      jitterPercent: spec.refresh?.jitterPercent ?? refresh.jitterPercent,
      minRemainingSeconds: spec.refresh?.minRemainingSeconds ?? refresh.minRemainingSeconds,
    },
  };
}

/**
 * What is wrong with a spec, as lines `spec.<field>: <problem and fix>`; empty when nothing is. The rules are those of
 * the CRD. The API server lets objects that were stored before a rule existed live on, so they are judged here again.
 */
export function specProblems(spec: unknown): string[] {
  return problems(awsAssumeRoleSpecSchema, spec, 'spec');
}

/** Of `specProblems` those for which nothing is issued. */
export function stoppingProblems(spec: unknown): string[] {
  return problems(awsAssumeRoleSpecSchema, spec, 'spec', 'others');
}

/** Of `specProblems` those that an object of an earlier version may keep, though they make its Secret of no use to most. */
export function keptProblems(spec: unknown): string[] {
  return problems(awsAssumeRoleSpecSchema, spec, 'spec', 'kept');
}
