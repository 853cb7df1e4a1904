import { Agent, request } from 'undici';
import { systemClock } from '../../../lib/clock.ts';
import type { Answer, Call } from './call.ts';
import type { TrustPolicy } from './trust.ts';
import { xmlText } from './xml.ts';

/** What the gateway's own rules need to know of a role. */
export interface RoleFacts {
  arn: string;
  maxSessionDuration: number;
  trust: TrustPolicy;
}

/** An IAM OIDC provider. */
export interface ProviderFacts {
  arn: string;
  clientIds: string[];
}

const hopByHop = new Set(['connection', 'content-length', 'expect', 'keep-alive', 'transfer-encoding']);

/** The way to ministack: calls passed on as they are, and questions of our own, asked as the account's root. */
export class Upstream {
  readonly #url: string;
  readonly #agent = new Agent({ connections: 64 });
  readonly #known = new Map<string, Promise<unknown>>();

  constructor(url: string) {
    this.#url = url;
  }

  /** ministack's own time in milliseconds since 1970; what is signed again for it must be near. */
  now(): number {
    return systemClock.now();
  }

  /** Passes the call on. Host, path, query and body stay as they are, since the signature covers them. */
  async send(call: Pick<Call, 'method' | 'url' | 'headers' | 'body'>): Promise<Answer> {
    const headers = Object.entries(call.headers).filter(([name]) => !hopByHop.has(name));
    const response = await request(this.#url + call.url, {
      method: call.method,
      headers: Object.fromEntries(headers),
      body: call.body.length > 0 ? call.body : null,
      dispatcher: this.#agent,
    });
    const body = Buffer.from(await response.body.arrayBuffer());
    const kept = Object.entries(response.headers).filter(([name]) => !hopByHop.has(name) && name !== 'date');
    return {
      status: response.statusCode,
      headers: Object.fromEntries(kept.map(([name, value]) => [name, String(value)])),
      body,
    };
  }

  /** Calls an action of the query protocol as the root of an account; ministack takes the account's id as such a key. */
  async asRoot(accountId: string, service: 'iam' | 'sts', parameters: Record<string, string>): Promise<Answer> {
    const version = service === 'iam' ? '2010-05-08' : '2011-06-15';
    const body = Buffer.from(new URLSearchParams({ Version: version, ...parameters }).toString());
    const scope = `${accountId}/20260101/us-east-1/${service}/aws4_request`;
    const headers = {
      authorization: `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host, Signature=none`,
      'content-type': 'application/x-www-form-urlencoded',
    };
    return this.send({ method: 'POST', url: '/', headers, body });
  }

  /** The role of this ARN, path included, or undefined where the account has none. Remembered until `forget`. */
  role(arn: string): Promise<RoleFacts | undefined> {
    const { accountId, resource } = parseArn(arn);
    return this.#once(`role ${arn}`, async () => {
      const answer = await this.asRoot(accountId, 'iam', { Action: 'GetRole', RoleName: lastPart(resource) });
      if (answer.status !== 200 || xmlText(answer.body, 'Arn') !== arn) return undefined;
      const document = xmlText(answer.body, 'AssumeRolePolicyDocument') ?? '{}';
      return {
        arn,
        maxSessionDuration: Number(xmlText(answer.body, 'MaxSessionDuration') ?? 3600),
        trust: JSON.parse(document.startsWith('%') ? decodeURIComponent(document) : document),
      };
    });
  }

  /** The account's OIDC provider for this issuer, or undefined. Remembered until `forget`. */
  provider(accountId: string, issuer: string): Promise<ProviderFacts | undefined> {
    const arn = `arn:aws:iam::${accountId}:oidc-provider/${issuer.replace(/^https?:\/\//, '').replace(/\/$/, '')}`;
    return this.#once(`provider ${arn}`, async () => {
      const answer = await this.asRoot(accountId, 'iam', {
        Action: 'GetOpenIDConnectProvider',
        OpenIDConnectProviderArn: arn,
      });
      if (answer.status !== 200) return undefined;
      const list = /<ClientIDList>(.*?)<\/ClientIDList>/s.exec(answer.body.toString())?.[1] ?? '';
      return { arn, clientIds: [...list.matchAll(/<member>([^<]*)</g)].map((match) => match[1] ?? '') };
    });
  }

  /**
   * Whether the identity policies of a user or role (its ARN, or a session's) allow the action on the resource, default
   * `*`. Remembered until `forget`.
   */
  allows(principalArn: string, action: string, resourceArn = '*'): Promise<boolean> {
    const { accountId, resource } = parseArn(principalArn);
    const [kind, ...names] = resource.split('/');
    // A session's ARN names the role and the session; ministack looks for roles and users by name, without the path.
    const name = kind === 'assumed-role' ? names[0] : names.at(-1);
    const source = `arn:aws:iam::${accountId}:${kind === 'user' ? 'user' : 'role'}/${name}`;
    return this.#once(`allows ${source} ${action} ${resourceArn}`, async () => {
      const answer = await this.asRoot(accountId, 'iam', {
        Action: 'SimulatePrincipalPolicy',
        PolicySourceArn: source,
        'ActionNames.member.1': action,
        'ResourceArns.member.1': resourceArn,
      });
      return xmlText(answer.body, 'EvalDecision') === 'allowed';
    });
  }

  /** To be called after everything that may have changed IAM. */
  forget(): void {
    this.#known.clear();
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  #once<T>(key: string, ask: () => Promise<T>): Promise<T> {
    const known = this.#known.get(key) ?? ask();
    this.#known.set(key, known);
    known.catch(() => this.#known.delete(key));
    return known as Promise<T>;
  }
}

/** The account and the resource of an ARN; empty texts where it has none. */
export function parseArn(arn: string): { accountId: string; resource: string } {
  const [, , , , accountId = '', ...resource] = arn.split(':');
  return { accountId, resource: resource.join(':') };
}

function lastPart(resource: string): string {
  return resource.slice(resource.lastIndexOf('/') + 1);
}
