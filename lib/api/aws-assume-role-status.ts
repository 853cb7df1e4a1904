import * as z from 'zod';

/** The schema of status is lenient: what older operators stored must stay valid when our own patch arrives. */
const text = (description: string) => z.string().optional().meta({ description });
const time = (description: string) => text(`${description} RFC 3339.`);
const count = (description: string) => z.int().optional().meta({ description });

const condition = z
  .object({
    type: text(
      'Ready, Reconciling, Stalled, Refreshed, Granted, DurationClamped, Scrubbed, RestartImpaired, RegistryUnusable or Suspended.',
    ),
    status: text('True, False or Unknown.'),
    reason: text('One word: an AWS error code or a reason of the operator.'),
    message: text('What happened and what to do, for people.'),
    lastTransitionTime: time('When the status of this condition last changed.'),
    observedGeneration: count('metadata.generation that the condition speaks of.'),
  })
  .meta({ description: 'One aspect of the state.' });

/** Schema of `status`. Nothing in it is secret: access key ids are allowed here, keys and tokens never. */
export const awsAssumeRoleStatusSchema = z
  .object({
    observedGeneration: count('metadata.generation that this status speaks of.'),
    conditions: z.array(condition).optional().meta({
      description:
        'State of the object, one entry per type. The list is replaced as a whole, since older operators kept a history of Ready entries in it.',
      'x-kubernetes-list-type': 'atomic',
    }),
    health: z
      .object({ status: text('Healthy, Unknown or Unhealthy, as Ready is True, Unknown or False.') })
      .optional()
      .meta({ description: 'Health as older operators show it.' }),
    phase: text('Ready or Pending, as older operators show it.'),
    roleArn: text('ARN of the role.'),
    assumedRoleArn: text('ARN of the session, the same over all refreshes.'),
    accessKeyId: text('Access key id of the credential in the Secret. It is not secret.'),
    issuedAt: time('When STS issued the credential in the Secret.'),
    expiresAt: time('When what the Secret holds expires.'),
    nextRefreshAt: time('When the next refresh is due.'),
    effectiveDurationSeconds: count('Length of session that STS is asked for after all clamps, in seconds.'),
    packedPolicySizePercent: count('Use of the space that STS gives session policies and tags, in percent.'),
    lastAttemptAt: time('When STS was last asked.'),
    consecutiveFailures: count('Failed attempts since the last success.'),
    lastErrorCode: text('Code of the last failed attempt; gone after a success.'),
    lastRequestId: text('AWS request id of the last attempt, for AWS support.'),
    lastHandledRefreshRequest: text(
      'Value of the annotation rolevend.dev/refresh-requested-at that was last acted on.',
    ),
    secretRef: z
      .object({
        name: text('Name of the Secret.'),
        uid: text('UID of the Secret.'),
        resourceVersion: text("The Secret's resourceVersion after the operator's last write."),
      })
      .optional()
      .meta({ description: 'The Secret that was written last.' }),
    lastRestartAt: time('When workloads were last restarted because of a new credential.'),
    lastRestartDigest: text('SHA-256 of the data of the Secret for which workloads were last to be restarted.'),
  })
  .meta({ description: 'What the operator did and sees. Written by the operator only.' });
