// A loop of the benchmark in a process of its own, which has just started as the operator's has: what both compile while they
// work is in both rates. Its parent sends the job, and when it hears `ready`, `go`; it hears `done` at the end.
import { once } from 'node:events';
import { awsAssumeRoles } from '../../lib/api/aws-assume-role.ts';
import { inParallel } from '../support/parallel.ts';
import { bareLoop } from './bare-loop.ts';
import { CONCURRENCY, objectOf, openClient } from './cluster.ts';
import type { Job } from './loop.ts';

process.on('disconnect', () => process.exit(0));
const [{ kubeconfig, namespace, names, contents }] = (await once(process, 'message')) as [Job];
const { client } = openClient(kubeconfig);
process.send?.('ready');
await once(process, 'message');
if (contents) await bareLoop(client, namespace, names, contents);
else await inParallel(names, CONCURRENCY, (name) => client.create(awsAssumeRoles, objectOf(namespace, name)));
process.send?.('done');
