/** One session that the lab's AWS issued. Times are milliseconds since 1970 by the gateway's clock. */
export interface IssuedTriple {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string;
  /** The operation that issued it, for example `AssumeRole`; `AssumeRoleForPodIdentity` for EKS Pod Identity. */
  action: string;
  /** Undefined for sessions without a role (`GetSessionToken`). */
  roleArn: string | undefined;
  /** ARN of the session. */
  arn: string;
  /** ARN of who asked, or the subject of the token it asked with. */
  caller: string | undefined;
  issuedAt: number;
  expiresAt: number;
  /** Session tags that go on to sessions made from this one. */
  transitiveTags: Readonly<Record<string, string>>;
  sourceIdentity: string | undefined;
}

/** A registry token that the lab's AWS issued. */
export interface IssuedEcrToken {
  /** What Docker logs in with as user `AWS`. */
  password: string;
  service: 'ecr' | 'ecr-public';
  accountId: string;
  region: string;
  accessKeyId: string;
  issuedAt: number;
  expiresAt: number;
}

/** One call to AWS, also one that was refused or got a fault. */
export interface CallRecord {
  service: string;
  action: string;
  region: string;
  /** ARN of the role asked for. */
  role?: string;
  /** ARN of the caller, the subject of its web identity token, or its key id where neither is known. */
  caller?: string;
  /** Arrival, milliseconds since 1970 by the gateway's clock. */
  at: number;
  /** Parameters of the query protocol, tokens left out. */
  parameters: Readonly<Record<string, string>>;
  /** HTTP status; undefined while the call runs, and where it got no answer. */
  status?: number;
  /** AWS's error code where it failed. */
  code?: string;
}

/** Which calls; a field left out matches all. `role` and `caller` are ARNs, or names without account and path. */
export interface CallFilter {
  /** Text in the ARN of the role or of the caller, or in the caller's subject. */
  about?: string;
  service?: string;
  action?: string;
  role?: string;
  caller?: string;
  region?: string;
}

/** The three fields of a session, wherever they were found. */
export interface Triple {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string;
}

/** Whether the record is one of those that the filter means. */
export function matches(record: CallRecord, filter: CallFilter): boolean {
  const { service, action, region, role, caller, about } = filter;
  return (
    (about === undefined || `${record.role} ${record.caller}`.includes(about)) &&
    (service === undefined || service === record.service) &&
    (action === undefined || action === record.action) &&
    (region === undefined || region === record.region) &&
    (role === undefined || isNamed(record.role, role)) &&
    (caller === undefined || isNamed(record.caller, caller))
  );
}

/** `arn:aws:iam::…:role/team/app` is named by itself and by `app`; a session's ARN also by its role's name. */
function isNamed(arn: string | undefined, name: string): boolean {
  if (arn === undefined) return false;
  return arn === name || arn.endsWith(`/${name}`) || arn.includes(`:assumed-role/${name}/`);
}

/** All that the gateway remembers: keys and sessions with their secrets, registry tokens, calls. */
export class Records {
  readonly sessions = new Map<string, IssuedTriple>();
  readonly ecrTokens: IssuedEcrToken[] = [];
  readonly calls: CallRecord[] = [];
  /** Tokens that were sent to be exchanged; the records of the calls leave them out. */
  readonly webIdentityTokens: string[] = [];
  readonly #keys = new Map<string, { secretAccessKey: string; arn: string }>();

  /** A long-lived key of an IAM user. */
  addKey(accessKeyId: string, secretAccessKey: string, arn: string): void {
    this.#keys.set(accessKeyId, { secretAccessKey, arn });
  }

  addSession(session: IssuedTriple): void {
    this.sessions.set(session.accessKeyId, session);
  }

  secretOf(accessKeyId: string): string | undefined {
    return this.sessions.get(accessKeyId)?.secretAccessKey ?? this.#keys.get(accessKeyId)?.secretAccessKey;
  }

  arnOf(accessKeyId: string): string | undefined {
    return this.sessions.get(accessKeyId)?.arn ?? this.#keys.get(accessKeyId)?.arn;
  }

  isOneSession(triple: Triple): boolean {
    const session = this.sessions.get(triple.accessKeyId);
    return session?.secretAccessKey === triple.secretAccessKey && session.sessionToken === triple.sessionToken;
  }
}
