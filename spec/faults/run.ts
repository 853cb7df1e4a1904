import { isDeepStrictEqual } from 'node:util';
import { sleep, systemClock } from '../../lib/clock.ts';
import { type Recording, recordSecrets } from '../controllers/aws-assume-role/observe.ts';
import { type FaultProxy, isRead, type KubeFault, type SeenRequest, startFaultProxy } from '../lab/fault-proxy.ts';
import { type CallRecord, type Keys, type TestNamespace, testNamespace } from '../lab/index.ts';
import { writeKubeconfig } from '../lab/kubeconfig.ts';
import { eventually } from '../support/eventually.ts';
import { type AwsFault, awsFaultOf } from './aws-faults.ts';
import type { Ground } from './ground.ts';
import { endState, type History, type Note } from './history.ts';
import { giveIdentity, hopName } from './identity.ts';
import { isKill, type Plan } from './plan.ts';
import { isVended, type Scenario, type ScenarioName, scenarioOf } from './scenarios.ts';
import { Site } from './site.ts';
import { InnerSubject, idle, ProcessSubject, type Subject } from './subject.ts';

/** How long after the goal a fault may act, in milliseconds: many times what it takes. Only what never comes takes so long. */
const LATEST_MS = 30_000;
/** How long the end must stay as it is, in milliseconds. A busy machine may be late, so that there are more looks than one. */
const STABLE_MS = 1_500;
const LOOKS = 4;

/** Runs a scenario, with the fault of a plan where one is given, and tells all that happened. */
export async function runScenario(ground: Ground, name: ScenarioName, plan?: Plan): Promise<History> {
  const trial = await Trial.open(ground, name, plan);
  try {
    return await trial.run();
  } finally {
    await trial.close();
  }
}

/** Only a lost event needs time that nobody has: the next look at everything comes within the hour. */
function needsTime(plan: Plan | undefined): boolean {
  return plan?.fault === 'lost-event';
}

/** One run: a namespace, a role and a user of its own, an operator with the chart's rights, and the proxy before it. */
class Trial {
  readonly #ground: Ground;
  readonly #name: ScenarioName;
  readonly #scenario: Scenario;
  readonly #plan: Plan | undefined;
  readonly #ns: TestNamespace;
  readonly #proxy: FaultProxy;
  readonly #subject: Subject;
  readonly #site: Site;
  readonly #recording: Recording;
  readonly #notes: Note[] = [];
  #struck = false;
  #isKilled = false;

  private constructor(parts: {
    ground: Ground;
    name: ScenarioName;
    plan: Plan | undefined;
    ns: TestNamespace;
    keys: Keys & { arn: string };
    proxy: FaultProxy;
    subject: Subject;
    recording: Recording;
  }) {
    const { ground, ns, keys, subject } = parts;
    this.#ground = ground;
    this.#name = parts.name;
    this.#scenario = scenarioOf(parts.name);
    this.#plan = parts.plan;
    this.#ns = ns;
    this.#proxy = parts.proxy;
    this.#subject = subject;
    this.#recording = parts.recording;
    // Not before the fault has acted: time that goes by ends watches, and with them what was armed.
    this.#site = new Site({ ground, ns, keys, subject, mayPutForward: () => this.#hasActed() });
  }

  static async open(ground: Ground, name: ScenarioName, plan: Plan | undefined): Promise<Trial> {
    const { plane, aws, rights, program, provider } = ground;
    const ns = await testNamespace(plane);
    const [keys, token, proxy, recording] = await Promise.all([
      giveIdentity(aws, provider, ns.name),
      rights.give(plane, ns.name),
      startFaultProxy(plane),
      recordSecrets(ground, { ns }),
    ]);
    const kubeconfig = await writeKubeconfig(program.directory, { server: proxy.url, caFile: plane.caFile }, { token });
    const options = { aws, keys, kubeconfig, namespace: ns.name, leaderElect: scenarioOf(name).leaderElect ?? false };
    const subject = needsTime(plan) ? new InnerSubject(options) : new ProcessSubject(program, options);
    return new Trial({ ground, name, plan, ns, keys, proxy, subject, recording });
  }

