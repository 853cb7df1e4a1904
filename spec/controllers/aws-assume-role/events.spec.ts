import { expect, test } from '@jest/globals';
import { Announcer } from '../../../lib/controllers/aws-assume-role/events.ts';
import type { RestartResult } from '../../../lib/controllers/aws-assume-role/restart.ts';
import type { SessionRecord } from '../../../lib/controllers/aws-assume-role/session-record.ts';
import type { EventRecorder } from '../../../lib/kube/events.ts';
import { loadWords } from '../../../lib/words.ts';
import { role, T0 } from './fixtures.ts';

const words = await loadWords();
type Recorder = Pick<EventRecorder, 'record' | 'over'>;

test.each([
  [1, 'the Secret was edited; it holds a new credential now'],
  [
    3,
    'the Secret was edited; it holds a new credential now; it is changed again and again (3 times in a row), so each repair comes later than the one before',
  ],
])('an Event of repair %d in a row says what was wrong', (count, message) => {
  const told: unknown[] = [];
  const recorder = { record: (_, ...rest) => void told.push(rest) } as Pick<EventRecorder, 'record'> as EventRecorder;
  new Announcer(recorder, words).repaired(role(), 'data', count);
  expect(told).toEqual([['Normal', 'DriftRepaired', message]]);
});

test.each([
  [900, '15 minutes'],
  [3600, '1 hour'],
  [3661, '1 hour, 1 minute, 1 second'],
  [5400, '1 hour, 30 minutes'],
  [43_199, '11 hours, 59 minutes, 59 seconds'],
])('an Event says of a life of %d s that it is %s', (seconds, life) => {
  const told: unknown[] = [];
  const recorder = { record: (_, ...rest) => void told.push(rest), over() {} } as Recorder as EventRecorder;
  const record: SessionRecord = { issuedAt: T0, expiresAt: T0 + seconds * 1000, assumedRoleArn: 'arn:aws:sts::1:a/b' };

  new Announcer(recorder, words).issued(role(), 'Missing', record, false);

  const until = new Date(T0 + seconds * 1000).toISOString().replace('.000Z', 'Z');
  const message = `issued a credential of arn:aws:sts::1:a/b, valid for ${life}, until ${until}`;
  expect(told).toEqual([['Normal', 'Issued', message]]);
});

test('each refresh and each restart is news, and what failed before is over then', () => {
  const over: string[][] = [];
  const recorder = { record() {}, over: (_, reasons) => void over.push([...reasons]) } as Recorder as EventRecorder;
  const announcer = new Announcer(recorder, words);
  const record: SessionRecord = { issuedAt: T0, expiresAt: T0 + 3_600_000, assumedRoleArn: 'arn:aws:sts::1:a/b' };

  announcer.issued(role(), 'Drift', record, true);
  expect(over).toEqual([]);
  announcer.issued(role(), 'Due', record, false);
  announcer.restarted(role(), { restarted: [] } as unknown as RestartResult);

  expect(over).toEqual([
    [
      'Refreshed',
      'RefreshFailed',
      'Throttled',
      'GrantDenied',
      'Expired',
      'Scrubbed',
      'AdoptionRefused',
      'ConflictingSecret',
    ],
    ['RolloutRestarted', 'RestartImpaired'],
  ]);
});
