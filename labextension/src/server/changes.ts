/** What can be done with projects. All throw as `listProjects` does. */
import type { ServerConnection } from '@jupyterlab/services';

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
