import * as z from 'zod';
import { accountIdRules } from './ecr.ts';
import { regionRules } from './patterns.ts';
import { mustMatch, type Rule, ruled } from './rules.ts';
import { namesIn, type Template, templateTexts } from './template.ts';

/** What a template may say of a token, behind its name and a dot. */
export const tokenFields = ['username', 'password', 'auth', 'registry', 'expiration'] as const;

/** One of `tokenFields`. */
export type TokenField = (typeof tokenFields)[number];

const ecrFields = z.object({
  region: ruled(z.string().max(64), regionRules('region')).optional().meta({
    description: 'Region of the registry. Default: that of the object.',
  }),
  accountId: ruled(z.string().max(12), accountIdRules('accountId')).optional().meta({
    description: "Account of the registry, 12 digits. Default: the role's account.",
  }),
  public: z.boolean().optional().meta({
    description: 'ECR Public, whose token comes from us-east-1. Default: false.',
  }),
});

const ecr = ruled(ecrFields, [
  {
    cel: '!has(self.public) || !self.public || !(has(self.accountId) || has(self.region))',
    message: 'accountId and region have no meaning for ECR Public; remove them, or remove public',
    holds: (value) => !value.public || (value.accountId === undefined && value.region === undefined),
  },
]).meta({ description: 'A registry token of ECR, made with the session. It lives 12 hours.' });

const token = z.object({
  name: ruled(z.string().max(32), [
    mustMatch(
      '^[A-Za-z][A-Za-z0-9_-]*$',
      "tokens has a name that cannot stand in a template; use letters, digits, '_' and '-', starting with a letter, e.g. ecr",
    ),
  ]).meta({
    description: `What templates call it: \${name.field} with the field ${tokenFields.join(', ')}. username is always AWS, auth is both in base64, registry is the host, expiration RFC 3339. 1 to 32 letters, digits, _ and -.`,
  }),
  ecr,
});

/** Schema of `spec.tokens`. */
export const tokensSchema = ruled(z.array(token).max(5), [
  {
    cel: 'self.all(t, self.exists_one(u, u.name == t.name))',
    message: 'tokens has a name twice; choose different names',
    holds: (tokens) => new Set(tokens.map(({ name }) => name)).size === tokens.length,
  },
]).meta({
  description: 'Further tokens for template.data. One that no template names is not fetched. Default: none. At most 5.',
});

/** One entry of `spec.tokens`. */
export type Token = z.infer<typeof token>;

interface Judged {
  template?: Template | undefined;
  tokens?: Token[] | undefined;
}

/** Rules of a spec about its `tokens`. */
export const tokenRules: Rule<Judged>[] = [
  {
    cel: '!has(self.tokens) || self.tokens.size() == 0 || (has(self.template) && has(self.template.data))',
    message: 'tokens is set, but only template.data can use tokens; add it, or remove tokens',
    fieldPath: '.tokens',
    holds: ({ tokens, template }) => (tokens ?? []).length === 0 || template?.data !== undefined,
  },
];

/** The names that templates may use for the tokens of a spec. */
export function tokenNames(tokens: readonly Token[] = []): string[] {
  return tokens.flatMap(({ name }) => tokenFields.map((field) => `${name}.${field}`));
}

/** The tokens that the templates of a spec name. Objects that were stored before the schema may hold anything. */
export function usedTokens({ tokens, template }: Judged): Token[] {
  if (!Array.isArray(tokens) || tokens.length === 0) return [];
  const names = new Set(templateTexts(template).flatMap(([, text]) => namesIn(text)));
  return tokens.filter((one) => tokenFields.some((field) => names.has(`${one?.name}.${field}`)));
}
