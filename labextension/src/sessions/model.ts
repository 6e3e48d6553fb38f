import type { ServerConnection } from '@jupyterlab/services';
import { Debouncer } from '@lumino/polling';

import { Backoff } from '../model/backoff';
import { StateModel } from '../model/state';
import type { IServerEvent, ServerEvents } from '../server/events';
import { NotEnabledError } from '../server/request';
import type { ISession } from '../server/sessions';
import { listSessions } from '../server/sessions';

/** Events after which the list may be another. */
const LISTED = ['session', 'reconcile', 'project'];
const FIRST_PAUSE = 1000;

/** The sessions of all projects as the server has them. */
export class SessionsModel extends StateModel {
  constructor(
    settings: ServerConnection.ISettings,
    events: ServerEvents,
    delay = 250
  ) {
    super();
    this._settings = settings;
    this._changed = new Debouncer(() => this.refresh(), delay);
    events.happened.connect(this._onEvent, this);
    events.connected.connect(this._onConnected, this);
  }

  /** The last list that arrived: live ones first; null before the first. */
  get sessions(): readonly ISession[] | null {
    return this._sessions;
  }

  /** Why the last refresh failed, or null. The list before it is kept. */
  get error(): unknown {
    return this._error;
  }

  /** The session of a kernel. */
  ofKernel(kernelId: string): ISession | undefined {
    return this._sessions?.find(session => session.id === kernelId);
  }

  /** Fetch the list, until it is there. Never rejects. */
  async refresh(): Promise<void> {
    const request = ++this._lastRequest;
    let sessions = this._sessions;
    let error: unknown = null;
    try {
      sessions = await listSessions(this._settings);
    } catch (reason) {
      error = reason;
    }
    if (request !== this._lastRequest) {
      return;
    }
    this._sessions = sessions;
    this._error = error;
    this.stateChanged.emit();
    if (error !== null && !(error instanceof NotEnabledError)) {
      this._backoff.later();
    } else {
      this._backoff.reset();
    }
  }

  private _onEvent(_: ServerEvents, { noun }: IServerEvent): void {
    if (LISTED.includes(noun)) {
      void this._changed.invoke();
    }
  }

  private _onConnected(): void {
    void this._changed.invoke();
  }

  private readonly _settings: ServerConnection.ISettings;
  private readonly _changed: Debouncer;
  private readonly _backoff = new Backoff(FIRST_PAUSE, () => void this.refresh());
  private _sessions: readonly ISession[] | null = null;
  private _error: unknown = null;
  private _lastRequest = 0;
}
