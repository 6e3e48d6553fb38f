import type { TranslationBundle } from '@jupyterlab/translation';
import { VDomRenderer } from '@jupyterlab/ui-components';
import * as React from 'react';

import { networkInWords, runtimeInWords, savedInWords } from '../sessions/words';
import type { BindingModel } from './model';

/** The item in the status bar; a click opens the project. */
export class ProjectStatus extends VDomRenderer<BindingModel> {
  constructor(
    model: BindingModel,
    private readonly _trans: TranslationBundle,
    private readonly _open: (projectId: string) => void
  ) {
    super(model);
    this.addClass('jp-CognitionStatus');
  }

  protected override render(): React.JSX.Element | null {
    const { projectId, savedAt, session } = this.model;
    if (projectId === null) {
      return null;
    }
    const parts = [projectId];
    if (session) {
      parts.push(
        runtimeInWords(session, this._trans),
        networkInWords(session, this._trans)
      );
    }
    if (savedAt !== null) {
      parts.push(savedInWords(savedAt, Date.now(), this._trans));
    }
    const isExposed = session?.isIsolated === false;
    return (
      <button
        type="button"
        className={isExposed ? 'jp-CognitionStatus-exposed' : undefined}
        title={this._trans.__('Open the project %1', projectId)}
        onClick={() => {
          this._open(projectId);
        }}
      >
        {parts.join(' · ')}
      </button>
    );
  }
}
