/** A network for tests: the settings are real, the answers are the test's. */
import { ServerConnection } from '@jupyterlab/services';

/** A socket that the test opens, closes and speaks through. */
export class Socket extends EventTarget {
  static made: Socket[] = [];

  /** The newest but `after`; waits for it for a few seconds. */
  static async last(after?: Socket): Promise<Socket> {
    for (let i = 0; i < 100; i++) {
      const socket = Socket.made.at(-1);
      if (socket && socket !== after) {
        return socket;
      }
      await new Promise(resolve => setTimeout(resolve, 100));
    }
    throw new Error('No socket was made.');
  }

  constructor(readonly url: string) {
    super();
    Socket.made.push(this);
  }

  onopen: (() => void) | null = null;
  onclose: (() => void) | null = null;
  onmessage: ((message: { data: string }) => void) | null = null;
  readonly sent: string[] = [];

  send(data: string): void {
    this.sent.push(data);
  }

  open(): void {
    this.onopen?.();
    this.dispatchEvent(new Event('open'));
  }

  close(): void {
    this.onclose?.();
    this.dispatchEvent(new Event('close'));
  }

  says(message: unknown): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }

  /** One of our events. */
  happens(noun: string, data: Record<string, unknown>): void {
    const schema_id = `https://schema.jupyter.org/cognition/${noun}/v1`;
    this.says({ schema_id, ...data });
  }
}

/** Connection settings whose every request is answered by `answer`. */
export function connection(
  answer: (url: string, request: Request) => Response | Promise<Response>
): ServerConnection.ISettings {
  return ServerConnection.makeSettings({
    baseUrl: 'http://localhost:8888/user/ada/',
    wsUrl: 'ws://localhost:8888/user/ada/',
    fetch: async input => answer((input as Request).url, input as Request),
    WebSocket: Socket as unknown as typeof WebSocket
  });
}

/** An answer with JSON. */
export function json(body: unknown, status = 200): Response {
  return new Response(JSON.stringify(body), { status });
}
