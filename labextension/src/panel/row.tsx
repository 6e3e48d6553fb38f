import type { TranslationBundle } from '@jupyterlab/translation';
import type { LabIcon } from '@jupyterlab/ui-components';
import {
  deleteIcon,
  ellipsesIcon,
  notebookIcon,
  undoIcon
} from '@jupyterlab/ui-components';
import * as React from 'react';

import { extendIcon, pinIcon } from '../icons';
import { isDueSoon, sizeInWords, timeLeft, timeUntil } from '../model/words';
import { timeInWords } from '../overview/words';
import type { IProject } from '../server/projects';
import type { ISizes } from '../server/sizes';

/** What the buttons of a row do. */
export interface IRowActions {
  readonly open: () => void;
  readonly newNotebook: () => void;
  readonly pin: () => void;
  readonly extend: () => void;
  readonly restore: () => void;
  readonly delete: () => void;
  readonly menu: (x: number, y: number) => void;
}

/** The cells of a project's row. */
export function Row(props: {
  readonly project: IProject;
  readonly sizes: ISizes | undefined;
  readonly now: number;
  readonly warningDays: number;
  readonly extendDays: number;
  readonly actions: IRowActions;
  readonly trans: TranslationBundle;
}): React.JSX.Element {
  const { actions, project, trans } = props;
  const { activeSessions, brokenReason, description, id, pinned, tags } = project;
  const isTrashed = project.status === 'trashed';
  const sessions = trans._n('%1 live session', '%1 live sessions', activeSessions);
  const says =
    brokenReason === null ? description : trans.__('Broken: %1', brokenReason);
  return (
    <>
      <div
        role="gridcell"
        className="jp-CognitionProjects-cell"
        onClick={actions.open}
      >
        <div className="jp-CognitionProjects-title">
          <button
            type="button"
            className="jp-CognitionProjects-name"
            tabIndex={-1}
            title={id}
            disabled={isTrashed}
          >
            {id}
          </button>
          {activeSessions > 0 && (
            <Mark name={sessions} className="jp-CognitionProjects-live" />
          )}
          {pinned && <Mark name={trans.__('Pinned')} icon={pinIcon} />}
        </div>
        {(says || tags.length > 0) && (
          <div
            title={says}
            className={`jp-CognitionProjects-detail${
              brokenReason === null ? '' : ' jp-mod-broken'
            }`}
          >
            {says || tags.join(', ')}
          </div>
        )}
        <Facts {...props} />
      </div>
      <div role="gridcell" className="jp-CognitionProjects-actions">
        {isTrashed && (
          <Action name={trans.__('Restore')} icon={undoIcon} run={actions.restore} />
        )}
        {isTrashed && (
          <Action
            name={trans.__('Delete permanently…')}
            icon={deleteIcon}
            run={actions.delete}
          />
        )}
        {!isTrashed && brokenReason === null && (
          <>
            <Action
              name={trans.__('New notebook')}
              icon={notebookIcon}
              run={actions.newNotebook}
            />
            <Action
              name={pinned ? trans.__('Unpin') : trans.__('Pin')}
              icon={pinIcon}
              isOn={pinned}
              run={actions.pin}
            />
            <Action
              name={trans._n(
                'Extend by %1 day',
                'Extend by %1 days',
                props.extendDays
              )}
              icon={extendIcon}
              run={actions.extend}
            />
          </>
        )}
        <Action
          name={trans.__('More actions')}
          icon={ellipsesIcon}
          hasMenu
          run={event => {
            const { bottom, left } = event.currentTarget.getBoundingClientRect();
            actions.menu(left, bottom);
          }}
        />
      </div>
    </>
  );
}

/** Time left and sizes. */
function Facts(props: {
  readonly project: IProject;
  readonly sizes: ISizes | undefined;
  readonly now: number;
  readonly warningDays: number;
  readonly trans: TranslationBundle;
}): React.JSX.Element {
  const { now, project, sizes, trans, warningDays } = props;
  const { cleanupAt, pinned, status } = project;
  const isTrashed = status === 'trashed';
  const disk = sizes?.disk ?? project.diskBytes;
  const isAll = sizes?.isComplete !== false;
  const isSoon = isDueSoon(project, now, warningDays);
  return (
    <div className="jp-CognitionProjects-facts">
      {cleanupAt !== null && (
        <span
          className={`jp-CognitionProjects-timeLeft${isSoon ? ' jp-mod-warning' : ''}`}
          title={
            isTrashed
              ? trans.__('Deleted permanently on %1', timeInWords(cleanupAt))
              : trans.__('Goes to the trash on %1', timeInWords(cleanupAt))
          }
        >
          {isTrashed
            ? trans.__('Gone for good %1', timeUntil(cleanupAt, now))
            : trans.__('%1 left', timeLeft(cleanupAt, now))}
        </span>
      )}
      {pinned && <span>{trans.__('Kept')}</span>}
      {disk !== null && (
        <span
          title={
            isAll
              ? trans.__('%1 on disk', sizeInWords(disk))
              : trans.__('More than %1 on disk', sizeInWords(disk))
          }
        >
          {isAll ? sizeInWords(disk) : trans.__('> %1', sizeInWords(disk))}
        </span>
      )}
      {sizes !== undefined && sizes.memory > 0 && (
        <span
          title={trans.__('%1 of hot memory, at its last snapshot', sizeInWords(sizes.memory))}
        >
          {trans.__('%1 mem.', sizeInWords(sizes.memory))}
        </span>
      )}
    </div>
  );
}

function Mark(props: {
  readonly name: string;
  readonly className?: string;
  readonly icon?: LabIcon;
}): React.JSX.Element {
  const { className, icon, name } = props;
  return (
    <span role="img" className={className} aria-label={name} title={name}>
      {icon && <icon.react tag="span" width="12px" height="12px" />}
    </span>
  );
}

function Action(props: {
  readonly name: string;
  readonly icon: LabIcon;

  /** Whether what it changes is on; its name says so, and its colour. */
  readonly isOn?: boolean;
  readonly hasMenu?: boolean;
  readonly run: (event: React.MouseEvent<HTMLButtonElement>) => void;
}): React.JSX.Element {
  const { hasMenu, icon, isOn, name, run } = props;
  return (
    <button
      type="button"
      className={`jp-CognitionProjects-action${isOn ? ' jp-mod-on' : ''}`}
      aria-label={name}
      title={name}
      aria-haspopup={hasMenu ? 'menu' : undefined}
      onClick={run}
    >
      <icon.react tag="span" width="16px" height="16px" />
    </button>
  );
}
