import { Counter, Gauge, type GaugeConfiguration, Histogram, Registry } from 'prom-client';

export type Metrics = Registry;
export type { Counter, Gauge, Histogram } from 'prom-client';

export interface MetricOptions {
  name: string;
  help: string;
  labelNames?: readonly string[];
}

/** A new, empty set of metrics. There is none of the process: every part is handed the one it counts in. */
export function createMetrics(): Metrics {
  return new Registry();
}

/** The counter of that name, made at its first use, so that several clusters of one process share it. */
export function counter(metrics: Metrics, options: MetricOptions): Counter<string> {
  return existing<Counter<string>>(metrics, options.name) ?? new Counter({ ...plain(options), registers: [metrics] });
}

/** The gauge of that name, made at its first use. */
export function gauge(
  metrics: Metrics,
  options: MetricOptions & { collect?: (this: Gauge<string>) => void },
): Gauge<string> {
  return (
    existing<Gauge<string>>(metrics, options.name) ??
    new Gauge({ ...plain(options), ...(options.collect && { collect: options.collect }), registers: [metrics] })
  );
}

/** One series of a metric. */
export interface Series {
  labels: Record<string, string>;
  value: number;
}

/**
 * Adds a gauge whose series are made while somebody reads them, so that thousands of them take neither memory nor time
 * meanwhile. @throws Error where there is a metric of that name
 */
export function addComputedGauge(metrics: Metrics, options: MetricOptions, series: () => Series[]): void {
  new ComputedGauge({ ...plain(options), registers: [metrics] }, series);
}

class ComputedGauge extends Gauge<string> {
  readonly #series: () => Series[];

  constructor(options: GaugeConfiguration<string>, series: () => Series[]) {
    super(options);
    this.#series = series;
  }

  override async get() {
    return { ...(await super.get()), values: this.#series() };
  }
}

/** The histogram of that name, made at its first use. `buckets` are in the metric's unit. */
export function histogram(metrics: Metrics, options: MetricOptions & { buckets: number[] }): Histogram<string> {
  return (
    existing<Histogram<string>>(metrics, options.name) ??
    new Histogram({ ...plain(options), buckets: options.buckets, registers: [metrics] })
  );
}

function existing<T>(metrics: Metrics, name: string): T | undefined {
  return metrics.getSingleMetric(name) as T | undefined;
}

function plain(options: MetricOptions) {
  return { name: options.name, help: options.help, labelNames: [...(options.labelNames ?? [])] };
}
