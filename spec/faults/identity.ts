import {
  type AttachedControlPlane,
  joinTrust,
  type Keys,
  type LabAws,
  trustPrincipals,
  trustServiceAccount,
} from '../lab/index.ts';
import { SERVICE_ACCOUNT } from './scenarios.ts';

/** Lets the lab's AWS trust the cluster's ServiceAccounts, and gives the ARN of the provider. */
export function trustCluster({ issuer, caFile }: AttachedControlPlane, aws: LabAws): Promise<string> {
  aws.gateway.trustIssuer({ issuer, caFile });
  return aws.oidcProvider(issuer);
}

/**
 * Makes the user that the operator is, and the roles of a namespace. All have the namespace's name in theirs, so that calls
 * of other plans can be told from those of this one.
 */
export async function giveIdentity(aws: LabAws, provider: string, namespace: string): Promise<Keys & { arn: string }> {
  const keys = await aws.operatorUser(namespace);
  const hop = await aws.createRole(hopName(namespace), {
    trust: trustPrincipals(keys.arn),
    policies: ['sts:AssumeRole'],
  });
  const account = { namespace, name: SERVICE_ACCOUNT };
  await aws.createRole(namespace, {
    trust: joinTrust(trustPrincipals([keys.arn, hop]), trustServiceAccount(provider, account)),
    policies: ['ecr:GetAuthorizationToken'],
    maxSessionDuration: 43_200,
  });
  return keys;
}

/** The role through which a chain may lead to the role of the namespace. */
export function hopName(namespace: string): string {
  return `${namespace}-hop`;
}

/** Whether an ARN is that of such a role. */
export function isHop(roleArn: string | undefined): boolean {
  return roleArn?.endsWith('-hop') === true;
}
