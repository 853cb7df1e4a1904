/** The account of a role's ARN. */
export function accountOf(roleArn: string): string {
  return roleArn.split(':')[4] ?? '';
}

/** The partition of a role's ARN. */
export function partitionOf(roleArn: string): string {
  return roleArn.split(':')[1] ?? '';
}
