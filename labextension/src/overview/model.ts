import type { ServerConnection } from '@jupyterlab/services';
import { Debouncer } from '@lumino/polling';

import { StateModel } from '../model/state';
import type { IDetails } from '../server/details';
import { getDetails } from '../server/details';
import type { IServerEvent, ServerEvents } from '../server/events';
import { ON_THE_WAY } from '../server/events';
import { asError } from '../server/request';
import type { IUsage } from '../server/usage';
import { getUsage } from '../server/usage';

/** A project and its use, followed while it is looked at. */
export class OverviewModel extends StateModel {
  /** `delay`: for how many milliseconds events are gathered. */
  constructor(
    readonly settings: ServerConnection.ISettings,
    events: ServerEvents,
    readonly projectId: string,
    delay = 250
  ) {
    super();
    this._changed = new Debouncer(() => this._refreshIfWatched(), delay);
    events.happened.connect(this._onEvent, this);
    events.connected.connect(this._onChange, this);
  }

  /** The last answer that arrived; null before the first. */
  get details(): IDetails | null {
    return this._details;
  }

  /** The same; null, too, of a project that can't be used. */
  get usage(): IUsage | null {
    return this._usage;
  }

  /** Why the last refresh failed, or null. What was there before it is kept. */
  get error(): Error | null {
    return this._error;
  }

  override dispose(): void {
    this._changed.dispose();
    super.dispose();
  }

  /** Whether somebody looks at it: what changes meanwhile is asked for once somebody does. */
  set isWatched(isWatched: boolean) {
    this._isWatched = isWatched;
    void this._refreshIfWatched();
  }

  /** Ask for all of it again. Never rejects: a failure becomes `error`. */
  async refresh(): Promise<void> {
    this._isOld = false;
    const request = ++this._lastRequest;
    let { _details: details, _usage: usage } = this;
    let error: Error | null = null;
    try {
      details = await getDetails(this.settings, this.projectId);
      const isUsable = details.status === 'active' || details.status === 'idle';
      usage = isUsable ? await getUsage(this.settings, this.projectId) : null;
    } catch (reason) {
      error = asError(reason);
    }
    // Answers can overtake each other; only the one asked for last counts.
    if (this.isDisposed || request !== this._lastRequest) {
      return;
    }
    this._details = details;
    this._usage = usage;
    this._error = error;
    this.stateChanged.emit();
  }

  private async _refreshIfWatched(): Promise<void> {
    if (this._isWatched && this._isOld) {
      await this.refresh();
    }
  }

  private _onEvent(_: ServerEvents, event: IServerEvent): void {
    if (event.projectId === this.projectId && !ON_THE_WAY.includes(event.noun)) {
      this._onChange();
    }
  }

  private _onChange(): void {
    this._isOld = true;
    void this._changed.invoke();
  }

  private readonly _changed: Debouncer;
  private _details: IDetails | null = null;
  private _usage: IUsage | null = null;
  private _error: Error | null = null;
  private _lastRequest = 0;
  private _isOld = true;
  private _isWatched = false;
}
