import { celString, mustNotMatch, type Rule } from './rules.ts';

/** The authority of a key without a port, and what may stand before it: kubelet strips no other scheme. */
const START = '^(https?://)?[^/:@]*';
/** A path behind it, up to what is wrong in it. */
const IN_PATH = `${START}(:[0-9]+)?/.*`;
const SCHEME = '^[A-Za-z][A-Za-z0-9+.-]*://';
const EXAMPLE = '123456789012.dkr.ecr.eu-west-1.amazonaws.com/team-a';

/**
 * Rules of the key of an entry of `auths`: kubelet and helm must find it for the images of the registry. Kubelet compares host
 * and port with those of the image, and takes the path for the beginning of the image's, without tag and digest
 * (Kubernetes: "Pull an Image from a Private Registry"); helm looks for the host. An object that was stored with another
 * key before these rules existed keeps what it has: see `Rule.isKept`.
 *
 * @param subject how a message begins, as `urls has an entry that`
 */
export function registryKeyRules(subject: string): Rule<string>[] {
  const refuse = (pattern: string, problem: string, fix: string): Rule<string> => ({
    ...mustNotMatch(pattern, `${subject} ${problem}, so neither kubelet nor helm finds it; ${fix}, e.g. ${EXAMPLE}`),
    isKept: true,
  });
  return [
    {
      ...refuse(SCHEME, 'starts with a scheme such as oci:// or docker://', 'leave it out'),
      cel: `!self.matches(${celString(SCHEME)}) || self.matches('^https?://')`,
      holds: (value) => !new RegExp(SCHEME).test(value) || /^https?:\/\//.test(value),
    },
    refuse('[A-Z]', 'has capital letters, which names of images do not have', 'write it in lower case'),
    refuse(`${START}:443(/|$)`, 'names port 443, which names of images leave out', 'leave it out'),
    refuse(
      `${START}(@|:[0-9]*[^0-9/])|${IN_PATH}[:@]`,
      'has a tag, a digest or a user, which are no part of the name of an image',
      'leave it out',
    ),
    refuse(
      `[^A-Za-z0-9*._:/@+-]|[^:]//|^/|${IN_PATH}\\*`,
      "has an empty part, a '*' in its path, or other characters that no image has",
      'write host and repository alone',
    ),
  ];
}
