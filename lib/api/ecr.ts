import * as z from 'zod';
import { KNOWN_REGISTRY, parseRegistry } from './ecr-host.ts';
import { regionRules } from './patterns.ts';
import { registryKeyRules } from './registry-key.ts';
import { celString, mustMatch, type Rule, ruled } from './rules.ts';
import { celIsType, type SecretType } from './secret-type.ts';

/** Rules of the id of an AWS account. */
export function accountIdRules(field: string): Rule<string>[] {
  return [mustMatch('^[0-9]{12}$', `${field} is not the id of an AWS account; write its 12 digits, in quotes`)];
}

/** A URL with the name of a repository behind the host. */
const WITH_REPOSITORY = '^([A-Za-z]+://)?[^/]+/[A-Za-z0-9]';

const url = ruled(z.string().max(512), [
  mustMatch(
    '^[!-~]+$',
    'urls has an entry that is empty or has blanks, control or non-ASCII characters; write the registry or repository alone, e.g. 123456789012.dkr.ecr.eu-west-1.amazonaws.com/team-a',
  ),
  ...registryKeyRules('urls has an entry that'),
]);

const registryFields = z
  .object({
    accountId: ruled(z.string().max(12), accountIdRules('accountId')).optional().meta({
      description: "Account of the registry, 12 digits. Default: the role's account.",
    }),
    region: ruled(z.string().max(64), regionRules('region')).optional().meta({
      description: 'Region of the registry. Default: that of the object.',
    }),
    urls: z.array(url).min(1).max(20).optional().meta({
      description:
        'Registries or repositories, the keys of the auths entries, kept as written: host, and path where one is meant, as in the name of an image without tag and digest; https:// may stand before it. A host that AWS gives tells account and Region by itself and wins over accountId and region; any other (PrivateLink, a mirror) needs both. Default: the classic and the dual-stack host of the account in the Region. 1 to 20, each of at most 512 visible ASCII characters.',
    }),
    public: z.boolean().optional().meta({
      description:
        'ECR Public, whose token comes from us-east-1; without urls for public.ecr.aws and ecr-public.aws.com. Default: false.',
    }),
  })
  .meta({ description: 'One registry.' });

const registry = ruled(registryFields, [
  {
    cel: '!has(self.public) || !self.public || !(has(self.accountId) || has(self.region))',
    message: 'accountId and region have no meaning for a public registry; remove them, or remove public',
    holds: (value) => !value.public || (value.accountId === undefined && value.region === undefined),
  },
  {
    cel: `!has(self.urls) || (has(self.public) && self.public) || (has(self.accountId) && has(self.region)) || self.urls.all(u, u.lowerAscii().matches(${celString(KNOWN_REGISTRY)}))`,
    message: 'urls has a host that is none of AWS, which tells neither account nor Region; set accountId and region',
    fieldPath: '.urls',
    holds: (value) =>
      value.public === true ||
      (value.accountId !== undefined && value.region !== undefined) ||
      (value.urls ?? []).every((one) => parseRegistry(one).kind !== 'unknown'),
  },
]);

const fields = z
  .object({
    registries: z.array(registry).max(20).optional().meta({
      description:
        'Registries to log in to with one Secret, beside ecrRepositoryUrl. One token is fetched for each account and Region. Default: none. At most 20.',
    }),
    restrictToRepositories: z.boolean().optional().meta({
      description:
        'Asks STS for a session that may pull from the repositories of ecrRepositoryUrl and urls only, by a session policy of at most 2048 characters. Whether a registry token keeps to it is up to AWS. Default: false.',
    }),
  })
  .meta({ description: 'Registries of an image pull Secret; for secretType EcrDockerConfigJson.' });

/** Schema of `spec.ecr`. */
export const ecrSchema = ruled(fields, [
  {
    cel: `!has(self.restrictToRepositories) || !self.restrictToRepositories || !has(self.registries) || self.registries.all(r, has(r.urls) && r.urls.all(u, u.matches(${celString(WITH_REPOSITORY)})))`,
    message:
      'ecr.restrictToRepositories is set, but a registry names no repositories; give each one urls with a path, e.g. 123456789012.dkr.ecr.eu-west-1.amazonaws.com/team-a/web',
    fieldPath: '.registries',
    holds: ({ restrictToRepositories, registries }) =>
      restrictToRepositories !== true || (registries ?? []).every(({ urls }) => urls?.every(namesRepository) ?? false),
  },
]);

/** `spec.ecr` as users write it. */
export type EcrSpec = z.infer<typeof ecrSchema>;
/** One entry of `spec.ecr.registries`. */
export type EcrRegistry = z.infer<typeof registryFields>;

function namesRepository(one: string): boolean {
  return new RegExp(WITH_REPOSITORY).test(one);
}

interface Judged {
  secretType: SecretType;
  ecrRepositoryUrl?: string | undefined;
  ecr?: EcrSpec | undefined;
  sessionPolicy?: string | undefined;
  policyArns?: string[] | undefined;
}

const RESTRICTS = '(has(self.ecr) && has(self.ecr.restrictToRepositories) && self.ecr.restrictToRepositories)';
const IS_ECR = celIsType('EcrDockerConfigJson');

/** Rules of a spec about its registries. */
export const ecrRules: Rule<Judged>[] = [
  {
    cel: `!${IS_ECR} || (has(self.ecrRepositoryUrl) && self.ecrRepositoryUrl != '') || (has(self.ecr) && has(self.ecr.registries) && self.ecr.registries.size() > 0)`,
    message:
      'ecrRepositoryUrl is missing: secretType EcrDockerConfigJson needs it or ecr.registries; set it to the registry, e.g. 123456789012.dkr.ecr.eu-west-1.amazonaws.com',
    fieldPath: '.ecrRepositoryUrl',
    holds: ({ secretType, ecrRepositoryUrl, ecr }) =>
      secretType !== 'EcrDockerConfigJson' || (ecrRepositoryUrl ?? '') !== '' || (ecr?.registries ?? []).length > 0,
  },
  {
    cel: `!has(self.secretType) || ${IS_ECR} || !has(self.ecr)`,
    message: 'ecr is set, but only secretType EcrDockerConfigJson reads it; use that type, or remove ecr',
    fieldPath: '.ecr',
    holds: ({ secretType, ecr }) => secretType === 'EcrDockerConfigJson' || ecr === undefined,
  },
  {
    cel: `!${RESTRICTS} || !has(self.ecrRepositoryUrl) || self.ecrRepositoryUrl == '' || self.ecrRepositoryUrl.matches(${celString(WITH_REPOSITORY)})`,
    message:
      'ecr.restrictToRepositories is set, but ecrRepositoryUrl names no repository; add its path, e.g. 123456789012.dkr.ecr.eu-west-1.amazonaws.com/team-a/web',
    fieldPath: '.ecrRepositoryUrl',
    holds: ({ ecrRepositoryUrl = '', ecr }) =>
      ecr?.restrictToRepositories !== true || ecrRepositoryUrl === '' || namesRepository(ecrRepositoryUrl),
  },
  {
    cel: `!${RESTRICTS} || !(has(self.sessionPolicy) || has(self.policyArns))`,
    message:
      'ecr.restrictToRepositories makes a session policy of its own, which sessionPolicy or policyArns would widen; leave them out, or write the repositories into sessionPolicy instead',
    fieldPath: '.ecr',
    holds: ({ ecr, sessionPolicy, policyArns }) =>
      ecr?.restrictToRepositories !== true || (sessionPolicy === undefined && policyArns === undefined),
  },
];
