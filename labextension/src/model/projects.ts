import type { ServerConnection } from '@jupyterlab/services';
import type { VDomRenderer } from '@jupyterlab/ui-components';
import { Debouncer } from '@lumino/polling';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import type { IServerEvent, ServerEvents } from '../server/events';
import type { IProjectList } from '../server/projects';
import { listProjects } from '../server/projects';

/** Events that change no list. */
const NOT_LISTED = ['progress', 'reconcile'];

/** The projects as the server has them; views render it again at each `stateChanged`. */
export class ProjectsModel implements VDomRenderer.IModel {
  constructor(
    settings: ServerConnection.ISettings,
    events: ServerEvents,
    delay = 250
  ) {
    this._settings = settings;
    // One start or stop of a kernel can come as several events.
    this._changed = new Debouncer(() => this.refresh(), delay);
    events.happened.connect(this._onEvent, this);
    events.connected.connect(this._onConnected, this);
  }

  get stateChanged(): ISignal<this, void> {
    return this._stateChanged;
  }

  /** The last list that arrived; null before the first. */
  get list(): IProjectList | null {
    return this._list;
  }

  /** Why the last refresh failed, or null. The list before it is kept. */
  get error(): Error | null {
    return this._error;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    this._isDisposed = true;
    this._changed.dispose();
    Signal.clearData(this);
  }

  /** Fetch the list. Never rejects: a failure becomes `error`. */
  async refresh(): Promise<void> {
    const request = ++this._lastRequest;
    let list = this._list;
    let error: Error | null = null;
    try {
      list = await listProjects(this._settings);
    } catch (reason) {
      error = reason instanceof Error ? reason : new Error(String(reason));
    }
    // Answers can overtake each other; only the one asked for last counts.
    if (this._isDisposed || request !== this._lastRequest) {
      return;
    }
    this._list = list;
    this._error = error;
    this._stateChanged.emit();
  }

  private _onEvent(_: ServerEvents, event: IServerEvent): void {
    if (!NOT_LISTED.includes(event.noun)) {
      void this._changed.invoke();
    }
  }

  private _onConnected(): void {
    void this._changed.invoke();
  }

  private readonly _settings: ServerConnection.ISettings;
  private readonly _changed: Debouncer;
  private readonly _stateChanged = new Signal<this, void>(this);
  private _list: IProjectList | null = null;
  private _error: Error | null = null;
  private _lastRequest = 0;
  private _isDisposed = false;
}
