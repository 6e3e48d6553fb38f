import type { ServerConnection } from '@jupyterlab/services';

import { list, number, record } from './check';
import { requestJSON } from './request';

/** A piece of a session's journal. */
export interface IJournalPage {
  /** In order; each as `/ws` has sent it. */
  readonly events: readonly unknown[];

  /** Number of the newest event that there is. */
  readonly lastSeq: number;
}

/** The events of a session after number `since`, not all if they are many. @throws as `listProjects`. */
export async function getEvents(
  settings: ServerConnection.ISettings,
  projectId: string,
  sessionId: string,
  since: number
): Promise<IJournalPage> {
  const path = ['api', 'projects', projectId, 'sessions', sessionId, 'events'];
  const page = record(await requestJSON(settings, { path, query: { since } }));
  return {
    events: list(page.events, event => event),
    lastSeq: number(page.last_seq)
  };
}
