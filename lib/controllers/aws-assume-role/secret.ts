import type { AWSAssumeRole } from '../../api/aws-assume-role.ts';
import type { KubeObject } from '../../kube/objects.ts';

/** A Secret as the API server holds it. `data` values are base64. */
export interface Secret extends KubeObject {
  type?: string;
  immutable?: boolean;
  data?: Record<string, string>;
}

/** The UID of an object that the API server holds. */
export function uidOf(object: AWSAssumeRole): string {
  return object.metadata.uid ?? '';
}
