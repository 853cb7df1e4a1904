// Prints as JSON what the program makes of the times that it is given as arguments, in the time zone of its environment.
import { parseTime, rfc3339 } from '../../lib/clock.ts';
import { nextAttemptAt } from '../../lib/controllers/aws-assume-role/backoff.ts';
import { dueAt } from '../../lib/controllers/aws-assume-role/due.ts';
import { recordOf, sessionAnnotations } from '../../lib/controllers/aws-assume-role/session-record.ts';
import { microTime } from '../../lib/kube/lease-record.ts';

const HOUR = 3_600_000;
const refresh = { percent: 60, jitterPercent: 10, minRemainingSeconds: 420 };

const told = process.argv.slice(2).map((text) => {
  const issuedAt = Date.parse(text);
  const life = { issuedAt, expiresAt: issuedAt + HOUR };
  const failure = {
    code: 'Throttling',
    message: '',
    count: 3,
    lastAttemptAt: issuedAt,
    permanent: false,
    generation: 1,
  };
  const session = { ...life, assumedRoleArn: undefined, accessKeyId: 'ASIAONE', inputHash: undefined };
  const metadata = { name: 'app', annotations: sessionAnnotations(session, 'sha') };
  const { issuedAt: readAt, expiresAt } = recordOf(metadata) ?? life;
  return {
    written: [rfc3339(issuedAt), microTime(issuedAt)],
    read: [parseTime(rfc3339(issuedAt)), readAt, expiresAt],
    dueAfter: dueAt('u-app', life, refresh) - issuedAt,
    retriedAfter: nextAttemptAt('u-app', failure, life.expiresAt) - issuedAt,
  };
});
process.stdout.write(JSON.stringify({ offset: new Date(2026, 6, 1).getTimezoneOffset(), told }));