  async run(): Promise<History> {
    const { fromStart, firstSessionSeconds, prepare, act, isReached } = this.#scenario;
    if (firstSessionSeconds !== undefined) {
      this.#ground.aws.gateway.sessionSeconds(firstSessionSeconds, { role: this.#ns.name }, 1);
    }
    await this.#site.grant();
    await prepare?.(this.#site);
    if (fromStart !== true) await this.#settle();
    const startedAt = await this.#arm();
    if (fromStart === true) await this.#subject.start();
    let failure: string | undefined;
    await act(this.#site)
      .then(() => this.#note('done what the scenario does'))
      .then(() => this.#site.until('the goal', isReached))
      .then(() => this.#untilItActs())
      .then(() => this.#site.until('the goal', isReached))
      .then(() => idle(this.#subject))
      .catch((error: unknown) => {
        failure = (error as Error).message;
      });
    this.#note(failure ?? 'the goal is reached');
    return { ...(await this.#ending(startedAt)), failure };
  }

  async close(): Promise<void> {
    await this.#subject.stop();
    await this.#recording.stop();
    await this.#proxy.close();
    await this.#site.revoke().catch(() => {});
    await this.#ground.rights.take(this.#ground.plane, this.#ns.name);
    await this.#ns.remove();
  }

  /** Brings everything to the point from which the fault counts. */
  async #settle(): Promise<void> {
    await this.#subject.start();
    await this.#site.create();
    await this.#site.until('the object to be vended', isVended('app'));
    await idle(this.#subject);
  }

  async #arm(): Promise<number> {
    this.#proxy.staleFrom(await this.#site.version());
    // Watches that run go on, and may have the fault.
    this.#proxy.requests.splice(0, this.#proxy.requests.length, ...this.#runningWatches());
    const startedAt = systemClock.now();
    if (this.#plan?.target.side === 'kube') this.#armKube(this.#plan, this.#plan.target);
    if (this.#plan?.target.side === 'aws') this.#armAws(this.#plan, this.#plan.target.action);
    return startedAt;
  }

  /** The watches that run, as if nothing had come yet. */
  #runningWatches(): SeenRequest[] {
    const running = this.#proxy.requests.filter(({ verb, resource }) => verb === 'watch' && resource !== 'leases');
    for (const { events } of running) events?.splice(0);
    return running;
  }

  #armKube({ fault, nth }: Plan, { verb, resource }: Extract<Plan['target'], { side: 'kube' }>): void {
    const { name } = this.#ns;
    this.#proxy.arm({
      verb,
      resource,
      nth,
      fault: fault as KubeFault,
      kill: () => this.#kill(),
      isMeant: ({ metadata }) => metadata?.namespace === name || metadata?.name === name,
    });
  }

  #armAws({ fault, nth }: Plan, action: string): void {
    const { gateway } = this.#ground.aws;
    const rule = awsFaultOf(fault as AwsFault).rule(() => this.#kill());
    const onStrike = () => {
      this.#struck = true;
      return rule.onStrike?.();
    };
    gateway.fail({ ...rule, action, about: this.#ns.name, nth, onStrike });
  }

  async #kill(): Promise<void> {
    this.#note('the operator is killed');
    await this.#subject.kill();
    this.#isKilled = true;
  }

  #note(what: string): void {
    this.#notes.push({ at: systemClock.now(), what });
  }

  async #ending(startedAt: number): Promise<Omit<History, 'failure'>> {
    const ending = await this.#untilCalm();
    const { requests } = this.#proxy;
    return {
      plan: this.#plan,
      scenario: this.#name,
      namespace: this.#ns.name,
      startedAt,
      endedAt: systemClock.now(),
      struck: this.#hasActed(),
      notes: this.#notes,
      requests: [...requests],
      calls: this.#calls(startedAt),
      revisions: this.#recording.all(),
      ...this.#issued(),
      crashes: this.#subject.crashes,
      texts: { ...(await this.#subject.texts()), ...(await this.#site.texts()) },
      ...ending,
    };
  }

  /** What one late write changes is counted with the others; what goes on and on is found in each look. */
  async #untilCalm(): Promise<Pick<History, 'end' | 'later' | 'restless'>> {
    const state = async () => endState(await this.#site.find());
    for (let look = 1; ; look += 1) {
      const end = await state();
      const since = systemClock.now();
      await sleep(systemClock, STABLE_MS);
      const found = { end, later: await state(), restless: this.#done(since) };
      const isCalm = isDeepStrictEqual(found.later, end) && found.restless.length === 0;
      if (isCalm || look === LOOKS) return found;
    }
  }

  /** Some requests, such as the renewal of a Lease, come only after the goal. */
  async #untilItActs(): Promise<void> {
    if (this.#plan === undefined) return;
    await eventually('the fault to act', () => this.#hasActed(), LATEST_MS).catch(() => {});
  }

  /** A kill takes a moment, in which the operator still answers. */
  #hasActed(): boolean {
    if (this.#plan !== undefined && isKill(this.#plan)) return this.#isKilled;
    return this.#struck || this.#proxy.requests.some(({ fault }) => fault !== undefined);
  }

  #issued(): Pick<History, 'sessions' | 'hops' | 'ecrTokens'> {
    const { gateway } = this.#ground.aws;
    const ofRole = (name: string) => gateway.issued().filter(({ arn }) => arn.includes(`/${name}/`));
    const sessions = ofRole(this.#ns.name);
    const keys = new Set(sessions.map(({ accessKeyId }) => accessKeyId));
    const ecrTokens = gateway.ecrTokens().filter(({ accessKeyId }) => keys.has(accessKeyId));
    return { sessions, hops: ofRole(hopName(this.#ns.name)), ecrTokens };
  }

  #calls(since: number): CallRecord[] {
    return this.#ground.aws.gateway.calls({ about: this.#ns.name }).filter(({ at }) => at >= since);
  }

  /**
   * Writes and calls since that time. Events are written in the background, and until a watch that was reset runs again a
   * write may meet nothing.
   */
  #done(since: number): string[] {
    const isWrite = (verb: string, resource: string) => !isRead(verb) && resource !== 'events' && resource !== 'leases';
    const writes = this.#proxy.requests.filter(
      ({ at, verb, resource, status }) => at > since && isWrite(verb, resource) && status !== 404,
    );
    return [
      ...writes.map(({ verb, resource, name = '' }) => `${verb} ${resource} ${name}`),
      ...this.#calls(since + 1).map(({ action }) => `aws ${action}`),
    ];
  }
}
