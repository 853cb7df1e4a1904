import type { V1Secret } from '@kubernetes/client-node';
import type { AWSAssumeRole } from '../../api/aws-assume-role.ts';
import type { BuiltIn } from '../../kube/objects.ts';

/** A Secret as the API server holds it. `data` values are base64. */
export type Secret = BuiltIn<V1Secret>;

/** The UID of an object that the API server holds. */
export function uidOf(object: AWSAssumeRole): string {
  return object.metadata.uid ?? '';
}
