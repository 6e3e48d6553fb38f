import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget, notTrustedIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

/** Says above a view that its project is not trusted, with a button to trust it. */
export class UntrustedBanner extends ReactWidget {
  constructor(
    private readonly _trans: TranslationBundle,
    private readonly _trustProject: (projectId: string) => void
  ) {
    super();
    this.addClass('jp-CognitionUntrusted');
    this.node.setAttribute('role', 'status');
    this.hide();
  }

  /** Show it for that project; null for none. */
  showFor(projectId: string | null): void {
    this._projectId = projectId;
    this.setHidden(projectId === null);
    this.update();
  }

  protected override render(): React.JSX.Element | null {
    const projectId = this._projectId;
    if (projectId === null) {
      return null;
    }
    return (
      <>
        <notTrustedIcon.react tag="span" className="jp-CognitionUntrusted-icon" />
        <span className="jp-CognitionUntrusted-text">
          {this._trans.__(
            'Outputs are shown without scripts: the project %1 is not trusted.',
            projectId
          )}
        </span>
        <button
          type="button"
          className="jp-mod-styled jp-mod-minimal"
          onClick={() => {
            this._trustProject(projectId);
          }}
        >
          {this._trans.__('Trust Project…')}
        </button>
      </>
    );
  }

  private _projectId: string | null = null;
}
