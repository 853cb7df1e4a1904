import { holdsSession } from '../api/contents.ts';
import type { Issued } from '../api/credentials.ts';
import type { Form } from './render.ts';

type Held = Pick<Form, 'secretType' | 'template' | 'tokens'>;

/** When a credential was issued and when it ends, milliseconds since 1970 of the server's clock. */
interface Life {
  issuedAt: number;
  expiresAt: number;
}

/** The life of a Secret: that of the credential in it which ends first. */
export function lifeOf(form: Held, issued: Issued): Life {
  const [first = issued.session, ...others] = contentsOf(form, issued);
  const { issuedAt, expiresAt } = others.reduce<Life>((a, b) => (b.expiresAt < a.expiresAt ? b : a), first);
  return { issuedAt, expiresAt };
}

/** The credentials that are written. */
function contentsOf(form: Held, { session, logins = [], tokens = [] }: Issued): Life[] {
  return [...(holdsSession(form) ? [session] : []), ...[...logins, ...tokens].map(({ token }) => token)];
}
