import { Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import { reasonInWords } from '../conversation/notice';
import { text } from '../server/check';
import type { IServerEvent, ServerEvents } from '../server/events';

/** Ends that the user has asked for, or sees anyway. */
const ASKED_FOR = ['', 'client', 'deleted'];

/**
 * Tells why a kernel has died: Lab itself only says that it has. Of kernels in this page;
 * `nameOf` has the name of the view of one, or null.
 */
export function tellEndings(
  events: ServerEvents,
  trans: TranslationBundle,
  nameOf: (kernelId: string) => string | null
): void {
  events.happened.connect((_: ServerEvents, event: IServerEvent) => {
    const { action, data, noun } = event;
    const reason = text(data.reason);
    const isEnd = action === 'ended' || action === 'restarted';
    if (noun !== 'session' || !isEnd || ASKED_FOR.includes(reason)) {
      return;
    }
    const name = nameOf(text(data.session_id));
    if (name === null) {
      return;
    }
    const why = text(data.detail) || trans.__('The reason: %1.', reasonInWords(reason, trans));
    Notification.warning(
      action === 'restarted'
        ? trans.__('The kernel of %1 was restarted, its variables are gone. %2', name, why)
        : trans.__('The kernel of %1 has ended. %2', name, why),
      // Without a value of its own it would go to the list of notifications only.
      { autoClose: false }
    );
  });
}
