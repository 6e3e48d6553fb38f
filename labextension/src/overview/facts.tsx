import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import { CommandIDs } from '../commands/ids';
import { timeUntil } from '../model/words';
import type { IDetails } from '../server/details';
import { dateInWords, timeInWords } from './words';

/** What parts of the page are made from. */
interface IProps {
  readonly details: IDetails;
  readonly trans: TranslationBundle;
}

/** Name, state, description and tags. */
export function Heading({ details, trans }: IProps): React.JSX.Element {
  const { activeSessions, brokenReason, description, id, status, tags } = details;
  const words = {
    active: trans._n('%1 live session', '%1 live sessions', activeSessions),
    idle: trans.__('No live session'),
    trashed: trans.__('In the trash'),
    broken: trans.__('Broken: %1', brokenReason ?? '')
  };
  return (
    <header className="jp-CognitionOverview-heading">
      <h1>{id}</h1>
      <p className="jp-CognitionOverview-status" data-status={status}>
        {words[status]}
      </p>
      {description && <p>{description}</p>}
      {tags.length > 0 && (
        <ul role="list" aria-label={trans.__('Tags')}>
          {tags.map(tag => (
            <li key={tag}>{tag}</li>
          ))}
        </ul>
      )}
    </header>
  );
}

/** When the project goes, and what can be done about it. */
export function CleanupView({
  details,
  commands,
  trans
}: IProps & { readonly commands: CommandRegistry }): React.JSX.Element {
  const { id, pinned, status } = details;
  const args = { project_id: id };
  const isThere = status !== 'trashed' && status !== 'broken';
  const button = (command: string, label: string): React.JSX.Element | null =>
    commands.hasCommand(command) ? (
      <button
        type="button"
        className="jp-mod-styled"
        onClick={() => {
          void commands.execute(command, args);
        }}
      >
        {label}
      </button>
    ) : null;
  return (
    <section aria-label={trans.__('Cleanup')}>
      <h2>{trans.__('Cleanup')}</h2>
      <p>{cleanupInWords(details, trans)}</p>
      <p className="jp-CognitionOverview-buttons">
        {isThere && !pinned && button(CommandIDs.extend, trans.__('Extend…'))}
        {isThere &&
          button(CommandIDs.pin, pinned ? trans.__('Unpin') : trans.__('Pin'))}
        {status === 'trashed' && button(CommandIDs.restore, trans.__('Restore'))}
      </p>
    </section>
  );
}

function cleanupInWords(details: IDetails, trans: TranslationBundle): string {
  const { cleanupAt, pinned, status } = details;
  if (pinned) {
    return trans.__('Pinned: it stays until somebody deletes it.');
  }
  if (cleanupAt === null) {
    return trans.__('It stays until somebody deletes it.');
  }
  const when = `${dateInWords(cleanupAt)} (${timeUntil(cleanupAt, Date.now())})`;
  return status === 'trashed'
    ? trans.__('It is gone for good on %1.', when)
    : trans.__('It goes to the trash on %1, unless it is used before.', when);
}

/** How the project is set up, and what was done in it. */
export function FactsView({ details, trans }: IProps): React.JSX.Element {
  const { agentModel, contentsPath, image, repoUrl, template } = details;
  const facts: readonly (readonly [string, string | null])[] = [
    [trans.__('Files'), contentsPath],
    [trans.__('Created'), timeInWords(details.createdAt)],
    [
      trans.__('Last used'),
      details.lastAccessed === null ? null : timeInWords(details.lastAccessed)
    ],
    [trans.__('Repository'), repoUrl],
    [trans.__('Template'), template],
    [
      trans.__('Network of its sessions'),
      details.networkMode === 'ON' ? trans.__('On') : trans.__('Off')
    ],
    [trans.__('Container image'), image ?? trans.__("The server's own")],
    [
      trans.__('Installed packages'),
      details.keepsPackages
        ? trans.__('Kept from session to session')
        : trans.__('Gone with the session')
    ],
    [
      trans.__('Kept without use'),
      trans._n('%1 day', '%1 days', details.cleanupAfterDays)
    ],
    [trans.__('Agent'), agentModel],
    [trans.__('Messages'), details.messages.toString()],
    [trans.__('Files changed in conversations'), details.filesModified.toString()],
    [trans.__('Tests run in conversations'), details.testsRun.toString()]
  ];
  return (
    <section aria-label={trans.__('Details')}>
      <h2>{trans.__('Details')}</h2>
      <dl>
        {facts.map(
          ([name, value]) =>
            value !== null && (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            )
        )}
      </dl>
    </section>
  );
}
