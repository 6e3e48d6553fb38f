import type { Session } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';

import { shownName } from '../memory/paths';
import { shortId } from '../model/words';
import { clockInWords, timeInWords } from '../overview/words';
import type { ISession } from '../server/sessions';

/**
 * What tells a session from the others of its project: the notebook or the consoles that have its
 * kernel, or else when it started.
 */
export function purposeInWords(
  session: ISession,
  documents: Iterable<Session.IModel>,
  now: number,
  trans: TranslationBundle
): string {
  const names = [...documents]
    .filter(document => document.kernel?.id === session.id)
    .map(document =>
      document.type === 'notebook'
        ? shownName(pathInProject(document.path, session))
        : // A console that was opened from here is called by its project.
          document.name === session.projectId || document.name === ''
          ? trans.__('Console')
          : shownName(document.name)
    );
  const { startedAt } = session;
  const isToday = new Date(startedAt).toDateString() === new Date(now).toDateString();
  const what =
    [...new Set(names)].join(', ') ||
    trans.__('started %1', isToday ? clockInWords(startedAt) : timeInWords(startedAt));
  return `${what} · ${shortId(session.id)}`;
}

function pathInProject(path: string, { contentsPath }: ISession): string {
  const start = contentsPath === null ? -1 : path.indexOf(`${contentsPath}/`);
  return contentsPath === null || start < 0
    ? path
    : path.slice(start + contentsPath.length + 1);
}

/** What runs a session, and plainly when it does not isolate. */
export function runtimeInWords(
  { isIsolated, runtime }: ISession,
  trans: TranslationBundle
): string {
  return isIsolated ? runtime : trans.__('%1 (not isolated)', runtime);
}

/** Whether a session has a network. */
export function networkInWords(
  { networkMode }: ISession,
  trans: TranslationBundle
): string {
  return networkMode === 'ON' ? trans.__('network') : trans.__('no network');
}

/** How long ago memory was saved. */
export function savedInWords(
  savedAt: string,
  now: number,
  trans: TranslationBundle
): string {
  const seconds = Math.max(Math.floor((now - Date.parse(savedAt)) / 1000), 0);
  if (seconds < 60) {
    return trans.__('memory saved %1 s ago', seconds);
  }
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) {
    return trans.__('memory saved %1 min ago', minutes);
  }
  const hours = Math.floor(minutes / 60);
  return hours < 48
    ? trans.__('memory saved %1 h ago', hours)
    : trans.__('memory saved %1 days ago', Math.floor(hours / 24));
}
