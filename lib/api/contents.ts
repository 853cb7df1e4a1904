import type { SecretType } from './secret-type.ts';
import { namesIn, sessionNames, type Template, templateTexts } from './template.ts';
import { type Token, usedTokens } from './tokens.ts';

/** The part of a spec that decides which credentials its Secret holds. */
interface Held {
  secretType: SecretType;
  template?: Template | undefined;
  tokens?: Token[] | undefined;
}

/** Whether the Secret holds a part of the session, so that it ends with it. One that holds nothing else counts, too. */
export function holdsSession(spec: Held): boolean {
  if (spec.secretType === 'EcrDockerConfigJson') return false;
  if (spec.secretType !== 'Template' || usedTokens(spec).length === 0) return true;
  const names: readonly string[] = sessionNames;
  return templateTexts(spec.template).some(([, text]) => namesIn(text).some((name) => names.includes(name)));
}

/** Whether the Secret holds a registry token, so that it is replaced before that is 6 hours old. */
export function holdsRegistryToken(spec: Held): boolean {
  return spec.secretType === 'EcrDockerConfigJson' || usedTokens(spec).length > 0;
}
