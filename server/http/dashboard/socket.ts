/**
 * A WebSocket as the application sees it, whatever runtime it comes from.
 *
 * @module
 */

/** An open socket. */
export interface Socket {
  /** Sends a text frame; without effect once it is closed. */
  send(text: string): void;
  /** Bytes sent that the client has not taken yet. */
  readonly bufferedBytes: number;
  close(code: number, reason: string): void;
}

/** What happens to a socket, in this order; `closed` is called once, also when the client just goes away. */
export interface SocketHandler {
  opened(socket: Socket): void;
  /** A text frame of the client; binary frames are not handed on. */
  received(text: string): void;
  closed(): void;
}

/** Longest frame a client may send, in bytes. */
export const FRAME_BYTES_MAX = 16_384;
/** Seconds without a sign of life after which a socket is closed. */
export const SOCKET_IDLE_S = 60;
