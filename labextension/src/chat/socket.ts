import { URLExt } from '@jupyterlab/coreutils';
import type { ServerConnection } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';

import type { JSONRecord } from '../server/check';
import { isRecord } from '../server/check';

/** The server pings every 30 s: a socket that is silent for longer is dead. */
const SILENCE_SECONDS = 75;

/** Who is told of a socket. Each is called from the socket's own events, and not after `dispose`. */
export interface ISocketListener {
  readonly onOpen: () => void;
  readonly onEvent: (event: JSONRecord) => void;

  /** It is gone: cut, refused, silent for too long. The last call. */
  readonly onLost: () => void;
}

/** One connection to `/ws`, which docs/websocket.md describes. It does not connect again. */
export class ConversationSocket implements IDisposable {
  constructor(settings: ServerConnection.ISettings, listener: ISocketListener) {
    const { WebSocket, appendToken, token, wsUrl } = settings;
    const url = URLExt.join(wsUrl, 'ws');
    const query = appendToken && token ? `?token=${encodeURIComponent(token)}` : '';
    this._listener = listener;
    this._socket = new WebSocket(url + query);
    this._socket.onopen = () => {
      this._heard();
      listener.onOpen();
    };
    this._socket.onmessage = ({ data }) => {
      this._heard();
      const event = parse(data);
      if (event) {
        listener.onEvent(event);
      }
    };
    this._socket.onclose = () => {
      this._lost();
    };
    this._heard();
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Close the connection; nobody is told. */
  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    clearTimeout(this._silence);
    this._socket.onopen = this._socket.onmessage = this._socket.onclose = null;
    this._socket.close();
  }

  /** Send a message. */
  send(message: JSONRecord): void {
    this._socket.send(JSON.stringify(message));
  }

  private _heard(): void {
    clearTimeout(this._silence);
    this._silence = setTimeout(() => {
      this._lost();
    }, SILENCE_SECONDS * 1000);
  }

  private _lost(): void {
    this.dispose();
    this._listener.onLost();
  }

  private readonly _listener: ISocketListener;
  private readonly _socket: WebSocket;
  private _silence: ReturnType<typeof setTimeout> | undefined;
  private _isDisposed = false;
}

/** An event; null for what is none. */
function parse(data: unknown): JSONRecord | null {
  try {
    const event: unknown = typeof data === 'string' ? JSON.parse(data) : null;
    return isRecord(event) ? event : null;
  } catch {
    return null;
  }
}
