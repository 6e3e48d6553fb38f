import { Notification, showErrorMessage } from '@jupyterlab/apputils';
import { ServerConnection } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';

import { NoArchiveError } from './server/archive';
import { UnexpectedAnswerError } from './server/check';
import { NotEnabledError } from './server/request';

/** JupyterLab cuts longer notifications. */
export const NOTIFICATION_LENGTH = 140;

/** One sentence for the user: the server's own where it has said one. */
export function describe(error: unknown, trans: TranslationBundle): string {
  if (error instanceof NotEnabledError) {
    return trans.__(
      'The server extension cognition_jupyter is not enabled: run `jupyter server extension enable cognition_jupyter` and restart.'
    );
  }
  if (error instanceof UnexpectedAnswerError) {
    return trans.__("The server's answer is not what was asked for.");
  }
  if (error instanceof NoArchiveError) {
    return trans.__('The server did not send the archive; try again.');
  }
  if (error instanceof ServerConnection.NetworkError) {
    return trans.__('The server can not be reached.');
  }
  return error instanceof Error ? error.message : String(error);
}

/** Tell the user why something failed; all of it if asked. */
export function showFailure(
  title: string,
  message: string,
  trans: TranslationBundle
): void {
  Notification.error(message, {
    // Without a value of its own it would go to the list of notifications only.
    autoClose: false,
    actions:
      message.length <= NOTIFICATION_LENGTH
        ? []
        : [
            {
              label: trans.__('Show all'),
              callback: () => void showErrorMessage(title, message)
            }
          ]
  });
}

/** Do something; the user is told why it failed. */
export async function guarded(
  { trans }: { readonly trans: TranslationBundle },
  failed: string,
  work: () => Promise<unknown>
): Promise<void> {
  try {
    await work();
  } catch (error) {
    showFailure(failed, describe(error, trans), trans);
  }
}
