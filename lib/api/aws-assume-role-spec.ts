import * as z from 'zod';
import { auth, authRules } from './auth.ts';
import { chain } from './chain.ts';
import { ecrRules, ecrSchema } from './ecr.ts';
import { outputSchema } from './output.ts';
import { outputRules } from './output-rules.ts';
import { copiedKeyRules, dnsNameRules, labelValueRule, regionRules, roleArnRules, roleNameRules } from './patterns.ts';
import { registryKeyRules } from './registry-key.ts';
import { restartDefaults, rolloutRestartSchema } from './rollout-restart.ts';
import { boundedMap, mustMatch, type Rule, ruled } from './rules.ts';
import {
  celIsType,
  DEFAULT_DURATION_SECONDS,
  defaultDurationSeconds,
  PROCESS_DURATION_SECONDS,
  secretTypeSchema,
} from './secret-type.ts';
import { sessionFields, sessionRules } from './session.ts';
import { templateSchema } from './template.ts';
import { templateRules } from './template-rules.ts';
import { tokenRules, tokensSchema } from './tokens.ts';

/** What a field that is not set means. Applied in code, never by the API server, so that GitOps tools read back what they wrote. */
export const specDefaults = {
  /** Seconds; `defaultDurationSeconds` tells it for each Secret type. */
  durationSeconds: DEFAULT_DURATION_SECONDS,
  deletionPolicy: 'Delete',
  adoption: 'Never',
  onExpiry: 'Keep',
  rolloutRestart: { targets: [], ...restartDefaults },
  suspend: false,
  refresh: { percent: 60, jitterPercent: 10, minRemainingSeconds: 420 },
} as const;

/** Part of a session's life in percent that must be left at the latest refresh: `minRemainingSeconds` may not ask for more. */
const MAX_REMAINING_PERCENT = 60;

const { refresh: refreshDefaults } = specDefaults;

const roleName = ruled(z.string().max(576), roleNameRules).meta({
  description:
    "Path and name of the IAM role, as path/name, in the account and partition of the operator's own identity. 1 to 576 characters of A-Z a-z 0-9 _+=,.@-/ (IAM). Exactly one of roleName and roleArn.",
});

const roleArn = ruled(z.string().max(640), roleArnRules).meta({
  description:
    'ARN of the IAM role, in any account and partition. At most 640 characters. Exactly one of roleName and roleArn.',
});

const durationSeconds = z
  .int()
  .min(900)
  .max(43_200)
  .meta({
    description: `Length of the session to ask for, in seconds. Default: ${DEFAULT_DURATION_SECONDS}, with secretType Process ${PROCESS_DURATION_SECONDS}; 3600 is recommended. 900 to 43200 (STS), with Process at least ${PROCESS_DURATION_SECONDS}; a role's own maximum, a RoleGrant or role chaining (3600) may shorten it: see status.effectiveDurationSeconds.`,
  });

const secretName = ruled(z.string().max(253), dnsNameRules('secretName')).meta({
  description:
    'Name of the Secret to write, in the same namespace. A DNS subdomain of at most 253 characters (Kubernetes). A new name gives a new Secret; the old one is removed.',
});

const secretType = secretTypeSchema.meta({
  description:
    'Form of the Secret. Map: keys awsAccessKeyId, awsSecretAccessKey and awsSessionToken. File: key credentials, an AWS shared credentials file; AWS SDKs read such a file once per process. EcrDockerConfigJson: an image pull Secret for ecrRepositoryUrl and ecr.registries. Env: keys AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, for envFrom; the variables of a running container never change. Process: keys credentials.json and config, an AWS config file whose credential_process prints the first, so that AWS SDKs reload it by themselves; mounted at /.aws and named by AWS_CONFIG_FILE, in an image that has sh and cat. Template: exactly the keys of template.data.',
});

const ecrRepositoryUrl = ruled(z.string().max(512), [
  mustMatch(
    '^[!-~]*$',
    'ecrRepositoryUrl has blanks, control or non-ASCII characters; write the registry or repository alone, e.g. 123456789012.dkr.ecr.eu-west-1.amazonaws.com',
  ),
  ...registryKeyRules('ecrRepositoryUrl'),
]).meta({
  description:
    'ECR registry or repository, the key of the auths entry, kept as written: host, and path where one is meant, as in the name of an image without tag and digest; https:// may stand before it. Account and Region come from its host; of another host (PrivateLink, a mirror) they are those of the role and the object. ECR Public is taken, too. Required for secretType EcrDockerConfigJson unless ecr.registries is set, and without meaning for the others. At most 512 visible ASCII characters.',
});

const region = ruled(z.string().max(64), regionRules('region')).meta({
  description:
    "AWS Region of the STS and ECR endpoints. Default: the operator's Region (ECR: the Region of ecrRepositoryUrl). At most 64 characters.",
});

const refresh = z
  .object({
    percent: z
      .int()
      .min(40)
      .max(80)
      .optional()
      .meta({
        description: `Part of the session's life after which it is replaced at the latest, in percent. Default: ${refreshDefaults.percent}. 40 to 80.`,
      }),
    jitterPercent: z
      .int()
      .min(0)
      .max(25)
      .optional()
      .meta({
        description: `How much earlier than that a refresh may come, in percent of the session's life, so that many objects do not refresh together. Default: ${refreshDefaults.jitterPercent}. 0 to 25.`,
      }),
    minRemainingSeconds: z
      .int()
      .min(60)
      .max(7200)
      .optional()
      .meta({
        description: `Life that the credential in the Secret has left at any time while STS answers, in seconds, less at most 60. Default: ${refreshDefaults.minRemainingSeconds}: 300 for AWS SDKs and 120 for the kubelet to show a changed Secret. 60 to 7200, at most ${MAX_REMAINING_PERCENT} % of durationSeconds.`,
      }),
  })
  .meta({ description: 'When the session is replaced, ahead of its end.' });

