import type { ServerConnection } from '@jupyterlab/services';

import { list, record, textOrNull } from './check';
import { requestJSON } from './request';

/** When hot memory was snapshotted last; null when it never was. @throws as `listProjects`. */
export async function getLastSnapshot(
  settings: ServerConnection.ISettings,
  projectId: string
): Promise<string | null> {
  const path = ['api', 'projects', projectId, 'memory'];
  const body = record(await requestJSON(settings, { path }));
  const times = list(body.routes, route =>
    textOrNull(record(route).last_snapshot_at)
  );
  return times.find(time => time !== null) ?? null;
}
