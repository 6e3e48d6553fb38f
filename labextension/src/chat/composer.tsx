import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { InputHistory } from './history';
import type { ChatModel } from './model';

/** Where a message is written: Enter sends, Shift+Enter begins a line, arrows find earlier ones. */
export function Composer({
  model,
  trans
}: {
  readonly model: ChatModel;
  readonly trans: TranslationBundle;
}): React.JSX.Element {
  const { draft } = model;
  const area = React.useRef<HTMLTextAreaElement>(null);
  const history = React.useRef(new InputHistory());
  React.useLayoutEffect(() => {
    if (area.current) {
      // As high as what is in it; the style sheet knows the limit.
      area.current.style.height = 'auto';
      area.current.style.height = `${area.current.scrollHeight.toString()}px`;
    }
  }, [draft]);
  const canSend = model.canSend && draft.trim() !== '';
  const send = (): void => {
    if (canSend) {
      model.send();
      area.current?.focus();
    }
  };
  const onKeyDown = (event: React.KeyboardEvent<HTMLTextAreaElement>): void => {
    const { selectionStart, selectionEnd } = event.currentTarget;
    // With an input method, Enter takes what it proposes.
    if (event.nativeEvent.isComposing || event.ctrlKey || event.altKey || event.metaKey) {
      return;
    }
    let found: string | null = null;
    if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault();
      send();
    } else if (selectionStart !== selectionEnd || event.shiftKey) {
      return;
    } else if (event.key === 'ArrowUp' && !draft.slice(0, selectionStart).includes('\n')) {
      found = history.current.previous(model.history, draft);
    } else if (event.key === 'ArrowDown' && !draft.slice(selectionEnd).includes('\n')) {
      found = history.current.next(model.history, draft);
    }
    if (found !== null) {
      event.preventDefault();
      model.draft = found;
    }
  };
  return (
    <div className="jp-CognitionChat-composer">
      <textarea
        ref={area}
        className="jp-mod-styled"
        rows={1}
        value={draft}
        aria-label={trans.__('Message')}
        placeholder={trans.__('Enter sends, Shift+Enter begins a new line')}
        spellCheck={false}
        onChange={event => {
          model.draft = event.target.value;
        }}
        onKeyDown={onKeyDown}
      />
      <button
        type="button"
        className="jp-mod-styled jp-mod-accept"
        disabled={!canSend}
        onClick={send}
      >
        {trans.__('Send')}
      </button>
    </div>
  );
}