const metadata = z
  .object({
    labels: boundedMap(
      ruled(z.string().max(63), [
        labelValueRule(
          "metadata.labels has a value that is no label value; use at most 63 letters, digits, '-', '_' or '.', starting and ending with a letter or digit",
        ),
      ]),
      32,
      copiedKeyRules('metadata.labels'),
    )
      .optional()
      .meta({ description: 'Labels of the Secret. Default: none. At most 32.' }),
    annotations: boundedMap(z.string().max(4096), 32, copiedKeyRules('metadata.annotations')).optional().meta({
      description: 'Annotations of the Secret. Default: none. At most 32, values of at most 4096 characters.',
    }),
  })
  .meta({
    description:
      'Labels and annotations to copy to the Secret. Keys of kubernetes.io, k8s.io and rolevend.dev and the key aws-assume-role are refused; app.kubernetes.io/ is allowed.',
  });

const deletionPolicy = z.enum(['Delete', 'Retain']).meta({
  description: `What becomes of the Secret when this object is deleted. Delete: it goes too. Retain: it stays, with its credential until that expires. Default: ${specDefaults.deletionPolicy}.`,
});

const adoption = z.enum(['Never', 'IfUnowned']).meta({
  description: `What becomes of a Secret of that name that was not made for this object. Never: it is not touched, and the object is refused. IfUnowned: one without owner references and without an owner annotation of rolevend is taken over as soon as a credential is issued: its data are replaced as a whole, its labels and annotations stay. Only Secrets of type Opaque and kubernetes.io/dockerconfigjson without finalizers are taken over. Default: ${specDefaults.adoption}.`,
});

const onExpiry = z.enum(['Keep', 'Scrub']).meta({
  description: `What becomes of the data of the Secret when the credential ends before it could be replaced. Keep: they stay, though AWS refuses them. Scrub: they are removed (of an image pull Secret, all registries), with the condition Scrubbed and an Event; the next success fills the Secret again. What is still valid is never removed, and nothing while suspend is true. Default: ${specDefaults.onExpiry}.`,
});

const fields = z
  .object({
    roleName: roleName.optional(),
    roleArn: roleArn.optional(),
    durationSeconds: durationSeconds.optional(),
    secretName,
    secretType,
    ecrRepositoryUrl: ecrRepositoryUrl.optional(),
    ecr: ecrSchema.optional(),
    region: region.optional(),
    auth: auth.optional(),
    chain: chain.optional(),
    ...sessionFields,
    refresh: refresh.optional(),
    suspend: z
      .boolean()
      .optional()
      .meta({
        description: `Stops every issue for this object; the Secret stays as it is and expires. Only a change of deletionPolicy still reaches it. Default: ${specDefaults.suspend}.`,
      }),
    metadata: metadata.optional(),
    deletionPolicy: deletionPolicy.optional(),
    adoption: adoption.optional(),
    onExpiry: onExpiry.optional(),
    rolloutRestart: rolloutRestartSchema.optional(),
    output: outputSchema.optional(),
    template: templateSchema.optional(),
    tokens: tokensSchema.optional(),
  })
  .meta({ description: 'The role to assume and the Secret to keep filled with its credentials.' });

const rules: Rule<z.output<typeof fields>>[] = [
  {
    cel: 'has(self.roleName) != has(self.roleArn)',
    message:
      "set exactly one of roleName (a role in the operator's own account) and roleArn (a role in any account); neither or both are set",
    holds: (spec) => (spec.roleName === undefined) !== (spec.roleArn === undefined),
  },
  {
    cel: `!has(self.refresh) || !has(self.refresh.minRemainingSeconds) || ${celIsType('EcrDockerConfigJson')} || self.refresh.minRemainingSeconds * 100 <= (has(self.durationSeconds) ? self.durationSeconds : ${celIsType('Process')} ? ${PROCESS_DURATION_SECONDS} : ${DEFAULT_DURATION_SECONDS}) * ${MAX_REMAINING_PERCENT}`,
    message: `refresh.minRemainingSeconds is more than ${MAX_REMAINING_PERCENT} % of durationSeconds (default ${DEFAULT_DURATION_SECONDS}, with secretType Process ${PROCESS_DURATION_SECONDS}); lower it or raise durationSeconds`,
    fieldPath: '.refresh.minRemainingSeconds',
    holds: (spec) =>
      spec.secretType === 'EcrDockerConfigJson' ||
      (spec.refresh?.minRemainingSeconds ?? 0) * 100 <=
        (spec.durationSeconds ?? defaultDurationSeconds(spec.secretType)) * MAX_REMAINING_PERCENT,
  },
  {
    cel: `!${celIsType('Process')} || !has(self.durationSeconds) || self.durationSeconds >= ${PROCESS_DURATION_SECONDS}`,
    message: `durationSeconds is less than ${PROCESS_DURATION_SECONDS}, which secretType Process needs: AWS SDKs ask for a new credential up to 15 minutes before the end of the old one; leave it out or set ${PROCESS_DURATION_SECONDS} or more`,
    fieldPath: '.durationSeconds',
    holds: (spec) =>
      spec.secretType !== 'Process' ||
      spec.durationSeconds === undefined ||
      spec.durationSeconds >= PROCESS_DURATION_SECONDS,
  },
  ...authRules,
  ...sessionRules,
  ...ecrRules,
  ...outputRules,
  ...templateRules,
  ...tokenRules,
];

/** Schema of `spec`: the source of its TypeScript type, of the CRD and of the judgement over stored objects. */
export const awsAssumeRoleSpecSchema = ruled(fields, rules);
