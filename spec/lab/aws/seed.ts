import {
  AttachRolePolicyCommand,
  CreateAccessKeyCommand,
  CreateOpenIDConnectProviderCommand,
  CreateRoleCommand,
  CreateUserCommand,
  DeleteRoleCommand,
  DeleteRolePolicyCommand,
  DetachRolePolicyCommand,
  type IAMClient,
  ListAttachedRolePoliciesCommand,
  ListRolePoliciesCommand,
  PutRolePolicyCommand,
  PutUserPolicyCommand,
  UpdateAssumeRolePolicyCommand,
} from '@aws-sdk/client-iam';
import { joinTrust, type TrustPolicy, trustPodIdentity, trustServiceAccount } from './trust.ts';

/** A long-lived key of an IAM user. */
export interface Keys {
  accessKeyId: string;
  secretAccessKey: string;
}

export interface RoleTerms {
  trust: TrustPolicy;
  /** Begins and ends with a slash, default `/`. */
  path?: string;
  /** Seconds, 3600 (the default) to 43200. */
  maxSessionDuration?: number;
  /** What its sessions may do: inline policies by name, or statements given as actions allowed on everything. */
  policies?: Record<string, object> | string[];
  /** ARNs of managed policies. */
  managedPolicies?: string[];
  tags?: Record<string, string>;
}

/** What the operator needs of AWS for itself. */
const operatorActions = ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity'];

/** Puts things into the IAM of one account. Every method waits until AWS has them. */
export class Account {
  readonly id: string;
  /** A client with all rights. */
  readonly iam: IAMClient;

  constructor(id: string, iam: IAMClient) {
    this.id = id;
    this.iam = iam;
  }

  /** The ARN that a role of this name has or would have. */
  roleArn(name: string, path = '/'): string {
    return `arn:aws:iam::${this.id}:role${path}${name}`;
  }

  /** Creates a role and gives its ARN. */
  async createRole(name: string, terms: RoleTerms): Promise<string> {
    const tags = Object.entries(terms.tags ?? {}).map(([Key, Value]) => ({ Key, Value }));
    const command = new CreateRoleCommand({
      RoleName: name,
      AssumeRolePolicyDocument: JSON.stringify(terms.trust),
      Path: terms.path,
      MaxSessionDuration: terms.maxSessionDuration,
      ...(tags.length > 0 ? { Tags: tags } : {}),
    });
    await this.iam.send(command);
    await this.putPolicies(name, terms.policies ?? []);
    for (const PolicyArn of terms.managedPolicies ?? []) {
      await this.iam.send(new AttachRolePolicyCommand({ RoleName: name, PolicyArn }));
    }
    return this.roleArn(name, terms.path);
  }

  /** Writes inline policies of a role; actions are allowed on everything. */
  async putPolicies(name: string, policies: Record<string, object> | string[]): Promise<void> {
    const documents = Array.isArray(policies) ? (policies.length > 0 ? { inline: allow(policies) } : {}) : policies;
    for (const [PolicyName, document] of Object.entries(documents)) {
      const input = { RoleName: name, PolicyName, PolicyDocument: JSON.stringify(document) };
      await this.iam.send(new PutRolePolicyCommand(input));
    }
  }

  async updateTrust(name: string, trust: TrustPolicy): Promise<void> {
    const input = { RoleName: name, PolicyDocument: JSON.stringify(trust) };
    await this.iam.send(new UpdateAssumeRolePolicyCommand(input));
  }

  /** Deletes a role with its inline policies and attachments. */
  async deleteRole(name: string): Promise<void> {
    const { PolicyNames = [] } = await this.iam.send(new ListRolePoliciesCommand({ RoleName: name }));
    for (const PolicyName of PolicyNames) {
      await this.iam.send(new DeleteRolePolicyCommand({ RoleName: name, PolicyName }));
    }
    const { AttachedPolicies = [] } = await this.iam.send(new ListAttachedRolePoliciesCommand({ RoleName: name }));
    for (const { PolicyArn } of AttachedPolicies) {
      await this.iam.send(new DetachRolePolicyCommand({ RoleName: name, PolicyArn }));
    }
    await this.iam.send(new DeleteRoleCommand({ RoleName: name }));
  }

  /** Creates an IAM user with a key. @param actions what it may do on everything */
  async createUser(name: string, actions: string[]): Promise<Keys & { arn: string }> {
    await this.iam.send(new CreateUserCommand({ UserName: name }));
    const policy = { UserName: name, PolicyName: 'inline', PolicyDocument: JSON.stringify(allow(actions)) };
    if (actions.length > 0) await this.iam.send(new PutUserPolicyCommand(policy));
    const { AccessKey } = await this.iam.send(new CreateAccessKeyCommand({ UserName: name }));
    const { AccessKeyId: accessKeyId = '', SecretAccessKey: secretAccessKey = '' } = AccessKey ?? {};
    return { accessKeyId, secretAccessKey, arn: `arn:aws:iam::${this.id}:user/${name}` };
  }

  /** An IAM user that may assume every role, as an operator outside of AWS uses it. */
  operatorUser(name = 'rolevend'): Promise<Keys & { arn: string }> {
    return this.createUser(name, operatorActions);
  }

  /**
   * A role that may assume every role, for the operator itself: by EKS Pod Identity, and by web identity (IRSA)
   * where a provider is given.
   */
  operatorRole(
    name = 'rolevend',
    irsa?: { providerArn: string; namespace: string; serviceAccount: string },
  ): Promise<string> {
    const trust =
      irsa === undefined
        ? trustPodIdentity()
        : joinTrust(
            trustPodIdentity(),
            trustServiceAccount(irsa.providerArn, { namespace: irsa.namespace, name: irsa.serviceAccount }),
          );
    return this.createRole(name, { trust, policies: operatorActions });
  }

  /** Makes an issuer of tokens known to IAM and gives the provider's ARN. How it is reached: `gateway.trustIssuer`. */
  async oidcProvider(issuer: string, audiences: string[] = ['sts.amazonaws.com']): Promise<string> {
    const input = { Url: issuer, ClientIDList: audiences, ThumbprintList: ['0'.repeat(40)] };
    const { OpenIDConnectProviderArn = '' } = await this.iam.send(new CreateOpenIDConnectProviderCommand(input));
    return OpenIDConnectProviderArn;
  }
}

/** A policy that allows these actions on everything. */
function allow(actions: string[]): object {
  return { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: actions, Resource: '*' }] };
}
