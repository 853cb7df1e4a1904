import { join } from 'node:path';
import { CERTIFICATE, SIGNING_KEY } from './api-server.ts';
import { type GuardedProcess, startGuarded } from './guard.ts';

const CONTROLLERS = [
  'garbage-collector-controller',
  'namespace-controller',
  'serviceaccount-controller',
  'serviceaccount-token-controller',
  'root-ca-certificate-publisher-controller',
  'clusterrole-aggregation-controller',
];

/**
 * Starts the controllers that owner references, finalizers, namespaces, ServiceAccounts and aggregated roles need.
 * The garbage collector knows the kinds of its start at once; of kinds that come later it learns within 30 s.
 */
export function startControllerManager(
  program: readonly string[],
  directory: string,
  kubeconfig: string,
  more: readonly string[] = [],
): GuardedProcess {
  const flags = {
    kubeconfig,
    controllers: [...CONTROLLERS, ...more].join(','),
    'leader-elect': 'false',
    'secure-port': '0',
    'service-account-private-key-file': SIGNING_KEY,
    'root-ca-file': CERTIFICATE,
  };
  const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
  return startGuarded({
    name: 'kube-controller-manager',
    command: [...program, ...args],
    cwd: directory,
    logFile: join(directory, 'kube-controller-manager.log'),
  });
}
