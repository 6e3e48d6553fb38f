import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import { CommandIDs } from '../commands/ids';
import { reasonInWords } from '../conversation/notice';
import type { IDetails } from '../server/details';
import type { ISession } from '../server/sessions';
import { runtimeInWords } from '../sessions/words';
import { durationInWords, timeInWords } from './words';

/** How many sessions are shown at first. */
const FIRST = 10;

/** The newest sessions of a project, and how they ended. */
export function SessionsView({
  details: { id, sessions },
  commands,
  trans
}: {
  readonly details: IDetails;
  readonly commands: CommandRegistry;
  readonly trans: TranslationBundle;
}): React.JSX.Element {
  const [isAll, setAll] = React.useState(false);
  const shown = isAll ? sessions : sessions.slice(0, FIRST);
  return (
    <section aria-label={trans.__('Recent sessions')}>
      <h2>{trans.__('Recent sessions')}</h2>
      {sessions.length === 0 ? (
        <p className="jp-CognitionOverview-nothing">{trans.__('None yet.')}</p>
      ) : (
        <div className="jp-CognitionOverview-sessions">
          <table>
            <thead>
              <tr>
                <th scope="col">{trans.__('Started')}</th>
                <th scope="col">{trans.__('Duration')}</th>
                <th scope="col">{trans.__('Network')}</th>
                <th scope="col">{trans.__('Runtime')}</th>
                <th scope="col">{trans.__('How it ended')}</th>
                <th scope="col">{trans.__('Journal')}</th>
              </tr>
            </thead>
            <tbody>
              {shown.map(session => (
                <SessionRow
                  key={session.id}
                  session={session}
                  trans={trans}
                  openJournal={() => {
                    void commands.execute(CommandIDs.journal, {
                      project_id: id,
                      session_id: session.id
                    });
                  }}
                />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {shown.length < sessions.length && (
        <button
          type="button"
          className="jp-mod-styled"
          onClick={() => {
            setAll(true);
          }}
        >
          {trans.__('Show all %1', sessions.length)}
        </button>
      )}
    </section>
  );
}

function SessionRow({
  session,
  trans,
  openJournal
}: {
  readonly session: ISession;
  readonly trans: TranslationBundle;
  readonly openJournal: () => void;
}): React.JSX.Element {
  const { endedAt, networkMode, reason, startedAt } = session;
  const started = timeInWords(startedAt);
  const end = endedAt === null ? Date.now() : Date.parse(endedAt);
  return (
    <tr data-session={session.id}>
      <th scope="row">
        <time dateTime={startedAt}>{started}</time>
      </th>
      <td>{durationInWords(Math.max(0, end - Date.parse(startedAt)) / 1000)}</td>
      <td>{networkMode === 'ON' ? trans.__('On') : trans.__('Off')}</td>
      <td>{runtimeInWords(session, trans)}</td>
      <td>
        {endedAt === null ? (
          <span className="jp-CognitionOverview-live">{trans.__('Live')}</span>
        ) : (
          <>
            <p className="jp-CognitionOverview-reason">
              {reasonInWords(reason ?? '', trans)}
            </p>
            {session.detail !== null && <p>{session.detail}</p>}
          </>
        )}
      </td>
      <td>
        <button
          type="button"
          className="jp-mod-styled"
          aria-label={trans.__('Journal of the session of %1', started)}
          onClick={openJournal}
        >
          {trans.__('Read')}
        </button>
      </td>
    </tr>
  );
}
