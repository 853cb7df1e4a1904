import { counter, gauge, histogram, type Metrics } from '../metrics.ts';

/** How a pass ended. `terminal_error` is one that no retry follows; `aborted` ended because the process stops. */
export type PassResult = 'success' | 'requeue_after' | 'error' | 'terminal_error' | 'aborted';

/** The counts of one controller, under the names of controller-runtime. */
export interface ControllerMetrics {
  started(): void;
  ended(result: PassResult, seconds: number): void;
}

/** The same upper bounds in seconds as controller-runtime. */
const buckets = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.25, 1.5, 1.75, 2,
  2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9, 10, 15, 20, 25, 30, 40, 50, 60,
];
const labelNames = ['controller'] as const;

export function controllerMetrics(metrics: Metrics, controller: string, concurrency: number): ControllerMetrics {
  const labels = { controller };
  const total = counter(metrics, {
    name: 'controller_runtime_reconcile_total',
    help: 'Passes by result',
    labelNames: ['controller', 'result'],
  });
  const errors = counter(metrics, {
    name: 'controller_runtime_reconcile_errors_total',
    help: 'Passes that failed',
    labelNames,
  });
  const terminal = counter(metrics, {
    name: 'controller_runtime_terminal_reconcile_errors_total',
    help: 'Passes that failed and are not retried',
    labelNames,
  });
  const time = histogram(metrics, {
    name: 'controller_runtime_reconcile_time_seconds',
    help: 'Length of a pass',
    labelNames,
    buckets,
  });
  const active = gauge(metrics, { name: 'controller_runtime_active_workers', help: 'Passes that run now', labelNames });
  gauge(metrics, {
    name: 'controller_runtime_max_concurrent_reconciles',
    help: 'Most passes that run at once',
    labelNames,
  }).set(labels, concurrency);
  for (const result of ['success', 'requeue_after', 'error']) total.inc({ controller, result }, 0);
  errors.inc(labels, 0);
  terminal.inc(labels, 0);
  active.set(labels, 0);
  return {
    started: () => active.inc(labels),
    ended(result, seconds) {
      active.dec(labels);
      time.observe(labels, seconds);
      if (result === 'aborted') return;
      const failed = result === 'error' || result === 'terminal_error';
      total.inc({ controller, result: failed ? 'error' : result });
      if (failed) errors.inc(labels);
      if (result === 'terminal_error') terminal.inc(labels);
    },
  };
}
