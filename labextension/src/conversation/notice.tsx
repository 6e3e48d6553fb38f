import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { INoticeEntry } from './entries';
import { timeOfDay } from './text';

/** What happened to the session. */
export function NoticeView({
  entry,
  trans
}: {
  readonly entry: INoticeEntry;
  readonly trans: TranslationBundle;
}): React.JSX.Element {
  const isError = entry.notice === 'error' && entry.code !== 'cancelled';
  return (
    <p
      className="jp-CognitionConversation-notice"
      data-notice={isError ? 'error' : entry.notice}
    >
      {sentence(entry, trans)} <time dateTime={entry.time}>{timeOfDay(entry.time)}</time>
    </p>
  );
}

function sentence(entry: INoticeEntry, trans: TranslationBundle): string {
  const { code, message, notice } = entry;
  switch (notice) {
    case 'started':
      return trans.__('The session has started.');
    case 'restarted':
      return code
        ? trans.__('The kernel was restarted: %1.', reasonInWords(code, trans))
        : trans.__('The kernel was restarted.');
    case 'ended':
      return trans.__('The session has ended: %1.', reasonInWords(code, trans));
    case 'progress':
      return progressInWords(code, message, trans);
    case 'error':
      return message || code;
  }
}

/** Why a session ended, or its kernel was restarted; docs/rest.md lists the words for machines. */
export function reasonInWords(reason: string, trans: TranslationBundle): string {
  switch (reason) {
    case 'client':
      return trans.__('somebody asked for it');
    case 'disconnected':
      return trans.__('nobody was connected any more');
    case 'idle':
      return trans.__('it was not used for a while');
    case 'out_of_memory':
      return trans.__('it had no memory left');
    case 'crashed':
      return trans.__('its kernel crashed');
    case 'engine':
      return trans.__('the container engine was gone');
    case 'cleanup':
      return trans.__('its project was cleaned up');
    case 'deleted':
      return trans.__('its project was deleted');
    case 'server_stopped':
      return trans.__('the server was stopped');
    default:
      return reason || trans.__('the reason is not known');
  }
}

function progressInWords(
  stage: string,
  detail: string,
  trans: TranslationBundle
): string {
  switch (stage) {
    case 'container':
      return trans.__('A container is being started…');
    case 'clone':
      return trans.__('The repository is being cloned: %1', detail);
    default:
      return `${stage}: ${detail}`;
  }
}
