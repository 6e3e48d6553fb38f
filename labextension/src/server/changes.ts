/** What can be done with projects. All throw as `listProjects` does. */
import type { ServerConnection } from '@jupyterlab/services';

import { numberOrNull, record, textOrNull } from './check';
import type { IProject, NetworkMode } from './projects';
import { parseProject } from './projects';
import { requestJSON } from './request';

type Settings = ServerConnection.ISettings;

/** What a new project is made from; what is left out is as the server has it. */
export interface INewProject {
  readonly user_prefix: string;
  readonly template?: string;
  readonly repo_url?: string;
  readonly network_mode?: NetworkMode;
  readonly container_image?: string;
  readonly description?: string;
  readonly tags?: readonly string[];
}

/** What can be changed of a project; what is left out stays. */
export interface IProjectChange {
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly network_mode?: NetworkMode;

  /** Null for the server's own. */
  readonly container_image?: string | null;
  readonly cleanup_after_days?: number | null;
}

/** A project with what can be changed of it. */
export interface IProjectDetails extends IProject {
  readonly networkMode: NetworkMode;
  readonly containerImage: string | null;

  /** After how many days without use it goes to the trash; null when the server does not say. */
  readonly cleanupAfterDays: number | null;
}

/** Make a project; waits for a clone or a template's command. */
export async function createProject(
  settings: Settings,
  project: INewProject
): Promise<IProject> {
  const path = ['api', 'projects'];
  return parseProject(
    await requestJSON(settings, { path, method: 'POST', json: project })
  );
}

/** Everything that can be changed of a project; also of one in the trash. */
export async function getProject(
  settings: Settings,
  projectId: string
): Promise<IProjectDetails> {
  const path = ['api', 'projects', projectId];
  const details = record(await requestJSON(settings, { path }));
  return {
    ...parseProject(details),
    networkMode: details.network_mode === 'ON' ? 'ON' : 'OFF',
    containerImage: textOrNull(record(details.config).container_image),
    cleanupAfterDays: numberOrNull(details.cleanup_after_days)
  };
}

/** Change a project; sessions started from then on see it. */
export async function changeProject(
  settings: Settings,
  projectId: string,
  change: IProjectChange
): Promise<void> {
  const path = ['api', 'projects', projectId];
  await requestJSON(settings, { path, method: 'PATCH', json: change });
}

/** Move the date of cleanup by some days, pin or unpin. */
export async function extendProject(
  settings: Settings,
  projectId: string,
  how: { readonly days: number } | { readonly pin: boolean }
): Promise<void> {
  const path = ['api', 'projects', projectId, 'extend'];
  await requestJSON(settings, { path, method: 'POST', json: how });
}

/** Move a project to the trash, or remove it for good. `force` ends its sessions. */
export async function deleteProject(
  settings: Settings,
  projectId: string,
  how: { readonly force?: boolean; readonly permanent?: boolean } = {}
): Promise<void> {
  const path = ['api', 'projects', projectId];
  await requestJSON(settings, { path, method: 'DELETE', query: how });
}

/** Bring a project back from the trash. */
export async function restoreProject(
  settings: Settings,
  projectId: string
): Promise<void> {
  const path = ['api', 'projects', projectId, 'restore'];
  await requestJSON(settings, { path, method: 'POST' });
}

/** Make a new project with the files of another. */
export async function duplicateProject(
  settings: Settings,
  projectId: string,
  how: { readonly user_prefix: string; readonly memory: boolean }
): Promise<IProject> {
  const path = ['api', 'projects', projectId, 'duplicate'];
  return parseProject(
    await requestJSON(settings, { path, method: 'POST', json: how })
  );
}
