import type { LookupFunction } from 'node:net';
import type { Session } from '../api/credentials.ts';

/** How this process reaches AWS. Endpoints are the operator's setting, never an object's. */
export interface AwsOptions {
  /** Region of the STS and ECR endpoints where a request names none. Regional endpoints only. */
  region: string;
  /** Replaces every endpoint, for tests. Without it the SDK reads `AWS_ENDPOINT_URL` and its service forms itself. */
  endpoint?: string | undefined;
  /** Where the own credentials come from. Default: the SDK's default chain (environment, files, IRSA, Pod Identity, …). */
  provider?: CredentialProvider | undefined;
  /** Variables such as `HTTPS_PROXY` and `NO_PROXY` that hold for every AWS call. Default: no proxy. */
  proxyEnv?: Record<string, string | undefined> | undefined;
  /**
   * PEM certificates to trust instead of the public authorities (`AWS_CA_BUNDLE`), or what gives those of now: it is asked
   * before each request, and another text holds for the connections that are opened from then on. Default: the public ones.
   */
  ca?: string | (() => string) | undefined;
  /** Looks the names of endpoints and proxies up. Default: `getaddrinfo`. */
  lookup?: LookupFunction | undefined;
  /** Most milliseconds to a connection. Default 3,000. */
  connectTimeoutMs?: number | undefined;
  /** Milliseconds for which a connection without a request is kept. Default 4,000, which is less than AWS keeps it. */
  idleMs?: number | undefined;
  /** Milliseconds for which work waits at most until AWS has told its time. Default 1,000. */
  firstAnswerMs?: number | undefined;
  /** Most milliseconds for a whole call. Default 20,000. */
  callTimeoutMs?: number | undefined;
}

/** Credentials of the operator itself, the way the AWS SDK passes them on. */
export interface BaseCredentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
  /** End of a session; long-lived keys have none. */
  expiration?: Date;
}

/** Gives the own credentials. `forceRefresh` asks for new ones although cached ones still hold. */
export type CredentialProvider = (options?: { forceRefresh?: boolean }) => Promise<BaseCredentials>;

/** Who AWS says we are. */
export interface CallerIdentity {
  /** As `GetCallerIdentity` gives it; of a role session it ends in the session's name. */
  arn: string;
  accountId: string;
  /** `aws`, `aws-cn`, `aws-us-gov`, … */
  partition: string;
  /** The role's name (without its path) when the identity is a role session. */
  role?: string;
  /** A role session: STS then grants at most 3,600 seconds (role chaining). */
  isSession: boolean;
  /** The session carries tags, as those of EKS Pod Identity do: AssumeRole then needs `sts:TagSession` on both sides. */
  carriesTags?: boolean;
  /** The session carries a source identity: AssumeRole then needs `sts:SetSourceIdentity` on both sides. */
  carriesSourceIdentity?: boolean;
  /** ARN of the session's role with its path, where it is known. */
  roleArn?: string;
}

/** A session of our own that signs for the next one, and who it is. */
export interface Signer {
  session: Session;
  caller: CallerIdentity;
}

/** A session as what signs requests, ours and the AWS SDK, takes it. */
export function credentialsOf(session: Session): BaseCredentials {
  return {
    accessKeyId: session.accessKeyId,
    secretAccessKey: session.secretAccessKey.reveal(),
    sessionToken: session.sessionToken.reveal(),
  };
}

const ARN = /^arn:([a-z0-9-]+):(?:sts|iam)::(\d{12}):(.+)$/;
const ROLE_SESSION = /^assumed-role\/([^/]+)\/(.+)$/;

/** Reads the answer of `GetCallerIdentity`. `undefined` where the ARN has a form that AWS does not document. */
export function parseCaller(arn: string): CallerIdentity | undefined {
  const [, partition, accountId, resource] = ARN.exec(arn) ?? [];
  if (partition === undefined || accountId === undefined || resource === undefined) return undefined;
  const role = ROLE_SESSION.exec(resource)?.[1];
  return { arn, accountId, partition, isSession: role !== undefined, ...(role !== undefined && { role }) };
}

/** Account and partition of the ARN of a role; empty texts where the text is none. */
export function ownerOf(roleArn: string): Pick<CallerIdentity, 'accountId' | 'partition'> {
  const [, partition = '', accountId = ''] = ARN.exec(roleArn) ?? [];
  return { accountId, partition };
}

/**
 * The principal that a policy has to name for this caller: a user's own ARN, and for a role session the IAM role's
 * ARN. A session's ARN does not hold the role's path, so it is missing here too unless `roleArn` tells it.
 */
export function policyPrincipal(caller: CallerIdentity): string {
  if (caller.roleArn !== undefined) return caller.roleArn;
  return caller.role === undefined
    ? caller.arn
    : `arn:${caller.partition}:iam::${caller.accountId}:role/${caller.role}`;
}
