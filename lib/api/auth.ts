import * as z from 'zod';
import { dnsNameRules } from './patterns.ts';
import { mustMatch, type Rule, ruled } from './rules.ts';

/** With whose identity STS is asked. */
export const authTypes = ['Operator', 'ServiceAccount'] as const;
export type AuthType = (typeof authTypes)[number];

/** What a field of `auth` that is not set means. */
export const authDefaults = { type: 'Operator', audience: 'sts.amazonaws.com' } as const;

const serviceAccountRef = z
  .object({
    name: ruled(z.string().max(253), dnsNameRules('auth.serviceAccountRef.name')).meta({
      description: 'Name of the ServiceAccount, in the namespace of this object. A DNS subdomain.',
    }),
  })
  .meta({ description: 'The ServiceAccount whose token is sent to STS. Required for type ServiceAccount.' });

const fields = z
  .object({
    type: z
      .enum(authTypes)
      .optional()
      .meta({
        description: `Operator: the operator's own AWS identity assumes the role; a RoleGrant has to allow it. ServiceAccount: a token of a ServiceAccount of this namespace is exchanged for the session (AssumeRoleWithWebIdentity); IAM decides by the trust policy of the role, no RoleGrant is needed, and sessions may live up to 12 hours. The operator needs the right to create tokens: the chart gives it per namespace (serviceAccountAuth.namespaces). Default: ${authDefaults.type}.`,
      }),
    serviceAccountRef: serviceAccountRef.optional(),
    audience: ruled(z.string().min(1).max(253), [
      mustMatch('^[!-~]*$', 'auth.audience has blanks, control or non-ASCII characters; remove them'),
    ])
      .optional()
      .meta({
        description: `Audience of the token, for type ServiceAccount: one of those of the IAM OIDC provider. Default: ${authDefaults.audience}. 1 to 253 visible ASCII characters.`,
      }),
  })
  .meta({ description: 'With whose identity the role is assumed. Default: that of the operator.' });

/** Schema of `auth`. */
export const auth = ruled(fields, [
  {
    cel: "(has(self.type) && self.type == 'ServiceAccount') == has(self.serviceAccountRef)",
    message:
      'auth.type and auth.serviceAccountRef do not fit: type ServiceAccount needs serviceAccountRef.name, type Operator takes none',
    holds: (value) => (value.type === 'ServiceAccount') === (value.serviceAccountRef !== undefined),
  },
  {
    cel: "!has(self.audience) || (has(self.type) && self.type == 'ServiceAccount')",
    message: 'auth.audience has no meaning without type ServiceAccount; remove it',
    fieldPath: '.audience',
    holds: (value) => value.audience === undefined || value.type === 'ServiceAccount',
  },
]);

/** A ServiceAccount as whom AWS is asked. */
export interface ServiceAccountIdentity {
  /** In the namespace of the object. */
  name: string;
  audience: string;
}

interface WithAuth {
  auth?: z.infer<typeof fields> | undefined;
}

/** The ServiceAccount that a spec names; undefined where the operator's own identity is meant. */
export function serviceAccountOf({ auth: given }: WithAuth): ServiceAccountIdentity | undefined {
  if (given?.serviceAccountRef === undefined) return undefined;
  return { name: given.serviceAccountRef.name, audience: given.audience ?? authDefaults.audience };
}

/** The fields that AssumeRole has and AssumeRoleWithWebIdentity has not; those of a hop are the last three. */
const notWithWebIdentity = ['sourceIdentity', 'externalId', 'sessionTags', 'transitiveTagKeys'] as const;
const notInFirstHop = ['externalId', 'sessionTags', 'transitiveTagKeys'] as const;

type FirstHop = { [Field in (typeof notInFirstHop)[number]]?: unknown };
type WithSession = WithAuth & { sourceIdentity?: unknown; chain?: readonly FirstHop[] | undefined } & FirstHop;

const isWeb = 'has(self.auth) && has(self.auth.serviceAccountRef)';
const isChained = 'has(self.chain) && self.chain.size() > 0';
const anyOf = (path: string, names: readonly string[]) => names.map((field) => `has(${path}.${field})`).join(' || ');

/** Rules between `auth` and the fields of the session that the token of a ServiceAccount is exchanged for. */
export const authRules: Rule<WithSession>[] = [
  {
    cel: `!(${isWeb}) || (${isChained}) || !(${anyOf('self', notWithWebIdentity)})`,
    message: `${notWithWebIdentity.join(', ')}: AWS takes none of these with the token of a ServiceAccount; remove them, or reach the role through chain`,
    fieldPath: '.auth',
    holds: (spec) =>
      serviceAccountOf(spec) === undefined ||
      isAny(spec.chain) ||
      notWithWebIdentity.every((field) => !isSet(spec, field)),
  },
  {
    cel: `!(${isWeb}) || !(${isChained}) || !(${anyOf('self.chain[0]', notInFirstHop)})`,
    message: `${notInFirstHop.join(', ')}: AWS takes none of these with the token of a ServiceAccount, which is exchanged for the first session of the chain; remove them there`,
    fieldPath: '.chain',
    holds: (spec) => {
      const [first = {}] = spec.chain ?? [];
      return serviceAccountOf(spec) === undefined || notInFirstHop.every((field) => !isSet(first, field));
    },
  },
];

function isAny(list: readonly unknown[] | undefined): boolean {
  return list !== undefined && list.length > 0;
}

function isSet<T extends object>(value: T, field: keyof T): boolean {
  return value[field] !== undefined;
}
