/**
 * A client of the dashboard's socket.
 *
 * @module
 */
import { until } from "./wait.ts";

/** An event as it came. */
export interface SeenEvent {
  event: string;
  // biome-ignore lint/suspicious/noExplicitAny: the wire is untyped; every test asserts the shape it needs.
  data: any;
  timestamp: string;
}

/** See the module comment. */
export class DashboardClient {
  readonly socket: WebSocket;
  readonly events: SeenEvent[] = [];
  /** Frames that are no events. */
  readonly texts: string[] = [];
  /** Code it was closed with. */
  closed: number | null = null;

  constructor(url: string, path = "/ws/dashboard") {
    this.socket = new WebSocket(url.replace("http", "ws") + path);
    this.socket.onmessage = (message) => {
      const text = String(message.data);
      if (text.startsWith("{")) this.events.push(JSON.parse(text) as SeenEvent);
      else this.texts.push(text);
    };
    this.socket.onclose = (event) => {
      this.closed = event.code;
    };
  }

  /** Waits until it is connected. @returns Its connection id. */
  async connected(): Promise<string> {
    return (await this.seen("connected")).data.connectionId as string;
  }

  /** Waits for the first event of a kind that fits. */
  async seen(event: string, fits: (data: SeenEvent["data"]) => boolean = () => true, timeoutMs = 15_000) {
    return await until(() => this.events.find((seen) => seen.event === event && fits(seen.data)), timeoutMs, event);
  }

  /** Events of a kind that fit. */
  of(event: string, fits: (data: SeenEvent["data"]) => boolean = () => true): SeenEvent[] {
    return this.events.filter((seen) => seen.event === event && fits(seen.data));
  }

  /** Closes it, and waits for that. */
  async close(): Promise<void> {
    this.socket.close();
    await until(() => this.closed !== null, 5_000, "the end of the socket");
  }
}
