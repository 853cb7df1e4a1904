/** Length of the pieces that are looked for: also a part of a value, twice as long as this, is a leak. */
const PIECE = 16;
/** Base64 looks different at each of three positions in the text that it encodes. */
const ALIGNMENTS = [0, 1, 2];

/**
 * Finds secret values in texts, whole or in part, plain and as base64 (wherever in the encoded text), base64url, hex,
 * URL-encoded and as JSON. Gives lines like `log: secretAccessKey of session 3`, each once.
 *
 * @param texts by what they are called in the result
 * @param secrets by what they are called in the result
 * @throws Error for a value that is too short to be told from chance
 */
export function findLeaks(
  texts: Readonly<Record<string, string>>,
  secrets: Readonly<Record<string, string>>,
): string[] {
  const pieces = new Map<string, string>();
  for (const [name, value] of Object.entries(secrets)) {
    if (value.length < PIECE) throw new Error(`${name} has ${value.length} characters, too few to look for`);
    for (const form of formsOf(value)) {
      for (let at = 0; at + PIECE <= form.length; at += PIECE) pieces.set(form.slice(at, at + PIECE), name);
    }
  }
  const found = Object.entries(texts).flatMap(([where, text]) => hits(text, pieces).map((name) => `${where}: ${name}`));
  return [...new Set(found)];
}

function hits(text: string, pieces: Map<string, string>): string[] {
  const names: string[] = [];
  for (let at = 0; at + PIECE <= text.length; at += 1) {
    const name = pieces.get(text.slice(at, at + PIECE));
    if (name !== undefined) names.push(name);
  }
  return names;
}

function formsOf(value: string): string[] {
  const bytes = Buffer.from(value, 'utf8');
  const encoded = ALIGNMENTS.map((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64');
    // The ends mix with what stands beside the value.
    return text.slice(shift === 0 ? 0 : 4, -4);
  });
  const forUrls = encoded.map((text) => text.replaceAll('+', '-').replaceAll('/', '_'));
  const urlEncoded = encodeURIComponent(value);
  return [value, urlEncoded, JSON.stringify(value).slice(1, -1), bytes.toString('hex'), ...encoded, ...forUrls];
}
