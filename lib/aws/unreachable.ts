import { type Advice, fieldIn } from './advice.ts';
import type { Seen } from './seen.ts';

/** What is known of who answered in place of AWS, or of why nobody did. */
export function whoAnswered({ status, media, network }: Pick<Seen, 'status' | 'media' | 'network'>): string[] {
  const answer = status === 0 ? network : `HTTP ${status}`;
  return [answer, status === 0 ? undefined : media].filter((text) => text !== undefined);
}

/** What to do where no answer came, or none of AWS. */
export function unreachable({ status, network }: Seen): string {
  return `${status === 0 ? silent(network) : answered(status)} It is tried again.`;
}

/** `network` is what the network said, as `ECONNREFUSED`. */
function silent(network: string | undefined): string {
  if (network === 'ERR_PROXY_TUNNEL')
    return 'The proxy of HTTPS_PROXY refused the connection: check its address, user and password, and what it lets through.';
  if (network !== undefined && /CERT|UNABLE_TO_(GET|VERIFY)/.test(network))
    return 'The certificate of the other side is not trusted: where a proxy or an endpoint has an authority of its own, name a PEM file with it in AWS_CA_BUNDLE.';
  return byNetwork[network ?? ''] ?? 'Check the network, the proxy and the Region.';
}

const byNetwork: Readonly<Record<string, string>> = {
  ENOTFOUND: 'No name server knows the host: check the Region, the endpoint and, behind a proxy, HTTPS_PROXY.',
  EAI_AGAIN:
    'No name server could tell where the host is: check the DNS of the cluster, its NetworkPolicies and the Region.',
  UND_ERR_RES_EXCEEDED_MAX_SIZE:
    'What answered is not AWS, since it sent more than 1 MiB: check the proxy and the endpoint.',
  UND_ERR_HEADERS_OVERFLOW:
    'What answered is not AWS, since the head of its answer has no end: check the proxy and the endpoint.',
};

function answered(status: number): string {
  const who = 'Something on the way answered in place of AWS';
  if (status < 300)
    return `${who}, as a login page or a proxy does, or the endpoint is not that of the service: check AWS_ENDPOINT_URL and the proxy.`;
  if (status < 400)
    return `${who} and leads elsewhere, as a login page or a gateway does: check the proxy, and that AWS_ENDPOINT_URL has the right scheme.`;
  if (status === 407) return 'A proxy on the way wants a user and a password: give them in HTTPS_PROXY.';
  if (status === 413 || status === 431)
    return `${who}, which finds the request too large: raise the limit of the proxy.`;
  if (status < 500)
    return `${who} and refused: check what the proxy lets through, and that AWS_ENDPOINT_URL is an endpoint of the service.`;
  return `${who}, or AWS has trouble: look at the proxy or load balancer and at the endpoint behind it.`;
}

const values: Readonly<Record<string, string>> = {
  authorization: 'The access key id of the credentials',
  'x-amz-security-token': 'The session token of the credentials',
  host: 'The host of the endpoint',
};

/** Which value a request cannot hold, and why. */
export function notSent({ header, code, text }: Seen, { path }: Advice): string {
  if (header !== undefined) {
    const value = values[header.toLowerCase()] ?? `The value of header ${header}`;
    return `${value} holds a character that a header cannot hold, as a line break.`;
  }
  if (code === 'URIError')
    return `${fieldIn(text, path)} holds half of a character (a lone surrogate): correct it in the object.`;
  const switches = [
    ...(/fips/i.test(text) ? ['AWS_USE_FIPS_ENDPOINT'] : []),
    ...(/dual-?stack/i.test(text) ? ['AWS_USE_DUALSTACK_ENDPOINT'] : []),
  ];
  if (switches.length === 0)
    return 'The AWS SDK knows no endpoint for this Region and these settings: check region and AWS_ENDPOINT_URL.';
  const why = /custom endpoint/i.test(text)
    ? 'an endpoint of your own (AWS_ENDPOINT_URL) excludes that'
    : 'this Region has none of these endpoints';
  return `${switches.join(' and ')} ${switches.length === 1 ? 'is' : 'are'} set, and ${why}: change one of these settings.`;
}
