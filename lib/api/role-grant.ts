import * as z from 'zod';
import { type AuthType, authTypes } from './auth.ts';
import type { Metadata, ResourceName } from './metadata.ts';
import { keysMatch, labelKeyRule, labelValueRule, PARTITION } from './patterns.ts';
import { boundedMap, mustMatch, mustNotMatch, problems, type Rule, ruled } from './rules.ts';
import { type SecretType, secretTypeSchema } from './secret-type.ts';
import { tagKey } from './session.ts';

/** Address of the RoleGrant kind. */
export const roleGrants = {
  group: 'rolevend.dev',
  version: 'v1alpha1',
  plural: 'rolegrants',
  kind: 'RoleGrant',
  namespaced: false,
} as const satisfies ResourceName;

const labelValue = ruled(z.string().max(63), [
  labelValueRule("a label value of the selector has at most 63 letters, digits, '-', '_' or '.'; correct it"),
]);

const requirementFields = z
  .object({
    key: ruled(z.string().max(317), [labelKeyRule('key is no label key; write [prefix/]name, e.g. team')]).meta({
      description: 'Label key.',
    }),
    operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']).meta({
      description: 'In and NotIn compare with values; Exists and DoesNotExist look for the key alone.',
    }),
    values: z.array(labelValue).max(32).optional().meta({
      description: 'Values for In and NotIn, at least one; none for the other operators. At most 32.',
    }),
  })
  .meta({ description: 'One requirement on the labels of the namespace.' });

const requirement = ruled(requirementFields, [
  {
    cel: "(self.operator in ['In', 'NotIn']) == (has(self.values) && self.values.size() > 0)",
    message: 'values and operator do not fit: In and NotIn need at least one value, Exists and DoesNotExist take none',
    holds: ({ operator, values }) => ['In', 'NotIn'].includes(operator) === (values ?? []).length > 0,
  },
]);

const selectorFields = z
  .object({
    matchLabels: boundedMap(labelValue, 16, [
      keysMatch('matchLabels has a key that is no label key; write [prefix/]name, e.g. team'),
    ])
      .optional()
      .meta({ description: 'Labels that the namespace must have. At most 16.' }),
    matchExpressions: z.array(requirement).max(16).optional().meta({
      description: 'Requirements that the labels of the namespace must meet, all of them. At most 16.',
    }),
  })
  .meta({ description: 'Namespaces by their labels.' });

const selector = ruled(selectorFields, [
  {
    cel: '(has(self.matchLabels) && self.matchLabels.size() > 0) || (has(self.matchExpressions) && self.matchExpressions.size() > 0)',
    message: "selector is empty; name a label, or write names: ['*'] where every namespace is meant",
    holds: (value) => Object.keys(value.matchLabels ?? {}).length + (value.matchExpressions ?? []).length > 0,
  },
]);

const namespaceGlob = ruled(z.string().max(63), [
  mustMatch(
    '^[a-z0-9*]([-a-z0-9*]*[a-z0-9*])?$',
    "names has an entry that is no namespace name; use lower-case letters, digits, '-' and '*' for any run of characters, e.g. team-*",
  ),
]);

const namespaces = ruled(
  z.object({
    names: z.array(namespaceGlob).min(1).max(64).optional().meta({
      description: "Names of namespaces; '*' stands for any run of characters, also an empty one. 1 to 64.",
    }),
    selector: selector.optional(),
  }),
  [
    {
      cel: 'has(self.names) != has(self.selector)',
      message: 'set exactly one of names and selector in namespaces; neither or both are set',
      holds: (value) => (value.names === undefined) !== (value.selector === undefined),
    },
  ],
).meta({ description: 'The namespaces that may use the roles. Exactly one of names and selector.' });

const SEGMENT = '(\\$\\{namespace\\}|[\\w+=,.@*-]+)';

/** Rules of a role pattern. The parser in lib/credentials accepts exactly what they accept; a property test says so. */
const rolePatternRules: Rule<string>[] = [
  mustMatch(
    `^arn:(self|${PARTITION}):iam::(self|[0-9]{12}):role/`,
    'roles has a pattern that does not start with arn:<partition or self>:iam::<account of 12 digits or self>:role/; write e.g. arn:self:iam::self:role/team-a/*',
  ),
  mustMatch(
    `:role/(${SEGMENT}/)*${SEGMENT}$`,
    "roles has a pattern whose path is not accepted: parts between '/' are not empty and hold letters, digits, _+=,.@- and '*', or are ${namespace} as a whole, e.g. role/tenants/${namespace}/*",
  ),
  mustNotMatch(
    '/\\.{1,2}(/|$)|\\*\\*',
    "roles has a pattern with the part '.' or '..', which no role has, or with '**'; one '*' matches within a part and, as the last part, at any depth",
  ),
];

