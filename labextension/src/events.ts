import type { Event } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';
import { Debouncer } from '@lumino/polling';
import { Signal } from '@lumino/signaling';

/** The schema of the events that the server emits about sessions. */
export const SESSION_SCHEMA =
  'https://schema.jupyter.org/cognition/session/v1';

/** Listens to what happens to sessions, whoever started them. */
export class SessionEvents implements IDisposable {
  constructor(options: SessionEvents.IOptions) {
    this._onFailed = options.onFailed;
    // One start or stop of a kernel can come as several events.
    this._changed = new Debouncer(options.onChanged, options.delay ?? 250);
    options.events.stream.connect(this._onEvent, this);
  }

  get isDisposed(): boolean {
    return this._changed.isDisposed;
  }

  dispose(): void {
    Signal.clearData(this);
    this._changed.dispose();
  }

  private _onEvent(_: Event.IManager, event: Event.Emission): void {
    if (event.schema_id !== SESSION_SCHEMA) {
      return;
    }
    void this._changed.invoke();
    if (event.action === 'failed' && typeof event.message === 'string') {
      this._onFailed(event.message);
    }
  }

  private readonly _changed: Debouncer;
  private readonly _onFailed: (message: string) => void;
}

/** A namespace for `SessionEvents` statics. */
export namespace SessionEvents {
  /** The options of `SessionEvents`. */
  export interface IOptions {
    readonly events: Event.IManager;

    /** Called once events have been quiet for `delay` ms (default 250). */
    readonly onChanged: () => void;

    /** Called with the sentence that says why a session could not start. */
    readonly onFailed: (message: string) => void;

    readonly delay?: number;
  }
}
