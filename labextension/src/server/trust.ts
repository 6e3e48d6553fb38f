import type { ServerConnection } from '@jupyterlab/services';

import { requestJSON } from './request';

/** Trust a project, or no longer. @throws as `listProjects`. */
export async function setTrust(
  settings: ServerConnection.ISettings,
  projectId: string,
  trusted: boolean
): Promise<void> {
  const path = ['api', 'projects', projectId, 'trust'];
  await requestJSON(settings, { method: 'POST', path, json: { trusted } });
}
