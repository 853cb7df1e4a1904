import * as z from 'zod';
import { roleArnRules } from './patterns.ts';
import { ruled } from './rules.ts';
import { externalId, sessionTags, transitiveRule, transitiveTagKeys } from './session.ts';

/** Most roles between the operator and the role of the object. */
const MAX_HOPS = 4;

const fields = z
  .object({
    roleArn: ruled(z.string().max(640), roleArnRules).meta({
      description: 'ARN of the role, in any account and partition. At most 640 characters.',
    }),
    externalId: externalId.optional(),
    sessionTags: sessionTags.optional(),
    transitiveTagKeys: transitiveTagKeys.optional(),
  })
  .meta({ description: 'One role on the way.' });

/** Schema of `chain`. */
export const chain = z
  .array(ruled(fields, [transitiveRule]))
  .max(MAX_HOPS)
  .meta({
    description: `Roles to assume one after the other before the role of this object, each with the session of the one before. A RoleGrant has to allow each of them (none where auth.type is ServiceAccount), and each has to trust the one before. Their sessions live 15 minutes and are kept nowhere. The session of this object then lives 3600 seconds at most (role chaining). Default: none. At most ${MAX_HOPS}.`,
  });

/** One role on the way, as it is written. */
export type Hop = z.infer<typeof fields>;
