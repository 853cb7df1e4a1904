/** Wire names: labels, annotations and field manager. Other systems depend on them; they never change. */

/** Label of the legacy operators, on every Secret. */
export const legacyLabel = 'aws-assume-role';
/** Label that feeds the Secret watch; its value is `"true"`. */
export const managedLabel = 'rolevend.dev/managed';
export const fieldManager = 'rolevend';

export const annotations = {
  /** Name of the owning AWSAssumeRole. */
  owner: 'rolevend.dev/owner',
  ownerUid: 'rolevend.dev/owner-uid',
  /** RFC 3339, as the next. */
  issuedAt: 'rolevend.dev/issued-at',
  expiresAt: 'rolevend.dev/expires-at',
  inputHash: 'rolevend.dev/input-hash',
  dataSha256: 'rolevend.dev/data-sha256',
  /** JSON: the label and annotation keys copied from `spec.metadata`. */
  copiedMetadata: 'rolevend.dev/copied-metadata',
  /** JSON: assumedRoleArn, accessKeyId, packed size, request id. */
  session: 'rolevend.dev/session',
  onRevoke: 'rolevend.dev/on-revoke',
  /** On an AWSAssumeRole: asks for one refresh. */
  refreshRequestedAt: 'rolevend.dev/refresh-requested-at',
} as const;
