import type { Socket } from 'node:net';

/**
 * Ends a connection with a reset. One whose other side has gone and that is being shut down cannot be reset any more: Node
 * would leave it half closed for ever, and never end itself.
 */
export function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
