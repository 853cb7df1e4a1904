import { IAMClient } from '@aws-sdk/client-iam';
import { type Clock, systemClock } from '../../../lib/clock.ts';
import { findPython } from '../install/python.ts';
import { GatewayControl } from './control.ts';
import { Gateway } from './gateway.ts';
import { type Ministack, startMinistack } from './ministack.ts';
import { PodIdentityAgent } from './pod-identity.ts';
import { Account, type Keys } from './seed.ts';
import { SIGNATURE_WINDOW_MS } from './signature.ts';
import { xmlText } from './xml.ts';

export { GatewayControl, type PodIdentityEnvironment } from './control.ts';
export type { FaultKind, FaultRule } from './faults.ts';
export type { PodIdentityAssociation } from './pod-identity.ts';
export type { CallFilter, CallRecord, IssuedEcrToken, IssuedTriple, Triple } from './records.ts';
export { Account, type Keys, type RoleTerms } from './seed.ts';
export * from './trust.ts';
export type { TrustedIssuer } from './web-identity.ts';

export interface AwsStart {
  /** AWS's time, default the machine's. With another one any age of a signature is accepted unless `signatureWindowMs` is given. */
  clock?: Clock;
  /** What web identity tokens are judged by, default the machine's time, which their issuers have. */
  issuerClock?: Clock;
  /** Default 111122223333. */
  accountId?: string;
  /** Default eu-central-1. */
  region?: string;
  /** How far a caller's clock may be off, in milliseconds, default 15 minutes as on AWS. */
  signatureWindowMs?: number;
  /** A Python interpreter that has ministack, default the laboratory's own. */
  python?: string;
}

/** A running AWS of the laboratory. It is the account of `accountId`, with its IAM, and more where asked. */
export interface LabAws extends Pick<Account, AccountMethods> {
  /** For AWS_ENDPOINT_URL. */
  endpoint: string;
  accountId: string;
  region: string;
  /** A user with all rights. */
  adminCredentials: Keys;
  iam: IAMClient;
  gateway: GatewayControl;
  /** Another account, for roles across accounts. The id has 12 digits. */
  account(accountId: string): Promise<Account>;
  /** The variables for a process that uses this AWS, without those of credentials unless given. */
  environment(credentials?: Keys & { sessionToken?: string }): Record<string, string>;
  /** Ends everything and leaves nothing. */
  stop(): Promise<void>;
}

type AccountMethods = {
  [K in keyof Account]: Account[K] extends (...args: never[]) => unknown ? K : never;
}[keyof Account];

/** Starts AWS on free loopback ports, within about half a second. */
export async function startAws(options: AwsStart = {}): Promise<LabAws> {
  const { accountId = '111122223333', region = 'eu-central-1', clock = systemClock } = options;
  const ministack = await startMinistack({ python: options.python ?? (await laboratoryPython()), accountId, region });
  const ownTime = clock !== systemClock;
  const gateway = new Gateway({
    upstreamUrl: ministack.url,
    region,
    clock,
    issuerClock: options.issuerClock ?? systemClock,
    signatureWindowMs: options.signatureWindowMs ?? (ownTime ? Number.POSITIVE_INFINITY : SIGNATURE_WINDOW_MS),
  });
  const agent = new PodIdentityAgent(gateway, region);
  const endpoint = await gateway.start();
  const clients: IAMClient[] = [];
  const openAccount = async (id: string) => {
    const keys = await createAdmin(gateway, id);
    const iam = new IAMClient({ endpoint, region, credentials: keys });
    clients.push(iam);
    return { keys, account: new Account(id, iam) };
  };
  const { keys, account } = await openAccount(accountId);
  const control = new GatewayControl(gateway, agent, await agent.start());
  return {
    ...methodsOf(account),
    endpoint,
    accountId,
    region,
    adminCredentials: keys,
    iam: account.iam,
    gateway: control,
    account: async (id) => (await openAccount(id)).account,
    environment: (credentials) => environmentFor(endpoint, region, credentials),
    stop: () => stopAll(clients, agent, gateway, ministack),
  };
}

/** A user with all rights, made behind the gateway, since nobody has a key yet. */
async function createAdmin(gateway: Gateway, accountId: string): Promise<Keys> {
  const user = { UserName: 'admin' };
  const statement = { Effect: 'Allow', Action: '*', Resource: '*' };
  const document = JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
  await gateway.upstream.asRoot(accountId, 'iam', { Action: 'CreateUser', ...user });
  const policy = { Action: 'PutUserPolicy', ...user, PolicyName: 'all', PolicyDocument: document };
  await gateway.upstream.asRoot(accountId, 'iam', policy);
  const answer = await gateway.upstream.asRoot(accountId, 'iam', { Action: 'CreateAccessKey', ...user });
  const accessKeyId = xmlText(answer.body, 'AccessKeyId') ?? '';
  const secretAccessKey = xmlText(answer.body, 'SecretAccessKey') ?? '';
  gateway.records.addKey(accessKeyId, secretAccessKey, `arn:aws:iam::${accountId}:user/admin`);
  return { accessKeyId, secretAccessKey };
}

function environmentFor(
  endpoint: string,
  region: string,
  credentials: (Keys & { sessionToken?: string }) | undefined,
): Record<string, string> {
  const base = {
    AWS_ENDPOINT_URL: endpoint,
    AWS_REGION: region,
    // botocore and the AWS CLI read this one.
    AWS_DEFAULT_REGION: region,
    AWS_EC2_METADATA_DISABLED: 'true',
  };
  if (credentials === undefined) return base;
  const { accessKeyId, secretAccessKey, sessionToken } = credentials;
  return {
    ...base,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    ...(sessionToken === undefined ? {} : { AWS_SESSION_TOKEN: sessionToken }),
  };
}

function methodsOf(account: Account): Pick<Account, AccountMethods> {
  return {
    roleArn: account.roleArn.bind(account),
    createRole: account.createRole.bind(account),
    putPolicies: account.putPolicies.bind(account),
    updateTrust: account.updateTrust.bind(account),
    deleteRole: account.deleteRole.bind(account),
    createUser: account.createUser.bind(account),
    operatorUser: account.operatorUser.bind(account),
    operatorRole: account.operatorRole.bind(account),
    oidcProvider: account.oidcProvider.bind(account),
  };
}

async function stopAll(clients: IAMClient[], agent: PodIdentityAgent, gateway: Gateway, ministack: Ministack) {
  for (const client of clients) client.destroy();
  await agent.stop();
  await gateway.stop();
  await ministack.stop();
}

async function laboratoryPython(): Promise<string> {
  const python = await findPython();
  if (python !== undefined) return python;
  throw new Error('ministack is not installed: run `make lab` or `node spec/lab/install.ts` once');
}
