import type { Logger } from '../log.ts';
import type { CredentialProvider } from './options.ts';
import type { Transport } from './transport.ts';

/**
 * The SDK's default chain: environment, shared config files, web identity token file (IRSA), container credentials
 * (EKS Pod Identity), instance metadata. It is loaded at its first use.
 */
export function defaultChain(options: { transport: Transport; log: Logger }): CredentialProvider {
  const { transport, log } = options;
  // The SDK falls back to the console, so its warnings are given a place; its debug lines are of no use here.
  const logger = {
    debug() {},
    info() {},
    error() {},
    trace() {},
    warn: (message: unknown) => log.warn(String(message)),
  };
  let chain: CredentialProvider | undefined;
  return async (how) => {
    const { fromNodeProviderChain } = await import('@aws-sdk/credential-providers');
    chain ??= fromNodeProviderChain({
      clientConfig: transport.clientConfig(transport.region),
      logger,
      ignoreCache: true,
    });
    return chain(how);
  };
}
