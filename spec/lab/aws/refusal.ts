import { randomUUID } from 'node:crypto';
import type { Answer, Protocol } from './call.ts';
import { escapeXml, xmlText } from './xml.ts';

/** An error answer in AWS's words. `code` is the query protocol's; `refusalAnswer` gives the one of the call's protocol. */
export class Refusal extends Error {
  readonly code: string;
  readonly status: number;

  /** @param status HTTP status, default the one that STS gives with this code, else 400 */
  constructor(code: string, message: string, status: number = statuses[code] ?? 400) {
    super(message);
    this.name = 'Refusal';
    this.code = code;
    this.status = status;
  }
}

const statuses: Readonly<Record<string, number>> = {
  AccessDenied: 403,
  ExpiredToken: 403,
  IDPRejectedClaim: 403,
  InternalFailure: 500,
  InvalidClientTokenId: 403,
  MissingAuthenticationToken: 403,
  OptInRequired: 403,
  RegionDisabledException: 403,
  ServiceUnavailable: 503,
  SignatureDoesNotMatch: 403,
  TooManyRequestsException: 429,
};

const jsonCodes: Readonly<Record<string, string>> = {
  AccessDenied: 'AccessDeniedException',
  ExpiredToken: 'ExpiredTokenException',
  InternalFailure: 'ServerException',
  InvalidClientTokenId: 'UnrecognizedClientException',
  MissingAuthenticationToken: 'MissingAuthenticationTokenException',
  ServiceUnavailable: 'ServiceUnavailableException',
  SignatureDoesNotMatch: 'InvalidSignatureException',
  Throttling: 'ThrottlingException',
  ValidationError: 'ValidationException',
};

const namespaces: Readonly<Record<string, string>> = {
  iam: 'https://iam.amazonaws.com/doc/2010-05-08/',
  sts: 'https://sts.amazonaws.com/doc/2011-06-15/',
};

/** The refusal as the protocol writes it. The JSON protocols answer every client error but REST's with HTTP 400. */
export function refusalAnswer(refusal: Refusal, protocol: Protocol, service: string): Answer {
  const answer = inWords(refusal, protocol, service);
  const retryAfter = refusal.status === 429 ? { 'retry-after': '1' } : {};
  return { ...answer, headers: { ...answer.headers, ...retryAfter } };
}

function inWords(refusal: Refusal, protocol: Protocol, service: string): Answer {
  const requestId = randomUUID();
  if (protocol === 'query') return queryError(refusal, service, requestId);
  if (protocol === 's3') return s3Error(refusal, requestId);
  const code = jsonCodes[refusal.code] ?? refusal.code;
  const status = protocol === 'json' && refusal.status < 500 ? 400 : refusal.status;
  const type = protocol === 'json' ? 'application/x-amz-json-1.1' : 'application/json';
  return {
    status,
    headers: { 'content-type': type, 'x-amzn-requestid': requestId, 'x-amzn-errortype': code },
    body: Buffer.from(JSON.stringify({ __type: code, message: refusal.message })),
  };
}

function queryError(refusal: Refusal, service: string, requestId: string): Answer {
  const type = refusal.status < 500 ? 'Sender' : 'Receiver';
  const error = `<Type>${type}</Type><Code>${refusal.code}</Code><Message>${escapeXml(refusal.message)}</Message>`;
  const body = `<ErrorResponse xmlns="${namespaces[service] ?? namespaces.sts}"><Error>${error}</Error><RequestId>${requestId}</RequestId></ErrorResponse>`;
  return {
    status: refusal.status,
    headers: { 'content-type': 'text/xml', 'x-amzn-requestid': requestId },
    body: Buffer.from(body),
  };
}

function s3Error(refusal: Refusal, requestId: string): Answer {
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${refusal.code}</Code><Message>${escapeXml(refusal.message)}</Message><RequestId>${requestId}</RequestId></Error>`;
  const status = refusal.code === 'ExpiredToken' ? 400 : refusal.status;
  return {
    status,
    headers: { 'content-type': 'application/xml', 'x-amz-request-id': requestId },
    body: Buffer.from(body),
  };
}

/** The error code of an answer in any of the protocols, or undefined for a success. */
export function errorCode(answer: Answer): string | undefined {
  if (answer.status < 400) return undefined;
  const header = answer.headers['x-amzn-errortype'];
  return header?.split(':')[0] ?? xmlText(answer.body, 'Code') ?? `HTTP ${answer.status}`;
}
