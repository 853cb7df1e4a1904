/** Parts of the paths of those files that take longest, longest first. The others follow, the larger ones before. */
const longest = [
  'spec/faults/smoke',
  'spec/load/load',
  'spec/chart/',
  'spec/docs/',
  'spec/commands/leader-faults',
  'spec/kube/reflector',
  'spec/commands/crash',
  'spec/examples/',
  'spec/lab/demo',
  'spec/commands/',
];

/** What jest says of a test file. */
interface TestFile {
  path: string;
  context: { hasteFS: { getSize(path: string): number | null } };
}

/**
 * Jest's order of test files: the longest first, so that at the end no worker has a long one left while the others have
 * nothing. By itself jest knows durations of earlier runs alone, and a fresh clone has none.
 */
export class Sequence {
  sort(files: readonly TestFile[]): TestFile[] {
    const size = ({ path, context }: TestFile) => context.hasteFS.getSize(path) ?? 0;
    return [...files].sort((a, b) => rank(a.path) - rank(b.path) || size(b) - size(a));
  }

  /** For `--onlyFailures`: nothing is known of earlier runs. */
  allFailedTests(files: readonly TestFile[]): TestFile[] {
    return [...files];
  }

  /** For `--shard`, which is not used. */
  shard(files: readonly TestFile[]): TestFile[] {
    return [...files];
  }

  /** Nothing is kept. */
  cacheResults(): void {}
}

function rank(path: string): number {
  const at = longest.findIndex((part) => path.includes(part));
  return at === -1 ? longest.length : at;
}
