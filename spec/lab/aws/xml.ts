/** Text as XML content. */
export function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** The content of the first element of this name, or undefined. Good enough for AWS's flat answers. */
export function xmlText(body: Buffer | string, element: string): string | undefined {
  const text = new RegExp(`<${element}>([^<]*)</${element}>`).exec(body.toString())?.[1];
  return text?.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&amp;', '&');
}

/** Replaces the content of the first element of this name, or adds the element before `end`. */
export function setXml(xml: string, element: string, text: string, end: string): string {
  const fresh = `<${element}>${escapeXml(text)}</${element}>`;
  const old = new RegExp(`<${element}>[^<]*</${element}>`);
  return old.test(xml) ? xml.replace(old, () => fresh) : xml.replace(`</${end}>`, () => `${fresh}</${end}>`);
}

/** The text without the first element of this name. */
export function dropXml(xml: string, element: string): string {
  return xml.replace(new RegExp(`<${element}>[^<]*</${element}>`), '');
}
