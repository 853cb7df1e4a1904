import { RolevendError } from '../errors.ts';

/** Where to listen. No `host` means every interface. */
export interface ListenAddress {
  host?: string;
  /** 0 lets the system choose. */
  port: number;
}

/**
 * Reads `:8080`, `0.0.0.0:8080`, `localhost:8080` or `[::1]:8081`. Undefined for `0`, which means: do not listen.
 * @throws RolevendError `InvalidConfig` for anything else
 */
export function parseAddress(address: string): ListenAddress | undefined {
  if (address === '0') return undefined;
  const [, ipv6, name, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]/]*)):(\d{1,5})$/.exec(address) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 65_535) throw invalid(address);
  const host = ipv6 ?? name;
  return host ? { host, port } : { port };
}

function invalid(address: string): RolevendError {
  const accepted = '":8080", "127.0.0.1:8080", "[::1]:8080" or "0" for none';
  return new RolevendError(`"${address}" is no address to listen on; accepted are ${accepted}`, {
    code: 'InvalidConfig',
    consequence: 'stop',
  });
}
