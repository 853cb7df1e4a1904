import { describe, expect, it } from '@jest/globals';
import { addComputedGauge, counter, createMetrics, gauge, histogram } from '../lib/metrics.ts';

const named = { name: 'rolevend_test_total', help: 'For a test.' };

describe('metrics', () => {
  it('are made at their first use and shared after it', async () => {
    const metrics = createMetrics();
    counter(metrics, { ...named, labelNames: ['cluster'] }).inc({ cluster: 'hub' });
    counter(metrics, { ...named, labelNames: ['cluster'] }).inc({ cluster: 'edge' }, 2);
    expect(await metrics.metrics()).toBe(
      [
        '# HELP rolevend_test_total For a test.',
        '# TYPE rolevend_test_total counter',
        'rolevend_test_total{cluster="hub"} 1',
        'rolevend_test_total{cluster="edge"} 2',
        '',
      ].join('\n'),
    );
  });

  it('of one set are not those of another', async () => {
    const [one, other] = [createMetrics(), createMetrics()];
    counter(one, named).inc();
    counter(other, named).inc(5);
    expect([await one.metrics(), await other.metrics()].map((text) => text.match(/ (\d+)\n/)?.[1])).toEqual(['1', '5']);
  });

  it('can be computed when they are read', async () => {
    const metrics = createMetrics();
    let age = 0;
    const make = () =>
      gauge(metrics, {
        name: 'age_seconds',
        help: 'Age.',
        collect() {
          this.set(age);
        },
      });
    expect(make()).toBe(make());
    age = 7;
    expect(await metrics.metrics()).toContain('age_seconds 7');
  });

  it('can be as many series as there are when they are read', async () => {
    const metrics = createMetrics();
    const sizes = new Map([['a', 1]]);
    const size = { name: 'size', help: 'Size.', labelNames: ['of'] };
    const add = () =>
      addComputedGauge(metrics, size, () => [...sizes].map(([of, value]) => ({ labels: { of }, value })));
    add();
    const read = async () => (await metrics.metrics()).split('\n').filter((line) => line !== '');
    expect(await read()).toEqual(['# HELP size Size.', '# TYPE size gauge', 'size{of="a"} 1']);
    sizes.delete('a');
    sizes.set('b', 2).set('"\\\n', 3);
    expect((await read()).slice(2)).toEqual(['size{of="b"} 2', 'size{of="\\"\\\\\\n"} 3']);
    expect(add).toThrow('size has already been registered');
  });

  it('hold a gauge that is set', async () => {
    const metrics = createMetrics();
    gauge(metrics, { name: 'size', help: 'Size.' }).set(3);
    expect(await metrics.metrics()).toContain('size 3');
  });

  it('count in the buckets that are asked for', async () => {
    const metrics = createMetrics();
    const duration = () => histogram(metrics, { name: 'took_seconds', help: 'Time.', buckets: [0.5, 2] });
    for (const value of [0.1, 1, 3]) duration().observe(value);
    const text = await metrics.metrics();
    expect(text.split('\n').filter((line) => line.startsWith('took_seconds_bucket'))).toEqual([
      'took_seconds_bucket{le="0.5"} 1',
      'took_seconds_bucket{le="2"} 2',
      'took_seconds_bucket{le="+Inf"} 3',
    ]);
  });
});
