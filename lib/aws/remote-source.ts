import type { BaseCredentials } from './options.ts';

/** The sources of credentials at the end of the SDK's chain, which are asked over the network. */
export type RemoteSource = 'container' | 'instance';

/** What became of asking a source. One of the four is there. */
export interface SourceAnswer {
  /** It was reached, and answered with this HTTP status. */
  status?: number;
  /** It could not be reached; what the network said, as `ECONNREFUSED`. */
  network?: string;
  /** It answered, and not with credentials. */
  noCredentials?: true;
  /** The variable whose value cannot be sent. */
  setting?: 'AWS_CONTAINER_CREDENTIALS_FULL_URI' | 'AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE';
}

/** A source that was asked gave no credentials. It holds nothing of what it said. */
export class SourceError extends Error {
  readonly source: RemoteSource;
  readonly answer: SourceAnswer;

  constructor(source: RemoteSource, answer: SourceAnswer) {
    super('no credentials');
    this.name = 'CredentialsProviderError';
    this.source = source;
    this.answer = answer;
  }
}

/** The source that a line of the SDK's debug log names, since the chain tells nobody which one it asked last. */
export function sourceIn(line: unknown): RemoteSource | undefined {
  const [, name] = /remoteProvider::(fromHttp|fromInstanceMetadata)\b/.exec(String(line)) ?? [];
  if (name === undefined) return undefined;
  return name === 'fromHttp' ? 'container' : 'instance';
}

/** The chain has given its warnings already; without a place for them the SDK takes the console. */
const logger = { debug() {}, info() {}, warn() {}, error() {}, trace() {} };

/**
 * Asks a source once more, because the chain keeps for itself what it said.
 * @param failure what the chain threw
 * @throws SourceError where it is known why it has none; else `failure`
 */
export async function askSource(source: RemoteSource, failure: unknown): Promise<BaseCredentials> {
  const { fromHttp, fromInstanceMetadata } = await import('@aws-sdk/credential-providers');
  try {
    return await (source === 'container' ? fromHttp : fromInstanceMetadata)({ maxRetries: 0, timeout: 1000, logger })();
  } catch (error) {
    const answer = answerIn(error);
    throw answer === undefined ? failure : new SourceError(source, answer);
  }
}

/** Reads the SDK's own words; those of the source stand in other fields. */
export function answerIn(error: unknown): SourceAnswer | undefined {
  const { name, message = '', statusCode, code } = error as Error & { statusCode?: unknown; code?: unknown };
  // A file that cannot be read, as the chain says itself.
  if (code === 'ENOENT' || code === 'EACCES') return undefined;
  if (typeof statusCode === 'number') return { status: statusCode };
  const [, status] = /^Server responded with status: (\d{3})$/.exec(message) ?? [];
  if (status !== undefined) return { status: Number(status) };
  if (name === 'SyntaxError' || /required format|Invalid response received/.test(message))
    return { noCredentials: true };
  if (message.startsWith('URL not accepted') || code === 'ERR_INVALID_URL')
    return { setting: 'AWS_CONTAINER_CREDENTIALS_FULL_URI' };
  if (/ERR_INVALID_CHAR|invalid \\r\\n/.test(message)) return { setting: 'AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE' };
  const [network] = /\b(?:E[A-Z]{4,}|TimeoutError)\b/.exec(`${message} ${String(code)}`) ?? [];
  return network === undefined ? undefined : { network: network === 'TimeoutError' ? 'TIMEOUT' : network };
}
