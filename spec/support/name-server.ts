import { createSocket } from 'node:dgram';
import type { AddressInfo } from 'node:net';

/** What a name resolves to; `silent` never answers (in place of `ipv6`: for that kind alone), `fails` answers SERVFAIL. */
export type Zone = { ipv4?: string[]; ipv6?: number | 'silent'; ttl?: number } | 'silent' | 'fails';

/** A stand-in for a name server on loopback, over UDP: it knows A records and the addresses `::n`. */
export interface NameServer {
  /** As `Lookup` takes it. */
  address: string;
  /** By full name, or by `*.` and the rest of one. Other names do not exist. May be changed at any time. */
  zones: Record<string, Zone>;
  /** What was asked for, as `A name`, in its order. */
  asked: string[];
  stop(): Promise<void>;
}

const types: Record<number, string> = { 1: 'A', 28: 'AAAA' };

export async function startNameServer(zones: Record<string, Zone>): Promise<NameServer> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  const server: NameServer = {
    address: `127.0.0.1:${(socket.address() as AddressInfo).port}`,
    zones,
    asked: [],
    stop: () => new Promise((resolve) => socket.close(() => resolve())),
  };
  socket.on('message', (query, from) => {
    const { name, type, end } = question(query);
    server.asked.push(`${types[type] ?? type} ${name}`);
    const zone = server.zones[name] ?? wildcard(server.zones, name);
    if (!isSilent(zone, type)) socket.send(reply(query.subarray(0, end), type, zone), from.port, from.address);
  });
  return server;
}

function isSilent(zone: Zone | undefined, type: number): zone is 'silent' {
  return zone === 'silent' || (type === 28 && typeof zone === 'object' && zone.ipv6 === 'silent');
}

function wildcard(zones: Record<string, Zone>, name: string): Zone | undefined {
  return Object.entries(zones).find(([key]) => key.startsWith('*.') && name.endsWith(key.slice(1)))?.[1];
}

/** Name and type of the only question of a query, and where it ends (RFC 1035, section 4.1.2). */
function question(query: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 };
}

function reply(query: Buffer, type: number, zone: Exclude<Zone, 'silent'> | undefined): Buffer {
  const records = zone === undefined || zone === 'fails' ? [] : answers(type, zone);
  const head = Buffer.from(query);
  head.writeUInt16BE(0x8180 | (zone === 'fails' ? 2 : zone === undefined ? 3 : 0), 2);
  head.writeUInt16BE(records.length, 6);
  head.writeUInt32BE(0, 8);
  return Buffer.concat([head, ...records]);
}

function answers(type: number, { ipv4 = [], ipv6, ttl = 60 }: Exclude<Zone, string>): Buffer[] {
  if (type === 1) return ipv4.map((address) => record(type, ttl, Buffer.from(address.split('.').map(Number))));
  if (type !== 28 || typeof ipv6 !== 'number') return [];
  const address = Buffer.alloc(16);
  address.writeUInt8(ipv6, 15);
  return [record(type, ttl, address)];
}

/** A record of the name in the question. */
function record(type: number, ttl: number, data: Buffer): Buffer {
  const head = Buffer.from('c00c000000010000000000ff', 'hex');
  head.writeUInt16BE(type, 2);
  head.writeUInt32BE(ttl, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}
