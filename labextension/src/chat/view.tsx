import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { TranslationBundle } from '@jupyterlab/translation';
import { VDomRenderer } from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import * as React from 'react';

import type { IConversationContext } from '../conversation/view';
import { ConversationView } from '../conversation/view';
import { describe } from '../failure';
import { shortId } from '../model/words';
import { Composer } from './composer';
import type { ChatModel } from './model';
import type { PendingState } from './pending';
import { Scroller } from './scroller';
import { StartPage } from './start';

/** The conversation, what its session does, and where the next message is written. */
export class ChatView extends VDomRenderer<ChatModel> {
  constructor(
    model: ChatModel,
    private readonly _rendermime: IRenderMimeRegistry,
    private readonly _trans: TranslationBundle
  ) {
    super(model);
    this.addClass('jp-CognitionChat');
  }

  protected override render(): React.JSX.Element {
    const { model } = this;
    const trans = this._trans;
    const { conversation, error, pending, sessionId, state } = model;
    const isStart = sessionId === null && state === 'off' && pending.length === 0;
    return (
      <>
        <Scroller
          // Another session begins at its end again.
          key={isStart ? 'start' : (sessionId ?? 'new')}
          isFollowing={!isStart}
          label={trans.__('Conversation')}
          isBusy={conversation.isWorking}
          toEnd={trans.__('To the newest')}
        >
          {isStart ? (
            <StartPage model={model} trans={trans} />
          ) : (
            <ConversationView
              entries={conversation.entries}
              dropped={conversation.dropped}
              context={this._contextNow()}
            />
          )}
          {this._renderPending()}
        </Scroller>
        {error && (
          <p role="alert" className="jp-CognitionChat-error">
            {describe(error, trans)}
          </p>
        )}
        <p role="status" className="jp-CognitionChat-status" data-state={state}>
          {this._statusInWords()}{' '}
          {state === 'lost' && (
            <button
              type="button"
              className="jp-mod-styled"
              onClick={() => {
                model.retry();
              }}
            >
              {trans.__('Try now')}
            </button>
          )}
        </p>
        <Composer model={model} trans={trans} />
      </>
    );
  }

  protected override onActivateRequest(message: Message): void {
    super.onActivateRequest(message);
    // It may have been rendered by now, or be so soon.
    void (this.renderPromise ?? Promise.resolve()).then(() => {
      this._focusComposer();
    });
  }

  private _focusComposer(): void {
    this.node.querySelector('textarea')?.focus();
  }

  /** Messages whose turns have not begun. */
  private _renderPending(): React.JSX.Element {
    const { model } = this;
    return (
      <>
        {model.pending.map(({ key, content, state }) => (
          <article key={key} className="jp-CognitionChat-pending" data-state={state}>
            <pre>{content}</pre>
            <footer>
              {pendingInWords(state, this._trans)}{' '}
              {(state === 'refused' || state === 'unconfirmed') && (
                <button
                  type="button"
                  className="jp-mod-styled"
                  onClick={() => {
                    model.takeBack(key);
                    this._focusComposer();
                  }}
                >
                  {this._trans.__('Edit again')}
                </button>
              )}
            </footer>
          </article>
        ))}
      </>
    );
  }

  private _statusInWords(): string {
    const { conversation, sessionId, state } = this.model;
    const trans = this._trans;
    switch (state) {
      case 'starting':
        return trans.__('A session is being started…');
      case 'joining':
        return trans.__('Catching up…');
      case 'lost':
        return trans.__('Connection lost. Nothing that is said meanwhile is missed.');
      case 'live':
        return conversation.waitsFor !== null
          ? waitInWords(conversation.waitsFor, trans)
          : conversation.isWorking
            ? trans.__('Running…')
            : trans.__('Ready.');
      case 'off':
        return sessionId === null
          ? ''
          : trans.__(
              'This session has ended. A message starts it again, in a fresh container on the same files and memory.'
            );
    }
  }

  /** The same object as long as nothing of it changes, so that entries are not drawn again. */
  private _contextNow(): IConversationContext {
    const { trusted } = this.model;
    if (this._context?.trusted !== trusted) {
      const trans = this._trans;
      this._context = { rendermime: this._rendermime, trans, trusted };
    }
    return this._context;
  }

  private _context: IConversationContext | null = null;
}

/** `session` as the choice of sessions names it; empty when it is not known. */
function waitInWords(session: string, trans: TranslationBundle): string {
  return session === ''
    ? trans.__('Waiting for another session of this project…')
    : trans.__('Waiting for another session of this project (%1)…', shortId(session));
}

function pendingInWords(state: PendingState, trans: TranslationBundle): string {
  switch (state) {
    case 'unsent':
      return trans.__('waits for the session');
    case 'waiting':
      return trans.__('waits for its turn');
    case 'unconfirmed':
      return trans.__('not known whether it arrived');
    case 'refused':
      return trans.__('was not run');
  }
}
