import * as z from 'zod';
import { boundedMap, mustMatch, mustNotMatch, ruled } from './rules.ts';
import type { SecretType } from './secret-type.ts';

/** What `output` means where the object does not say. */
export const outputDefaults = { profile: 'default', mountPath: '/.aws' } as const;

/** Keys that each type writes by itself, under their default names. */
export const ownKeys: Readonly<Record<SecretType, readonly string[]>> = {
  Map: ['awsAccessKeyId', 'awsSecretAccessKey', 'awsSessionToken'],
  File: ['credentials'],
  EcrDockerConfigJson: ['.dockerconfigjson'],
  Env: ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'],
  Process: ['credentials.json', 'config'],
  Template: [],
};

const includes = z.enum(['expiration', 'region', 'roleArn', 'config']);

/** One entry of `output.include`. */
export type Include = z.infer<typeof includes>;

/** Keys that an entry of `output.include` adds to a type; types and entries that do not go together are missing. */
export const includedKeys: Readonly<
  Partial<Record<SecretType, Readonly<Partial<Record<Include, readonly string[]>>>>>
> = {
  Map: { expiration: ['expiration'], region: ['region'], roleArn: ['roleArn'] },
  File: { expiration: ['expiration'], region: ['region'], roleArn: ['roleArn'], config: ['config'] },
  // botocore reads the second name of the Region only, other SDKs the first.
  Env: {
    expiration: ['AWS_CREDENTIAL_EXPIRATION'],
    region: ['AWS_REGION', 'AWS_DEFAULT_REGION'],
    roleArn: ['AWS_ROLE_ARN'],
  },
  // The file is there anyhow; the Region becomes a line in it.
  Process: { expiration: ['expiration'], region: ['region'], roleArn: ['roleArn'], config: [] },
};

/** `output` with every default filled in. */
export interface OutputSettings {
  /** New names of keys by their default names. */
  keys: Readonly<Record<string, string>>;
  profile: string;
  mountPath: string;
  include: readonly Include[];
}

/** Fills in what the object leaves open. */
export function outputSettings(output: Output | undefined): OutputSettings {
  return {
    keys: output?.keys ?? {},
    profile: output?.profile ?? outputDefaults.profile,
    mountPath: output?.mountPath ?? outputDefaults.mountPath,
    include: output?.include ?? [],
  };
}

/** The keys that a Secret of this type gets beside those of `template.data`. */
export function writtenKeys(type: SecretType, { keys, include }: OutputSettings): string[] {
  const own = ownKeys[type].map((key) => keys[key] ?? key);
  return [...own, ...include.flatMap((entry) => includedKeys[type]?.[entry] ?? [])];
}

/** What Kubernetes accepts as a key of a Secret. */
export const SECRET_KEY = '^([-_A-Za-z0-9]|\\.[-_A-Za-z0-9])[-._A-Za-z0-9]{0,252}$';

const newName = ruled(z.string().max(253), [
  mustMatch(
    SECRET_KEY,
    "output.keys has a name that Kubernetes does not accept as a key; use letters, digits, '-', '_' and '.', not starting with two dots",
  ),
]);

const keys = boundedMap(newName, 8, [
  {
    cel: 'self.all(k, self.all(j, j == k || self[j] != self[k]))',
    message: 'output.keys gives two keys the same name; choose different names',
    holds: (map) => new Set(Object.values(map)).size === Object.keys(map).length,
  },
]);

const profile = ruled(z.string().max(64), [
  mustMatch(
    '^[A-Za-z0-9._@-]+$',
    "output.profile is empty or has characters that do not go into a file of profiles; use letters, digits and '._@-'",
  ),
  // botocore reads the first as values for all profiles; the JavaScript SDK keeps profiles in an object, which has the others.
  mustNotMatch(
    '^(DEFAULT|constructor|hasOwnProperty|isPrototypeOf|propertyIsEnumerable|toLocaleString|toString|valueOf|__.*__)$',
    'output.profile is a name that an AWS SDK does not read as that of a profile; choose another one',
  ),
]);

const mountPath = ruled(z.string().max(256), [
  mustMatch(
    '^(/[A-Za-z0-9._-]+)+$',
    "output.mountPath is not a path that can stand in a command; write an absolute one of letters, digits and '._-', without '/' at the end, e.g. /var/run/aws",
  ),
]);

/** Schema of `spec.output`. */
export const outputSchema = z
  .object({
    keys: keys.optional().meta({
      description:
        "New names for the type's own keys, by their default names, e.g. credentials: cloud. Default: the names that secretType tells. At most 8, each of at most 253 letters, digits, '-', '_' and '.' (Kubernetes).",
    }),
    profile: profile.optional().meta({
      description: `Name of the profile in the files of File and Process. Default: ${outputDefaults.profile}. 1 to 64 letters, digits and ._@-.`,
    }),
    mountPath: mountPath.optional().meta({
      description: `Where the containers mount the Secret of type Process; it stands in credential_process. Default: ${outputDefaults.mountPath}. An absolute path of at most 256 letters, digits and ._-/.`,
    }),
    include: z.array(includes).max(4).optional().meta({
      description:
        'What to add to Map, File, Env and Process. expiration: end of the session (RFC 3339). region and roleArn: the Region and the role of the session. config, for File and Process: an AWS config file with the Region; that of Process is there anyhow. Keys have the same names; for Env they are AWS_CREDENTIAL_EXPIRATION, AWS_REGION and AWS_DEFAULT_REGION, and AWS_ROLE_ARN. Default: none. At most 4.',
    }),
  })
  .meta({ description: 'Names and extras of what the Secret holds. Refused for EcrDockerConfigJson and Template.' });

/** `spec.output` as users write it. */
export type Output = z.infer<typeof outputSchema>;
