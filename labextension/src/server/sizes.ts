import type { ServerConnection } from '@jupyterlab/services';

import { number, record } from './check';
import { requestJSON } from './request';

/** What a project takes. */
export interface ISizes {
  /** Bytes on disk; at least so many when `isComplete` is false. */
  readonly disk: number;
  readonly isComplete: boolean;

  /** Bytes in the newest snapshot of hot memory; 0 before the first. */
  readonly memory: number;
}

/** Ask for the sizes of a project; the server keeps a measurement for some minutes. */
export async function getSizes(
  settings: ServerConnection.ISettings,
  projectId: string
): Promise<ISizes> {
  const path = ['api', 'projects', projectId, 'usage'];
  const usage = record(await requestJSON(settings, { path }));
  const disk = record(usage.disk);
  const snapshots: unknown[] = Array.isArray(usage.memory) ? usage.memory : [];
  const newest = snapshots.at(-1);
  return {
    disk: number(disk.bytes),
    isComplete: disk.complete !== false,
    memory: newest === undefined ? 0 : number(record(newest).bytes)
  };
}