const rolePattern = ruled(z.string().max(640), rolePatternRules);

const regionPattern = ruled(z.string().max(64), [
  mustMatch(
    '^[a-z0-9*]+(-[a-z0-9*]+){2,5}$',
    "regions has an entry that fits no Region; write its code, with '*' for any run of characters between two hyphens, e.g. eu-west-1 or eu-*-*",
  ),
]);

/** Schema of `spec`. */
export const roleGrantSpecSchema = z
  .object({
    namespaces,
    roles: z.array(rolePattern).min(1).max(64).meta({
      description:
        "Patterns of role ARNs: arn:<partition or self>:iam::<12 digits or self>:role/<path>. self is the operator's own partition or account. '*' matches within one part of the path; a last part that is '*' alone matches at any depth. ${namespace} as a whole part is the namespace of the object. Case-sensitive. 1 to 64, of at most 640 characters.",
    }),
    maxDurationSeconds: z.int().min(900).max(43_200).optional().meta({
      description:
        'Longest session, in seconds; a longer request is shortened to it. Default: no limit. 900 to 43200 (STS).',
    }),
    secretTypes: z.array(secretTypeSchema).min(1).max(16).optional().meta({
      description: 'Secret types that objects may ask for; others are denied. Default: all. 1 to 16.',
    }),
    auth: z.array(z.enum(authTypes)).min(1).max(16).optional().meta({
      description:
        'Values of auth.type that objects may have; others are denied, ServiceAccount too, which needs no grant otherwise. Default: all. 1 to 16.',
    }),
    regions: z.array(regionPattern).min(1).max(64).optional().meta({
      description:
        "Regions that objects may name, as spec.region or by a registry, or that stand in where they name none; others are denied, also for ServiceAccounts. '*' stands for any run of characters between two hyphens: eu-*-* has all of Europe, us-*-* none of us-gov-*-*. ECR Public is in us-east-1. Default: the Regions of the partition of the operator's Region, as the AWS SDK tells them. 1 to 64.",
    }),
    sessionName: z.enum(['Derived', 'Any']).optional().meta({
      description:
        'Derived: the operator names the session after namespace and object; an object that sets sessionName is denied. Any: objects may name it. Default: Derived.',
    }),
    sourceIdentity: z.enum(['None', 'Derived', 'Any']).optional().meta({
      description:
        'None: sessions get no source identity. Derived: the operator sets it to rolevend-<namespace>.<name>, shortened when longer than 64, so that CloudTrail shows the object behind whatever is done with the session. Under both an object that sets sourceIdentity is denied. Any: objects may set it. Default: None.',
    }),
    tenantTagKeys: z.array(tagKey('tenantTagKeys')).max(50).optional().meta({
      description:
        'Keys of the session tags that objects may set, also those that a hop of a chain hands on to the role; others are denied. Compared letter by letter. Default: none. At most 50, of 1 to 128 letters, digits, blanks and _.:/=+@- (STS).',
    }),
  })
  .meta({
    description:
      'Which namespaces may use which roles, and on which terms. An object is allowed if any grant matches its namespace and role. The terms of all grants that match hold together: the shortest duration, the Secret types, auth types, Regions and tag keys that all lists hold, Derived before Any before None.',
  });

/** `spec` of a RoleGrant as an administrator writes it. */
export type RoleGrantSpec = z.infer<typeof roleGrantSpecSchema>;
/** How the namespaces of a grant are chosen. */
export type NamespaceSelection = RoleGrantSpec['namespaces'];
/** A label selector as Kubernetes has it. */
export type LabelSelector = NonNullable<NamespaceSelection['selector']>;

/** A RoleGrant object. It has no status. */
export interface RoleGrant {
  apiVersion: string;
  kind: string;
  metadata: Metadata;
  spec: RoleGrantSpec;
}

/** What the matching grants say together. */
export interface Terms {
  /** Longest session in seconds; undefined: no limit. */
  maxDurationSeconds?: number;
  /** Sorted; undefined: all. */
  secretTypes?: SecretType[];
  /** Sorted; undefined: all. */
  auth?: AuthType[];
  /** A Region fits a pattern of each of these lists; undefined: those of the operator's partition. */
  regions?: string[][];
  sessionName: 'Derived' | 'Any';
  sourceIdentity: 'None' | 'Derived' | 'Any';
  /** Sorted; empty: no tags of an object's own. */
  tenantTagKeys: string[];
}

/** What is wrong with a grant's spec, as lines `spec.<field>: <problem and fix>`; empty when nothing is. */
export function grantProblems(spec: unknown): string[] {
  return problems(roleGrantSpecSchema, spec, 'spec');
}
