import type { IThemeManager } from '@jupyterlab/apputils';
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { TranslationBundle } from '@jupyterlab/translation';
import { VDomRenderer } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import type { Message } from '@lumino/messaging';
import * as React from 'react';

import { describe } from '../failure';
import { CleanupView, FactsView, Heading } from './facts';
import { figuresOf } from './figures';
import type { OverviewModel } from './model';
import { FigureView, currentLook } from './plot';
import { SessionsView } from './sessions';

/** The overview of a project, without its toolbar. */
export class OverviewPage extends VDomRenderer<OverviewModel> {
  constructor(
    model: OverviewModel,
    private readonly _options: OverviewPage.IOptions
  ) {
    super(model);
    this.addClass('jp-CognitionOverview');
    this.node.tabIndex = 0;
    _options.themes?.themeChanged.connect(this._onThemeChanged, this);
  }

  protected override render(): React.JSX.Element {
    const { commands, rendermime, trans } = this._options;
    const { details, error, usage } = this.model;
    return (
      <>
        {error && (
          <p role="alert" className="jp-CognitionOverview-error">
            {describe(error, trans)}
          </p>
        )}
        {details ? (
          <>
            <Heading details={details} trans={trans} />
            <CleanupView details={details} commands={commands} trans={trans} />
            {usage && (
              <section aria-label={trans.__('Usage')}>
                <h2>{trans.__('Usage')}</h2>
                <div className="jp-CognitionOverview-figures">
                  {figuresOf(usage, trans, Date.now()).map(figure => (
                    <FigureView
                      key={figure.name}
                      figure={figure}
                      context={{ rendermime, trans, look: currentLook() }}
                    />
                  ))}
                </div>
              </section>
            )}
            <SessionsView details={details} commands={commands} trans={trans} />
            <FactsView details={details} trans={trans} />
          </>
        ) : (
          !error && <p role="status">{trans.__('Loading…')}</p>
        )}
      </>
    );
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.model.isWatched = this.isVisible;
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.model.isWatched = true;
  }

  protected override onAfterHide(message: Message): void {
    super.onAfterHide(message);
    this.model.isWatched = false;
  }

  protected override onActivateRequest(message: Message): void {
    super.onActivateRequest(message);
    this.node.focus();
  }

  /** Plots have the colours of the theme in them. */
  private _onThemeChanged(): void {
    this.update();
  }
}

/** A namespace for `OverviewPage` statics. */
export namespace OverviewPage {
  /** What the page works with. */
  export interface IOptions {
    readonly commands: CommandRegistry;
    readonly rendermime: IRenderMimeRegistry;
    readonly themes: IThemeManager | null;
    readonly trans: TranslationBundle;
  }
}
