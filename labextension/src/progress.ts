import { Notification, showErrorMessage } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import { describe, NOTIFICATION_LENGTH } from './failure';

/** Lab loses what is said of a notification before it is on the screen. */
const SHOWN = 1_000;

/** How long the end of some work is shown, in milliseconds. */
const END_SHOWN = 10_000;

/** What is said of some work. */
export interface IWork<T> {
  readonly pending: string;
  readonly done: (result: T) => string;

  /** What can be done with the result. */
  readonly actions?: readonly {
    readonly label: string;
    readonly run: (result: T) => void;
  }[];

  /** Title of the dialog that shows a reason that is long. */
  readonly failed: string;

  /** Given to those who can stop the work. */
  readonly cancel?: () => void;
}

/** The notification of work that is being done. */
export interface IProgress {
  /** Say how far it is. */
  readonly tell: (message: string) => void;
}

/** Show a notification until `work` has ended and said how. It does not wait and never throws. */
export function showWork<T>(
  work: Promise<T>,
  says: IWork<T>,
  trans: TranslationBundle
): IProgress {
  let result: T;
  let isOver = false;
  const onScreen = new Promise(resolve => setTimeout(resolve, SHOWN));
  const ended = (async (): Promise<string> => {
    try {
      result = await work;
      return says.done(result);
    } finally {
      isOver = true;
      await onScreen;
    }
  })();
  const { cancel } = says;
  const id = Notification.promise(ended, {
    pending: {
      message: says.pending,
      options: {
        autoClose: false,
        actions: cancel ? [{ label: trans.__('Cancel'), callback: cancel }] : []
      }
    },
    success: {
      message: done => String(done),
      options: {
        autoClose: END_SHOWN,
        actions: (says.actions ?? []).map(({ label, run }) => ({
          label,
          callback: () => {
            run(result);
          }
        }))
      }
    },
    error: {
      message: reason => describe(reason, trans),
      options: { autoClose: false, actions: [] }
    }
  });
  ended.catch((reason: unknown) => {
    const message = describe(reason, trans);
    if (reason instanceof DOMException && reason.name === 'AbortError') {
      Notification.dismiss(id);
    } else if (message.length > NOTIFICATION_LENGTH) {
      const callback = (): void => void showErrorMessage(says.failed, message);
      const actions = [{ label: trans.__('Show all'), callback }];
      Notification.update({ id, message, actions });
    }
  });
  return {
    tell: message => {
      void onScreen.then(() => {
        if (!isOver) {
          Notification.update({ id, message });
        }
      });
    }
  };
}
