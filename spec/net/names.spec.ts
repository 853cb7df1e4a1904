import { expect, test } from '@jest/globals';
import { candidates, parseHosts, parseResolvConf, zoneOf } from '../../lib/net/names.ts';

test('a hosts file gives each name its addresses, in their order', () => {
  const text =
    '# kubelet\n127.0.0.1\tlocalhost\n::1 localhost ip6-localhost\n10.0.0.7 Proxy.Corp. proxy # the way out\nnonsense x\n';
  expect([...parseHosts(text)]).toEqual([
    [
      'localhost',
      [
        { address: '127.0.0.1', family: 4 },
        { address: '::1', family: 6 },
      ],
    ],
    ['ip6-localhost', [{ address: '::1', family: 6 }]],
    ['proxy.corp', [{ address: '10.0.0.7', family: 4 }]],
    ['proxy', [{ address: '10.0.0.7', family: 4 }]],
  ]);
});

test.each([
  ['', { search: [], ndots: 1 }],
  [
    'nameserver 10.0.0.10\nsearch a.svc.cluster.local svc.cluster.local\noptions ndots:5 edns0\n',
    {
      search: ['a.svc.cluster.local', 'svc.cluster.local'],
      ndots: 5,
    },
  ],
  ['# search x\n; search y\ndomain first.test second.test\n', { search: ['first.test'], ndots: 1 }],
  ['search a.test\nsearch B.Test. .\noptions ndots:99 ndots:x\n', { search: ['b.test'], ndots: 15 }],
])('resolv.conf with %j says %j', (text, rules) => {
  expect(parseResolvConf(text)).toEqual(rules);
});

const pod = { search: ['ns.svc.cluster.local', 'cluster.local'], ndots: 5 };
const plain = { search: ['example.test'], ndots: 1 };

test.each([
  [
    'kubernetes.default.svc',
    pod,
    ['kubernetes.default.svc.ns.svc.cluster.local', 'kubernetes.default.svc.cluster.local', 'kubernetes.default.svc'],
  ],
  ['STS.example.com.', pod, ['sts.example.com']],
  ['a.b.c.d.e.f', pod, ['a.b.c.d.e.f', 'a.b.c.d.e.f.ns.svc.cluster.local', 'a.b.c.d.e.f.cluster.local']],
  ['proxy', plain, ['proxy.example.test', 'proxy']],
  ['sts.example.com', plain, ['sts.example.com', 'sts.example.com.example.test']],
  ['proxy', { search: [], ndots: 1 }, ['proxy']],
])('%s stands for the names of the search list %j', (name, rules, names) => {
  expect(candidates(name, rules)).toEqual(names);
});

test.each([
  ['sts.us-iso-east-1.c2s.ic.gov', 'ic.gov'],
  ['sts.us-iso-west-1.c2s.IC.gov.', 'ic.gov'],
  ['kubernetes.default.svc', 'default.svc'],
  ['proxy', 'proxy'],
])('%s is of the zone %s', (name, zone) => {
  expect(zoneOf(name)).toBe(zone);
});
