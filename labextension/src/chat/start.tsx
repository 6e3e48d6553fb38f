import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { reasonInWords } from '../conversation/notice';
import { shortId } from '../model/words';
import { timeInWords } from '../overview/words';
import type { ISession } from '../server/sessions';
import type { ChatModel } from './model';

/** How many sessions that have ended are offered. */
const ENDED = 10;

/** The choice of a session; who just writes gets a new one. */
export function StartPage({
  model,
  trans
}: {
  readonly model: ChatModel;
  readonly trans: TranslationBundle;
}): React.JSX.Element {
  const sessions = model.sessions ?? [];
  const live = sessions.filter(({ endedAt }) => endedAt === null);
  const ended = sessions.filter(({ endedAt }) => endedAt !== null).slice(0, ENDED);
  return (
    <div className="jp-CognitionChat-start">
      <p>
        {trans.__(
          'Your first message starts a session: a fresh container on the files and memory of %1.',
          model.projectId
        )}
      </p>
      <Sessions
        title={trans.__('Live sessions')}
        sessions={live}
        describe={({ startedAt }) => trans.__('since %1', timeInWords(startedAt))}
        open={model}
      />
      <Sessions
        title={trans.__('Sessions that have ended')}
        sessions={ended}
        describe={({ endedAt, reason }) =>
          trans.__('until %1: %2', timeInWords(endedAt ?? ''), reasonInWords(reason ?? '', trans))
        }
        open={model}
      />
    </div>
  );
}

function Sessions({
  title,
  sessions,
  describe,
  open
}: {
  readonly title: string;
  readonly sessions: readonly ISession[];
  readonly describe: (session: ISession) => string;
  readonly open: ChatModel;
}): React.JSX.Element | null {
  const id = React.useId();
  return sessions.length === 0 ? null : (
    <section aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      <ul role="list">
        {sessions.map(session => (
          <li key={session.id}>
            <button
              type="button"
              className="jp-CognitionChat-session"
              onClick={() => void open.open(session.id)}
            >
              <code>{shortId(session.id)}</code> {describe(session)}
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
