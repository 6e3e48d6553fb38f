import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { LiveWidget } from './live';
import type { MemoryModel } from './model';

/** What stands there while nothing is open. */
export class NoticeView extends LiveWidget {
  constructor(
    model: MemoryModel,
    private readonly _trans: TranslationBundle
  ) {
    super([model.stateChanged]);
    this.addClass('jp-CognitionMemory-body');
  }

  protected override render(): React.JSX.Element {
    return (
      <p className="jp-CognitionMemory-note">
        {this._trans.__(
          'Choose a file to read or edit it, or a snapshot to see what changed.'
        )}
      </p>
    );
  }
}

/** What is wrong with hot memory, in the server's words. */
export class WarningView extends LiveWidget {
  constructor(private readonly _model: MemoryModel) {
    super([_model.stateChanged]);
  }

  protected override render(): React.JSX.Element | null {
    const { warning } = this._model;
    return warning === '' ? null : (
      <p role="alert" className="jp-CognitionMemory-warning">
        {warning}
      </p>
    );
  }
}
