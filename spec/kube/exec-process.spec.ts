import { describe, expect, it } from '@jest/globals';
import { lastLine } from '../../lib/kube/exec-process.ts';

describe('the last line of what a program says about its trouble', () => {
  it.each([
    ['is the last that is not blank', 'warning: a\nerror: no session\r\n  \n\n', 'error: no session'],
    ['is empty where there is none', '\n \n', ''],
    [
      'has no colours, bells or other control characters',
      '\u001b[31merror\u001b[0m:\u0007 a\u200bb\tc',
      'error: a b c',
    ],
    ['is cut', 'x '.repeat(150), `${'x '.repeat(100)}…`],
    [
      'keeps what helps',
      'An error occurred (ExpiredToken) when calling GetCallerIdentity: The security token is expired, request id 0f6ba39e-4c5a-4e0e-9c55-6c1ad3ff5d7e',
      'An error occurred (ExpiredToken) when calling GetCallerIdentity: The security token is expired, request id 0f6ba39e-4c5a-4e0e-9c55-6c1ad3ff5d7e',
    ],
    ['hides a token of a login', 'bad token eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln here', 'bad token … here'],
    ['hides what stands after Bearer', 'sent Authorization: Bearer abc.def', 'sent Authorization: Bearer …'],
    ['hides named secrets', 'POST refresh_token=abc&client_secret=def', 'POST refresh_token=…'],
    ['hides access keys', 'using ASIAIOSFODNN7EXAMPLE', 'using …'],
    ['hides what looks random', 'got k8s-aws-v1.aHR0cHM6Ly9zdHMuYW1hem9u', 'got k8s-aws-v1.…'],
    ['hides long hexadecimal numbers', `got ${'0a'.repeat(20)}`, 'got …'],
  ])('%s', (_, text, expected) => {
    expect(lastLine(text)).toBe(expected);
  });

  it('hides what stands in secret variables of its environment', () => {
    const environment = { AZURE_CLIENT_SECRET: 'correct horse', HOME: '/home/user', API_KEY: '' };
    expect(lastLine('login at /home/user with correct horse', environment)).toBe('login at /home/user with …');
  });
});
