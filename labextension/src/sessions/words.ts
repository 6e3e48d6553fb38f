import type { TranslationBundle } from '@jupyterlab/translation';

import type { ISession } from '../server/sessions';

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
