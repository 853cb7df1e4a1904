import { type Clock, systemClock } from '../../../lib/clock.ts';
import { type Answer, type Call, readCall } from './call.ts';
import { ecrAuthorizationToken, ecrPublicAuthorizationToken } from './ecr.ts';
import { Faults } from './faults.ts';
import { type CallRecord, Records } from './records.ts';
import { errorCode, Refusal, refusalAnswer } from './refusal.ts';
import { type LoopbackServer, serveLoopback } from './server.ts';
import { type GatewayParts, Lifetimes, refuseExpired } from './sessions.ts';
import { amzDate, SIGNATURE_WINDOW_MS, signAgain, signedAt, verifySignature } from './signature.ts';
import { assumeRole, assumeRoleWithWebIdentity, otherSts } from './sts.ts';
import { parseArn, Upstream } from './upstream.ts';
import { WebIdentities } from './web-identity.ts';
import { xmlText } from './xml.ts';

export interface GatewayOptions {
  upstreamUrl: string;
  region: string;
  clock: Clock;
  /** What tokens of issuers are judged by. */
  issuerClock: Clock;
  /** How far a caller's clock may be off, in milliseconds. */
  signatureWindowMs: number;
}

/** Beyond this difference from the machine's time the gateway checks signatures itself and signs again for ministack. */
const SAME_TIME_MS = 1000;

/** The strict front of ministack: one HTTP server that adds AWS's rules, faults on command and a record of everything. */
export class Gateway implements GatewayParts {
  readonly upstream: Upstream;
  readonly records = new Records();
  readonly lifetimes = new Lifetimes();
  readonly faults = new Faults(systemClock);
  readonly identities: WebIdentities;
  readonly #options: GatewayOptions;
  #server: LoopbackServer | undefined;
  skewMs = 0;

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.upstream = new Upstream(options.upstreamUrl);
    this.identities = new WebIdentities(options.issuerClock);
  }

  now(): number {
    return this.#options.clock.now() + this.skewMs;
  }

  /** Opens the server and gives its address. */
  async start(): Promise<string> {
    const answer = async (request: Parameters<typeof readCall>[0]) =>
      this.#answer(await readCall(request, this.#options.region));
    this.#server = await serveLoopback(answer, () => this.now());
    return this.#server.url;
  }

  async stop(): Promise<void> {
    await this.#server?.close();
    await this.upstream.close();
  }

  async #answer(call: Call): Promise<Answer> {
    const record = this.#record(call);
    const answer = await this.run(record, call, () => this.#carryOut(call, record));
    if (answer.status === 200 && call.service === 'iam') this.#learn(call, record, answer);
    return answer;
  }

  /** Carries a call out under the faults in force, writes refusals in the call's protocol and completes the record. */
  async run(
    record: CallRecord,
    call: Pick<Call, 'service' | 'protocol'>,
    carryOut: () => Promise<Answer>,
  ): Promise<Answer> {
    this.records.calls.push(record);
    const answer = await this.faults.around(record, call, carryOut).catch((error: unknown) => {
      if (error instanceof Refusal) return refusalAnswer(error, call.protocol, call.service);
      throw error;
    });
    record.status = answer.status;
    const code = errorCode(answer);
    if (code !== undefined) record.code = code;
    return answer;
  }

  async #carryOut(call: Call, record: CallRecord): Promise<Answer> {
    refuseRootKey(call);
    refuseExpired(call.accessKeyId, call.service, this);
    const current = this.#inUpstreamTime(call);
    if (call.service === 'sts') return this.#sts(current, record);
    if (call.action !== 'GetAuthorizationToken') return this.upstream.send(current);
    if (call.service === 'ecr-public') return ecrPublicAuthorizationToken(current, record, this);
    return call.service === 'ecr' ? ecrAuthorizationToken(current, record, this) : this.upstream.send(current);
  }

  #sts(call: Call, record: CallRecord): Promise<Answer> {
    if (call.protocol !== 'query') {
      throw new Refusal('UnknownOperationException', 'STS speaks the query protocol only');
    }
    if (call.action === 'AssumeRole') return assumeRole(call, record, this);
    if (call.action === 'AssumeRoleWithWebIdentity') return assumeRoleWithWebIdentity(call, record, this);
    return otherSts(call, record, this);
  }

  /** Where the lab's time is not the machine's: checks the signature by the lab's time and signs again by the machine's. */
  #inUpstreamTime(call: Call): Call {
    const secret = this.records.secretOf(call.accessKeyId ?? '');
    const signed = signedAt(call);
    if (Math.abs(this.now() - systemClock.now()) < SAME_TIME_MS) return call;
    if (secret === undefined || signed === undefined || !verifySignature(call, secret)) return call;
    if (Math.abs(this.now() - signed) > this.#options.signatureWindowMs) throw outsideWindow(signed, this.now());
    return signAgain(call, secret, { at: this.upstream.now() });
  }

  #record(call: Call): CallRecord {
    const parameters = Object.fromEntries([...call.params].filter(([name]) => name !== 'WebIdentityToken'));
    const role = call.params.get('RoleArn');
    const caller = this.records.arnOf(call.accessKeyId ?? '') ?? call.accessKeyId;
    return {
      service: call.service,
      action: call.action,
      region: call.region,
      ...(role === null ? {} : { role }),
      ...(caller === undefined ? {} : { caller }),
      at: this.#options.clock.now(),
      parameters,
    };
  }

  /** Keys made through the gateway are known to it; anything else that IAM changes makes its knowledge old. */
  #learn(call: Call, record: CallRecord, answer: Answer): void {
    if (call.action === 'CreateAccessKey') {
      const { accountId } = parseArn(record.caller ?? '');
      const arn = `arn:aws:iam::${accountId}:user/${xmlText(answer.body, 'UserName')}`;
      this.records.addKey(
        xmlText(answer.body, 'AccessKeyId') ?? '',
        xmlText(answer.body, 'SecretAccessKey') ?? '',
        arn,
      );
    }
    if (!/^(Get|List|Simulate)/.test(call.action)) this.upstream.forget();
  }
}

/** ministack takes `test` and every 12 digits as a root key and does not check its signature; AWS knows no such keys. */
function refuseRootKey(call: Call): void {
  if (!(call.headers.authorization ?? 'AWS4-HMAC-SHA256 ').startsWith('AWS4-HMAC-SHA256 ')) {
    throw new Refusal('IncompleteSignature', 'The request signature does not conform to AWS standards.');
  }
  if (call.accessKeyId !== undefined && !/^(AKIA|ASIA)\w{12,124}$/.test(call.accessKeyId)) {
    throw new Refusal('InvalidClientTokenId', 'The security token included in the request is invalid.');
  }
}

function outsideWindow(signed: number, now: number): Refusal {
  const limit = signed < now ? now - SIGNATURE_WINDOW_MS : now + SIGNATURE_WINDOW_MS;
  const [when, side] = signed < now ? ['expired', 'now earlier'] : ['not yet current', 'still later'];
  const reason = `(${amzDate(now)} ${signed < now ? '-' : '+'} 15 min.)`;
  const message = `Signature ${when}: ${amzDate(signed)} is ${side} than ${amzDate(limit)} ${reason}`;
  return new Refusal('SignatureDoesNotMatch', message);
}
