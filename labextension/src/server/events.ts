import type { Event, ServerConnection } from '@jupyterlab/services';
import { EventManager } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import type { JSONRecord } from './check';
import { textOrNull } from './check';

const SCHEMA = /^https:\/\/schema\.jupyter\.org\/cognition\/([a-z]+)\/v1$/;

/** Something that happened on the server; docs/operations.md lists what can. */
export interface IServerEvent {
  /** `project`, `session`, `journal`, `memory`, `cleanup`, `reconcile` or `progress`. */
  readonly noun: string;
  readonly action: string;

  /** The project that it is about, where it is about one. */
  readonly projectId: string | null;
  readonly data: JSONRecord;
}

/** Nouns of events that are about work as it goes on, come often, and change no project. */
export const ON_THE_WAY: readonly string[] = ['progress', 'journal'];

/**
 * Follows the server's event stream, whoever caused the events.
 *
 * Lab's own event manager does not tell when its stream was cut, and what happens meanwhile is
 * lost. This is one more of its class, whose socket is watched. It connects again by itself,
 * with growing pauses; nothing else is polled.
 */
export class ServerEvents implements IDisposable {
  constructor(settings: ServerConnection.ISettings) {
    const watch = (socket: WebSocket): void => {
      socket.addEventListener('open', () => {
        this._setConnected(true);
      });
      socket.addEventListener('close', () => {
        this._setConnected(false);
      });
    };
    const WatchedSocket = class extends settings.WebSocket {
      constructor(url: string | URL, protocols?: string | string[]) {
        super(url, protocols);
        watch(this);
      }
    };
    this._manager = new EventManager({
      serverSettings: { ...settings, WebSocket: WatchedSocket },
      standby: 'never'
    });
    this._manager.stream.connect(this._onEvent, this);
  }

  /** Emitted for each of our events. */
  get happened(): ISignal<this, IServerEvent> {
    return this._happened;
  }

  /** Emitted when the stream is there (again): events before this may have been missed. */
  get connected(): ISignal<this, void> {
    return this._connected;
  }

  /** Emitted when the stream was cut. */
  get disconnected(): ISignal<this, void> {
    return this._disconnected;
  }

  get isConnected(): boolean {
    return this._isConnected;
  }

  get isDisposed(): boolean {
    return this._manager.isDisposed;
  }

  dispose(): void {
    this._manager.dispose();
    Signal.clearData(this);
  }

  private _setConnected(isConnected: boolean): void {
    if (this.isDisposed || isConnected === this._isConnected) {
      return;
    }
    this._isConnected = isConnected;
    (isConnected ? this._connected : this._disconnected).emit();
  }

  private _onEvent(_: Event.IManager, event: Event.Emission): void {
    const noun = SCHEMA.exec(event.schema_id)?.[1];
    if (noun !== undefined && typeof event.action === 'string') {
      this._happened.emit({
        noun,
        action: event.action,
        projectId: textOrNull(event.project_id),
        data: event
      });
    }
  }

  private readonly _manager: EventManager;
  private readonly _happened = new Signal<this, IServerEvent>(this);
  private readonly _connected = new Signal<this, void>(this);
  private readonly _disconnected = new Signal<this, void>(this);
  private _isConnected = false;
}
