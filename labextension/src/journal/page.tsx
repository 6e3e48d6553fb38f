import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { TranslationBundle } from '@jupyterlab/translation';
import { VDomRenderer } from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import * as React from 'react';

import type { IConversationContext } from '../conversation/view';
import { ConversationView } from '../conversation/view';
import { describe } from '../failure';
import type { JournalModel } from './model';

/** How many entries are shown at once. */
const PAGE = 100;

/** The journal of a session as a conversation, without its toolbar. */
export class JournalPage extends VDomRenderer<JournalModel> {
  constructor(
    model: JournalModel,
    rendermime: IRenderMimeRegistry,
    private readonly _trans: TranslationBundle
  ) {
    super(model);
    this._context = { rendermime, trans: _trans, trusted: false };
    this.addClass('jp-CognitionJournal');
    this.node.tabIndex = 0;
    void model.read(PAGE);
  }

  protected override render(): React.JSX.Element {
    const { model } = this;
    const { conversation, error, hasMore, isBeginningGone, isLoading, isReady, wanted } =
      model;
    const trans = this._trans;
    // Its identity says whether anything has to be drawn again.
    if (this._context.trusted !== model.isTrusted) {
      this._context = { ...this._context, trusted: model.isTrusted };
    }
    const entries = conversation.entries.filter(({ key }) => key < wanted);
    const isMore = hasMore || entries.length < conversation.entries.length;
    return (
      <>
        {isBeginningGone && (
          <p role="note">
            {trans.__('The first events of this session are not kept any more.')}
          </p>
        )}
        <ConversationView
          entries={entries}
          dropped={conversation.dropped}
          context={this._context}
        />
        {error && (
          <p role="alert" className="jp-CognitionOverview-error">
            {describe(error, trans)}
          </p>
        )}
        <p role="status">
          {isLoading
            ? trans.__('Loading…')
            : isReady && conversation.entries.length === 0
              ? trans.__('Nothing was said in the chat of this session.')
              : ''}
        </p>
        {(isMore || error) && !isLoading && (
          <button
            type="button"
            className="jp-mod-styled"
            onClick={() => {
              void model.read(isMore ? wanted + PAGE : wanted);
            }}
          >
            {isMore ? trans.__('Read on') : trans.__('Try again')}
          </button>
        )}
      </>
    );
  }

  protected override onActivateRequest(message: Message): void {
    super.onActivateRequest(message);
    this.node.focus();
  }

  private _context: IConversationContext;
}
