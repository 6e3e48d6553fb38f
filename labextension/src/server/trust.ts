import type { ServerConnection } from '@jupyterlab/services';

import { record } from './check';
import type { IProject } from './projects';
import { parseProject } from './projects';
import { RefusedError, requestJSON } from './request';

/** A project whose content may be looked at; null when there is none of that id. */
export async function findProject(
  settings: ServerConnection.ISettings,
  projectId: string
): Promise<IProject | null> {
  const path = ['api', 'projects', projectId];
  try {
    return parseProject(record(await requestJSON(settings, { path })));
  } catch (error) {
    if (error instanceof RefusedError && error.status === 404) {
      return null;
    }
    throw error;
  }
}

/** Trust a project, or no longer. @throws as `listProjects`. */
export async function setTrust(
  settings: ServerConnection.ISettings,
  projectId: string,
  trusted: boolean
): Promise<void> {
  const path = ['api', 'projects', projectId, 'trust'];
  await requestJSON(settings, { method: 'POST', path, json: { trusted } });
}
