import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts';
import { getEndpointFromInstructions } from '@smithy/core/endpoints';

/** What a signature is good for. */
export interface Scope {
  region: string;
  /** The name under which the service signs, as `sts`. */
  service: string;
}

/** Where requests to STS go, and what their signatures are for. */
export interface Endpoint {
  url: URL;
  scope: Scope;
}

/**
 * The endpoint of STS as the AWS SDK finds it: that of the Region and its partition, with FIPS or dual-stack where these are
 * switched on, or the one of `endpoint`, `AWS_ENDPOINT_URL[_STS]` or the shared config file.
 *
 * @param config what an SDK client is made with
 * @throws what the SDK throws for settings that exclude each other
 */
export async function stsEndpoint(config: { region: string; endpoint?: string }): Promise<Endpoint> {
  const client = new STSClient(config);
  const { url, properties } = await getEndpointFromInstructions({}, AssumeRoleCommand, client.config as object);
  const [scheme] = (properties?.['authSchemes'] ?? []) as { signingRegion?: string; signingName?: string }[];
  // The SDK knows Regions by other names, too, as `fips-us-east-1`.
  const plain: Promise<string> = client.config.region();
  const region = scheme?.signingRegion ?? (await plain);
  return { url: withSlash(url), scope: { region, service: scheme?.signingName ?? 'sts' } };
}

/** The SDK puts the path of an action behind that of the endpoint, and all of STS's are `/`. */
function withSlash(url: URL): URL {
  return new URL(url.pathname.endsWith('/') ? url : `${url.origin}${url.pathname}/`);
}
