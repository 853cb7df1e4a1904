import { hash } from 'node:crypto';
import type { AWSAssumeRoleSpec } from '../api/aws-assume-role.ts';
import type { CallerIdentity } from '../aws/options.ts';

/** Version of what enters the hash. A hash of another version is no reason to issue again. */
export const INPUT_HASH_VERSION = 'v1';

/**
 * The fields that enter an issue. `secretName` is none of them: a new name is a missing Secret, which is issued for
 * anyway. suspend, metadata, refresh and deletionPolicy change no credential.
 */
const issueFields = [
  'roleName',
  'roleArn',
  'durationSeconds',
  'secretType',
  'ecrRepositoryUrl',
  'ecr',
  'region',
  'externalId',
  'sessionName',
  'auth',
  'chain',
  'sourceIdentity',
  'sessionPolicy',
  'policyArns',
  'sessionTags',
  'transitiveTagKeys',
  // These change no session, but what is written of one, and the operator keeps none to write it again.
  'output',
  'template',
  'tokens',
] as const satisfies readonly (keyof AWSAssumeRoleSpec)[];

export interface HashInput {
  /** As the user wrote it, without defaults: a default that changes must not renew every credential. */
  spec: AWSAssumeRoleSpec;
  /** What the grants changed in this request; `{}` when nothing. */
  terms: Readonly<Record<string, unknown>>;
  caller: Pick<CallerIdentity, 'partition' | 'accountId' | 'role'>;
}

/** `v1:` and the SHA-256 (hex) of canonical JSON `{spec, terms, base}`. It stands in the Secret's annotation. */
export function inputHash(input: HashInput): string {
  const spec = issueSpec(input.spec);
  const base = { partition: input.caller.partition, account: input.caller.accountId, role: input.caller.role };
  const json = canonicalJson({ spec, terms: input.terms, base });
  return `${INPUT_HASH_VERSION}:${hash('sha256', json)}`;
}

/**
 * SHA-256 (hex) of the fields of the spec that enter an issue, alone: whether a session was issued for this spec,
 * whatever grants and base identity have become since, and also while they are not known.
 */
export function specHash(spec: AWSAssumeRoleSpec): string {
  return hash('sha256', canonicalJson(issueSpec(spec)));
}

function issueSpec(spec: AWSAssumeRoleSpec): Partial<AWSAssumeRoleSpec> {
  const given = issueFields.filter((field) => spec[field] !== undefined);
  return Object.fromEntries(given.map((field) => [field, spec[field]]));
}

/** The JSON of plain values with sorted keys and no undefined members, so that equal values give equal text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(sorted(value));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(members.map(([name, member]) => [name, sorted(member)]));
}
