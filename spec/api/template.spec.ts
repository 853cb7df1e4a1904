import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { namesIn, substitute, templateProblem } from '../../lib/api/template.ts';

const upper = (text: string) => substitute(text, (name) => name.toUpperCase());

describe('substitute', () => {
  it.each([
    ['${region}', 'REGION'],
    ['a ${region}, ${roleArn}.', 'a REGION, ROLEARN.'],
    ['$${region}', '${region}'],
    ['$$${region}', '$${region}'],
    ['$region {region} $ {region} #{region}', '$region {region} $ {region} #{region}'],
    ['{"key": "${accessKeyId}"}\n', '{"key": "ACCESSKEYID"}\n'],
    ['', ''],
  ])('turns %j into %j', (text, expected) => {
    expect(upper(text)).toBe(expected);
  });

  it('writes a value as it is, whatever it holds', () => {
    const property = fc.property(fc.string(), fc.string({ unit: 'grapheme' }), (before, value) => {
      fc.pre(!before.includes('$'));
      expect(substitute(`${before}\${x}${before}`, () => value)).toBe(`${before}${value}${before}`);
    });
    fc.assert(property);
  });

  it('leaves a text alone in which every ${ is escaped', () => {
    const property = fc.property(fc.string({ unit: fc.constantFrom(...'ab{} \n') }), (text) => {
      expect(upper(`$\${${text}`)).toBe(`\${${text}`);
      expect(namesIn(`$\${${text}`)).toEqual([]);
    });
    fc.assert(property);
  });

  it('finds exactly the names that it replaces', () => {
    const text = fc.array(fc.constantFrom('${', '$${', '}', '$', 'a', 'region', '\n'), { maxLength: 8 });
    const property = fc.property(text, (pieces) => {
      const asked: string[] = [];
      substitute(pieces.join(''), (name) => {
        asked.push(name);
        return '';
      });
      expect(namesIn(pieces.join(''))).toEqual(asked);
    });
    fc.assert(property);
  });
});

describe('templateProblem', () => {
  const known = ['region', 'roleArn'];

  it.each([['${region} ${roleArn}'], ['$${regoin}'], ['no names'], ['$region {']])('is none in %j', (text) => {
    expect(templateProblem({ data: { key: text } }, known)).toBeUndefined();
  });

  it.each([
    ['${regoin}', 'uses the unknown name "regoin"'],
    ['${}', 'uses the unknown name ""'],
    ['${ region }', 'uses the unknown name " region "'],
    ['${constructor}', 'uses the unknown name "constructor"'],
    ['${a\nb}', 'uses the unknown name "a\\nb"'],
    [`\${${'x'.repeat(65)}}`, `uses the unknown name "${'x'.repeat(64)}…"`],
    ['${region', 'has a ${ without }'],
  ])('of %j says what is wrong and lists the known names', (text, says) => {
    const problem = `spec.template.data.key ${says}; known are region, roleArn; write $\${ for a literal \${`;
    expect(templateProblem({ data: { fine: '${region}', key: text } }, known)).toBe(problem);
  });

  it('does not stumble over what may have been stored before the schema', () => {
    expect(templateProblem({ data: { a: 1, b: null } } as never, known)).toBeUndefined();
    expect(templateProblem({} as never, known)).toBeUndefined();
  });
});
