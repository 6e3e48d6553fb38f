import type { TranslationBundle } from '@jupyterlab/translation';
import type { LabIcon } from '@jupyterlab/ui-components';
import { consoleIcon, closeIcon, stopIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { reasonInWords } from '../conversation/notice';
import { shortId, sizeInWords } from '../model/words';
import { durationInWords, timeInWords } from '../overview/words';
import type { ISession } from '../server/sessions';
import type { IShownUsage } from './usage';
import { networkInWords, runtimeInWords } from './words';

/** What can be done with a live session. */
export interface ISessionActions {
  /** Open a console on its kernel. */
  connect(session: ISession): void;
  interrupt(session: ISession): void;

  /** End it and its kernel, if the user is sure; `purpose` says which one it is. */
  shutDown(session: ISession, purpose: string): void;
}

/** A live session. */
export function LiveSession(props: {
  readonly session: ISession;

  /** What tells it from the other sessions of its project. */
  readonly purpose: string;
  readonly state: string;
  readonly usage: IShownUsage | null;
  readonly actions: ISessionActions;
  readonly trans: TranslationBundle;
}): React.JSX.Element {
  const { actions, purpose, session, state, trans, usage } = props;
  const { image, projectId, startedAt } = session;
  const seconds = Math.max(Date.now() - Date.parse(startedAt), 0) / 1000;
  const facts = [runtimeInWords(session, trans), networkInWords(session, trans)];
  if (image !== null) {
    facts.push(image);
  }
  const action = (
    icon: LabIcon,
    label: string,
    act: () => void
  ): React.JSX.Element => (
    <button
      type="button"
      className="jp-CognitionSessions-action"
      aria-label={trans.__('%1: %2 of %3', label, purpose, projectId)}
      title={label}
      onClick={act}
    >
      <icon.react tag="span" width="16px" />
    </button>
  );
  return (
    <li className="jp-CognitionSessions-session">
      <span className="jp-CognitionSessions-name" title={projectId}>
        {projectId}
      </span>
      <span className="jp-CognitionSessions-actions">
        {action(consoleIcon, trans.__('Connect'), () => {
          actions.connect(session);
        })}
        {action(stopIcon, trans.__('Interrupt Kernel'), () => {
          actions.interrupt(session);
        })}
        {action(closeIcon, trans.__('Shut Down Session'), () => {
          actions.shutDown(session, purpose);
        })}
      </span>
      <span className="jp-CognitionSessions-purpose">{purpose}</span>
      <span
        className={
          session.isIsolated
            ? 'jp-CognitionSessions-facts'
            : 'jp-CognitionSessions-facts jp-CognitionSessions-exposed'
        }
      >
        {facts.join(' · ')}
      </span>
      <span className="jp-CognitionSessions-facts">
        {[state, trans.__('up %1', durationInWords(seconds)), ...uses(usage, trans)].join(
          ' · '
        )}
      </span>
    </li>
  );
}

/** A session that has ended. */
export function EndedSession(props: {
  readonly session: ISession;
  readonly trans: TranslationBundle;
}): React.JSX.Element {
  const { session, trans } = props;
  const { detail, endedAt, projectId, reason } = session;
  return (
    <li className="jp-CognitionSessions-session">
      <span className="jp-CognitionSessions-name" title={projectId}>
        {projectId}
      </span>
      <p className="jp-CognitionSessions-facts jp-CognitionSessions-reason">
        {reasonInWords(reason ?? '', trans)}
      </p>
      {detail !== null && <p className="jp-CognitionSessions-facts">{detail}</p>}
      {endedAt !== null && (
        <time className="jp-CognitionSessions-facts" dateTime={endedAt}>
          {timeInWords(endedAt)} · {shortId(session.id)}
        </time>
      )}
    </li>
  );
}

function uses(usage: IShownUsage | null, trans: TranslationBundle): string[] {
  const words = [];
  if (usage && usage.memoryBytes !== null) {
    const size = sizeInWords(usage.memoryBytes);
    words.push(
      usage.memoryLimitBytes === null
        ? trans.__('memory %1', size)
        : trans.__('memory %1 of %2', size, sizeInWords(usage.memoryLimitBytes))
    );
  }
  if (usage && usage.cpus !== null) {
    words.push(trans.__('CPU %1%', Math.round(usage.cpus * 100)));
  }
  return words;
}
