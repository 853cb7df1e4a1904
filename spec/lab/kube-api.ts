import { Agent, request } from 'undici';
import { HANG_LIMIT_MS } from '../support/eventually.ts';
import { type Access, readKubeconfig } from './kubeconfig.ts';

const MERGE_PATCH = 'application/merge-patch+json';

/** An answer of the API server. */
export interface ApiAnswer<T = Record<string, unknown>> {
  /** HTTP status. */
  status: number;
  /** The parsed JSON, or the text where it is none. */
  body: T;
}

/** A plain client for seeding and checking: no retries, no checks, one request at a time. The product has its own. */
export class KubeApi {
  readonly #access: Access;
  readonly #agent: Agent;

  constructor(access: Access) {
    this.#access = access;
    this.#agent = new Agent({ connect: access.ca === undefined ? {} : { ca: access.ca }, keepAliveTimeout: 1_000 });
  }

  /** A client that speaks as the user of the kubeconfig's current context. */
  static async of(kubeconfig: string): Promise<KubeApi> {
    return new KubeApi(await readKubeconfig(kubeconfig));
  }

  /**
   * One request. A PATCH is a merge patch unless `contentType` says otherwise.
   *
   * @param path with its query, from the leading slash on
   * @throws the error of the network; never for an HTTP status
   */
  async request<T = Record<string, unknown>>(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    body?: object,
    contentType: string = method === 'PATCH' ? MERGE_PATCH : 'application/json',
  ): Promise<ApiAnswer<T>> {
    const token = await this.#access.token();
    const answer = await request(`${this.#access.server}${path}`, {
      method,
      dispatcher: this.#agent,
      headers: { ...(token ? { authorization: `Bearer ${token}` } : {}), 'content-type': contentType },
      body: body === undefined ? null : JSON.stringify(body),
      headersTimeout: HANG_LIMIT_MS,
      bodyTimeout: HANG_LIMIT_MS,
    });
    const text = await answer.body.text();
    return { status: answer.statusCode, body: parsed(text) as T };
  }

  /** Closes the connections. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
