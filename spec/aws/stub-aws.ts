import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What the next requests are answered with, and what was asked. For answers that the laboratory's AWS never gives. */
export interface StubAws {
  endpoint: string;
  /** Bodies of the requests so far. */
  requests: string[];
  /** What came before each of the bodies. */
  heads: Pick<IncomingMessage, 'method' | 'url' | 'headers'>[];
  /** How many connections were opened. */
  connections(): number;
  answer(respond: (body: string, response: ServerResponse) => void): void;
  close(): Promise<void>;
}

/** As AWS does, it stands in a header and in the body. */
const REQUEST_ID = 'req-1';

/** A bare HTTP server in place of AWS. It checks nothing. */
export async function stubAws(): Promise<StubAws> {
  const requests: string[] = [];
  const heads: StubAws['heads'] = [];
  let opened = 0;
  let respond = (_body: string, response: ServerResponse) =>
    response.end(callerXml('arn:aws:iam::123456789012:user/ci'));
  const server = createServer((request, response) => {
    void read(request).then((body) => {
      requests.push(body);
      heads.push({ method: request.method, url: request.url, headers: request.headers });
      response.setHeader('x-amzn-requestid', REQUEST_ID);
      respond(body, response);
    });
  });
  server.on('connection', () => {
    opened += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    heads,
    connections: () => opened,
    answer: (next) => {
      respond = next as typeof respond;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** The answer of GetCallerIdentity. */
export function callerXml(arn: string): string {
  const result = `<Arn>${arn}</Arn><UserId>X</UserId><Account>123456789012</Account>`;
  return xml('GetCallerIdentity', result);
}

/** The answer of AssumeRole or AssumeRoleWithWebIdentity with a session that ends at `expiration` (RFC 3339). */
export function sessionXml(operation: string, expiration: string): string {
  const credentials = `<Credentials><AccessKeyId>ASIASTUB</AccessKeyId><SecretAccessKey>s3cr3t</SecretAccessKey><SessionToken>t0ken</SessionToken><Expiration>${expiration}</Expiration></Credentials>`;
  const user =
    '<AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/reader/name</Arn><AssumedRoleId>AROA:name</AssumedRoleId></AssumedRoleUser>';
  return xml(operation, `${credentials}${user}<PackedPolicySize>7</PackedPolicySize>`);
}

/** An error in the form of STS. */
export function errorXml(code: string, message = 'text of the service'): string {
  return `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error><RequestId>${REQUEST_ID}</RequestId></ErrorResponse>`;
}

function xml(operation: string, result: string): string {
  return `<${operation}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><${operation}Result>${result}</${operation}Result><ResponseMetadata><RequestId>${REQUEST_ID}</RequestId></ResponseMetadata></${operation}Response>`;
}

async function read(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request) body += chunk;
  return body;
}
