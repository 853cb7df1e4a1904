import type { Logger } from '../log.ts';
import type { CredentialProvider } from './options.ts';
import { askSource, type RemoteSource, sourceIn } from './remote-source.ts';
import type { Transport } from './transport.ts';

/**
 * The SDK's default chain: environment, shared config files, web identity token file (IRSA), container credentials
 * (EKS Pod Identity), instance metadata. It is loaded at its first use. Throws what the chain throws, and `SourceError` where
 * the container endpoint or the instance metadata service was asked and gave nothing.
 */
export function defaultChain(options: { transport: Transport; log: Logger }): CredentialProvider {
  const { transport, log } = options;
  let asked: RemoteSource | undefined;
  // The SDK falls back to the console, so its warnings are given a place; of its debug lines one is of use here.
  const logger = {
    debug: (line: unknown) => {
      asked = sourceIn(line) ?? asked;
    },
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
    asked = undefined;
    try {
      return await chain(how);
    } catch (error) {
      // What comes before it in the chain found nothing, or the chain would not have come to it.
      if (asked === undefined) throw error;
      return await askSource(asked, error);
    }
  };
}
