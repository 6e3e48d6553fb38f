import type { ServerConnection } from '@jupyterlab/services';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import type { IServerEvent, ServerEvents } from '../server/events';
import type { ISizes } from '../server/sizes';
import { getSizes } from '../server/sizes';

/** For how long a size is shown without being asked for again, as the server keeps it. */
const KEPT = 300_000;

/** Sizes of the projects that are looked at, asked for one after the other. */
export class SizesModel {
  constructor(settings: ServerConnection.ISettings, events: ServerEvents) {
    this._settings = settings;
    events.happened.connect(this._onEvent, this);
  }

  /** Emitted when a size has come. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** The sizes of a project; undefined when they are not known. */
  of(projectId: string): ISizes | undefined {
    return this._known.get(projectId)?.sizes;
  }

  /** Say which projects are in view now; the others are not asked for any more. */
  want(projectIds: readonly string[]): void {
    this._wanted = projectIds;
    if (!this._isAsking) {
      this._isAsking = true;
      void this._ask().finally(() => {
        this._isAsking = false;
      });
    }
  }

  private async _ask(): Promise<void> {
    for (let id = this._next(); id !== undefined; id = this._next()) {
      // Also after a failure, so that nothing is asked for over and over.
      this._known.set(id, { sizes: this.of(id), at: Date.now() });
      try {
        const sizes = await getSizes(this._settings, id);
        this._known.set(id, { sizes, at: Date.now() });
        this._changed.emit();
      } catch {
        // A row without a size says enough; the list tells of what is wrong.
      }
    }
  }

  private _next(): string | undefined {
    const old = Date.now() - KEPT;
    return this._wanted.find(id => (this._known.get(id)?.at ?? 0) < old);
  }

  /** A snapshot tells how large hot memory is. */
  private _onEvent(_: ServerEvents, { noun, data, projectId }: IServerEvent): void {
    const known = projectId === null ? undefined : this._known.get(projectId);
    if (noun === 'memory' && projectId !== null && known?.sizes) {
      if (data.action === 'snapshot' && typeof data.bytes === 'number') {
        const sizes = { ...known.sizes, memory: data.bytes };
        this._known.set(projectId, { ...known, sizes });
        this._changed.emit();
      }
    }
  }

  private readonly _settings: ServerConnection.ISettings;
  private readonly _known = new Map<string, { sizes?: ISizes; at: number }>();
  private readonly _changed = new Signal<this, void>(this);
  private _wanted: readonly string[] = [];
  private _isAsking = false;
}
