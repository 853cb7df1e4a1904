import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'ini';

/** A setting of the profile in use, and where it stands. */
export interface ProfileSetting {
  text: string;
  /** For messages, as `region of profile dev in /home/me/.aws/config`. */
  source: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The Region of the profile in use, as the AWS SDK finds it: `AWS_PROFILE`, or `default`, in the shared credentials file and then
 * in the config file. Undefined where none is set, or the files cannot be read; whoever has none needs none.
 */
export function profileRegion(env: Environment, home = homedir()): ProfileSetting | undefined {
  const profile = env['AWS_PROFILE'] || 'default';
  const inConfig = profile === 'default' ? ['profile default', 'default'] : [`profile ${profile}`];
  const places = [
    { path: env['AWS_SHARED_CREDENTIALS_FILE'] || join(home, '.aws', 'credentials'), titles: [profile] },
    { path: env['AWS_CONFIG_FILE'] || join(home, '.aws', 'config'), titles: inConfig },
  ];
  for (const { path, titles } of places) {
    const file = fileAt(path);
    for (const title of titles) {
      const text = sectionOf(file, title)['region'];
      if (typeof text === 'string' && text !== '') return { text, source: `region of profile ${profile} in ${path}` };
    }
  }
  return undefined;
}

type Section = Readonly<Record<string, unknown>>;

function fileAt(path: string): Section {
  try {
    return parse(readFileSync(path, 'utf8'));
  } catch {
    return {};
  }
}

/** A dot in a title makes a section within a section, which AWS does not know. */
function sectionOf(file: Section, title: string): Section {
  return title.split('.').reduce<Section>((section, part) => {
    const inner = section[part];
    return typeof inner === 'object' && inner !== null ? (inner as Section) : {};
  }, file);
}
