import { systemClock } from '../../lib/clock.ts';
import { inParallel } from '../support/parallel.ts';
import { chosen, comesTo, plansOf } from './generate.ts';
import type { Ground } from './ground.ts';
import type { History } from './history.ts';
import { judge } from './oracles.ts';
import type { Plan } from './plan.ts';
import { runScenario } from './run.ts';
import { type ScenarioName, scenarios } from './scenarios.ts';

/** Of all choices among plans, so that every run makes the same. */
export const SEED = 20_260_101;

/** How often a plan is run at most that comes to no such request, though other runs do: on a slow machine some do and some not. */
const MOST_TRIES = 3;

/** What became of a plan. */
export interface Result {
  plan: Plan;
  /** What does not hold; empty where all is well. */
  wrong: string[];
  seconds: number;
  history?: History;
  /** It came to no such request, and another run without a fault made none either: a slow machine had made it before. */
  isVoid?: boolean;
}

/** Runs plans on one ground, several at a time, since they mostly wait. */
export class Suite {
  readonly #ground: Ground;
  readonly #concurrency: number;
  readonly #faultFree = new Map<ScenarioName, Promise<History>>();

  constructor(ground: Ground, concurrency: number) {
    this.#ground = ground;
    this.#concurrency = concurrency;
  }

  /** The plans of all scenarios. Runs each scenario once without a fault. */
  async plans(): Promise<Plan[]> {
    const names = Object.keys(scenarios) as ScenarioName[];
    const faultFree = await inParallel(names, this.#concurrency, (name) => this.#withoutFault(name));
    const all = names.flatMap((name, at) => plansOf(name, faultFree[at] as History, SEED));
    return chosen(all, SEED);
  }

  /** @param told called with each result as it comes */
  run(plans: readonly Plan[], told: (result: Result) => void = () => {}): Promise<Result[]> {
    return inParallel(plans, this.#concurrency, async (plan) => {
      const result = await this.one(plan);
      told(result);
      return result;
    });
  }

  /** Runs one plan. Trouble of the laboratory itself counts as something wrong. */
  async one(plan: Plan): Promise<Result> {
    const start = systemClock.monotonic();
    const seconds = () => (systemClock.monotonic() - start) / 1000;
    try {
      const faultFree = await this.#withoutFault(plan.scenario);
      for (let tries = 1; ; tries += 1) {
        const history = await runScenario(this.#ground, plan.scenario, plan);
        const wrong = judge(history, faultFree);
        // A pass that takes long says so in the status: one request more, which no other run has to make.
        const isMissed = !history.struck && wrong.length === 1;
        const isVoid = isMissed && !comesTo(await this.#goodRun(plan.scenario), plan);
        if (isVoid || !isMissed || tries === MOST_TRIES)
          return { plan, wrong: isVoid ? [] : wrong, seconds: seconds(), history, isVoid };
      }
    } catch (error) {
      return { plan, wrong: [`the laboratory failed: ${(error as Error).stack}`], seconds: seconds() };
    }
  }

  async #withoutFault(name: ScenarioName): Promise<History> {
    const known = this.#faultFree.get(name) ?? this.#goodRun(name);
    this.#faultFree.set(name, known);
    return known;
  }

  /** What all plans are measured by must be good itself. */
  async #goodRun(name: ScenarioName): Promise<History> {
    const history = await runScenario(this.#ground, name);
    const wrong = judge(history, history);
    if (wrong.length > 0) throw new Error(`${name} without any fault: ${wrong.join('; ')}`);
    return history;
  }
}
