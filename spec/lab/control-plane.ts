import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sleep, systemClock } from '../../lib/clock.ts';
import { HANG_LIMIT_MS } from '../support/eventually.ts';
import {
  type ApiServerOptions,
  CERTIFICATE,
  CERTIFICATE_KEY,
  type OidcIssuer,
  prepareApiServer,
  startApiServer,
} from './api-server.ts';
import { type AttachedControlPlane, attach, type ControlPlaneDescription } from './attach.ts';
import { startControllerManager } from './controller-manager.ts';
import { compactEtcd, startEtcd } from './etcd.ts';
import { type GuardedProcess, type TemporaryDirectory, temporaryDirectory } from './guard.ts';
import { type Installed, install } from './install.ts';
import { KubeApi } from './kube-api.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import { freePort } from './ports.ts';
import { applyCrds, openDiscovery } from './seed.ts';

const POLL_MS = 25;
const ATTEMPTS = 10;

/** How to start a control plane. */
export interface ControlPlaneOptions {
  /** What it is called in messages, default `lab`. */
  name?: string;
  /** Keep an audit log (level Metadata), default no. */
  audit?: boolean;
  /** Apply the project's CRDs before the controllers start, default yes. */
  crds?: boolean;
  /** Run kube-controller-manager, default yes. Without it nothing is garbage collected and no namespace ever goes. */
  controllerManager?: boolean;
  /** More of its controllers, by their names. Default: none. */
  moreControllers?: readonly string[];
  /** Take the id-tokens of this provider, default none. */
  oidc?: OidcIssuer;
}

/** A running etcd, kube-apiserver and kube-controller-manager of our own. */
export interface ControlPlane extends AttachedControlPlane {
  /** Kills the API server, as a crash of its machine would. The data stay. */
  stopApiServer(): Promise<void>;
  /** Starts it again on the same port and waits until it is ready. */
  startApiServer(): Promise<void>;
  /** Both, one after the other. */
  restartApiServer(): Promise<void>;
  /**
   * Forgets all history: lists and watches from an older resourceVersion then answer 410. It compacts etcd and restarts
   * the API server, which would otherwise go on serving the past from its watch cache.
   */
  compact(): Promise<void>;
  /** Process groups of its parts, to check that nothing is left. */
  processGroups(): number[];
  /** Kills all parts and removes the directory. Calling it again does nothing. */
  stop(): Promise<void>;
}

/**
 * Starts a control plane that is ready for use, in about three seconds. Several run side by side.
 * It ends with `stop`, and also when our process ends in any way.
 *
 * @throws Error with the last lines of the log of the part that did not start; MissingPrerequisite
 */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const installed = await install();
  const directory = await temporaryDirectory('rolevend-lab-');
  const running = new RunningParts(installed, directory, options);
  try {
    return await running.start();
  } catch (error) {
    await running.stop();
    throw error;
  }
}

class RunningParts {
  readonly #installed: Installed;
  readonly #directory: TemporaryDirectory;
  readonly #options: ControlPlaneOptions;
  readonly #parts = new Map<string, GuardedProcess>();
  #apiServer: ApiServerOptions | undefined;

  constructor(installed: Installed, directory: TemporaryDirectory, options: ControlPlaneOptions) {
    this.#installed = installed;
    this.#directory = directory;
    this.#options = options;
  }

  async start(): Promise<ControlPlane> {
    const { programs } = this.#installed;
    const dir = this.#directory.path;
    const token = await this.#startEtcdAndPrepare(dir);
    const port = await this.#startOnFreePort(dir);
    const description = await this.#describe(dir, port, token);
    const attached = attach(description);
    await openDiscovery(attached.request);
    if (this.#options.crds ?? true) await applyCrds(attached.request);
    if (this.#options.controllerManager ?? true) {
      const { moreControllers } = this.#options;
      const program = programs['kube-controller-manager'];
      this.#keep(startControllerManager(program, dir, description.kubeconfig, moreControllers));
      await this.#controllersWork(attached);
    }
    return this.#handle(attached);
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#parts.values()].map((part) => part.stop()));
    await this.#directory.remove();
  }

  #handle(attached: AttachedControlPlane): ControlPlane {
    const startAgain = () => this.#startApiServerAgain();
    const stopApiServer = async () => this.#parts.get('kube-apiserver')?.stop();
    return {
      ...attached,
      stopApiServer,
      startApiServer: startAgain,
      async restartApiServer() {
        await stopApiServer();
        await startAgain();
      },
      compact: async () => {
        await compactEtcd(attached.dir);
        await stopApiServer();
        await startAgain();
      },
      processGroups: () => [...this.#parts.values()].flatMap(({ group }) => group ?? []),
      stop: () => this.stop(),
    };
  }

  async #startEtcdAndPrepare(dir: string): Promise<string> {
    this.#keep(startEtcd(this.#installed.programs.etcd, dir));
    return prepareApiServer(dir);
  }

