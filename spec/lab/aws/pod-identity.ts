import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { JWTPayload } from 'jose';
import { rfc3339 } from '../../../lib/clock.ts';
import type { Answer } from './call.ts';
import type { Gateway } from './gateway.ts';
import type { CallRecord, IssuedTriple } from './records.ts';
import { Refusal } from './refusal.ts';
import { type LoopbackServer, serveLoopback } from './server.ts';
import { recordSession } from './sessions.ts';
import { POD_IDENTITY_SERVICE, trustsService } from './trust.ts';
import { parseArn } from './upstream.ts';
import { issuerOf } from './web-identity.ts';

/** An EKS Pod Identity association. */
export interface PodIdentityAssociation {
  namespace: string;
  serviceAccount: string;
  roleArn: string;
  /** Name of the cluster for tags and session names, default `lab`. */
  clusterName?: string;
  /** Issuer of the cluster's tokens. Default: any that is trusted. */
  issuer?: string;
}

/** What EKS grants, whatever the role's maximum is. */
const POD_IDENTITY_SECONDS = 6 * 3600;

/** The ServiceAccount that a bound token is for. */
interface Workload {
  namespace: string;
  serviceAccount: string;
  podName: string;
  podUid: string;
}

/** The agent that gives Pods (here: the operator under test) the credentials of their associated role. */
export class PodIdentityAgent {
  readonly #gateway: Gateway;
  readonly #associations: PodIdentityAssociation[] = [];
  readonly #region: string;
  #server: LoopbackServer | undefined;

  constructor(gateway: Gateway, region: string) {
    this.#gateway = gateway;
    this.#region = region;
  }

  /** Opens the agent's server and gives the value of AWS_CONTAINER_CREDENTIALS_FULL_URI. */
  async start(): Promise<string> {
    this.#server = await serveLoopback(
      (request) => this.#answer(request),
      () => this.#gateway.now(),
    );
    return `${this.#server.url}/v1/credentials`;
  }

  async stop(): Promise<void> {
    await this.#server?.close();
  }

  /** The latest association of a ServiceAccount counts. */
  associate(association: PodIdentityAssociation): void {
    this.#associations.unshift(association);
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    const record: CallRecord = {
      service: 'eks-auth',
      action: 'AssumeRoleForPodIdentity',
      region: this.#region,
      at: this.#gateway.now(),
      parameters: {},
    };
    const call = { service: 'eks-auth', protocol: 'rest' } as const;
    return this.#gateway.run(record, call, () => this.#issue(request, record));
  }

  async #issue(request: IncomingMessage, record: CallRecord): Promise<Answer> {
    if (request.url !== '/v1/credentials') throw new Refusal('ResourceNotFoundException', 'No such path', 404);
    const token = request.headers.authorization ?? '';
    const issuer = issuerOf(token);
    if (!this.#gateway.identities.isTrusted(issuer)) {
      throw new Refusal('InvalidTokenException', `The issuer ${issuer} belongs to no cluster`);
    }
    const claims = await this.#gateway.identities.verify(token, [POD_IDENTITY_SERVICE]);
    record.caller = claims.sub ?? '';
    const association = this.#associationOf(claims, issuer);
    record.role = association.roleArn;
    return this.#assume(association, workloadOf(claims), record);
  }

  async #assume(association: PodIdentityAssociation, workload: Workload, record: CallRecord): Promise<Answer> {
    const { upstream } = this.#gateway;
    const role = await upstream.role(association.roleArn);
    const trusted = ['sts:AssumeRole', 'sts:TagSession'].every(
      (action) => role !== undefined && trustsService(role.trust, POD_IDENTITY_SERVICE, action),
    );
    if (!trusted) throw unauthorized(association);
    const tags = sessionTags(association, workload, this.#region);
    const { accountId } = parseArn(association.roleArn);
    const answer = await upstream.asRoot(accountId, 'sts', assumeParameters(association, workload, tags));
    if (answer.status !== 200) throw unauthorized(association);
    const terms = { seconds: POD_IDENTITY_SECONDS, roleArn: association.roleArn, caller: record.caller };
    const session = recordSession(answer, record, { ...terms, transitiveTags: tags }, this.#gateway);
    return credentialsAnswer(session, accountId);
  }

  #associationOf(claims: JWTPayload, issuer: string): PodIdentityAssociation {
    const { namespace, serviceAccount } = workloadOf(claims);
    const found = this.#associations.find(
      (one) =>
        one.namespace === namespace &&
        one.serviceAccount === serviceAccount &&
        (one.issuer === undefined || one.issuer === issuer),
    );
    if (found !== undefined) return found;
    const text = `No association found for service account ${serviceAccount} in namespace ${namespace}`;
    throw new Refusal('ResourceNotFoundException', text, 404);
  }
}

function workloadOf(claims: JWTPayload): Workload {
  const [, , namespace = '', serviceAccount = ''] = (claims.sub ?? '').split(':');
  const bound = claims['kubernetes.io'] as { pod?: { name: string; uid: string } } | undefined;
  return {
    namespace,
    serviceAccount,
    podName: bound?.pod?.name ?? `${serviceAccount}-0`,
    podUid: bound?.pod?.uid ?? randomUUID(),
  };
}

/** All of them are transitive. */
function sessionTags(association: PodIdentityAssociation, workload: Workload, region: string): Record<string, string> {
  const clusterName = association.clusterName ?? 'lab';
  const { accountId } = parseArn(association.roleArn);
  return {
    'eks-cluster-arn': `arn:aws:eks:${region}:${accountId}:cluster/${clusterName}`,
    'eks-cluster-name': clusterName,
    'kubernetes-namespace': workload.namespace,
    'kubernetes-service-account': workload.serviceAccount,
    'kubernetes-pod-name': workload.podName,
    'kubernetes-pod-uid': workload.podUid,
  };
}

function assumeParameters(association: PodIdentityAssociation, workload: Workload, tags: Record<string, string>) {
  const name = `eks-${association.clusterName ?? 'lab'}-${workload.podName}`.slice(0, 27);
  const parameters: Record<string, string> = {
    Action: 'AssumeRole',
    RoleArn: association.roleArn,
    RoleSessionName: `${name}-${randomUUID()}`,
    DurationSeconds: String(POD_IDENTITY_SECONDS),
  };
  Object.entries(tags).forEach(([key, value], index) => {
    parameters[`Tags.member.${index + 1}.Key`] = key;
    parameters[`Tags.member.${index + 1}.Value`] = value;
  });
  return parameters;
}

function credentialsAnswer(session: IssuedTriple, accountId: string): Answer {
  const body = {
    AccessKeyId: session.accessKeyId,
    SecretAccessKey: session.secretAccessKey,
    Token: session.sessionToken,
    AccountId: accountId,
    Expiration: rfc3339(session.expiresAt),
  };
  return { status: 200, headers: { 'content-type': 'application/json' }, body: Buffer.from(JSON.stringify(body)) };
}

function unauthorized(association: PodIdentityAssociation): Refusal {
  const text = `Unauthorized Exception! EKS does not have permissions to assume the associated role ${association.roleArn}.`;
  return new Refusal('AccessDeniedException', text, 400);
}
