import { counter, type Gauge, gauge, histogram, type Metrics } from '../metrics.ts';

/** What a scrape asks of a queue. Durations in seconds. */
export interface QueueFigures {
  depth: number;
  /** Sum over the keys that workers hold. */
  unfinishedSeconds: number;
  longestRunningSeconds: number;
}

/** The counts of one work queue, under the names that client-go and controller-runtime use. */
export interface QueueMetrics {
  added(): void;
  retried(): void;
  /** A worker took a key that had waited this long. */
  taken(waitedSeconds: number): void;
  /** A worker gave a key back that it had held this long. */
  finished(workedSeconds: number): void;
  /** Takes the queue's gauges out of the metrics. */
  remove(): void;
}

/** 10 ns to 1000 s, a decade each, as in controller-runtime. */
const buckets = Array.from({ length: 12 }, (_, decade) => 10 ** (decade - 8));
const labelNames = ['name'] as const;

/** @param name label `name`; it is used by one queue of `metrics` at a time */
export function queueMetrics(metrics: Metrics, name: string, figures: () => QueueFigures): QueueMetrics {
  const labels = { name };
  const adds = counter(metrics, { name: 'workqueue_adds_total', help: 'Keys added to the queue', labelNames });
  const retries = counter(metrics, { name: 'workqueue_retries_total', help: 'Keys added with back-off', labelNames });
  const waited = histogram(metrics, {
    name: 'workqueue_queue_duration_seconds',
    help: 'How long a key waits in the queue before a worker takes it',
    labelNames,
    buckets,
  });
  const worked = histogram(metrics, {
    name: 'workqueue_work_duration_seconds',
    help: 'How long a worker holds a key',
    labelNames,
    buckets,
  });
  const remove = queueGauges(metrics, name, figures);
  adds.inc(labels, 0);
  retries.inc(labels, 0);
  return {
    added: () => adds.inc(labels),
    retried: () => retries.inc(labels),
    taken: (seconds) => waited.observe(labels, seconds),
    finished: (seconds) => worked.observe(labels, seconds),
    remove,
  };
}

function queueGauges(metrics: Metrics, name: string, figures: () => QueueFigures): () => void {
  const sources: [string, string, (figures: QueueFigures) => number][] = [
    ['workqueue_depth', 'Keys that wait for a worker', (now) => now.depth],
    [
      'workqueue_unfinished_work_seconds',
      'Seconds of work in progress, summed over the workers',
      (now) => now.unfinishedSeconds,
    ],
    [
      'workqueue_longest_running_processor_seconds',
      'Seconds that the longest running worker has held its key',
      (now) => now.longestRunningSeconds,
    ],
  ];
  const removals = sources.map(([metric, help, pick]) =>
    readAtScrape(gauge(metrics, { name: metric, help, labelNames }), name, () => pick(figures())),
  );
  return () => {
    for (const remove of removals) remove();
  };
}

/** Each gauge asks every queue that feeds it; a queue can leave without disturbing the others. */
const readers = new WeakMap<Gauge<string>, Map<string, () => number>>();

function readAtScrape(metric: Gauge<string>, name: string, read: () => number): () => void {
  const byName = readers.get(metric) ?? new Map<string, () => number>();
  readers.set(metric, byName.set(name, read));
  Object.assign(metric, {
    collect: () => {
      for (const [queue, value] of byName) metric.set({ name: queue }, value());
    },
  });
  return () => {
    if (byName.get(name) !== read) return;
    byName.delete(name);
    metric.remove({ name });
  };
}