  async #describe(dir: string, port: number, token: string): Promise<ControlPlaneDescription> {
    const server = `https://127.0.0.1:${port}`;
    const caFile = join(dir, CERTIFICATE);
    const kubeconfig = await writeKubeconfig(dir, { server, caFile }, { token }, 'admin.kubeconfig');
    const { kubectl: kubectlPath, helm: helmPath } = this.#installed;
    const name = this.#options.name ?? 'lab';
    return { name, dir, server, issuer: server, caFile, kubeconfig, kubectlPath, helmPath };
  }

  /** Another process may take the port between our look at it and the server's bind: then with another port again. */
  async #startOnFreePort(directory: string): Promise<number> {
    const program = this.#installed.programs['kube-apiserver'];
    for (let attempt = 1; ; attempt += 1) {
      const port = await freePort();
      this.#apiServer = { program, directory, port, audit: this.#options.audit ?? false, oidc: this.#options.oidc };
      if (await this.#apiServerReady(this.#apiServer)) return port;
      if (attempt === ATTEMPTS) throw new Error(`no free port for the API server in ${ATTEMPTS} attempts`);
    }
  }

  async #startApiServerAgain(): Promise<void> {
    const options = this.#apiServer;
    if (!options || this.#parts.get('kube-apiserver')?.running) return;
    for (let attempt = 1; !(await this.#apiServerReady(options)); attempt += 1) {
      if (attempt === ATTEMPTS) throw new Error(`port ${options.port} of the API server was taken by another process`);
      await sleep(systemClock, POLL_MS * attempt);
    }
  }

  /** Starts the server; false when its port is taken. */
  async #apiServerReady(options: ApiServerOptions): Promise<boolean> {
    const part = this.#keep(startApiServer(options));
    const end = systemClock.monotonic() + HANG_LIMIT_MS;
    while (systemClock.monotonic() < end) {
      if (!part.running && (await part.tail(50)).includes('address already in use')) return false;
      await this.#failIfOneEnded();
      if (await answersReady(options)) return true;
      await sleep(systemClock, POLL_MS);
    }
    throw new Error(`the API server is not ready after ${HANG_LIMIT_MS / 1000} s\n${await part.tail()}`);
  }

  async #controllersWork(attached: AttachedControlPlane): Promise<void> {
    const end = systemClock.monotonic() + HANG_LIMIT_MS;
    while (systemClock.monotonic() < end) {
      await this.#failIfOneEnded();
      const { status } = await attached.request('GET', '/api/v1/namespaces/default/serviceaccounts/default');
      if (status === 200) return;
      await sleep(systemClock, POLL_MS);
    }
    throw new Error(`the controllers do nothing after ${HANG_LIMIT_MS / 1000} s`);
  }

  async #failIfOneEnded(): Promise<void> {
    for (const part of this.#parts.values()) {
      if (!part.running) throw new Error(`${part.name} ended:\n${await part.tail()}`);
    }
  }

  #keep(part: GuardedProcess): GuardedProcess {
    this.#parts.set(part.name, part);
    return part;
  }
}

async function answersReady({ directory, port }: ApiServerOptions): Promise<boolean> {
  // The key is written after the certificate: once it is there, the certificate is whole.
  const key = await readFile(join(directory, CERTIFICATE_KEY)).catch(() => undefined);
  if (key === undefined) return false;
  const ca = await readFile(join(directory, CERTIFICATE), 'utf8');
  const api = new KubeApi({ server: `https://127.0.0.1:${port}`, ca, token: async () => undefined });
  try {
    return (await api.request('GET', '/readyz')).status === 200;
  } catch {
    return false;
  } finally {
    await api.close();
  }
}
