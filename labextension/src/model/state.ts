import type { VDomRenderer } from '@jupyterlab/ui-components';
import { Signal } from '@lumino/signaling';

/**
 * A model that views render again at each `stateChanged`.
 *
 * As Lab's VDomModel, whose package can't be loaded without a page, as in unit tests.
 */
export abstract class StateModel implements VDomRenderer.IModel {
  /** Emitted when anything of it is another. */
  readonly stateChanged = new Signal<this, void>(this);

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Nothing reaches it any more, and it tells nobody. */
  dispose(): void {
    this._isDisposed = true;
    Signal.clearData(this);
  }

  private _isDisposed = false;
}
