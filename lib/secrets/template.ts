import type { Issued, NamedToken } from '../api/credentials.ts';
import { accountOf } from '../api/role-arn.ts';
import { type lastingNames, type sessionNames, substitute, type Template, templateTexts } from '../api/template.ts';
import type { TokenField } from '../api/tokens.ts';
import { basicAuth } from './docker-config.ts';
import { oneLine, rfc3339 } from './text.ts';

/**
 * The keys of `template.data` with the names in their values replaced.
 * @throws RolevendError `InvalidCredentials` (stop) for a value with a control character
 */
export function templateData(template: Template | undefined, issued: Issued): Record<string, string> {
  const texts = templateTexts(template);
  if (texts.length === 0) return {};
  const values: Readonly<Record<string, string>> = templateValues(issued);
  const fill = (text: string) => substitute(text, (name) => oneLine(name, values[name] ?? ''));
  return Object.fromEntries(texts.map(([key, text]) => [key, fill(text)]));
}

/** What the names of a template stand for. */
function templateValues(issued: Issued): Record<string, string> {
  return Object.assign({}, sessionValues(issued), ...(issued.tokens ?? []).map(tokenValues));
}

function tokenValues({ name, registry, token }: NamedToken): Record<string, string> {
  const values: Record<TokenField, string> = {
    username: token.username,
    password: token.password.reveal(),
    auth: basicAuth(token),
    registry,
    expiration: rfc3339(token.expiresAt),
  };
  return Object.fromEntries(Object.entries(values).map(([field, value]) => [`${name}.${field}`, value]));
}

type SessionValue = (typeof sessionNames | typeof lastingNames)[number];

function sessionValues({ session, region, roleArn }: Issued): Record<SessionValue, string> {
  return {
    accessKeyId: session.accessKeyId,
    secretAccessKey: session.secretAccessKey.reveal(),
    sessionToken: session.sessionToken.reveal(),
    expiration: rfc3339(session.expiresAt),
    expirationUnix: String(Math.floor(session.expiresAt / 1000)),
    issuedAt: rfc3339(session.issuedAt),
    region,
    roleArn,
    accountId: accountOf(roleArn),
  };
}
