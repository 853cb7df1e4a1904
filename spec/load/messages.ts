import type { ControllerConfig } from '../../lib/config.ts';
import type { Keys } from '../lab/index.ts';

/** How the process of an operator is started; plain data. */
export interface ProcessStart {
  kubeconfig: string;
  endpoint: string;
  region: string;
  keys: Keys;
  namespaces: string[];
  config: Partial<ControllerConfig>;
}

/** What the process of an operator is asked for. */
export type Ask = 'settle' | 'measure' | 'skip' | 'stop';

/** When nobody works any more: milliseconds until something will happen by itself. */
export interface Settled {
  nextInMs: number;
}

/** What a process holds, after its garbage was collected. */
export interface Figures {
  heapBytes: number;
  rssBytes: number;
  /** Timers of the program, and connections. */
  timers: number;
  sockets: number;
  /** Everything that keeps Node running. */
  resources: number;
  /** Listeners on signals that have not aborted. */
  listeners: number;
  /** Warnings of Node so far, such as those about too many listeners. */
  warnings: string[];
}
