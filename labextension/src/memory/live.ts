import { ReactWidget } from '@jupyterlab/ui-components';
import type { ISignal } from '@lumino/signaling';

/** A view that is rendered again at each of the signals. */
export abstract class LiveWidget extends ReactWidget {
  constructor(signals: readonly ISignal<unknown, unknown>[]) {
    super();
    for (const signal of signals) {
      signal.connect(this._onChanged, this);
    }
  }

  private _onChanged(): void {
    this.update();
  }
}
