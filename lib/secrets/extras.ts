import type { Issued } from '../api/credentials.ts';
import { type Include, includedKeys, type OutputSettings } from '../api/output.ts';
import type { SecretType } from '../api/secret-type.ts';
import { configFile } from './file.ts';
import { rfc3339 } from './text.ts';

/** What `output.include` adds to the data of a type, by key. */
export function extraData(type: SecretType, issued: Issued, output: OutputSettings): Record<string, string> {
  const added = output.include.flatMap((entry) => {
    const keys = includedKeys[type]?.[entry] ?? [];
    return keys.map((key) => [key, textOf(entry, issued, output)] as const);
  });
  return Object.fromEntries(added);
}

function textOf(entry: Include, { session, region, roleArn }: Issued, { profile }: OutputSettings): string {
  switch (entry) {
    case 'expiration':
      return rfc3339(session.expiresAt);
    case 'region':
      return region;
    case 'roleArn':
      return roleArn;
    case 'config':
      return configFile(profile, { region });
  }
}
